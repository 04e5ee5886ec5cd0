/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * When to send again (IBA 9.7.6.1.3). The local ACK timeout is what the program asked
 * for, and often long: it uses up a retry. Before it expires the requester sends again by
 * itself, some round trips after the last progress and less and less often, which costs
 * only packets: a duplicate is acknowledged like any other.
 */
#include "transport/wire.h"

#include "host/engine.h"

enum {
	AGAIN_LEAST_NS = 2 * 1000 * 1000, /* an engine may wait for a core */
	AGAIN_FIRST_NS = 20 * 1000 * 1000,
	AGAIN_ROUND_TRIPS = 4,
	AGAIN_DOUBLINGS = 10,
};

static uint64_t again_after(const struct wire *wire)
{
	uint64_t ns = AGAIN_FIRST_NS;

	if (wire->round_trip)
		ns = AGAIN_LEAST_NS +
		     AGAIN_ROUND_TRIPS * (wire->round_trip + wire->deviation);
	return ns << wire->agains;
}

/* 4.096 us * 2^timeout; 0 is for ever (C9-139). */
static uint64_t ack_timeout(const struct qp *qp)
{
	return qp->attr.timeout ? UINT64_C(4096) << qp->attr.timeout : 0;
}

/* One that is armed fires before, and goes on from there. */
static void set(struct qp *qp, uint64_t deadline)
{
	if (qp->sq.armed && qp->wire->armed_for <= deadline)
		return;
	qp->sq.armed = true;
	qp->wire->armed_for = deadline;
	timer_arm(&qp->retry_timer, deadline);
}

static void set_first(struct qp *qp)
{
	const struct wire *wire = qp->wire;
	uint64_t first = wire->again_at;

	if (wire->expires && wire->expires < first)
		first = wire->expires;
	set(qp, first);
}

/* What was sent before is not timed: which of the two is answered, nobody knows. */
static void time_last(struct qp *qp, uint64_t now)
{
	struct wire *wire = qp->wire;
	uint32_t last = psn_add(wire_next_psn(qp), (uint32_t)-1);

	if (wire->timed_at || psn_before(last, wire->fresh))
		return;
	wire->timed = last;
	wire->timed_at = now;
}

void wire_arm(struct qp *qp)
{
	struct wire *wire = qp->wire;
	uint64_t now;

	if (wire_in_flight(qp) == 0) {
		wire->expires = wire->again_at = 0;
		return;
	}
	if (wire->again_at)
		return;
	now = now_ns();
	wire->again_at = now + again_after(wire);
	wire->expires = qp->attr.timeout ? now + ack_timeout(qp) : 0;
	time_last(qp, now);
	set_first(qp);
}

/* Until something that was sent once is answered, waits stay as long as they were: the
 * peer may be slow, and sending more only makes it slower. */
static void measure(struct wire *wire)
{
	uint64_t took, off;

	if (!wire->timed_at || !psn_before(wire->timed, wire->una))
		return;
	took = now_ns() - wire->timed_at;
	if (!wire->round_trip)
		wire->round_trip = took;
	off = took > wire->round_trip ? took - wire->round_trip : wire->round_trip - took;
	wire->deviation = (3 * wire->deviation + off) / 4;
	wire->round_trip = (7 * wire->round_trip + took) / 8;
	wire->timed_at = 0;
	wire->agains = 0;
}

/* Twice as many after each window until some were lost, then one more. */
static void grow(struct wire *wire, uint32_t packets)
{
	wire->grown += packets;
	if (wire->window < wire->threshold) {
		wire->window += wire->grown;
		wire->grown = 0;
	} else if (wire->grown >= wire->window) {
		wire->window++;
		wire->grown = 0;
	}
	if (wire->window > WINDOW_MOST)
		wire->window = WINDOW_MOST;
}

void wire_progress(struct qp *qp, uint32_t packets)
{
	struct wire *wire = qp->wire;

	measure(wire);
	if (psn_before(wire->fresh, wire->una))
		wire->fresh = wire->una;
	grow(wire, packets);
	wire->expires = wire->again_at = 0;
	wire->missed = false;
	retry_reset(qp);
}

void wire_again(struct qp *qp)
{
	struct wire *wire = qp->wire;

	wire->threshold =
	        wire->window / 2 > WINDOW_LEAST ? wire->window / 2 : WINDOW_LEAST;
	wire->window = wire->threshold;
	wire->grown = 0;
	wire->timed_at = 0;
	wire->fresh = wire->high;
	wire->again_at = 0;
	wire_seek(qp, wire->una);
}

/* Nothing came for too long. */
static void expire(struct qp *qp, uint64_t now)
{
	struct wire *wire = qp->wire;
	uint64_t expires = wire->expires;

	if (expires && now >= expires) {
		count_requester(qp->sh, COUNT_LOST, 1);
		if (!qp->sq.retries) {
			completer_fail(qp, sq_at(&qp->sq, qp->sq.next),
			               IBV_WC_RETRY_EXC_ERR);
			return;
		}
		retry_again(qp);
		expires = now + ack_timeout(qp);
	}
	if (wire->agains < AGAIN_DOUBLINGS)
		wire->agains++;
	wire->missed = false;
	wire_again(qp);
	requester_run(qp);
	if (wire->again_at)
		wire->expires = expires; /* sending again is no progress */
}

void wire_fire(struct qp *qp)
{
	struct wire *wire = qp->wire;
	uint64_t now = now_ns();

	if (qp->sq.wait != SQ_RUNS) {
		if (now < qp->sq.wait_until) {
			set(qp, qp->sq.wait_until);
			return;
		}
		qp->sq.wait = SQ_RUNS;
		qp->sq.probe = true;
		requester_run(qp);
		return;
	}
	if (!wire->again_at)
		return;
	if (now >= wire->again_at || (wire->expires && now >= wire->expires))
		expire(qp, now);
	else
		set_first(qp);
}
