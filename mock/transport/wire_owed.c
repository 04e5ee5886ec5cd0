/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Acknowledgements of messages that were given to a thread that polls. It is about to
 * look at them, so there is mostly more to say soon: what it sends on the same QP takes
 * the acknowledgement along, and receives that it posts are told as credit. When a poll
 * finds nothing all of that is done, and what is still owed goes. Should nobody poll any
 * more, a timer says it, long before a requester sends again (wire_timer.c).
 */
#include "transport/wire_responder.h"

#include <string.h>
#include "host/engine.h"

enum { OWED = 64, PATIENCE_NS = 500 * 1000 };

/* Blocks of QPs stay what they are: one whose QP is gone owes nothing. */
static struct {
	pthread_mutex_t lock;
	uint64_t generation; /* of this process, in which they were put in */
	struct qp_shared *qp[OWED];
	_Atomic unsigned int count;
	_Atomic bool timed;
	struct timer timer;
} owed = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* The lock is held. */
static unsigned int take_all(struct qp_shared **all)
{
	unsigned int count = atomic_load_explicit(&owed.count, memory_order_relaxed);

	memcpy(all, owed.qp, count * sizeof(struct qp_shared *));
	atomic_store_explicit(&owed.count, 0, memory_order_relaxed);
	return count;
}

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
	struct qp_shared *all[OWED];
	unsigned int count;

	(void)timer;
	atomic_store(&owed.timed, false);
	pthread_mutex_lock(&owed.lock);
	count = take_all(all);
	pthread_mutex_unlock(&owed.lock);
	answer(all, count);
}

void wire_owed_look(void)
{
	struct qp_shared *all[OWED];
	unsigned int count;

	if (likely(!atomic_load_explicit(&owed.count, memory_order_relaxed)) ||
	    pthread_mutex_trylock(&owed.lock))
		return;
	count = take_all(all);
	pthread_mutex_unlock(&owed.lock);
	answer(all, count);
}

/* One timer for whatever comes until it fires: it may find a young one. */
static bool is_limited(void)
{
	if (atomic_exchange(&owed.timed, true))
		return true;
	timer_init(&owed.timer, look_at_last);
	if (!timer_arm(&owed.timer, now_ns() + PATIENCE_NS))
		return true;
	atomic_store(&owed.timed, false);
	return false;
}

/* The process left the host and is on it again, or is a child. */
static void begin_anew(void)
{
	owed.generation = peer_self()->generation;
	atomic_store(&owed.count, 0);
	atomic_store(&owed.timed, false);
}

static bool put_in(struct qp_shared *qp)
{
	unsigned int count;

	if (unlikely(owed.generation != peer_self()->generation))
		begin_anew();
	count = atomic_load_explicit(&owed.count, memory_order_relaxed);
	for (unsigned int i = 0; i < count; i++)
		if (owed.qp[i] == qp)
			return true;
	if (count == OWED || !is_limited())
		return false;
	owed.qp[count] = qp;
	atomic_store_explicit(&owed.count, count + 1, memory_order_relaxed);
	return true;
}

bool wire_owe(struct qp_shared *qp)
{
	bool taken;

	if (in_engine() || pthread_mutex_trylock(&owed.lock))
		return false;
	taken = put_in(qp);
	pthread_mutex_unlock(&owed.lock);
	return taken;
}
