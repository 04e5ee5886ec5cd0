/* SPDX-License-Identifier: BSD-2-Clause */
#include "session/probe.h"

#include <string.h>
#include <time.h>

#include "common/clock.h"
#include "session/device.h"
#include "session/psn.h"

#define PATIENCE_US 500000
#define BYTES       64

/* Everything that the question takes, freed in reverse. */
struct probe {
	struct ibv_pd *shared; /* the caller's */
	struct ibv_pd *other;
	struct ibv_cq *cq;
	struct ibv_srq *srq;
	struct ibv_mr *mr;
	struct ibv_qp *receiver; /* of `other`, with the SRQ */
	struct ibv_qp *sender;   /* of `shared` */
	uint32_t psn[2];
	uint8_t bytes[2][BYTES];
};

static struct ibv_qp *create_qp(struct probe *p, struct ibv_pd *pd, struct ibv_srq *srq)
{
	struct ibv_qp_init_attr init = {
		.send_cq = p->cq,
		.recv_cq = p->cq,
		.srq = srq,
		.cap = { .max_send_wr = 1, .max_send_sge = 1 },
		.qp_type = IBV_QPT_RC,
		.sq_sig_all = 1,
	};

	return device_create_qp(pd, &init);
}

static bool create(struct probe *p, struct ibv_context *verbs)
{
	p->cq = device_create_cq(verbs, 4, NULL);
	p->other = device_alloc_pd(verbs);
	p->srq = device_create_srq(p->shared, 1);
	p->mr = device_reg_mr(p->shared, p->bytes, sizeof(p->bytes),
	                      IBV_ACCESS_LOCAL_WRITE);
	if (!p->cq || !p->other || !p->srq || !p->mr)
		return false;
	p->receiver = create_qp(p, p->other, p->srq);
	p->sender = create_qp(p, p->shared, NULL);
	return p->receiver && p->sender && !psn_draw(&p->psn[0]) && !psn_draw(&p->psn[1]);
}

static void destroy(struct probe *p)
{
	device_destroy_qp(p->sender);
	device_destroy_qp(p->receiver);
	device_dereg_mr(p->mr);
	device_destroy_srq(p->srq);
	device_dealloc_pd(p->other);
	device_destroy_cq(p->cq);
}

static bool connect_to(struct ibv_qp *qp, struct ibv_qp *peer, uint32_t psn,
                       uint32_t peer_psn, struct ibv_qp_attr attr)
{
	struct ibv_qp_attr init = { .qp_state = IBV_QPS_INIT,
		                    .port_num = attr.ah_attr.port_num };
	struct ibv_qp_attr rts = {
		.qp_state = IBV_QPS_RTS, .timeout = 14, .retry_cnt = 3, .sq_psn = psn
	};

	attr.dest_qp_num = peer->qp_num;
	attr.rq_psn = peer_psn;
	return !ibv_modify_qp(qp, &init,
	                      IBV_QP_STATE | IBV_QP_PKEY_INDEX | IBV_QP_PORT |
	                              IBV_QP_ACCESS_FLAGS) &&
	       !ibv_modify_qp(qp, &attr,
	                      IBV_QP_STATE | IBV_QP_AV | IBV_QP_PATH_MTU |
	                              IBV_QP_DEST_QPN | IBV_QP_RQ_PSN |
	                              IBV_QP_MAX_DEST_RD_ATOMIC | IBV_QP_MIN_RNR_TIMER) &&
	       !ibv_modify_qp(qp, &rts,
	                      IBV_QP_STATE | IBV_QP_TIMEOUT | IBV_QP_RETRY_CNT |
	                              IBV_QP_RNR_RETRY | IBV_QP_SQ_PSN |
	                              IBV_QP_MAX_QP_RD_ATOMIC);
}

static bool post(struct probe *p)
{
	struct ibv_sge from = { (uintptr_t)p->bytes[0], BYTES, p->mr->lkey };
	struct ibv_sge to = { (uintptr_t)p->bytes[1], BYTES, p->mr->lkey };
	struct ibv_recv_wr recv = { .sg_list = &to, .num_sge = 1 }, *bad_recv;
	struct ibv_send_wr send = { .sg_list = &from,
		                    .num_sge = 1,
		                    .opcode = IBV_WR_SEND };
	struct ibv_send_wr *bad_send;

	return !ibv_post_srq_recv(p->srq, &recv, &bad_recv) &&
	       !ibv_post_send(p->sender, &send, &bad_send);
}

/* Both the sending and the receiving have to succeed. */
static bool await(struct probe *p)
{
	const struct timespec nap = { .tv_nsec = 50000 };
	uint64_t end = clock_us() + PATIENCE_US;
	unsigned good = 0;
	struct ibv_wc wc;

	while (good < 2 && clock_us() < end) {
		int n = ibv_poll_cq(p->cq, 1, &wc);

		if (n < 0 || (n > 0 && wc.status != IBV_WC_SUCCESS))
			return false;
		if (n > 0)
			good++;
		else
			nanosleep(&nap, NULL);
	}
	return good == 2 && !memcmp(p->bytes[0], p->bytes[1], BYTES);
}

bool probe_shared_receive(struct ibv_context *verbs, struct ibv_pd *pd, uint8_t port,
                          const struct ibv_port_attr *attr, const union ibv_gid *gid,
                          uint8_t gid_index)
{
	struct probe p = { .shared = pd };
	struct ibv_qp_attr rtr = {
		.qp_state = IBV_QPS_RTR,
		.path_mtu = attr->active_mtu,
		.min_rnr_timer = 12,
		.ah_attr = { .is_global = 1,
		             .grh = { .dgid = *gid,
		                      .sgid_index = gid_index,
		                      .hop_limit = 1 },
		             .dlid = attr->lid,
		             .port_num = port },
	};
	bool works;

	memset(p.bytes[0], 0x5a, BYTES);
	works = create(&p, verbs) &&
	        connect_to(p.receiver, p.sender, p.psn[0], p.psn[1], rtr) &&
	        connect_to(p.sender, p.receiver, p.psn[1], p.psn[0], rtr) && post(&p) &&
	        await(&p);
	destroy(&p);
	return works;
}
