/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Answers of more than an acknowledgement (IBA 9.7.5.1.4, 9.7.5.1.5): responses to READs
 * are read out of the owner's memory when they are sent, and again when they are asked
 * for again; what an atomic found is kept, since it must not be executed twice. An ATOMIC
 * WRITE is answered as a READ of nothing.
 */
#include "transport/wire_responder.h"

#include <string.h>

enum { ACKNOWLEDGE_SIZE = 16 }; /* BTH and AETH */

static struct wire_replay *remember(struct wire_request *q)
{
	struct wire_replay *replay = wire_replay_at(q->state, q->state->replays++);

	*replay = (struct wire_replay){
		.psn = q->roce->psn,
		.packets = q->psns,
		.rkey = q->roce->rkey,
		.va = q->roce->va,
		.length = q->roce->dma_length,
		.kind = q->req.mask & OP_ANSWERED,
	};
	return replay;
}

enum outcome wire_execute_read(struct wire_request *q)
{
	uint64_t length = q->roce->dma_length;
	struct iovec iov;

	if (length > settings()->max_msg)
		return RESP_INVALID;
	if (!remote_memory(&q->req, IBV_ACCESS_REMOTE_READ, length, &iov))
		return RESP_ACCESS;
	q->psns = packets_for(length, q->mtu);
	q->message = length;
	remember(q);
	return RESP_DONE;
}

enum outcome wire_execute_atomic(struct wire_request *q)
{
	struct wire_replay *replay;
	enum outcome outcome;

	if ((q->req.mask & OP_RETH) && q->roce->dma_length != q->roce->length)
		return RESP_INVALID; /* IBA 9.7.4.1.7 */
	outcome = execute(&q->req);
	if (outcome != RESP_DONE)
		return outcome;
	replay = remember(q);
	replay->length = 0; /* nothing is read to answer it */
	replay->original = q->req.original;
	q->message = sizeof(replay->original);
	return RESP_DONE;
}

/* Whether it is, or is the end of, what was answered. */
static bool is_part(const struct wire_replay *replay, const struct wire_request *q)
{
	uint32_t index = (q->roce->psn - replay->psn) & PSN_MASK;
	uint64_t offset = (uint64_t)index * q->mtu;

	if (index >= replay->packets || replay->kind != (q->req.mask & OP_ANSWERED))
		return false;
	return replay->kind != OP_READ ||
	       (q->roce->rkey == replay->rkey && q->roce->va == replay->va + offset &&
	        q->roce->dma_length <= replay->length - offset);
}

enum outcome wire_replay_again(struct wire_request *q)
{
	struct wire_responder *state = q->state;
	uint32_t kept = (uint32_t)min_u64(q->req.qp->max_dest_rd_atomic, state->replays);

	for (uint32_t i = 1; i <= kept; i++) {
		const struct wire_replay *replay =
		        wire_replay_at(state, state->replays - i);

		if (!is_part(replay, q))
			continue;
		if (state->replays - i - state->answered < DEVICE_MAX_RD_ATOMIC)
			return RESP_DROP; /* it is being answered now */
		state->repeat = *replay;
		state->repeat.sent = 0;
		if (replay->kind == OP_READ) {
			state->repeat.psn = q->roce->psn;
			state->repeat.va = q->roce->va;
			state->repeat.length = q->roce->dma_length;
			state->repeat.packets = packets_for(q->roce->dma_length, q->mtu);
		}
		return RESP_DUPLICATE;
	}
	return drop(&q->req, COUNT_DROP_REPLAY);
}

/* --- what goes back -------------------------------------------------------------------
 */

static struct roce answer_to(const struct peer *owner, const struct qp_shared *qp,
                             const struct wire_responder *state, uint8_t opcode,
                             uint32_t psn)
{
	return (struct roce){
		.opcode = opcode | qp->transport,
		.pkey = 0xffff,
		.dest_qpn = qp->dest_qpn,
		.psn = psn,
		.syndrome = AETH_ACK | wire_credit_code(owner, qp),
		.msn = state->msn,
	};
}

/* One path, one batch: what is put together for a QP. */
struct answers {
	struct peer *owner;
	struct qp_shared *qp;
	struct wire_responder *state;
	struct roce_out out;
	uint8_t copy[ROCE_MTU_MAX];
};

static bool add_atomic(struct answers *a, const struct wire_replay *replay)
{
	static const struct roce_payload none;
	struct roce packet =
	        answer_to(a->owner, a->qp, a->state, RC_ATOMIC_ACKNOWLEDGE, replay->psn);

	packet.original = replay->original;
	return roce_out_add(&a->out, &packet, &none, 0);
}

static uint8_t response_at(uint32_t index, uint32_t packets)
{
	if (packets == 1)
		return RC_READ_RESPONSE_ONLY;
	if (!index)
		return RC_READ_RESPONSE_FIRST;
	return index + 1 == packets ? RC_READ_RESPONSE_LAST : RC_READ_RESPONSE_MIDDLE;
}

/*
 * memory is where the READ's range is. Of another process's, with an XRC queue there, one
 * packet is copied at a time.
 */
static bool add_response(struct answers *a, const struct wire_replay *replay,
                         const struct iovec *memory)
{
	uint32_t mtu = 128u << a->qp->path_mtu;
	uint64_t offset = (uint64_t)replay->sent * mtu;
	struct roce_payload payload = { memory, 1, offset };
	struct roce packet = answer_to(a->owner, a->qp, a->state,
	                               response_at(replay->sent, replay->packets),
	                               psn_add(replay->psn, replay->sent));
	struct iovec there, here;

	packet.length = min_u64(replay->length - offset, mtu);
	if (!a->owner->self && packet.length) {
		there = (struct iovec){ (char *)memory->iov_base + offset,
			                packet.length };
		here = (struct iovec){ a->copy, packet.length };
		payload = (struct roce_payload){ &here, 1, 0 };
		if (a->out.count || peer_read(a->owner, &there, 1, &here, 1))
			return false;
	}
	return roce_out_add(&a->out, &packet, &payload, 0);
}

/* Whether the network took all; what it did not take is not sent yet. */
static bool flush(struct answers *a, struct wire_replay *replay)
{
	unsigned int count = a->out.count, taken = roce_out_flush(&a->out);

	if (replay->kind != OP_ATOMIC)
		replay->sent -= count - taken;
	else if (taken == count)
		replay->sent = 1;
	return taken == count;
}

/* The key may have gone since the request was executed: the connection ends, as it would
 * have then. */
static bool find_memory(const struct answers *a, const struct wire_replay *replay,
                        struct iovec *memory)
{
	struct packet packet = {
		.rkey = replay->rkey,
		.va = replay->va,
		.dest_qpn = atomic_load_explicit(&a->qp->qpn, memory_order_relaxed),
	};
	struct request req = { .owner = a->owner, .qp = a->qp, .packet = &packet };

	return remote_memory(&req, IBV_ACCESS_REMOTE_READ, replay->length, memory);
}

static void refuse(struct answers *a)
{
	struct wire_responder *state = a->state;

	state->syndrome = responder_end(a->owner, a->qp, RESP_ACCESS);
	state->due = true;
	state->answered = state->replays - 1;
	state->repeat.sent = state->repeat.packets;
}

/* False when the network is full. */
static bool reply_read(struct answers *a, struct wire_replay *replay)
{
	struct iovec memory;

	if (!find_memory(a, replay, &memory)) {
		a->state->due_psn = psn_add(replay->psn, replay->sent);
		refuse(a);
		return true;
	}
	while (replay->sent < replay->packets) {
		if (add_response(a, replay, &memory))
			replay->sent++;
		else if (!a->out.count || !flush(a, replay))
			return false;
	}
	return flush(a, replay);
}

static bool reply_one(struct answers *a, struct wire_replay *replay)
{
	if (replay->kind != OP_ATOMIC)
		return reply_read(a, replay);
	add_atomic(a, replay);
	return flush(a, replay);
}

/* What was missing may have come since: then it is not asked for. */
static bool is_over(const struct qp_shared *qp, const struct wire_responder *state)
{
	return state->syndrome == NAK_PSN_SEQUENCE &&
	       state->due_psn != atomic_load_explicit(&qp->epsn, memory_order_relaxed);
}

static void add_acknowledgement(const struct peer *owner, struct qp_shared *qp,
                                struct wire_responder *state, struct roce_out *out)
{
	static const struct roce_payload none;
	struct roce packet = answer_to(owner, qp, state, RC_ACKNOWLEDGE, state->due_psn);

	if (is_over(qp, state))
		packet.psn = psn_add(qp->epsn, (uint32_t)-1);
	else if (state->syndrome & AETH_KIND_MASK)
		packet.syndrome = state->syndrome;
	if (!(packet.syndrome & AETH_KIND_MASK))
		wire_credit_told(qp, state, packet.syndrome);
	roce_out_add(out, &packet, &none, 0);
}

static void acknowledge(struct answers *a)
{
	add_acknowledgement(a->owner, a->qp, a->state, &a->out);
	a->state->due = !roce_out_flush(&a->out);
}

/* Each side has a flow label of its own. */
static bool is_same_way(const struct net_path *a, const struct net_path *b)
{
	return !memcmp(&a->local, &b->local, sizeof(a->local)) &&
	       !memcmp(&a->remote, &b->remote, sizeof(a->remote)) &&
	       a->traffic_class == b->traffic_class;
}

bool wire_reply_along(struct qp_shared *qp, struct wire_responder *state,
                      struct roce_out *out)
{
	if (state->answered != state->replays ||
	    state->repeat.sent < state->repeat.packets ||
	    !is_same_way(&state->path, out->path) ||
	    !roce_out_has_room_behind(out, ACKNOWLEDGE_SIZE))
		return false;
	add_acknowledgement(peer_self(), qp, state, out);
	state->due = false;
	return true;
}

/* Packets are answered by the process that the QP is of, and while it is protected it
 * is not destroyed: that takes the lock which is held here. */
static struct protection *protection_of(const struct qp_shared *qp)
{
	if (likely(!atomic_load_explicit(&qp->is_protected, memory_order_relaxed)))
		return NULL;
	return qp_protection(qp_of_handle(qp->handle));
}

void wire_reply(struct peer *owner, struct qp_shared *qp, struct wire_responder *state)
{
	struct answers a;

	a.owner = owner;
	a.qp = qp;
	a.state = state;
	roce_out_start(&a.out, &state->path, protection_of(qp));
	while (state->answered != state->replays) {
		if (!reply_one(&a, wire_replay_at(state, state->answered)))
			return;
		state->answered++;
	}
	if (state->repeat.sent < state->repeat.packets && !reply_one(&a, &state->repeat))
		return;
	if (state->due)
		acknowledge(&a);
}
