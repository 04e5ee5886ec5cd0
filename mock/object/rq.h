/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Receive queues, of one QP or shared by many (SRQ): a ring of work requests in the
 * owner's segment. The owner posts; whoever runs the responder consumes. The two share no
 * lock: posting is never held up by a peer, nor a peer by a stopped owner.
 */
#ifndef MOCK_OBJECT_RQ_H
#define MOCK_OBJECT_RQ_H

#include <infiniband/verbs.h>
#include <stdatomic.h>
#include <stdbool.h>
#include "host/owner_lock.h"
#include "host/peer.h"
#include "object/async.h"

/*
 * Field by field. The caller has just written these, each with its own width; one wide
 * load would have to wait until everything written before has left for the cache, lines
 * that another core has to give up among it. (Measured: most of the time of a small
 * SEND.)
 */
static inline void sge_copy(struct ibv_sge *to, const struct ibv_sge *from)
{
	to->addr = *(const volatile uint64_t *)&from->addr;
	to->length = *(const volatile uint32_t *)&from->length;
	to->lkey = *(const volatile uint32_t *)&from->lkey;
}

struct rwqe {
	uint64_t wr_id;
	uint32_t num_sge;
	uint32_t reserved;
	struct ibv_sge sge[];
};

/* Room for any receive work request, to take one out of a shared queue. */
union rwqe_copy {
	struct rwqe wqe;
	char room[sizeof(struct rwqe) + 30 * sizeof(struct ibv_sge)];
};

/*
 * Shared. What each side writes has cache lines of its own, apart from what both only
 * read: a line that two cores write takes longer to fetch than the work that is done with
 * it.
 */
struct rq_shared {
	uint32_t size;   /* of the ring: a power of two */
	uint32_t stride; /* bytes from one work request to the next */
	uint32_t pd;     /* whose keys the work requests use */
	uint32_t max_sge;
	seg_off ring;
	uint32_t handle; /* of the SRQ that it is of */
	_Atomic uint32_t
	        limit; /* its event comes below so many; 0: none. Set under lock */
	async_due due;
	uint32_t behind;       /* bytes of a stride that are no work request */
	struct owner_lock lock /* of those who consume, when QPs share the queue */
	        __attribute__((aligned(CACHE_LINE)));
	_Atomic uint32_t
	        consumed; /* work requests taken; under that lock or the one QP's */
	_Atomic uint32_t posted_seen;
	_Atomic uint32_t posted __attribute__((aligned(CACHE_LINE)));
};

/* The owner's side. */
struct rq {
	struct rq_shared *sh;
	seg_off off;
	struct owner_lock lock;     /* of those who post */
	uint32_t depth;             /* work requests that may be outstanding */
	uint32_t posted;            /* under lock */
	_Atomic uint32_t completed; /* polled, so that their place is free again */
};

/* So many bytes behind each work request are the responder's, until it is polled. */
int rq_create(struct rq *rq, uint32_t depth, uint32_t max_sge, uint32_t behind,
              uint32_t pd);
void rq_destroy(struct rq *rq);
/*
 * Of a queue that QPs share: room for that many, unless 0, and the limit below which it
 * tells its owner once, unless NULL. Peers may be consuming meanwhile. -EINVAL for less
 * room than what is posted takes or a limit beyond it, -ENOMEM; nothing has changed then.
 */
int rq_modify(struct rq *rq, uint32_t depth, const uint32_t *limit);
/* Empties it: no responder can consume meanwhile. */
void rq_reset(struct rq *rq);

/* Posts one; the caller holds rq->lock. -ENOMEM when full, -EINVAL for too many SGEs. */
int rq_post(struct rq *rq, const struct ibv_recv_wr *wr);

/* Of a queue that has a limit, under its lock: whether it is reached now. */
void rq_limit_check(const struct peer *owner, struct rq_shared *rq);

/*
 * The next work request to consume, or NULL when none is posted. It stays in the ring
 * until rq_consume(). The QP's responder lock or, for a shared queue, its lock is held.
 */
const struct rwqe *rq_peek(const struct peer *owner, struct rq_shared *rq);

/* The bytes behind a work request, by its place in the order in which they are taken. */
void *rq_behind(const struct peer *owner, const struct rq_shared *rq, uint32_t index);

/*
 * How many rq_peek() would find, as far as a look without the lock can tell: at least so
 * many when there are any, since it looks at the owner's side only when it must.
 */
static inline uint32_t rq_posted(const struct rq_shared *rq)
{
	uint32_t consumed = atomic_load_explicit(&rq->consumed, memory_order_relaxed);
	uint32_t seen = atomic_load_explicit(&rq->posted_seen, memory_order_relaxed);

	if (seen == consumed)
		seen = atomic_load_explicit(&rq->posted, memory_order_acquire);
	return seen - consumed;
}

/* The same with a look at the owner's side. */
static inline uint32_t rq_posted_now(const struct rq_shared *rq)
{
	return atomic_load_explicit(&rq->posted, memory_order_acquire) -
	       atomic_load_explicit(&rq->consumed, memory_order_relaxed);
}

/* A receive's completion was polled. Those of a queue of one QP come out of one CQ, whose
 * pollers exclude each other. */
static inline void rq_completed(struct rq *rq)
{
	uint32_t completed = atomic_load_explicit(&rq->completed, memory_order_relaxed);

	if (likely(!rq->sh->handle))
		atomic_store_explicit(&rq->completed, completed + 1,
		                      memory_order_release);
	else
		atomic_fetch_add_explicit(&rq->completed, 1, memory_order_release);
}

static inline void rq_consume(struct rq_shared *rq)
{
	uint32_t consumed = atomic_load_explicit(&rq->consumed, memory_order_relaxed);

	atomic_store_explicit(&rq->consumed, consumed + 1, memory_order_relaxed);
}

#endif
