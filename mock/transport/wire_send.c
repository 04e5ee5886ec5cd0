/* SPDX-License-Identifier: BSD-2-Clause */
/* The requester over packets (IBA 9.7.3, 9.8.2.1): work requests in parts of the path
 * MTU, as many as the window, the responder's credits and the network take. */
#include "transport/wire_responder.h"

#include "object/pd.h"

/* The packets of a message, by where they stand in it. */
static const struct {
	uint8_t first, middle, last, only;
} opcodes[] = {
	[IBV_WR_SEND] = { RC_SEND_FIRST, RC_SEND_MIDDLE, RC_SEND_LAST, RC_SEND_ONLY },
	[IBV_WR_SEND_WITH_IMM] = { RC_SEND_FIRST, RC_SEND_MIDDLE, RC_SEND_LAST_IMM,
	                           RC_SEND_ONLY_IMM },
	[IBV_WR_SEND_WITH_INV] = { RC_SEND_FIRST, RC_SEND_MIDDLE, RC_SEND_LAST_INVALIDATE,
	                           RC_SEND_ONLY_INVALIDATE },
	[IBV_WR_RDMA_WRITE] = { RC_WRITE_FIRST, RC_WRITE_MIDDLE, RC_WRITE_LAST,
	                        RC_WRITE_ONLY },
	[IBV_WR_RDMA_WRITE_WITH_IMM] = { RC_WRITE_FIRST, RC_WRITE_MIDDLE,
	                                 RC_WRITE_LAST_IMM, RC_WRITE_ONLY_IMM },
	[IBV_WR_RDMA_READ] = { .only = RC_READ_REQUEST },
	[IBV_WR_ATOMIC_CMP_AND_SWP] = { .only = RC_COMPARE_SWAP },
	[IBV_WR_ATOMIC_FETCH_AND_ADD] = { .only = RC_FETCH_ADD },
	[IBV_WR_LOCAL_INV] = { .only = NO_PACKET },
	[IBV_WR_BIND_MW] = { .only = NO_PACKET },
	[IBV_WR_ATOMIC_WRITE] = { .only = RC_ATOMIC_WRITE },
};

unsigned int wire_mask(const struct wqe *wqe)
{
	return opcode_info[opcodes[wqe->opcode].only].mask;
}

/* One turn of the requester: what was put together, and the WQE that it is at. */
struct turn {
	struct roce_out out;
	uint32_t high;  /* wire.high before what is in there */
	uint32_t index; /* of the WQE that the rest is about */
	bool loaded;
	unsigned int mask;
	uint32_t packets;
	struct iovec iov[DEVICE_MAX_SGE];
	unsigned int iovs;
};

enum {
	TAG_READ = 1u << 24, /* beside the PSN */
	GATHER_BYTES = 256,  /* of small messages … */
	GATHER_MOST = 32,    /* … so many go together … */
	GATHER_BEHIND = 16,  /* … when so many packets are under way */
};

static bool is_unacked(const struct qp *qp)
{
	return qp->sq.unacked;
}

/* --- what may go ----------------------------------------------------------------------
 */

static uint32_t parts_of(unsigned int mask, uint32_t packets)
{
	return mask & OP_READ ? packets_for(packets, READ_PART) : 1;
}

/* End-to-end credits: at least one message that nothing is known of may always ask. */
static bool has_credit(struct qp *qp, unsigned int mask)
{
	struct wire *wire = qp->wire;

	if (!wire->limited || !(mask & OP_RECV) || qp->sq.probe ||
	    psn_diff(wire->limit, wire->messages + 1) >= 0)
		return true;
	if (!wire_in_flight(qp))
		retry_wait_at_most(qp, SQ_WAITS_CREDIT, 1000 * 1000);
	return false;
}

/* Whether a new message may begin (IBA 10.8.3.3 of the fence). */
static bool may_begin(struct qp *qp, const struct wqe *wqe, unsigned int mask)
{
	if ((wqe->flags & IBV_SEND_FENCE) && qp->wire->reads)
		return false;
	return is_unacked(qp) || has_credit(qp, mask);
}

/* A READ is asked for in parts that are the same each time, so that it always counts as
 * as many messages. */
static uint32_t part_end(uint32_t packet, uint32_t packets)
{
	return (uint32_t)min_u64((uint64_t)(packet / READ_PART + 1) * READ_PART, packets);
}

static bool fits_window(const struct qp *qp, const struct turn *turn)
{
	const struct wire *wire = qp->wire;
	uint32_t in_flight = wire_in_flight(qp), more = 1;

	if (is_unacked(qp))
		return true;
	if (turn->mask & OP_ANSWERED) {
		if (wire->reads >= qp->attr.max_rd_atomic)
			return false;
		more = turn->mask & OP_READ
		               ? part_end(wire->packet, turn->packets) - wire->packet
		               : 1;
	}
	return !in_flight || in_flight + more <= wire->window;
}

/* --- packets --------------------------------------------------------------------------
 */

static uint8_t opcode_at(const struct qp *qp, const struct wqe *wqe,
                         const struct turn *turn)
{
	uint32_t packet = qp->wire->packet;
	bool last = packet + 1 == turn->packets;

	if (turn->packets == 1 || (turn->mask & OP_READ))
		return opcodes[wqe->opcode].only;
	if (!packet)
		return opcodes[wqe->opcode].first;
	return last ? opcodes[wqe->opcode].last : opcodes[wqe->opcode].middle;
}

static void fill_memory(const struct qp *qp, const struct wqe *wqe, unsigned int mask,
                        const struct turn *turn, struct roce *to)
{
	const struct wire *wire = qp->wire;
	uint64_t done = (uint64_t)wire->packet * wire->mtu;

	to->va = wqe->remote_addr + (mask & OP_READ ? done : 0);
	to->rkey = wqe->rkey;
	to->dma_length = (uint32_t)wqe->length;
	if (mask & OP_READ)
		to->dma_length = (uint32_t)min_u64(
		        wqe->length - done,
		        (uint64_t)(part_end(wire->packet, turn->packets) - wire->packet) *
		                wire->mtu);
	to->compare = wqe->compare_add;
	to->swap_add =
	        wqe->opcode == IBV_WR_ATOMIC_FETCH_AND_ADD ? wqe->compare_add : wqe->swap;
}

static struct roce fill(const struct qp *qp, struct wqe *wqe, const struct turn *turn)
{
	const struct wire *wire = qp->wire;
	uint8_t opcode = opcode_at(qp, wqe, turn);
	unsigned int mask = opcode_info[opcode].mask;
	struct roce packet = {
		.opcode = opcode | wire->transport,
		.solicited = (mask & OP_LAST) && (wqe->flags & IBV_SEND_SOLICITED),
		.pkey = 0xffff,
		.dest_qpn = qp->attr.dest_qp_num,
		.psn = psn_add(wqe->psn, wire->packet),
	};

	if (mask & (OP_RETH | OP_ATOMICETH))
		fill_memory(qp, wqe, mask, turn, &packet);
	if (mask & OP_IMM)
		packet.immediate = be32toh(wqe->imm);
	if (mask & OP_IETH)
		packet.invalidate_key = wqe->imm;
	if (qp->sq.xrc)
		packet.xrc_srq = (uint32_t)sq_xrc(&qp->sq, wqe)->srqn;
	if (mask & OP_PAYLOAD)
		packet.length = min_u64(wqe->length - (uint64_t)wire->packet * wire->mtu,
		                        wire->mtu);
	return packet;
}

/* An acknowledgement is asked for at least four times per window. */
static void ask_now_and_then(struct qp *qp, struct roce *packet)
{
	struct wire *wire = qp->wire;

	if (is_unacked(qp))
		return;
	if (++wire->unasked >= wire->window / 4 ||
	    (opcode_info[packet->opcode].mask & OP_ANSWERED))
		packet->ack_request = true;
	if (packet->ack_request)
		wire->unasked = 0;
}

/* What the packet at (send, packet) was is sent: on to the next. */
static void step_on(struct qp *qp, const struct turn *turn)
{
	struct wire *wire = qp->wire;

	if (turn->mask & OP_READ)
		wire->packet = part_end(wire->packet, turn->packets);
	else
		wire->packet++;
	wire->reads += (turn->mask & OP_ANSWERED) != 0;
	if (wire->packet == turn->packets) {
		wire->send++;
		wire->packet = 0;
	}
	if (psn_before(wire->high, wire_next_psn(qp)))
		wire->high = wire_next_psn(qp);
}

/* --- turns ----------------------------------------------------------------------------
 */

/* UC: what the network has taken is done. */
static void complete_sent(struct qp *qp)
{
	while (qp->sq.next != qp->wire->send && qp_state(qp) == IBV_QPS_RTS)
		completer_done(qp, sq_at(&qp->sq, qp->sq.next));
}

/* Back to the first that was not taken. */
static void take_back(struct qp *qp, const struct turn *turn, unsigned int from,
                      unsigned int count)
{
	struct wire *wire = qp->wire;
	uint32_t psn = turn->out.tag[from] & PSN_MASK;

	for (unsigned int i = from; i < count; i++)
		wire->reads -= (turn->out.tag[i] & TAG_READ) != 0;
	while (wire->send == wire->numbered ||
	       psn_before(psn, sq_at(&qp->sq, wire->send)->psn))
		wire->send--;
	wire->packet = (psn - sq_at(&qp->sq, wire->send)->psn) & PSN_MASK;
	wire->high = psn_before(turn->high, psn) ? psn : turn->high;
	qp->sq.blocked = true;
}

/*
 * What the program sends for a message that it has received comes with that message's
 * acknowledgement, or behind it, as adapters have it: the peer may count on the
 * completion. Whether it is among what was put together.
 */
static bool acknowledge(struct qp *qp, struct turn *turn)
{
	struct wire_responder *state;
	bool along = false;

	if (!qp->sh->wire || !turn->out.count)
		return false;
	responder_lock(peer_self(), qp->sh);
	state = wire_responder_of(qp->sh);
	if (state && state->due) {
		along = wire_reply_along(qp->sh, state, &turn->out);
		if (!along)
			wire_reply(peer_self(), qp->sh, state);
	}
	owner_unlock(&qp->sh->lock);
	return along;
}

/* The network had no room for it. */
static void owe_again(struct qp *qp)
{
	struct wire_responder *state;

	responder_lock(peer_self(), qp->sh);
	state = wire_responder_of(qp->sh);
	if (state)
		state->due = true;
	owner_unlock(&qp->sh->lock);
}

static void flush(struct qp *qp, struct turn *turn)
{
	unsigned int count = turn->out.count, taken;
	bool along = acknowledge(qp, turn);

	taken = roce_out_flush(&turn->out);
	if (taken < count)
		take_back(qp, turn, taken, count);
	if (along && taken <= count)
		owe_again(qp);
	turn->high = qp->wire->high;
	if (is_unacked(qp))
		complete_sent(qp);
}

/* A work request gets its PSNs when it is begun, and keeps them. */
static void number(struct qp *qp, struct wqe *wqe, const struct turn *turn)
{
	struct wire *wire = qp->wire;

	wqe->psn = qp->sq.psn;
	qp->sq.psn = psn_add(qp->sq.psn, turn->packets);
	wire->messages = psn_add(wire->messages, parts_of(turn->mask, turn->packets));
	wire->numbered++;
	qp->sq.probe = false;
	qp->sq.started = true;
}

/* What a message costs is counted each time that it begins. */
static void count(struct qp *qp, const struct wqe *wqe, unsigned int mask)
{
	struct packet whole = { .mask = mask, .length = wqe->length };

	count_request(qp, &whole);
	count_requester(qp->sh, COUNT_UNACKED, is_unacked(qp));
	if (!is_unacked(qp)) /* until it is answered */
		count_requester(qp->sh, COUNT_SENDS_UNDONE, mask & OP_SEND);
}

/* One that sends nothing, or cannot, waits until those before it are done with. */
static bool alone(struct qp *qp, struct turn *turn)
{
	flush(qp, turn);
	return qp->sq.next == qp->wire->send && !qp->sq.blocked;
}

static void window(struct qp *qp, struct wqe *wqe, struct turn *turn)
{
	struct wire *wire = qp->wire;

	if (!alone(qp, turn))
		return;
	window_step(qp, wqe);
	if (qp_state(qp) == IBV_QPS_RTS)
		wire->send = wire->numbered = qp->sq.next;
}

/* The WQE at send, once for each turn. False when it cannot go, now or ever. */
static bool load(struct qp *qp, struct wqe *wqe, struct turn *turn)
{
	enum ibv_wc_status status;

	if (turn->loaded && turn->index == qp->wire->send)
		return true;
	turn->mask = wire_mask(wqe);
	turn->index = qp->wire->send;
	turn->loaded = true;
	if (!turn->mask)
		return true;
	turn->packets = packets_for(wqe->length, qp->wire->mtu);
	status = requester_check(qp, wqe, turn->mask);
	if (status == IBV_WC_SUCCESS)
		status = requester_list(qp, wqe, turn->mask, turn->iov, &turn->iovs);
	if (status == IBV_WC_SUCCESS)
		return true;
	turn->loaded = false;
	if (alone(qp, turn))
		completer_fail(qp, wqe, status);
	return false;
}

/* Whether there may be more. */
static bool add_next(struct qp *qp, struct turn *turn)
{
	struct wire *wire = qp->wire;
	struct wqe *wqe = sq_at(&qp->sq, wire->send);
	struct roce packet;
	struct roce_payload payload;

	if (wire->send == qp->sq.posted || qp->sq.blocked || qp->sq.wait != SQ_RUNS)
		return false;
	if (wire->send == wire->numbered && qp_state(qp) != IBV_QPS_RTS)
		return false; /* in SQD nothing is begun (IBA 10.3.1.6) */
	if (!load(qp, wqe, turn))
		return false;
	if (!turn->mask) {
		window(qp, wqe, turn);
		turn->loaded = false;
		return wire->send == qp->sq.next && wire->send != turn->index;
	}
	if (!fits_window(qp, turn))
		return false;
	if (wire->send == wire->numbered) {
		if (!may_begin(qp, wqe, turn->mask))
			return false;
		number(qp, wqe, turn);
	}
	packet = fill(qp, wqe, turn);
	payload = (struct roce_payload){ turn->iov, turn->iovs,
		                         (uint64_t)wire->packet * wire->mtu };
	ask_now_and_then(qp, &packet);
	while (!roce_out_add(&turn->out, &packet, &payload,
	                     packet.psn | (turn->mask & OP_ANSWERED ? TAG_READ : 0))) {
		flush(qp, turn);
		if (qp->sq.blocked || qp_state(qp) > IBV_QPS_SQD)
			return false;
	}
	if (!wire->packet)
		count(qp, wqe, turn->mask);
	step_on(qp, turn);
	return true;
}

void wire_seek(struct qp *qp, uint32_t psn)
{
	struct wire *wire = qp->wire;

	wire->send = qp->sq.next;
	wire->packet = 0;
	if (wire->send != wire->numbered)
		wire->packet = (psn - sq_at(&qp->sq, wire->send)->psn) & PSN_MASK;
	wire->reads = 0;
}

static void send_what_may_go(struct qp *qp)
{
	struct wire *wire = qp->wire;
	struct turn turn;

	turn.loaded = false;
	turn.high = wire->high;
	roce_out_start(&turn.out, &wire->path, qp_protection(qp));
	while (add_next(qp, &turn))
		;
	if (turn.out.count && !is_unacked(qp)) {
		roce_out_ask(&turn.out);
		wire->unasked = 0;
	}
	if (turn.out.count)
		flush(qp, &turn);
}

static bool is_small(const struct qp *qp, uint32_t index)
{
	return sq_at(&qp->sq, index)->length <= GATHER_BYTES;
}

/*
 * A system call costs as much for one small message as for many. Those that come while a
 * good number of others is under way wait until there are enough for one, or something
 * is answered, which the last that was sent asked for: this runs again then.
 */
static bool is_worth_waiting(const struct qp *qp)
{
	const struct wire *wire = qp->wire;

	return wire->send == wire->numbered && !wire->unasked && !is_unacked(qp) &&
	       wire_in_flight(qp) >= GATHER_BEHIND &&
	       qp->sq.posted - wire->send < GATHER_MOST && is_small(qp, wire->send) &&
	       is_small(qp, qp->sq.posted - 1);
}

void wire_run(struct qp *qp)
{
	struct wire *wire = qp->wire;

	if (!qp->sq.blocked && wire->send != qp->sq.posted && !is_worth_waiting(qp))
		send_what_may_go(qp);
	qp->sq.started = qp->sq.next != wire->numbered;
	if (!is_unacked(qp) && qp_state(qp) <= IBV_QPS_SQD)
		wire_arm(qp);
}
