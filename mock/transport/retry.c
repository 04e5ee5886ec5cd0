/* SPDX-License-Identifier: BSD-2-Clause */
/* Sending again: after an answer that did not come, or a receiver that was not ready. */
#include "transport/transport.h"

#include "base/util.h"
#include "host/engine.h"
#include "transport/wire.h"

enum { RETRY_INFINITE = 7 }; /* of rnr_retry (IBA 9.7.5.2.8) */

static void arm(struct qp *qp, uint64_t deadline)
{
	qp->sq.armed = true;
	timer_arm(&qp->retry_timer, deadline);
}

static void wait_for(struct qp *qp, enum sq_wait wait, uint64_t ns)
{
	qp->sq.wait = wait;
	qp->sq.wait_until = now_ns() + ns;
	arm(qp, qp->sq.wait_until);
}

void retry_wait_at_most(struct qp *qp, enum sq_wait wait, uint64_t ns)
{
	qp->sq.wait = wait;
	qp->sq.wait_until = now_ns() + ns;
	if (!qp->sq.armed) /* else it fires before, and goes on from there */
		arm(qp, qp->sq.wait_until);
}

void retry_after_loss(struct qp *qp)
{
	/* 4.096 us * 2^timeout; 0 is for ever (IBA 9.7.6.1.3, C9-139) */
	if (qp->attr.timeout) {
		wait_for(qp, SQ_WAITS_ANSWER, UINT64_C(4096) << qp->attr.timeout);
	} else {
		qp->sq.wait = SQ_WAITS_ANSWER;
		qp->sq.wait_until = UINT64_MAX;
	}
}

COLD void retry_after_rnr(struct qp *qp, unsigned int timer)
{
	count_requester(qp->sh, COUNT_RCVD_RNR, 1);
	if (!qp->sq.rnr_retries) {
		completer_fail(qp, sq_at(&qp->sq, qp->sq.next), IBV_WC_RNR_RETRY_EXC_ERR);
		return;
	}
	if (qp->attr.rnr_retry != RETRY_INFINITE)
		qp->sq.rnr_retries--;
	wait_for(qp, SQ_WAITS_RNR, UINT64_C(1000) * rnr_timer_us[timer]);
}

void retry_reset(struct qp *qp)
{
	qp->sq.retries = qp->attr.retry_cnt;
	qp->sq.rnr_retries = qp->attr.rnr_retry;
}

void retry_again(struct qp *qp)
{
	qp->sq.retries--;
	count_requester(qp->sh, COUNT_RETRIES, 1);
}

static void retry(struct qp *qp)
{
	enum sq_wait wait = qp->sq.wait;

	qp->sq.wait = SQ_RUNS;
	qp->sq.probe = true;
	if (wait == SQ_WAITS_ANSWER && !qp->sq.retries)
		completer_fail(qp, sq_at(&qp->sq, qp->sq.next), IBV_WC_RETRY_EXC_ERR);
	else if (wait == SQ_WAITS_ANSWER)
		retry_again(qp);
	requester_run(qp);
}

void retry_fire(struct timer *timer)
{
	struct qp *qp = container_of(timer, struct qp, retry_timer);

	owner_lock(&qp->sq.lock);
	qp->sq.armed = false;
	if (qp->wire)
		wire_fire(qp);
	else if (qp->sq.wait != SQ_RUNS && qp->sq.wait_until != UINT64_MAX) {
		/* A wait that ended left its timer armed: this one may have longer to go.
		 */
		if (now_ns() >= qp->sq.wait_until)
			retry(qp);
		else
			arm(qp, qp->sq.wait_until);
	}
	owner_unlock(&qp->sq.lock);
}
