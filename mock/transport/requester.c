/* SPDX-License-Identifier: BSD-2-Clause */
/* The requester (IBA 9.7.3): turns work requests into packets, in the order in which they
 * were posted. */
#include "transport/transport.h"

#include "object/device.h"
#include "object/pd.h"
#include "transport/shortcut.h"
#include "transport/xrc.h"

/* The opcode of a message in one packet; reserved where this device has no such
 * operation. */
static const enum bth_opcode opcode_of[] = {
	[IBV_WR_RDMA_WRITE] = RC_WRITE_ONLY,
	[IBV_WR_RDMA_WRITE_WITH_IMM] = RC_WRITE_ONLY_IMM,
	[IBV_WR_SEND] = RC_SEND_ONLY,
	[IBV_WR_SEND_WITH_IMM] = RC_SEND_ONLY_IMM,
	[IBV_WR_RDMA_READ] = RC_READ_REQUEST,
	[IBV_WR_ATOMIC_CMP_AND_SWP] = RC_COMPARE_SWAP,
	[IBV_WR_ATOMIC_FETCH_AND_ADD] = RC_FETCH_ADD,
	[IBV_WR_SEND_WITH_INV] = RC_SEND_ONLY_INVALIDATE,
	[IBV_WR_LOCAL_INV] = NO_PACKET,
	[IBV_WR_BIND_MW] = NO_PACKET,
	[IBV_WR_ATOMIC_WRITE] = RC_ATOMIC_WRITE,
};

static unsigned int mask_of(const struct wqe *wqe)
{
	return opcode_info[opcode_of[wqe->opcode]].mask;
}

/*
 * How many READs and atomics a device would have under way with this one: those that
 * follow it in the queue, up to what the connection allows, since a device sends them
 * without waiting.
 */
static unsigned int rd_atomics(const struct qp *qp)
{
	unsigned int count = 0;

	for (uint32_t i = qp->sq.next; i != qp->sq.posted; i++) {
		const struct wqe *wqe = sq_at(&qp->sq, i);

		if (count >= qp->attr.max_rd_atomic ||
		    (count && (wqe->flags & IBV_SEND_FENCE)))
			break;
		count += (mask_of(wqe) & OP_ANSWERED) != 0;
	}
	return count;
}

/* The gather or scatter list in our own memory, once its keys are checked (IBA 10.6.3).
 */
enum ibv_wc_status requester_list(const struct qp *qp, struct wqe *wqe, unsigned int mask,
                                  struct iovec *iov, unsigned int *iovs)
{
	uint32_t access =
	        mask & (OP_READ | OP_ATOMIC) ? IBV_ACCESS_LOCAL_WRITE : KEY_LOCAL;
	uint64_t va;

	*iovs = 0;
	if (wqe->flags & IBV_SEND_INLINE) {
		iov[(*iovs)++] = (struct iovec){ wqe->sge, wqe->length };
		return IBV_WC_SUCCESS;
	}
	for (unsigned int i = 0; i < wqe->num_sge; i++) {
		const struct ibv_sge *sge = &wqe->sge[i];

		if (!sge->length)
			continue;
		if (!mr_check(peer_self(), sge->lkey, qp->sh->pd, access, sge->addr,
		              sge->length, &va))
			return IBV_WC_LOC_PROT_ERR;
		iov[(*iovs)++] = (struct iovec){ (void *)(uintptr_t)va, sge->length };
	}
	return IBV_WC_SUCCESS;
}

/* What is wrong with the request before anything is sent. */
enum ibv_wc_status requester_check(const struct qp *qp, const struct wqe *wqe,
                                   unsigned int mask)
{
	if (wqe->length > qp->sq.max_message)
		return IBV_WC_LOC_LEN_ERR;
	if ((mask & (OP_ATOMIC | OP_ATOMIC_WRITE)) && wqe->length != 8)
		return IBV_WC_LOC_LEN_ERR;
	if ((mask & OP_ANSWERED) && !qp->attr.max_rd_atomic)
		return IBV_WC_LOC_QP_OP_ERR; /* the connection allows none: it would wait
		                                for ever */
	return IBV_WC_SUCCESS;
}

/* Each field is set by itself: clearing the whole would cost as much as the rest. */
static void packet_fill(const struct qp *qp, const struct wqe *wqe, struct packet *packet)
{
	packet->opcode = opcode_of[wqe->opcode];
	packet->psn = wqe->psn;
	packet->dest_qpn = qp->attr.dest_qp_num;
	packet->solicited = wqe->flags & IBV_SEND_SOLICITED;
	packet->sgid = &qp->sh->sgid;
	packet->dgid = &qp->sh->dgid;
	packet->va = wqe->remote_addr;
	packet->rkey = wqe->rkey;
	packet->imm = wqe->imm;
	packet->length = wqe->length;
	packet->compare = wqe->compare_add;
	packet->swap_add =
	        wqe->opcode == IBV_WR_ATOMIC_FETCH_AND_ADD ? wqe->compare_add : wqe->swap;
	packet->rd_atomics = packet->mask & OP_ANSWERED ? rd_atomics(qp) : 0;
}

/* A request keeps its PSN however often it is sent. */
void requester_number(struct qp *qp, struct wqe *wqe)
{
	if (qp->sq.started)
		return;
	wqe->psn = qp->sq.psn;
	qp->sq.psn = (qp->sq.psn + 1) & PSN_MASK;
	qp->sq.started = true;
}

/*
 * Sends the request at sq.next; the completer moves on when it is done with. Flattened:
 * what it calls is shared with the unreliable transports, and as calls would cost a tenth
 * of the whole.
 */
__attribute__((flatten)) static void step(struct qp *qp)
{
	struct wqe *wqe = sq_at(&qp->sq, qp->sq.next);
	struct iovec iov[DEVICE_MAX_SGE];
	struct packet packet;
	struct reply reply;
	enum ibv_wc_status status;

	packet.mask = mask_of(wqe);
	if (unlikely(!packet.mask)) {
		window_step(qp, wqe);
		return;
	}
	packet.iov = iov;
	status = requester_check(qp, wqe, packet.mask);
	if (status == IBV_WC_SUCCESS)
		status = requester_list(qp, wqe, packet.mask, iov, &packet.iovs);
	if (unlikely(status != IBV_WC_SUCCESS)) {
		completer_fail(qp, wqe, status);
		return;
	}
	requester_number(qp, wqe);
	if ((packet.mask & OP_RECV) && !qp->sq.probe && unlikely(!credit_have(qp))) {
		credit_wait(qp);
		return;
	}
	qp->sq.probe = false;
	packet_fill(qp, wqe, &packet);
	if (unlikely(qp->sq.xrc))
		xrc_fill(qp, wqe, &packet);
	qp->link->send(qp, &packet, &reply);
	completer_take(qp, wqe, &packet, &reply);
}

/* In SQD what was begun is finished, and nothing else begun (IBA 10.3.1.6). */
static bool may_send(const struct qp *qp)
{
	enum ibv_qp_state state = qp_state(qp);

	return state == IBV_QPS_RTS || (state == IBV_QPS_SQD && qp->sq.started);
}

/* In a state in which no more is sent. */
static __attribute__((noinline)) void come_to_rest(struct qp *qp)
{
	if (qp_state(qp) >= IBV_QPS_SQE)
		flush_sq(qp);
	else if (!qp->sq.started)
		transport_drained(qp);
}

void requester_run(struct qp *qp)
{
	while (qp->sq.next != qp->sq.posted && qp->sq.wait == SQ_RUNS) {
		if (unlikely(!may_send(qp)))
			break;
		if (unlikely(qp->sq.apart)) {
			if (!apart_step(qp))
				break;
		} else if (!shortcut_send(qp)) {
			step(qp);
		}
	}
	if (unlikely(qp_state(qp) > IBV_QPS_RTS))
		come_to_rest(qp);
}
