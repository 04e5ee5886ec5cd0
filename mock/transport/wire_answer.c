/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The completer over packets (IBA 9.7.5): what an acknowledgement or a response means for
 * the packets that have no answer yet. What is for none of them is dropped; what is for
 * one and not what it asked for ends the connection (IBA 9.9.2.3, bad response).
 */
#include "transport/wire.h"

#include <string.h>
#include "object/device.h"
#include "wire/credits.h"

static void stray(struct qp *qp)
{
	count_requester(qp->sh, COUNT_DROP_ANSWER_PSN, 1);
}

/* For nothing under way: late, unless it is far off. */
static void unexpected(struct qp *qp, const struct roce *answer)
{
	int32_t off = psn_diff(answer->psn, qp->wire->una);

	if (off > GUESS_FAR_PSNS || off < -GUESS_FAR_PSNS)
		wire_guess_seen(&qp->wire->guesses);
	stray(qp);
}

static struct wqe *oldest(const struct qp *qp)
{
	return sq_at(&qp->sq, qp->sq.next);
}

static bool is_live(const struct qp *qp)
{
	return qp_state(qp) == IBV_QPS_RTS || qp_state(qp) == IBV_QPS_SQD;
}

static bool expects_response(const struct wqe *wqe)
{
	return wire_mask(wqe) & OP_ANSWERED;
}

static uint32_t end_of(const struct qp *qp, const struct wqe *wqe)
{
	return psn_add(wqe->psn, packets_for(wqe->length, qp->wire->mtu));
}

static void advance(struct qp *qp, uint32_t psn)
{
	struct wire *wire = qp->wire;
	uint32_t packets = (psn - wire->una) & PSN_MASK;

	if (!packets)
		return;
	wire->una = psn;
	wire_progress(qp, packets);
}

/* An answer may be to what was sent before the requester went back. */
static void catch_up(struct qp *qp)
{
	struct wire *wire = qp->wire;

	if ((int32_t)(wire->send - qp->sq.next) < 0 ||
	    psn_before(wire_next_psn(qp), wire->una))
		wire_seek(qp, wire->una);
}

/*
 * All before that PSN was received. False when the response to a READ or atomic among it
 * did not come (IBA 9.7.5.1.1).
 */
static bool acknowledge(struct qp *qp, uint32_t upto)
{
	struct wire *wire = qp->wire;

	while (is_live(qp) && psn_before(wire->una, upto)) {
		struct wqe *wqe = oldest(qp);
		uint32_t end = end_of(qp, wqe);

		if (expects_response(wqe))
			return false;
		if (psn_before(upto, end)) {
			advance(qp, upto);
			break;
		}
		advance(qp, end);
		count_requester(qp->sh, COUNT_SENDS_UNDONE,
		                wire_mask(wqe) & OP_SEND ? UINT64_MAX : 0);
		completer_done(qp, wqe);
	}
	if (is_live(qp))
		catch_up(qp);
	return true;
}

/* Whether that is news: then it is sent, or asked for, once more. Whoever misses it again
 * says nothing, and the timer helps. */
static bool is_new_loss(struct wire *wire)
{
	if (wire->missed && wire->missed_at == wire->una)
		return false;
	wire->missed = true;
	wire->missed_at = wire->una;
	return true;
}

static void missing(struct qp *qp)
{
	if (is_new_loss(qp->wire))
		wire_again(qp);
}

/* --- responses ------------------------------------------------------------------------
 */

static void scatter(const struct iovec *iov, unsigned int iovs, uint64_t offset,
                    const uint8_t *from, size_t length)
{
	for (unsigned int i = 0; i < iovs && length; i++) {
		size_t take;

		if (offset >= iov[i].iov_len) {
			offset -= iov[i].iov_len;
			continue;
		}
		take = min_u64(iov[i].iov_len - offset, length);
		memcpy((char *)iov[i].iov_base + offset, from, take);
		from += take;
		length -= take;
		offset = 0;
	}
}

static void put(struct qp *qp, struct wqe *wqe, uint64_t offset, const void *data,
                size_t length)
{
	struct iovec iov[DEVICE_MAX_SGE];
	unsigned int iovs;
	enum ibv_wc_status status = requester_list(qp, wqe, wire_mask(wqe), iov, &iovs);

	/* Deregistered meanwhile. */
	if (status != IBV_WC_SUCCESS)
		completer_fail(qp, wqe, status);
	else
		scatter(iov, iovs, offset, data, length);
}

static void finish_part(struct qp *qp, struct wqe *wqe, uint32_t done)
{
	struct wire *wire = qp->wire;
	bool whole = done == packets_for(wqe->length, wire->mtu);

	if ((whole || done % READ_PART == 0) && wire->reads)
		wire->reads--;
	advance(qp, psn_add(wqe->psn, done));
	if (whole)
		completer_done(qp, wqe);
	if (is_live(qp))
		catch_up(qp);
}

/* The response that is due next: its place follows from its PSN. */
static void take_read(struct qp *qp, struct wqe *wqe, const struct roce *answer)
{
	uint32_t index = (answer->psn - wqe->psn) & PSN_MASK;
	uint64_t offset = (uint64_t)index * qp->wire->mtu;

	if (answer->length != min_u64(wqe->length - offset, qp->wire->mtu)) {
		completer_fail(qp, wqe, IBV_WC_BAD_RESP_ERR);
		return;
	}
	put(qp, wqe, offset, answer->payload, answer->length);
	if (is_live(qp))
		finish_part(qp, wqe, index + 1);
}

static void take_atomic(struct qp *qp, struct wqe *wqe, const struct roce *answer)
{
	put(qp, wqe, 0, &answer->original, sizeof(answer->original));
	if (is_live(qp))
		finish_part(qp, wqe, 1);
}

/* Answered as a READ of nothing is (annex A19.4.2). */
static void take_written(struct qp *qp, struct wqe *wqe, const struct roce *answer)
{
	if (answer->length)
		completer_fail(qp, wqe, IBV_WC_BAD_RESP_ERR);
	else
		finish_part(qp, wqe, 1);
}

/* What it answers, and how that is taken. */
static void take_response(struct qp *qp, struct wqe *wqe, const struct roce *answer)
{
	bool atomic = opcode_info[answer->opcode].mask & OP_ATOMICACKETH;
	unsigned int asked = wire_mask(wqe);

	if (atomic && (asked & OP_ATOMIC))
		take_atomic(qp, wqe, answer);
	else if (!atomic && (asked & OP_READ))
		take_read(qp, wqe, answer);
	else if (!atomic && (asked & OP_ATOMIC_WRITE))
		take_written(qp, wqe, answer);
	else
		completer_fail(qp, wqe, IBV_WC_BAD_RESP_ERR);
}

static void on_response(struct qp *qp, const struct roce *answer)
{
	struct wire *wire = qp->wire;

	if (!acknowledge(qp, answer->psn)) {
		missing(qp);
		return;
	}
	if (!is_live(qp) || wire->una != answer->psn || qp->sq.next == wire->numbered)
		return;
	take_response(qp, oldest(qp), answer);
}

/* --- acknowledgements -----------------------------------------------------------------
 */

/* How many messages the responder has receives for (IBA table 46). */
static void take_credits(struct qp *qp, const struct roce *answer)
{
	struct wire *wire = qp->wire;
	unsigned int code = answer->syndrome & ~AETH_KIND_MASK;

	wire->limited = code != CREDITS_NONE_GIVEN;
	if (!wire->limited)
		return;
	wire->limit = psn_add(answer->msn, credits_of(code));
	if (qp->sq.wait == SQ_WAITS_CREDIT &&
	    psn_diff(wire->limit, wire->messages + 1) >= 0)
		qp->sq.wait = SQ_RUNS;
}

static void on_sequence_nak(struct qp *qp)
{
	count_requester(qp->sh, COUNT_RCVD_SEQ, 1);
	if (!is_new_loss(qp->wire))
		return;
	if (!qp->sq.retries) {
		completer_fail(qp, oldest(qp), IBV_WC_RETRY_EXC_ERR);
		return;
	}
	retry_again(qp);
	wire_again(qp);
}

static void on_rnr(struct qp *qp, unsigned int timer)
{
	wire_seek(qp, qp->wire->una);
	qp->wire->expires = qp->wire->again_at = qp->wire->timed_at = 0;
	retry_after_rnr(qp, timer);
}

static void on_refusal(struct qp *qp, uint8_t syndrome)
{
	struct wqe *wqe = oldest(qp);

	switch (syndrome) {
	case NAK_PSN_SEQUENCE: on_sequence_nak(qp); break;
	case NAK_INVALID_REQUEST: completer_fail(qp, wqe, IBV_WC_REM_INV_REQ_ERR); break;
	case NAK_REMOTE_ACCESS: completer_fail(qp, wqe, IBV_WC_REM_ACCESS_ERR); break;
	case NAK_REMOTE_OPERATION: completer_fail(qp, wqe, IBV_WC_REM_OP_ERR); break;
	default: stray(qp); /* reserved */
	}
}

static void on_acknowledgement(struct qp *qp, const struct roce *answer)
{
	unsigned int kind = answer->syndrome & AETH_KIND_MASK;
	uint32_t upto = kind == AETH_ACK ? psn_add(answer->psn, 1) : answer->psn;

	if (!acknowledge(qp, upto)) {
		missing(qp);
		return;
	}
	if (!is_live(qp))
		return;
	if (kind == AETH_ACK)
		take_credits(qp, answer);
	else if (qp->sq.next == qp->wire->numbered || qp->sq.wait == SQ_WAITS_RNR)
		stray(qp); /* of something that is done */
	else if (kind == AETH_RNR_NAK)
		on_rnr(qp, answer->syndrome & ~AETH_KIND_MASK);
	else
		on_refusal(qp, answer->syndrome);
}

/* Of what is under way, or credit alone: the last that was acknowledged, once more. */
static bool is_expected(const struct qp *qp, const struct roce *answer)
{
	const struct wire *wire = qp->wire;

	if (answer->opcode % 32 == RC_ACKNOWLEDGE &&
	    (answer->syndrome & AETH_KIND_MASK) == AETH_ACK &&
	    answer->psn == psn_add(wire->una, (uint32_t)-1))
		return true;
	return !psn_before(answer->psn, wire->una) && psn_before(answer->psn, wire->high);
}

/* Whether it came from the peer, as far as its addresses tell. */
static bool is_from_peer(const struct wire *wire, const struct net_path *path)
{
	return !memcmp(&path->remote, &wire->path.remote, sizeof(path->remote)) &&
	       !memcmp(&path->local, &wire->path.local, sizeof(path->local));
}

void wire_answer(struct qp *qp, const struct net_path *path, const struct roce *answer)
{
	struct wire *wire = qp->wire;

	if (!wire || !is_live(qp) || qp->sq.unacked ||
	    (answer->opcode & BTH_TRANSPORT) != wire->transport ||
	    !is_from_peer(wire, path)) {
		stray(qp);
		return;
	}
	if (wire_guess_likely(&wire->guesses, path->source_port)) {
		count_requester(qp->sh, COUNT_DROP_ANSWER_GUESS, 1);
		return;
	}
	if (!is_expected(qp, answer)) {
		unexpected(qp, answer);
		return;
	}
	wire_guess_good(&wire->guesses, path->source_port);
	if (opcode_info[answer->opcode].mask & (OP_PAYLOAD | OP_ATOMICACKETH))
		on_response(qp, answer);
	else
		on_acknowledgement(qp, answer);
	qp->sq.started = qp->sq.next != wire->numbered;
}
