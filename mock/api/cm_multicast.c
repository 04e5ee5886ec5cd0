/* SPDX-License-Identifier: BSD-2-Clause */
/* rdma_join_multicast(3), rdma_join_multicast_ex(3), rdma_leave_multicast(3). */
#include <rdma/rdma_cma.h>
#include "api/api.h"
#include "base/util.h"
#include "cm/call.h"
#include "cm/multicast.h"

MOCK_API int rdma_join_multicast(struct rdma_cm_id *id, struct sockaddr *addr,
                                 void *context)
{
	return errno_result(id && addr ? call_join(to_cm_id(id), addr, false, context)
	                               : -EINVAL);
}

static int check_attr(const struct rdma_cm_join_mc_attr_ex *attr)
{
	const uint32_t needed =
	        RDMA_CM_JOIN_MC_ATTR_ADDRESS | RDMA_CM_JOIN_MC_ATTR_JOIN_FLAGS;

	if (!attr)
		return -EINVAL;
	if (attr->comp_mask >= RDMA_CM_JOIN_MC_ATTR_RESERVED)
		return -ENOTSUP;
	if (attr->comp_mask != needed || !attr->addr)
		return -EINVAL;
	return attr->join_flags < RDMA_MC_JOIN_FLAG_RESERVED ? 0 : -EINVAL;
}

MOCK_API int rdma_join_multicast_ex(struct rdma_cm_id *id,
                                    struct rdma_cm_join_mc_attr_ex *attr, void *context)
{
	int err = id ? check_attr(attr) : -EINVAL;

	if (!err)
		err = call_join(to_cm_id(id), attr->addr,
		                attr->join_flags == RDMA_MC_JOIN_FLAG_SENDONLY_FULLMEMBER,
		                context);
	return errno_result(err);
}

MOCK_API int rdma_leave_multicast(struct rdma_cm_id *id, struct sockaddr *addr)
{
	return errno_result(id && addr ? multicast_leave(to_cm_id(id), addr) : -EINVAL);
}
