/* SPDX-License-Identifier: BSD-2-Clause */
/* Two QPs of one process, and how RC's are connected, for what the calls cost by
 * themselves. */
#ifndef BENCH_PAIR_H
#define BENCH_PAIR_H

#include <infiniband/verbs.h>
#include <stdio.h>
#include <stdlib.h>

enum { BATCH = 64, PSN = 0x123456 };

struct side {
	struct ibv_cq *cq;
	struct ibv_qp *qp;
};

static inline void need(int ok, const char *what)
{
	if (ok)
		return;
	perror(what);
	exit(1);
}

/* With that CQ for both of its queues, and room for so many requests in each. */
static inline void side_open_on(struct side *side, struct ibv_pd *pd, struct ibv_cq *cq,
                                unsigned int depth, enum ibv_qp_type type)
{
	struct ibv_qp_init_attr init = {
		.qp_type = type,
		.cap = { .max_send_wr = depth,
		         .max_recv_wr = depth,
		         .max_send_sge = 1,
		         .max_recv_sge = 1,
		         .max_inline_data = 64 },
	};

	need(cq != NULL, "ibv_create_cq");
	side->cq = cq;
	init.send_cq = init.recv_cq = side->cq;
	side->qp = ibv_create_qp(pd, &init);
	need(side->qp != NULL, "ibv_create_qp");
}

static inline void side_open(struct side *side, struct ibv_context *context,
                             struct ibv_pd *pd, enum ibv_qp_type type)
{
	side_open_on(side, pd, ibv_create_cq(context, 4 * BATCH, NULL, NULL, 0),
	             2 * BATCH, type);
}

static inline void side_connect(struct side *side, const struct side *to,
                                const union ibv_gid *gid)
{
	struct ibv_qp_attr attr = {
		.qp_state = IBV_QPS_INIT,
		.port_num = 1,
		.qp_access_flags = IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_REMOTE_READ,
		.path_mtu = IBV_MTU_1024,
		.dest_qp_num = to->qp->qp_num,
		.rq_psn = PSN,
		.sq_psn = PSN,
		.max_rd_atomic = 1,
		.max_dest_rd_atomic = 1,
		.min_rnr_timer = 12,
		.timeout = 14,
		.retry_cnt = 7,
		.rnr_retry = 7,
		.ah_attr = { .is_global = 1, .port_num = 1, .grh = { .dgid = *gid } },
	};

	need(!ibv_modify_qp(side->qp, &attr,
	                    IBV_QP_STATE | IBV_QP_PKEY_INDEX | IBV_QP_PORT |
	                            IBV_QP_ACCESS_FLAGS),
	     "INIT");
	attr.qp_state = IBV_QPS_RTR;
	need(!ibv_modify_qp(side->qp, &attr,
	                    IBV_QP_STATE | IBV_QP_AV | IBV_QP_PATH_MTU | IBV_QP_DEST_QPN |
	                            IBV_QP_RQ_PSN | IBV_QP_MAX_DEST_RD_ATOMIC |
	                            IBV_QP_MIN_RNR_TIMER),
	     "RTR");
	attr.qp_state = IBV_QPS_RTS;
	need(!ibv_modify_qp(side->qp, &attr,
	                    IBV_QP_STATE | IBV_QP_TIMEOUT | IBV_QP_RETRY_CNT |
	                            IBV_QP_RNR_RETRY | IBV_QP_SQ_PSN |
	                            IBV_QP_MAX_QP_RD_ATOMIC),
	     "RTS");
}

#endif
