/* SPDX-License-Identifier: BSD-2-Clause */
#include "verbs/world.h"

struct ibv_qp_attr attributes(const struct shared *shared, uint32_t qpn,
                              const union ibv_gid *gid)
{
	return (struct ibv_qp_attr){
		.port_num = 1,
		.qp_access_flags = IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_REMOTE_READ |
		                   IBV_ACCESS_REMOTE_ATOMIC,
		.path_mtu = IBV_MTU_1024,
		.dest_qp_num = qpn,
		.qkey = 1,
		.max_dest_rd_atomic = 4,
		.max_rd_atomic = 4,
		.min_rnr_timer = 1,
		.timeout = 1,
		.retry_cnt = 1,
		.rnr_retry = 1,
		.ah_attr = { .is_global = 1,
		             .port_num = 1,
		             .grh = { .dgid = *gid,
		                      .sgid_index = (uint8_t)shared->gid_index,
		                      .hop_limit = 1 } },
	};
}

static const int masks[IBV_QPT_XRC_RECV + 1][3] = {
	[IBV_QPT_RC] = { IBV_QP_PKEY_INDEX | IBV_QP_PORT | IBV_QP_ACCESS_FLAGS,
	                 IBV_QP_AV | IBV_QP_PATH_MTU | IBV_QP_DEST_QPN | IBV_QP_RQ_PSN |
	                         IBV_QP_MAX_DEST_RD_ATOMIC | IBV_QP_MIN_RNR_TIMER,
	                 IBV_QP_TIMEOUT | IBV_QP_RETRY_CNT | IBV_QP_RNR_RETRY |
	                         IBV_QP_SQ_PSN | IBV_QP_MAX_QP_RD_ATOMIC },
	[IBV_QPT_UC] = { IBV_QP_PKEY_INDEX | IBV_QP_PORT | IBV_QP_ACCESS_FLAGS,
	                 IBV_QP_AV | IBV_QP_PATH_MTU | IBV_QP_DEST_QPN | IBV_QP_RQ_PSN,
	                 IBV_QP_SQ_PSN },
	[IBV_QPT_UD] = { IBV_QP_PKEY_INDEX | IBV_QP_PORT | IBV_QP_QKEY, 0,
	                 IBV_QP_SQ_PSN },
	[IBV_QPT_XRC_SEND] = { IBV_QP_PKEY_INDEX | IBV_QP_PORT | IBV_QP_ACCESS_FLAGS,
	                       IBV_QP_AV | IBV_QP_PATH_MTU | IBV_QP_DEST_QPN |
	                               IBV_QP_RQ_PSN,
	                       IBV_QP_TIMEOUT | IBV_QP_RETRY_CNT | IBV_QP_RNR_RETRY |
	                               IBV_QP_SQ_PSN | IBV_QP_MAX_QP_RD_ATOMIC },
	[IBV_QPT_XRC_RECV] = { IBV_QP_PKEY_INDEX | IBV_QP_PORT | IBV_QP_ACCESS_FLAGS,
	                       IBV_QP_AV | IBV_QP_PATH_MTU | IBV_QP_DEST_QPN |
	                               IBV_QP_RQ_PSN | IBV_QP_MAX_DEST_RD_ATOMIC |
	                               IBV_QP_MIN_RNR_TIMER,
	                       IBV_QP_TIMEOUT | IBV_QP_SQ_PSN },
};

int to_rts(const struct shared *shared, struct ibv_qp *qp, uint32_t qpn,
           const union ibv_gid *gid)
{
	struct ibv_qp_attr attr = attributes(shared, qpn, gid);
	int err = 0;

	for (int i = 0; i < 3 && !err; i++) {
		attr.qp_state = (enum ibv_qp_state)(IBV_QPS_INIT + i);
		err = ibv_modify_qp(qp, &attr, masks[qp->qp_type][i] | IBV_QP_STATE);
	}
	return err;
}

void change_state(struct world *w)
{
	struct ibv_qp *qp = any_qp(w), *to = any_qp(w);
	struct ibv_qp_attr attr = attributes(w->shared, to->qp_num, &w->shared->self.gid);
	struct ibv_qp_init_attr init;

	attr.qp_state = (enum ibv_qp_state)mostly(w, byte(w) % (IBV_QPS_ERR + 1));
	switch (byte(w) % 8) {
	case 0: ibv_modify_qp(qp, &attr, IBV_QP_STATE); break;
	case 1: /* any field may be anything */
		for (size_t i = byte(w); i < sizeof(attr); i += 1u + byte(w))
			((uint8_t *)&attr)[i] = byte(w);
		ibv_modify_qp(qp, &attr, (int)word(w));
		break;
	case 2: ibv_query_qp(qp, &attr, (int)word(w), &init); break;
	default:
		attr.qp_state = IBV_QPS_RESET;
		ibv_modify_qp(qp, &attr, IBV_QP_STATE);
		to_rts(w->shared, qp, (uint32_t)mostly(w, to->qp_num),
		       &w->shared->self.gid);
	}
}
