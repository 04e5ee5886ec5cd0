/* SPDX-License-Identifier: BSD-2-Clause */
/* ibv_open_xrcd(3), ibv_create_srq_ex(3), ibv_get_srq_num(3), ibv_open_qp(3). */
#include <infiniband/verbs.h>
#include "api/api.h"
#include "api/tables.h"
#include "object/srq.h"
#include "object/xrcd.h"
#include "transport/target.h"

struct ibv_xrcd *table_open_xrcd(struct ibv_context *context,
                                 struct ibv_xrcd_init_attr *attr)
{
	struct xrcd *xrcd;
	int err = attr ? xrcd_open(context, attr, &xrcd) : -EINVAL;

	return err ? null_result(err) : &xrcd->ibv;
}

int table_close_xrcd(struct ibv_xrcd *xrcd)
{
	return verbs_result(xrcd_close(to_xrcd(xrcd)));
}

struct ibv_srq *table_create_srq_ex(struct ibv_context *context,
                                    struct ibv_srq_init_attr_ex *attr)
{
	struct srq *srq;
	int err;

	if ((attr->comp_mask & IBV_SRQ_INIT_ATTR_PD) &&
	    (!attr->pd || attr->pd->context != context))
		return null_result(-EINVAL);
	err = srq_create_ex(attr, &srq);
	return err ? null_result(err) : &srq->ibv;
}

int table_get_srq_num(struct ibv_srq *srq, uint32_t *number)
{
	if (!to_srq(srq)->xrcd || !number)
		return EINVAL;
	*number = to_srq(srq)->number;
	return 0;
}

struct ibv_qp *table_open_qp(struct ibv_context *context, struct ibv_qp_open_attr *attr)
{
	const uint32_t needed =
	        IBV_QP_OPEN_ATTR_NUM | IBV_QP_OPEN_ATTR_XRCD | IBV_QP_OPEN_ATTR_TYPE;
	struct qp *qp;
	int err;

	if (attr && attr->comp_mask & ~(needed | IBV_QP_OPEN_ATTR_CONTEXT))
		return null_result(-EOPNOTSUPP);
	if (!attr || (attr->comp_mask & needed) != needed ||
	    attr->qp_type != IBV_QPT_XRC_RECV || !attr->xrcd ||
	    attr->xrcd->context != context)
		return null_result(-EINVAL);
	err = target_open(to_xrcd(attr->xrcd), attr->qp_num,
	                  attr->comp_mask & IBV_QP_OPEN_ATTR_CONTEXT ? attr->qp_context
	                                                             : NULL,
	                  &qp);
	return err ? null_result(err) : qp_base(qp);
}
