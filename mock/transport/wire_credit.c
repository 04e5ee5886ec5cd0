/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Credits of receives that are posted after the last acknowledgement went (IBA 9.7.7.2: a
 * responder may repeat that one to tell of them). Who was told of few is looked at
 * whenever a poll finds nothing; where nobody polls, the requester asks by itself, after
 * a while.
 */
#include "transport/qp_set.h"
#include "transport/wire_responder.h"

#include "wire/credits.h"

enum { PART = 4 }; /* of the queue: so many, or fewer, are few */

static struct qp_set told_few = QP_SET_EMPTY;

uint8_t wire_credit_code(const struct peer *owner, const struct qp_shared *qp)
{
	/* What others take from too says nothing about credit. */
	if (qp->rq_is_shared || !qp->rq)
		return CREDITS_NONE_GIVEN;
	return credits_code(rq_posted_now(peer_ptr(owner, qp->rq)));
}

void wire_credit_told(struct qp_shared *qp, struct wire_responder *state, uint8_t code)
{
	const struct rq_shared *rq;

	if (code == CREDITS_NONE_GIVEN)
		return;
	rq = segment_ptr(qp->rq);
	state->limit = psn_add(state->msn, credits_of(code));
	if (credits_of(code) <= rq->size / PART)
		qp_set_put(&told_few, qp);
}

/* A requester that has none left goes on with any; one that has some, with more. */
static bool is_news(const struct qp_shared *qp, const struct wire_responder *state)
{
	const struct rq_shared *rq = segment_ptr(qp->rq);
	uint32_t left = (state->limit - state->msn) & PSN_MASK;
	uint32_t posted = credits_of(credits_code(rq_posted_now(rq)));

	return posted > left && (!left || posted - left > rq->size / PART);
}

static bool is_receiving(const struct qp_shared *qp)
{
	enum ibv_qp_state state = atomic_load(&qp->state);

	return state >= IBV_QPS_RTR && state <= IBV_QPS_SQE;
}

/* The lock is held. */
static void look_at(struct qp_shared *qp)
{
	struct wire_responder *state = wire_responder_of(qp);

	if (!state || !is_receiving(qp) || qp->rq_is_shared || !qp->rq)
		return;
	if (is_news(qp, state))
		wire_acknowledge_again(qp, state);
	else
		qp_set_put(&told_few, qp);
}

void wire_credit_look(void)
{
	struct qp_shared *all[QP_SET_MOST];
	unsigned int count;

	if (likely(qp_set_is_empty(&told_few)))
		return;
	count = qp_set_try_take(&told_few, all);
	for (unsigned int i = 0; i < count; i++) {
		responder_lock(peer_self(), all[i]);
		look_at(all[i]);
		owner_unlock(&all[i]->lock);
	}
}
