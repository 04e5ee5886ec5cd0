/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * End-to-end flow control (IBA 9.7.7.2): a requester that knows of no receive at the
 * responder waits for one to be posted, before it asks and is told to come back later.
 * Whoever polls meanwhile looks whether that has happened; after a while it asks all the
 * same, and the RNR NAK's rules apply.
 */
#include "transport/transport.h"

#include "host/engine.h"

enum {
	CREDIT_WAIT_NS = 1000 * 1000,
	/* Sending again for each receive that comes would make both sides wait for each
	   other's cache lines. */
	CREDIT_GATHER_NS = 2 * 1000,
	CREDIT_GATHER_PART = 4, /* of the responder's queue */
};

static struct {
	pthread_mutex_t lock;
	struct list qps; /* struct qp.credit_node */
	_Atomic uint32_t count;
} waiting = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.qps = { &waiting.qps, &waiting.qps },
};

/* The list's lock is held. */
static void enlist(struct qp *qp)
{
	list_add_tail(&waiting.qps, &qp->credit_node);
	atomic_fetch_add_explicit(&waiting.count, 1, memory_order_relaxed);
}

static void delist(struct qp *qp)
{
	list_del(&qp->credit_node);
	atomic_fetch_sub_explicit(&waiting.count, 1, memory_order_relaxed);
}

bool credit_have(struct qp *qp)
{
	uint32_t room;

	return qp->link->credit(qp, &room) > 0;
}

/* Enough to go on with: a good part of the responder's queue, or what there is after a
 * while. */
static bool is_enough(struct qp *qp)
{
	uint32_t room, credit = qp->link->credit(qp, &room);

	return credit == CREDIT_UNKNOWN ||
	       (credit && credit >= room / CREDIT_GATHER_PART) ||
	       (credit &&
	        now_ns() + CREDIT_WAIT_NS >= qp->sq.wait_until + CREDIT_GATHER_NS);
}

void credit_wait(struct qp *qp)
{
	retry_wait_at_most(qp, SQ_WAITS_CREDIT, CREDIT_WAIT_NS);
	pthread_mutex_lock(&waiting.lock);
	if (list_empty(&qp->credit_node))
		enlist(qp);
	pthread_mutex_unlock(&waiting.lock);
}

void credit_forget(struct qp *qp)
{
	pthread_mutex_lock(&waiting.lock);
	if (!list_empty(&qp->credit_node))
		delist(qp);
	pthread_mutex_unlock(&waiting.lock);
}

/*
 * The next QP that need not wait any more, with its lock held. The order is the QP's
 * lock, then the list's: here it is the other way round, so a QP that is busy is passed
 * over.
 */
static struct qp *next_ready(unsigned int *left)
{
	while (*left && !list_empty(&waiting.qps)) {
		struct qp *qp = list_entry(waiting.qps.next, struct qp, credit_node);

		--*left;
		delist(qp);
		if (!owner_lock_try(&qp->sq.lock)) {
			enlist(qp);
			continue;
		}
		if (qp->sq.wait != SQ_WAITS_CREDIT || is_enough(qp))
			return qp;
		enlist(qp);
		owner_unlock(&qp->sq.lock);
	}
	return NULL;
}

void credit_look(void)
{
	unsigned int left = atomic_load_explicit(&waiting.count, memory_order_relaxed);
	struct qp *qp;

	if (likely(!left) || pthread_mutex_trylock(&waiting.lock))
		return;
	while ((qp = next_ready(&left))) {
		pthread_mutex_unlock(&waiting.lock);
		if (qp->sq.wait == SQ_WAITS_CREDIT) {
			qp->sq.wait = SQ_RUNS;
			requester_run(qp);
		}
		owner_unlock(&qp->sq.lock);
		pthread_mutex_lock(&waiting.lock);
	}
	pthread_mutex_unlock(&waiting.lock);
}
