/* SPDX-License-Identifier: BSD-2-Clause */
/* ibv_create_ah(3), ibv_create_ah_from_wc(3), ibv_attach_mcast(3). */
#include <infiniband/verbs.h>
#include <string.h>
#include "api/api.h"
#include "link/multicast.h"
#include "object/ah.h"
#include "object/device.h"
#include "object/gid.h"
#include "transport/transport.h"

MOCK_API struct ibv_ah *ibv_create_ah(struct ibv_pd *pd, struct ibv_ah_attr *attr)
{
	struct ah *ah;
	int err = pd && attr ? transport_ah_create(pd, attr, &ah) : -EINVAL;

	return err ? null_result(err) : &ah->ibv;
}

MOCK_API int ibv_init_ah_from_wc(struct ibv_context *context, uint8_t port,
                                 struct ibv_wc *wc, struct ibv_grh *grh,
                                 struct ibv_ah_attr *attr)
{
	if (!context || port != DEVICE_PORT || !wc || !grh || !attr)
		return errno_result(-EINVAL);
	gid_refresh_old();
	return errno_result(ah_attr_from_wc(device_of(context), wc, grh, port, attr));
}

MOCK_API struct ibv_ah *ibv_create_ah_from_wc(struct ibv_pd *pd, struct ibv_wc *wc,
                                              struct ibv_grh *grh, uint8_t port)
{
	struct ibv_ah_attr attr;

	if (!pd)
		return null_result(-EINVAL);
	if (ibv_init_ah_from_wc(pd->context, port, wc, grh, &attr))
		return NULL;
	return ibv_create_ah(pd, &attr);
}

MOCK_API int ibv_destroy_ah(struct ibv_ah *ah)
{
	if (!ah)
		return EINVAL;
	ah_destroy(to_ah(ah));
	return 0;
}

/* There are no VLANs: 0xffff is none. */
MOCK_API int ibv_resolve_eth_l2_from_gid(struct ibv_context *context,
                                         struct ibv_ah_attr *attr, uint8_t mac[6],
                                         uint16_t *vid)
{
	if (!context || !attr || !mac || !ah_attr_is_valid(device_of(context), attr))
		return errno_result(-EINVAL);
	if (vid)
		*vid = 0xffff;
	return errno_result(gid_mac(&attr->grh.dgid, mac));
}

/* RoCE has no LIDs: the address alone says which group. */
MOCK_API int ibv_attach_mcast(struct ibv_qp *qp, const union ibv_gid *gid, uint16_t lid)
{
	(void)lid;
	return verbs_result(qp && gid ? multicast_attach(to_qp(qp), gid) : -EINVAL);
}

MOCK_API int ibv_detach_mcast(struct ibv_qp *qp, const union ibv_gid *gid, uint16_t lid)
{
	(void)lid;
	return verbs_result(qp && gid ? multicast_detach(to_qp(qp), gid) : -EINVAL);
}
