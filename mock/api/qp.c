/* SPDX-License-Identifier: BSD-2-Clause */
/* ibv_create_qp(3), ibv_modify_qp(3), ibv_post_send(3). */
#include <infiniband/verbs.h>
#include <string.h>
#include "api/api.h"
#include "api/tables.h"
#include "mockrdma.h"
#include "object/xrcd.h"
#include "object/group.h"
#include "object/pd.h"
#include "transport/flow.h"
#include "transport/target.h"
#include "transport/transport.h"

MOCK_API struct ibv_qp *ibv_create_qp(struct ibv_pd *pd, struct ibv_qp_init_attr *attr)
{
	struct qp *qp;
	int err = pd && attr ? transport_qp_create(pd, attr, &qp) : -EINVAL;

	return err ? null_result(err) : qp_base(qp);
}

_Static_assert(IBV_QP_EX_WITH_ATOMIC_FETCH_AND_ADD == 1 << IBV_WR_ATOMIC_FETCH_AND_ADD,
               "the flags are the opcodes' bits");

/* enum ibv_qp_create_send_ops_flags of the type: each is 1 << enum ibv_wr_opcode, but for
 * that of the opcode that came last. */
static uint64_t send_ops_of(enum ibv_qp_type type)
{
	const uint32_t atomic_write = 1 << IBV_WR_ATOMIC_WRITE;
	uint32_t operations = qp_type_operations(type);

	return (operations & ~atomic_write) |
	       (operations & atomic_write ? IBV_QP_EX_WITH_ATOMIC_WRITE : 0);
}

/* The attributes that this device understands; anything else asked for is refused. */
int qp_attr_ex_check(const struct ibv_qp_init_attr_ex *attr)
{
	const uint32_t known = IBV_QP_INIT_ATTR_PD | IBV_QP_INIT_ATTR_SEND_OPS_FLAGS |
	                       IBV_QP_INIT_ATTR_CREATE_FLAGS | IBV_QP_INIT_ATTR_XRCD;
	const uint32_t flags =
	        attr->qp_type == IBV_QPT_UD ? IBV_QP_CREATE_BLOCK_SELF_MCAST_LB : 0;

	if (attr->comp_mask & ~known)
		return -EOPNOTSUPP;
	if ((attr->comp_mask & IBV_QP_INIT_ATTR_CREATE_FLAGS) &&
	    (attr->create_flags & ~flags))
		return -EOPNOTSUPP;
	if ((attr->comp_mask & IBV_QP_INIT_ATTR_SEND_OPS_FLAGS) &&
	    (attr->send_ops_flags & ~send_ops_of(attr->qp_type)))
		return -EOPNOTSUPP;
	return 0;
}

void qp_attr_ex_apply(struct qp *qp, const struct ibv_qp_init_attr_ex *attr)
{
	if (attr->comp_mask & IBV_QP_INIT_ATTR_SEND_OPS_FLAGS)
		wr_table_fill(qp);
	if (attr->comp_mask & IBV_QP_INIT_ATTR_CREATE_FLAGS)
		qp->no_own_copies =
		        attr->create_flags & IBV_QP_CREATE_BLOCK_SELF_MCAST_LB;
}

/* A target is of a domain, any other of a PD: what is not meant is not looked at. */
static int create_of(struct ibv_context *context, const struct ibv_qp_init_attr_ex *attr,
                     struct ibv_qp_init_attr *plain, struct qp **qp)
{
	bool target = attr->qp_type == IBV_QPT_XRC_RECV;

	if (!(attr->comp_mask & (target ? IBV_QP_INIT_ATTR_XRCD : IBV_QP_INIT_ATTR_PD)) ||
	    !(target ? (void *)attr->xrcd : (void *)attr->pd) ||
	    (target ? attr->xrcd->context : attr->pd->context) != context)
		return -EINVAL;
	if (target)
		return target_create(to_xrcd(attr->xrcd), plain, qp);
	return transport_qp_create(attr->pd, plain, qp);
}

struct ibv_qp *table_create_qp_ex(struct ibv_context *context,
                                  struct ibv_qp_init_attr_ex *attr)
{
	struct ibv_qp_init_attr plain;
	int err = qp_attr_ex_check(attr);
	struct qp *qp;

	memcpy(&plain, attr, sizeof(plain)); /* the one begins with the other */
	if (!err)
		err = create_of(context, attr, &plain, &qp);
	if (err)
		return null_result(err);
	attr->cap = plain.cap;
	qp_attr_ex_apply(qp, attr);
	return qp_base(qp);
}

MOCK_API int ibv_destroy_qp(struct ibv_qp *qp)
{
	if (!qp)
		return EINVAL;
	if (group_has(to_qp(qp)) || flow_any(to_qp(qp)))
		return verbs_result(-EBUSY);
	transport_qp_destroy(to_qp(qp));
	return 0;
}

MOCK_API int mockrdma_qp_protect(struct ibv_qp *qp,
                                 const struct mockrdma_protection *keys)
{
	return verbs_result(qp && keys ? transport_qp_protect(to_qp(qp), keys) : -EINVAL);
}

MOCK_API int ibv_modify_qp(struct ibv_qp *qp, struct ibv_qp_attr *attr, int mask)
{
	return verbs_result(qp && attr ? transport_qp_modify(to_qp(qp), attr, mask)
	                               : -EINVAL);
}

MOCK_API int ibv_query_qp(struct ibv_qp *qp, struct ibv_qp_attr *attr, int mask,
                          struct ibv_qp_init_attr *init)
{
	(void)mask; /* more than asked for may be given */
	if (!qp || !attr || !init)
		return EINVAL;
	transport_qp_query(to_qp(qp), attr, init);
	return 0;
}

int table_post_send(struct ibv_qp *qp, struct ibv_send_wr *wr, struct ibv_send_wr **bad)
{
	return verbs_result(transport_post_send(to_qp(qp), wr, bad));
}

int table_post_recv(struct ibv_qp *qp, struct ibv_recv_wr *wr, struct ibv_recv_wr **bad)
{
	return verbs_result(transport_post_recv(to_qp(qp), wr, bad));
}
