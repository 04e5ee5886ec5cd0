/* SPDX-License-Identifier: BSD-2-Clause */
/* The completer (IBA 9.7.5): what an answer means for the work request that asked. */
#include "transport/transport.h"

#include <string.h>
#include "base/util.h"
#include "object/device.h"

static const enum ibv_wc_opcode wc_opcode_of[] = {
	[IBV_WR_RDMA_WRITE] = IBV_WC_RDMA_WRITE,
	[IBV_WR_RDMA_WRITE_WITH_IMM] = IBV_WC_RDMA_WRITE,
	[IBV_WR_SEND] = IBV_WC_SEND,
	[IBV_WR_SEND_WITH_IMM] = IBV_WC_SEND,
	[IBV_WR_RDMA_READ] = IBV_WC_RDMA_READ,
	[IBV_WR_ATOMIC_CMP_AND_SWP] = IBV_WC_COMP_SWAP,
	[IBV_WR_ATOMIC_FETCH_AND_ADD] = IBV_WC_FETCH_ADD,
	[IBV_WR_SEND_WITH_INV] = IBV_WC_SEND,
	[IBV_WR_LOCAL_INV] = IBV_WC_LOCAL_INV,
	[IBV_WR_BIND_MW] = IBV_WC_BIND_MW,
	[IBV_WR_ATOMIC_WRITE] = IBV_WC_ATOMIC_WRITE,
};

/* The CQ lost an entry: no work on the QP can be accounted for any more
 * (IBA 11.6.3). */
static void overrun(struct qp *qp)
{
	responder_tell(peer_self(), qp->sh, IBV_EVENT_QP_FATAL);
	flush_to_error(qp);
}

/* Of the work request before sq.next. */
static void push(struct qp *qp, uint64_t wr_id, uint32_t length,
                 enum ibv_wc_opcode opcode, enum ibv_wc_status status)
{
	struct completion entry = {
		.status = status,
		.opcode = opcode,
		.wr_id = wr_id,
		.byte_len = length,
		.qp_num = qp_base(qp)->qp_num,
		.qp = qp_base(qp)->handle,
		.wqe = qp->sq.next,
	};

	if (unlikely(
	            cq_push(peer_self(), to_cq(qp_base(qp)->send_cq)->off, &entry, NULL)))
		overrun(qp);
}

/* Moves on to the next work request, completing this one. */
static void complete(struct qp *qp, const struct wqe *wqe, enum ibv_wc_status status)
{
	qp->sq.next++;
	qp->sq.started = false;
	if ((wqe->flags & IBV_SEND_SIGNALED) || qp->sq_sig_all ||
	    status != IBV_WC_SUCCESS)
		push(qp, wqe->wr_id, wqe->length, wc_opcode_of[wqe->opcode], status);
}

void completer_sent(struct qp *qp, uint64_t wr_id, uint32_t length)
{
	push(qp, wr_id, length, IBV_WC_SEND, IBV_WC_SUCCESS);
}

COLD void completer_fail(struct qp *qp, const struct wqe *wqe, enum ibv_wc_status status)
{
	if (status == IBV_WC_RETRY_EXC_ERR)
		count_requester(qp->sh, COUNT_RETRY_EXCEEDED, 1);
	else if (status == IBV_WC_RNR_RETRY_EXC_ERR)
		count_requester(qp->sh, COUNT_RNR_EXCEEDED, 1);
	complete(qp, wqe, status);
	if (qp->sq.unacked)
		flush_to_sqe(qp);
	else
		flush_to_error(qp);
}

void completer_done(struct qp *qp, const struct wqe *wqe)
{
	complete(qp, wqe, IBV_WC_SUCCESS);
}

static void succeed(struct qp *qp, const struct wqe *wqe, const struct packet *packet,
                    const struct reply *reply)
{
	if (packet->mask & OP_ATOMIC)
		memcpy(packet->iov->iov_base, &reply->original, sizeof(reply->original));
	retry_reset(qp);
	complete(qp, wqe, IBV_WC_SUCCESS);
	count_request(qp, packet);
}

COLD static void on_nak(struct qp *qp, const struct wqe *wqe, uint8_t syndrome)
{
	switch (syndrome) {
	case NAK_PSN_SEQUENCE: /* send again from here, as often as retry_cnt allows */
		count_requester(qp->sh, COUNT_RCVD_SEQ, 1);
		if (qp->sq.retries)
			retry_again(qp);
		else
			completer_fail(qp, wqe, IBV_WC_RETRY_EXC_ERR);
		break;
	case NAK_INVALID_REQUEST: completer_fail(qp, wqe, IBV_WC_REM_INV_REQ_ERR); break;
	case NAK_REMOTE_ACCESS: completer_fail(qp, wqe, IBV_WC_REM_ACCESS_ERR); break;
	default: completer_fail(qp, wqe, IBV_WC_REM_OP_ERR); break;
	}
}

/* An answer to nothing that is under way (IBA 9.7.5.1.1). */
static void stray(struct qp *qp)
{
	count_requester(qp->sh, COUNT_DROP_ANSWER_PSN, 1);
	retry_after_loss(qp);
}

COLD static void take_failure(struct qp *qp, const struct wqe *wqe,
                              const struct packet *packet, const struct reply *reply)
{
	count_request(qp, packet);
	count_requester(qp->sh, COUNT_SENDS_UNDONE, packet->mask & OP_SEND);
	if (!reply->sent) {
		count_requester(qp->sh, COUNT_LOST, 1);
		retry_after_loss(qp);
		return;
	}
	switch (reply->syndrome & AETH_KIND_MASK) {
	case AETH_ACK: stray(qp); break;
	case AETH_RNR_NAK: retry_after_rnr(qp, reply->syndrome & ~AETH_KIND_MASK); break;
	default: on_nak(qp, wqe, reply->syndrome);
	}
}

void completer_take(struct qp *qp, const struct wqe *wqe, const struct packet *packet,
                    const struct reply *reply)
{
	if (likely(reply->sent && (reply->syndrome & AETH_KIND_MASK) == AETH_ACK &&
	           reply->psn == packet->psn))
		succeed(qp, wqe, packet, reply);
	else
		take_failure(qp, wqe, packet, reply);
}
