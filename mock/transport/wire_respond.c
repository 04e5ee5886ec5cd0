/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The responder over packets (IBA 9.7.4, 9.8.2.2): which packet is due, and what is to be
 * said. Runs in the process that the QP is of, with the responder's lock.
 */
#include "transport/wire_responder.h"

#include <string.h>
#include "transport/datagram.h"
#include "transport/xrc.h"

/* --- the state that is kept -----------------------------------------------------------
 */

struct wire_responder *wire_responder_of(struct qp_shared *qp)
{
	struct wire_responder *state = qp->wire ? segment_ptr(qp->wire) : NULL;

	return state && state->connection == qp->connection ? state : NULL;
}

/* Made when the first packet comes, and kept with the QP's block. */
static struct wire_responder *state_of(struct qp_shared *qp)
{
	struct wire_responder *state;
	seg_off off;

	if (!qp->wire) {
		if (segment_alloc(sizeof(*state), &off))
			return NULL;
		qp->wire = off;
	}
	state = segment_ptr(qp->wire);
	if (!wire_responder_of(qp)) {
		memset(state, 0, sizeof(*state));
		state->connection = qp->connection;
		state->under_way = NO_PACKET;
	}
	return state;
}

static uint32_t psn_expected(const struct wire_request *q)
{
	return atomic_load_explicit(&q->home->epsn, memory_order_relaxed);
}

static void psn_set(struct wire_request *q, uint32_t psn)
{
	atomic_store_explicit(&q->home->epsn, psn & PSN_MASK, memory_order_relaxed);
}

/* --- RC and XRC -----------------------------------------------------------------------
 */

/* IBA 9.7.1.2; only what was received since the connection began can be a duplicate. */
static enum outcome check_psn(struct wire_request *q)
{
	int32_t diff = psn_diff(q->roce->psn, psn_expected(q));

	if (!diff) {
		q->home->psn_nak_sent = 0;
		return RESP_DONE;
	}
	if (diff > GUESS_FAR_PSNS)
		wire_guess_seen(&q->state->guesses);
	if (diff < 0) {
		if ((uint32_t)-diff <= q->state->received)
			return RESP_DUPLICATE;
		wire_guess_seen(&q->state->guesses);
		return drop(&q->req, COUNT_DROP_OLD_PSN);
	}
	if (q->home->psn_nak_sent)
		return drop(&q->req, COUNT_DROP_GAP);
	q->home->psn_nak_sent = 1;
	return RESP_PSN_NAK;
}

static enum outcome respond_reliable(struct wire_request *q)
{
	enum outcome outcome = check_psn(q);

	if (outcome == RESP_DUPLICATE && (q->req.mask & OP_ANSWERED))
		return wire_replay_again(q);
	if (outcome == RESP_DONE)
		outcome = wire_execute(q);
	/* What follows is sent again with it. */
	if (outcome == RESP_RNR)
		q->home->psn_nak_sent = 1;
	return outcome;
}

static void advance(struct wire_request *q)
{
	struct wire_responder *state = q->state;

	psn_set(q, psn_expected(q) + q->psns);
	wire_guess_good(&state->guesses, state->path.source_port);
	state->received =
	        (uint32_t)min_u64((uint64_t)state->received + q->psns, 1u << 23);
	if (q->req.mask & OP_LAST)
		state->msn = psn_add(state->msn, 1);
}

/* A gap that was found, or a receiver that was not ready, is not forgotten for the
 * acknowledgement of something older. */
static void say(struct wire_request *q, uint8_t syndrome, uint32_t psn)
{
	struct wire_responder *state = q->state;

	if (state->due && (state->syndrome & AETH_KIND_MASK) &&
	    state->due_psn == psn_expected(q))
		return;
	state->due = true;
	state->syndrome = syndrome;
	state->due_psn = psn;
}

/* --- UC -------------------------------------------------------------------------------
 */

/* What is wrong is dropped, and the rest of its message with it. */
static enum outcome dropped(struct wire_request *q, enum outcome outcome)
{
	static const enum counter why[] = {
		[RESP_RNR] = COUNT_DROP_NO_RECEIVE,
		[RESP_ACCESS] = COUNT_DROP_ACCESS,
		[RESP_INVALID] = COUNT_DROP_OPERATION,
	};

	q->state->under_way = NO_PACKET;
	return drop(&q->req, why[outcome]);
}

static enum outcome respond_unacked(struct wire_request *q)
{
	bool first = q->req.mask & OP_FIRST;
	bool due = q->roce->psn == psn_expected(q);
	enum outcome outcome;

	psn_set(q, q->roce->psn + 1);
	if (first)
		q->state->under_way = NO_PACKET;
	else if (!due || q->state->under_way == NO_PACKET)
		return dropped(q, RESP_INVALID);
	outcome = wire_execute(q);
	if (outcome == RESP_RNR || outcome == RESP_ACCESS ||
	    (outcome == RESP_INVALID && !q->failed))
		return dropped(q, outcome);
	return outcome;
}

/* --- all ------------------------------------------------------------------------------
 */

/* Whether the program has a completion to look at, and may have more to say then. */
static bool may_wait(const struct wire_request *q, enum outcome outcome)
{
	return outcome == RESP_DONE && (q->req.mask & OP_RECV) &&
	       !(q->req.mask & OP_XRCETH);
}

static void conclude(struct wire_request *q, enum outcome outcome)
{
	struct packet whole = *q->req.packet;
	uint8_t syndrome;

	if (outcome == RESP_DONE) {
		whole.length = q->message;
		if (q->req.mask & OP_LAST)
			count_executed(q->home, whole.mask, whole.length);
		if (!(q->req.mask & OP_UNACKED))
			advance(q);
		syndrome = AETH_ACK;
	} else {
		syndrome = responder_conclude(&q->req, q->home, outcome);
	}
	if (outcome == RESP_DROP || (q->req.mask & OP_UNACKED))
		return;
	if (outcome == RESP_DONE || outcome == RESP_DUPLICATE) {
		if (q->req.mask & OP_ANSWERED)
			return; /* their answers say it too */
		if (q->roce->ack_request || outcome == RESP_DUPLICATE)
			say(q, AETH_ACK, psn_add(psn_expected(q), (uint32_t)-1));
	} else {
		say(q, syndrome, psn_expected(q));
	}
	if (q->state->due && !(may_wait(q, outcome) && wire_owe(q->home)))
		wire_answer_later(q->home);
}

/* The answers to READs and atomics go at once. */
static void reply(struct wire_request *q, enum outcome outcome)
{
	if ((q->req.mask & OP_ANSWERED) &&
	    (outcome == RESP_DONE || outcome == RESP_DUPLICATE))
		wire_reply(q->req.owner, q->req.qp, q->state);
}

static enum outcome respond(struct wire_request *q)
{
	enum outcome outcome =
	        q->req.mask & OP_UNACKED ? respond_unacked(q) : respond_reliable(q);

	conclude(q, outcome);
	reply(q, outcome);
	return outcome;
}

/* The answers of an XRC target are made while its queue's owner is at hand. */
static void respond_xrc(struct wire_request *q)
{
	struct xrc_visit visit;

	if (xrc_enter(&q->req, &visit) != RESP_DONE) {
		conclude(q, check_psn(q) == RESP_DONE ? RESP_INVALID : RESP_DROP);
		return;
	}
	respond(q);
	/* What the network did not take is asked for again. */
	q->state->answered = q->state->replays;
	q->state->repeat.sent = q->state->repeat.packets;
	xrc_leave(&q->req, &visit);
}

static void respond_connected(struct wire_request *q, const struct net_path *path)
{
	if (check_state(&q->req) != RESP_DONE)
		return;
	q->state = state_of(q->home);
	if (!q->state)
		return;
	if (wire_guess_likely(&q->state->guesses, path->source_port)) {
		drop(&q->req, COUNT_DROP_GUESS);
		return;
	}
	q->state->path = *path;
	q->state->path.hop_limit = 0;
	q->req.copy = &q->state->receive;
	if (q->req.mask & OP_XRCETH)
		respond_xrc(q);
	else
		respond(q);
}

static struct packet packet_of(const struct net_path *path, const struct roce *roce,
                               const struct iovec *payload)
{
	unsigned int mask = opcode_info[roce->opcode].mask;

	return (struct packet){
		.opcode = roce->opcode,
		.mask = mask,
		.psn = roce->psn,
		.dest_qpn = roce->dest_qpn,
		.solicited = roce->solicited,
		.sgid = &path->remote,
		.dgid = &path->local,
		.va = roce->va,
		.rkey = roce->rkey,
		.imm = mask & OP_IETH ? roce->invalidate_key : htobe32(roce->immediate),
		.swap_add = roce->swap_add,
		.compare = roce->compare,
		.length = mask & OP_READ ? roce->dma_length : roce->length,
		.iov = payload,
		.iovs = roce->length ? 1 : 0,
		.rd_atomics = 1,
		.srqn = roce->xrc_srq,
	};
}

static void respond_datagram(struct qp_shared *qp, const struct net_path *path,
                             const struct roce *roce, struct packet *packet)
{
	struct datagram datagram = {
		.qkey = roce->qkey,
		.src_qpn = roce->source_qpn,
		.flow_label = path->flow_label,
		.traffic_class = path->traffic_class,
		.hop_limit = path->hop_limit,
	};
	struct reply reply;

	packet->datagram = &datagram;
	responder_receive(peer_self(), qp, packet, &reply);
}

void wire_respond(struct qp_shared *qp, const struct net_path *path,
                  const struct roce *roce)
{
	struct iovec payload = { (void *)(uintptr_t)roce->payload, roce->length };
	struct packet packet = packet_of(path, roce, &payload);
	struct wire_request q = {
		.req = { .owner = peer_self(),
		         .qp = qp,
		         .packet = &packet,
		         .mask = packet.mask },
		.home = qp,
		.roce = roce,
	};

	if (packet.mask & OP_DETH) {
		respond_datagram(qp, path, roce, &packet);
		return;
	}
	responder_lock(q.req.owner, qp);
	q.mtu = 128u << qp->path_mtu;
	respond_connected(&q, path);
	owner_unlock(&qp->lock);
}
