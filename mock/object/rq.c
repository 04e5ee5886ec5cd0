/* SPDX-License-Identifier: BSD-2-Clause */
#include "object/rq.h"

#include <errno.h>
#include <string.h>
#include "object/device.h"

_Static_assert(sizeof(union rwqe_copy) >=
                       sizeof(struct rwqe) + DEVICE_MAX_SGE * sizeof(struct ibv_sge),
               "a copy holds the longest list");

enum { PREFETCH = 6 }; /* work requests ahead: other cores' caches are far */

static size_t ring_bytes(const struct rq_shared *sh)
{
	return (size_t)sh->size * sh->stride;
}

static uint32_t ring_size(uint32_t depth)
{
	uint32_t size = 1;

	while (size < depth)
		size <<= 1;
	return size;
}

int rq_create(struct rq *rq, uint32_t depth, uint32_t max_sge, uint32_t behind,
              uint32_t pd)
{
	int err = segment_alloc(sizeof(*rq->sh), &rq->off);

	if (err)
		return err;
	rq->sh = segment_ptr(rq->off);
	__atomic_store_n(&rq->sh->size, ring_size(depth), __ATOMIC_RELAXED);
	rq->sh->stride = sizeof(struct rwqe) + max_sge * sizeof(struct ibv_sge) + behind;
	rq->sh->behind = behind;
	rq->sh->max_sge = max_sge;
	rq->sh->pd = pd;
	owner_lock_init(&rq->sh->lock);
	err = segment_alloc(ring_bytes(rq->sh), &rq->sh->ring);
	if (err) {
		segment_free(rq->off, sizeof(*rq->sh));
		return err;
	}
	owner_lock_init(&rq->lock);
	rq->depth = depth;
	rq->posted = 0;
	atomic_store(&rq->completed, 0);
	return 0;
}

void rq_destroy(struct rq *rq)
{
	segment_free(rq->sh->ring, ring_bytes(rq->sh));
	segment_free(rq->off, sizeof(*rq->sh));
}

void rq_reset(struct rq *rq)
{
	owner_lock(&rq->lock);
	rq->posted = 0;
	atomic_store(&rq->completed, 0);
	rq->sh->consumed = rq->sh->posted_seen = 0;
	atomic_store(&rq->sh->posted, 0);
	owner_unlock(&rq->lock);
}

static struct rwqe *rwqe_at(const struct rq_shared *sh, char *ring, uint32_t index)
{
	return (struct rwqe *)(ring + (size_t)(index & (sh->size - 1)) * sh->stride);
}

void *rq_behind(const struct peer *owner, const struct rq_shared *rq, uint32_t index)
{
	char *next = (char *)rwqe_at(rq, peer_ptr(owner, rq->ring), index) + rq->stride;

	return next - rq->behind;
}

int rq_post(struct rq *rq, const struct ibv_recv_wr *wr)
{
	struct rwqe *wqe;

	if (unlikely(wr->num_sge < 0 || (uint32_t)wr->num_sge > rq->sh->max_sge ||
	             (wr->num_sge && !wr->sg_list)))
		return -EINVAL;
	if (unlikely(rq->posted -
	                     atomic_load_explicit(&rq->completed, memory_order_acquire) >=
	             rq->depth))
		return -ENOMEM;
	wqe = rwqe_at(rq->sh, segment_ptr(rq->sh->ring), rq->posted);
	__builtin_prefetch(
	        rwqe_at(rq->sh, segment_ptr(rq->sh->ring), rq->posted + PREFETCH), 1);
	wqe->wr_id = wr->wr_id;
	wqe->num_sge = wr->num_sge;
	for (int i = 0; i < wr->num_sge; i++)
		sge_copy(&wqe->sge[i], &wr->sg_list[i]);
	atomic_store_explicit(&rq->sh->posted, ++rq->posted, memory_order_release);
	return 0;
}

void rq_limit_check(const struct peer *owner, struct rq_shared *rq)
{
	uint32_t consumed = atomic_load_explicit(&rq->consumed, memory_order_relaxed);
	uint32_t posted = atomic_load_explicit(&rq->posted, memory_order_acquire);
	uint32_t limit = atomic_load_explicit(&rq->limit, memory_order_relaxed);

	if (posted - consumed >= limit)
		return;
	atomic_store_explicit(&rq->limit, 0, memory_order_relaxed);
	async_tell(owner, ASYNC_SRQ, rq->handle, &rq->due, IBV_EVENT_SRQ_LIMIT_REACHED);
}

/* Nobody posts nor consumes; what waits goes to its places in the other ring. */
static void replace_ring(struct rq_shared *sh, seg_off ring, uint32_t size)
{
	struct rq_shared old = { .size = sh->size, .stride = sh->stride };
	char *from = segment_ptr(sh->ring), *to = segment_ptr(ring);
	seg_off gone = sh->ring;

	/* local_credit() looks without the lock. */
	__atomic_store_n(&sh->size, size, __ATOMIC_RELAXED);
	for (uint32_t i = sh->consumed; i != sh->posted; i++)
		memcpy(rwqe_at(sh, to, i), rwqe_at(&old, from, i), sh->stride);
	sh->ring = ring;
	segment_free(gone, ring_bytes(&old));
}

/* Both locks are held. A limit that is not reached any more when it is set is reached at
 * once: nothing may be left to consume that would say so later. */
static int modify(struct rq *rq, uint32_t depth, uint32_t limit, seg_off ring)
{
	if (rq->posted - atomic_load(&rq->sh->consumed) > depth || limit > depth)
		return -EINVAL;
	if (ring)
		replace_ring(rq->sh, ring, ring_size(depth));
	rq->depth = depth;
	atomic_store_explicit(&rq->sh->limit, limit, memory_order_relaxed);
	rq_limit_check(peer_self(), rq->sh);
	return 0;
}

static int modify_locked(struct rq *rq, uint32_t depth, const uint32_t *limit)
{
	struct rq_shared wanted = { .size = ring_size(depth), .stride = rq->sh->stride };
	seg_off ring = 0;
	int err = 0;

	if (wanted.size != rq->sh->size)
		err = segment_alloc(ring_bytes(&wanted), &ring);
	if (err)
		return err;
	owner_lock(&rq->sh->lock);
	err = modify(rq, depth, limit ? *limit : atomic_load(&rq->sh->limit), ring);
	owner_unlock(&rq->sh->lock);
	if (err && ring)
		segment_free(ring, ring_bytes(&wanted));
	return err;
}

int rq_modify(struct rq *rq, uint32_t depth, const uint32_t *limit)
{
	int err;

	owner_lock(&rq->lock);
	err = modify_locked(rq, depth ? depth : rq->depth, limit);
	owner_unlock(&rq->lock);
	return err;
}

const struct rwqe *rq_peek(const struct peer *owner, struct rq_shared *rq)
{
	uint32_t consumed = atomic_load_explicit(&rq->consumed, memory_order_relaxed);
	uint32_t posted = atomic_load_explicit(&rq->posted_seen, memory_order_relaxed);
	char *ring;

	if (unlikely(posted == consumed)) {
		posted = atomic_load_explicit(&rq->posted, memory_order_acquire);
		if (posted == consumed)
			return NULL;
		atomic_store_explicit(&rq->posted_seen, posted, memory_order_relaxed);
	}
	ring = peer_ptr(owner, rq->ring);
	__builtin_prefetch(rwqe_at(rq, ring, consumed + PREFETCH));
	return rwqe_at(rq, ring, consumed);
}
