/* SPDX-License-Identifier: BSD-2-Clause */
/* ibv_create_srq(3), ibv_post_srq_recv(3). */
#include <infiniband/verbs.h>
#include "api/api.h"
#include "api/tables.h"
#include "object/pd.h"
#include "object/srq.h"
#include "transport/transport.h"

MOCK_API struct ibv_srq *ibv_create_srq(struct ibv_pd *pd, struct ibv_srq_init_attr *attr)
{
	struct srq *srq;
	int err = pd && attr ? srq_create(pd, attr, &srq) : -EINVAL;

	if (err)
		return null_result(err);
	srq_query(srq, &attr->attr);
	return &srq->ibv;
}

MOCK_API int ibv_destroy_srq(struct ibv_srq *srq)
{
	return verbs_result(srq ? srq_destroy(to_srq(srq)) : -EINVAL);
}

MOCK_API int ibv_modify_srq(struct ibv_srq *srq, struct ibv_srq_attr *attr, int mask)
{
	return verbs_result(srq && attr ? srq_modify(to_srq(srq), attr, mask) : -EINVAL);
}

MOCK_API int ibv_query_srq(struct ibv_srq *srq, struct ibv_srq_attr *attr)
{
	if (!srq || !attr)
		return EINVAL;
	srq_query(to_srq(srq), attr);
	return 0;
}

int table_post_srq_recv(struct ibv_srq *srq, struct ibv_recv_wr *wr,
                        struct ibv_recv_wr **bad)
{
	return verbs_result(transport_post_srq_recv(to_srq(srq), wr, bad));
}
