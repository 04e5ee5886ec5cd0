/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The responder (IBA 9.7.4): executes a request against the memory and queues of the QP's
 * owner. It runs in the requester's thread on the local link, and in the owner's for
 * packets from the network; it touches only what is in the owner's segment, and the
 * owner's memory through peer_read() and peer_write().
 */
#include "transport/datagram.h"
#include "transport/flow.h"
#include "transport/request.h"
#include "transport/transport.h"
#include "transport/wire_responder.h"
#include "transport/xrc.h"

#include <string.h>
#include "base/log.h"
#include "base/util.h"
#include "object/async.h"
#include "object/device.h"
#include "object/gid.h"

/* To the owner's engine: something happened to its QP. */
struct qp_told {
	uint32_t handle;
	uint32_t qpn;
};

static void tell(const struct peer *owner, struct qp_shared *qp, uint32_t due)
{
	struct qp_told told = { qp->handle, qp->qpn };

	atomic_fetch_or(&qp->due, due);
	inbox_tell(owner, INBOX_QP, &told, sizeof(told));
}

void responder_tell(const struct peer *owner, struct qp_shared *qp,
                    enum ibv_event_type type)
{
	tell(owner, qp, 1u << type);
}

/* Plain loads and stores: only ibv_query_qp() looks without the lock. */
static uint32_t psn_expected(const struct qp_shared *qp)
{
	return atomic_load_explicit(&qp->epsn, memory_order_relaxed);
}

/* In RTR the owner may be waiting for the first request before it goes on
 * (IBA 11.6.3). */
static void establish(const struct request *req)
{
	if (req->qp->established)
		return;
	/* UC takes any that begins a message. */
	if (!(req->mask & OP_UNACKED) && req->packet->psn != psn_expected(req->qp))
		return;
	req->qp->established = 1;
	responder_tell(req->owner, req->qp, IBV_EVENT_COMM_EST);
}

enum outcome drop(const struct request *req, enum counter why)
{
	count_responder(req->qp, why);
	return RESP_DROP;
}

/* Whether the QP is there, and is one for this packet. */
static inline enum outcome check_target(const struct request *req)
{
	enum ibv_qp_state state =
	        atomic_load_explicit(&req->qp->state, memory_order_relaxed);

	if (state < IBV_QPS_RTR || state > IBV_QPS_SQE)
		return drop(req, COUNT_DROP_STATE);
	/* IBA 9.6.1.1.1: a packet of another transport is not for this QP. */
	if (req->qp->transport != (req->packet->opcode & BTH_TRANSPORT))
		return drop(req, COUNT_DROP_TRANSPORT);
	/* Stale: another QP lives here now. */
	if (atomic_load_explicit(&req->qp->qpn, memory_order_relaxed) !=
	    req->packet->dest_qpn)
		return drop(req, COUNT_DROP_QPN);
	return RESP_DONE;
}

inline enum outcome check_state(const struct request *req)
{
	if (check_target(req) != RESP_DONE)
		return RESP_DROP;
	/* Only the address that it is connected to reaches it (IBA 9.6.1.2.2). */
	if (!gid_equal(&req->qp->sgid, req->packet->dgid) ||
	    !gid_equal(&req->qp->dgid, req->packet->sgid))
		return drop(req, COUNT_DROP_ADDRESS);
	if (unlikely(atomic_load_explicit(&req->qp->state, memory_order_relaxed) ==
	             IBV_QPS_RTR))
		establish(req);
	return RESP_DONE;
}

/*
 * IBA 9.7.1.2, with one reading that is stricter than the letter: only what was received
 * since the connection began can be a duplicate. A PSN before the first one is neither
 * new nor old.
 */
static enum outcome check_psn(struct request *req)
{
	int32_t diff = psn_diff(req->packet->psn, psn_expected(req->qp));

	if (likely(!diff)) {
		req->qp->psn_nak_sent = 0;
		return RESP_DONE;
	}
	if (diff < 0)
		return (uint32_t)-diff <= qp_executed(req->qp) - req->qp->rtr_executed
		               ? RESP_DUPLICATE
		               : drop(req, COUNT_DROP_OLD_PSN);
	if (req->qp->psn_nak_sent)
		return drop(req, COUNT_DROP_GAP);
	req->qp->psn_nak_sent = 1;
	return RESP_PSN_NAK;
}

/* Of those that take a resource to answer them: no more of them than were agreed, and
 * atomics of one whole word. */
static enum outcome check_answered(const struct request *req)
{
	const struct packet *packet = req->packet;

	if (packet->rd_atomics > req->qp->max_dest_rd_atomic)
		return RESP_INVALID; /* IBA 9.7.4.1.3 */
	if (!(req->mask & OP_READ) && packet->va % 8)
		return RESP_INVALID; /* IBA 9.4.5, annex A19.4.2 */
	if ((req->mask & OP_ATOMIC_WRITE) && packet->length != 8)
		return RESP_INVALID;
	return RESP_DONE;
}

/* IBA 9.7.4.1.6: whether the QP takes this kind of request at all. */
enum outcome check_operation(const struct request *req)
{
	uint32_t access = req->qp->access;

	if (((req->mask & (OP_WRITE | OP_ATOMIC_WRITE)) &&
	     !(access & IBV_ACCESS_REMOTE_WRITE)) ||
	    ((req->mask & OP_READ) && !(access & IBV_ACCESS_REMOTE_READ)) ||
	    ((req->mask & OP_ATOMIC) && !(access & IBV_ACCESS_REMOTE_ATOMIC)))
		return RESP_INVALID;
	return req->mask & OP_ANSWERED ? check_answered(req) : RESP_DONE;
}

/* UD (IBA 9.8.3.2, 10.2.5): whoever knows the Q_Key is heard. */
static enum outcome respond_datagram(struct request *req)
{
	if (check_target(req) != RESP_DONE)
		return RESP_DROP;
	if (unlikely(req->qp->has_flows) && flow_drops(req))
		return drop(req, COUNT_DROP_DATAGRAM);
	if (req->packet->datagram->qkey != req->qp->qkey)
		return drop(req, COUNT_DROP_DATAGRAM);
	if (take_receive(req) != RESP_DONE)
		return drop(req, COUNT_DROP_NO_RECEIVE);
	return datagram_deliver(req);
}

/*
 * UC (IBA 9.8.2.2): a message that begins is taken whatever its PSN, since those that are
 * missing will not come any more; anything that the requester did wrong drops it.
 */
static enum outcome respond_unacked(struct request *req)
{
	enum outcome outcome;

	if (req->mask & OP_DETH)
		return respond_datagram(req);
	if (check_state(req) != RESP_DONE)
		return RESP_DROP;
	if (req->packet->psn != psn_expected(req->qp) && !(req->mask & OP_FIRST))
		return drop(req, COUNT_DROP_GAP);
	atomic_store_explicit(&req->qp->epsn, req->packet->psn, memory_order_relaxed);
	if (check_operation(req) != RESP_DONE)
		return drop(req, COUNT_DROP_OPERATION);
	if (take_receive(req) != RESP_DONE)
		return drop(req, COUNT_DROP_NO_RECEIVE);
	outcome = execute(req);
	return outcome == RESP_ACCESS ? drop(req, COUNT_DROP_ACCESS) : outcome;
}

/* Whether it is due is decided; it has its QP's attention. */
static inline enum outcome proceed(struct request *req)
{
	enum outcome outcome = check_psn(req);

	if (outcome == RESP_DUPLICATE && (req->mask & OP_READ))
		return execute_read(req) == RESP_DONE ? RESP_DUPLICATE
		                                      : drop(req, COUNT_DROP_REPLAY);
	/* An atomic's result went with the answer that was lost. */
	if (outcome == RESP_DUPLICATE && (req->mask & OP_ATOMIC))
		return drop(req, COUNT_DROP_REPLAY);
	if (outcome == RESP_DONE)
		outcome = check_operation(req);
	if (outcome == RESP_DONE)
		outcome = take_receive(req);
	if (outcome == RESP_DONE)
		outcome = execute(req);
	return outcome;
}

static enum outcome respond(struct request *req)
{
	return likely(check_state(req) == RESP_DONE) ? proceed(req) : RESP_DROP;
}

static enum outcome respond_xrc(struct request *req)
{
	struct xrc_visit visit;
	enum outcome outcome = check_state(req);

	if (outcome != RESP_DONE)
		return outcome;
	if (xrc_enter(req, &visit) != RESP_DONE)
		return check_psn(req) == RESP_DONE ? RESP_INVALID : RESP_DROP;
	outcome = proceed(req);
	xrc_leave(req, &visit);
	return outcome;
}

/* Those that are not RC. */
static enum outcome respond_other(struct request *req)
{
	return req->mask & OP_XRCETH ? respond_xrc(req) : respond_unacked(req);
}

static const struct {
	uint8_t syndrome;
	uint8_t event; /* what the owner hears, when the connection is at its end */
	bool fatal;
	uint8_t count; /* enum counter; 0: elsewhere */
} outcomes[] = {
	[RESP_DONE] = { AETH_ACK, 0, false, 0 },
	[RESP_DUPLICATE] = { AETH_ACK, 0, false, COUNT_DUPLICATE },
	[RESP_DROP] = { 0, 0, false, 0 },
	[RESP_PSN_NAK] = { NAK_PSN_SEQUENCE, 0, false, COUNT_OUT_OF_SEQ },
	[RESP_RNR] = { AETH_RNR_NAK, 0, false, COUNT_SENT_RNR },
	[RESP_INVALID] = { NAK_INVALID_REQUEST, IBV_EVENT_QP_REQ_ERR, true,
	                   COUNT_NAK_INVALID },
	[RESP_ACCESS] = { NAK_REMOTE_ACCESS, IBV_EVENT_QP_ACCESS_ERR, true,
	                  COUNT_NAK_ACCESS },
	[RESP_OPERATION] = { NAK_REMOTE_OPERATION, IBV_EVENT_QP_FATAL, true,
	                     COUNT_NAK_OPERATION },
};

/* What is dropped was counted where the reason is known. */
static void count_refused(const struct request *req, enum outcome outcome)
{
	if (outcomes[outcome].count)
		count_responder(req->qp, req->mask & OP_UNACKED
		                                 ? COUNT_DROP_ACCESS
		                                 : outcomes[outcome].count);
}

COLD void responder_flush(const struct peer *owner, struct qp_shared *qp)
{
	struct rq_shared *rq = peer_ptr(owner, qp->rq);
	const struct rwqe *wqe;

	if (unlikely(qp->wire) && owner->self)
		wire_return_receive(peer_self(), qp);
	if (qp->rq_is_shared || !qp->rq)
		return; /* what is in an SRQ belongs to other QPs too */
	while ((wqe = rq_peek(owner, rq))) {
		struct completion entry = {
			.status = IBV_WC_WR_FLUSH_ERR,
			.flags = CQE_RECV,
			.wr_id = wqe->wr_id,
			.qp_num = qp->qpn,
			.qp = qp->handle,
		};

		rq_consume(rq);
		cq_push(owner, qp->recv_cq, &entry, NULL);
	}
}

/* What is due is told at once, so that one event leads to the other. */
static void to_error(const struct peer *owner, struct qp_shared *qp, uint32_t due)
{
	bool already = atomic_exchange(&qp->state, IBV_QPS_ERR) == IBV_QPS_ERR;

	responder_flush(owner, qp);
	/* It takes no more out of its SRQ (IBA 11.6.3). */
	if (qp->rq_is_shared && !already)
		due |= 1u << IBV_EVENT_QP_LAST_WQE_REACHED;
	if (due)
		tell(owner, qp, due);
}

COLD void responder_to_error(const struct peer *owner, struct qp_shared *qp)
{
	to_error(owner, qp, 0);
}

/* The receives are returned here; what waits in the send queue is the owner's to return.
 */
static void fail(const struct peer *owner, struct qp_shared *qp,
                 enum ibv_event_type event)
{
	to_error(owner, qp, 1u << event);
}

void responder_lock(struct peer *owner, struct qp_shared *qp)
{
	if (likely(!owner_lock(&qp->lock)))
		return;
	/* A sender of datagrams took with it at most the receive that it was at: others
	 * send here too. */
	if (qp->transport == BTH_UD)
		return;
	/* The peer died in the middle of a request: what it did, nobody
	 * knows. */
	if (qp->qpn && atomic_load(&qp->state) != IBV_QPS_RESET)
		fail(owner, qp, IBV_EVENT_QP_FATAL);
}

void responder_settle(struct qp_shared *qp)
{
	if (owner_lock_settle(&qp->lock))
		return;
	responder_lock(peer_self(), qp);
	owner_unlock(&qp->lock);
}

void responder_receive(struct peer *owner, struct qp_shared *qp,
                       const struct packet *packet, struct reply *reply)
{
	union rwqe_copy copy;
	struct request req = {
		.owner = owner,
		.qp = qp,
		.packet = packet,
		.copy = &copy,
		.mask = packet->mask,
	};
	enum outcome outcome;

	responder_lock(owner, qp);
	outcome = unlikely(req.mask & (OP_UNACKED | OP_XRCETH)) ? respond_other(&req)
	                                                        : respond(&req);
	if (outcome == RESP_DONE) {
		psn_advance(qp);
		count_executed(qp, packet->mask, packet->length);
	} else {
		count_refused(&req, outcome);
	}
	reply->sent = outcome != RESP_DROP;
	reply->syndrome = outcomes[outcome].syndrome;
	if (outcome == RESP_RNR)
		reply->syndrome |= qp->min_rnr_timer;
	reply->psn = outcome == RESP_DONE || outcome == RESP_DUPLICATE
	                     ? (psn_expected(qp) - 1) & PSN_MASK
	                     : psn_expected(qp);
	reply->dest_qpn = qp->dest_qpn;
	reply->original = req.original;
	if (unlikely(outcomes[outcome].fatal))
		fail(owner, qp, outcomes[outcome].event);
	owner_unlock(&qp->lock);
}

uint8_t responder_end(const struct peer *owner, struct qp_shared *qp,
                      enum outcome outcome)
{
	if (outcomes[outcome].fatal)
		fail(owner, qp, outcomes[outcome].event);
	return outcomes[outcome].syndrome | (outcome == RESP_RNR ? qp->min_rnr_timer : 0);
}

uint8_t responder_conclude(const struct request *req, struct qp_shared *qp,
                           enum outcome outcome)
{
	count_refused(req, outcome);
	return responder_end(peer_self(), qp, outcome);
}

/* What happened to a QP of ours may have been its end. */
static void look(struct qp *qp)
{
	struct ibv_async_event event = { .element.qp = qp_base(qp) };

	owner_lock(&qp->sq.lock);
	if (qp_state(qp) == IBV_QPS_ERR)
		flush_sq(qp);
	owner_unlock(&qp->sq.lock);
	if (!qp->opened) /* who made it hears of it */
		async_raise_due(to_context(qp_base(qp)->context), &qp->sh->due, event);
	qp_release(qp);
}

/* In the owner's engine. */
static void on_told(struct peer *from, const void *body, uint32_t length)
{
	const struct qp_told *told = body;
	struct qp *qp = NULL;

	(void)from;
	if (!told)
		qp_each(look);
	else if (length == sizeof(*told))
		qp = qp_hold(told->handle, told->qpn);
	if (qp)
		look(qp);
}

void responder_init(void)
{
	link_to_responder = responder_receive;
	inbox_handle(INBOX_QP, on_told);
	async_init();
}
