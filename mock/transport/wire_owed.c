/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Acknowledgements of messages that were given to a thread that polls. It is about to
 * look at them, so there is mostly more to say soon: what it sends on the same QP takes
 * the acknowledgement along, and receives that it posts are told as credit. When a poll
 * finds nothing all of that is done, and what is still owed goes. Should nobody poll any
 * more, a timer says it, long before a requester sends again (wire_timer.c).
 */
#include "transport/qp_set.h"
#include "transport/wire_responder.h"

#include "host/engine.h"
#include "host/segment.h"

enum { PATIENCE_NS = 500 * 1000 };

static struct qp_set owed = QP_SET_EMPTY;
static struct timer patience;
/* The generation of this process in which the timer was armed, and has not fired. */
static _Atomic uint64_t timed;

static void answer(struct qp_shared **all, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		responder_lock(peer_self(), all[i]);
		wire_answer_now(all[i]);
		owner_unlock(&all[i]->lock);
	}
}

static void look_at_last(struct timer *timer)
{
	struct qp_shared *all[QP_SET_MOST];

	(void)timer;
	atomic_store(&timed, 0);
	answer(all, qp_set_take(&owed, all));
}

void wire_owed_look(void)
{
	struct qp_shared *all[QP_SET_MOST];

	if (unlikely(!qp_set_is_empty(&owed)))
		answer(all, qp_set_try_take(&owed, all));
}

/* One timer for whatever comes until it fires: it may find a young one. */
static bool is_limited(void)
{
	uint64_t generation = peer_self()->generation;

	if (atomic_exchange(&timed, generation) == generation)
		return true;
	timer_init(&patience, look_at_last);
	if (!timer_arm(&patience, now_ns() + PATIENCE_NS))
		return true;
	atomic_store(&timed, 0);
	return false;
}

bool wire_owe(struct qp_shared *qp)
{
	if (in_engine() || !qp_set_put(&owed, qp) || !is_limited())
		return false;
	count_net(COUNT_ACK_DEFERRED, 1);
	return true;
}
