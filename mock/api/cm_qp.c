/* SPDX-License-Identifier: BSD-2-Clause */
/* rdma_create_qp(3), rdma_init_qp_attr(3), rdma_create_srq(3), rdma_create_ep(3),
 * rdma_get_request(3). */
#include <rdma/rdma_cma.h>
#include <rdma/rdma_verbs.h>
#include <string.h>
#include "api/api.h"
#include "api/tables.h"
#include "base/util.h"
#include "cm/call.h"
#include "cm/qp.h"
#include "object/xrcd.h"

MOCK_API int rdma_create_qp(struct rdma_cm_id *id, struct ibv_pd *pd,
                            struct ibv_qp_init_attr *attr)
{
	return errno_result(id && attr ? id_create_qp(to_cm_id(id), pd, NULL, attr)
	                               : -EINVAL);
}

MOCK_API int rdma_create_qp_ex(struct rdma_cm_id *id, struct ibv_qp_init_attr_ex *attr)
{
	struct ibv_qp_init_attr plain;
	int err = id && attr ? qp_attr_ex_check(attr) : -EINVAL;

	if (err)
		return errno_result(err);
	memcpy(&plain, attr, sizeof(plain)); /* the one begins with the other */
	err = id_create_qp(to_cm_id(id),
	                   attr->comp_mask & IBV_QP_INIT_ATTR_PD ? attr->pd : NULL,
	                   attr->comp_mask & IBV_QP_INIT_ATTR_XRCD && attr->xrcd
	                           ? to_xrcd(attr->xrcd)
	                           : NULL,
	                   &plain);
	if (err)
		return errno_result(err);
	memcpy(attr, &plain, sizeof(plain));
	qp_attr_ex_apply(to_qp(id->qp), attr);
	return 0;
}

MOCK_API void rdma_destroy_qp(struct rdma_cm_id *id)
{
	if (id)
		id_destroy_qp(to_cm_id(id));
}

MOCK_API int rdma_init_qp_attr(struct rdma_cm_id *id, struct ibv_qp_attr *attr, int *mask)
{
	return errno_result(id && attr && mask ? id_qp_attr(to_cm_id(id), attr, mask)
	                                       : -EINVAL);
}

MOCK_API int rdma_create_srq(struct rdma_cm_id *id, struct ibv_pd *pd,
                             struct ibv_srq_init_attr *attr)
{
	struct ibv_srq_init_attr_ex full = {
		.comp_mask = IBV_SRQ_INIT_ATTR_TYPE | IBV_SRQ_INIT_ATTR_PD,
		.srq_type = IBV_SRQT_BASIC,
		.pd = pd,
	};
	int err;

	if (!id || !attr)
		return errno_result(-EINVAL);
	full.srq_context = attr->srq_context;
	full.attr = attr->attr;
	if (id->qp_type == IBV_QPT_XRC_RECV)
		full.srq_type = IBV_SRQT_XRC;
	err = id_create_srq(to_cm_id(id), &full);
	if (!err)
		attr->attr = full.attr;
	return errno_result(err);
}

MOCK_API int rdma_create_srq_ex(struct rdma_cm_id *id, struct ibv_srq_init_attr_ex *attr)
{
	if (!id || !attr || !(attr->comp_mask & IBV_SRQ_INIT_ATTR_TYPE))
		return errno_result(-EINVAL);
	return errno_result(id_create_srq(to_cm_id(id), attr));
}

MOCK_API void rdma_destroy_srq(struct rdma_cm_id *id)
{
	if (id)
		id_destroy_srq(to_cm_id(id));
}

MOCK_API int rdma_create_ep(struct rdma_cm_id **id, struct rdma_addrinfo *res,
                            struct ibv_pd *pd, struct ibv_qp_init_attr *qp_init_attr)
{
	struct cm_id *made;
	int err = id && res ? ep_create(res, pd, qp_init_attr, &made) : -EINVAL;

	if (!err)
		*id = &made->rdma;
	return errno_result(err);
}

MOCK_API void rdma_destroy_ep(struct rdma_cm_id *id)
{
	if (id)
		ep_destroy(to_cm_id(id));
}

MOCK_API int rdma_get_request(struct rdma_cm_id *listen, struct rdma_cm_id **id)
{
	struct cm_id *made;
	int err = listen && id ? ep_get_request(to_cm_id(listen), &made) : -EINVAL;

	if (!err)
		*id = &made->rdma;
	return errno_result(err);
}
