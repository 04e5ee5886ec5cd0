/* SPDX-License-Identifier: BSD-2-Clause */
#include "object/cq.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/log.h"
#include "host/engine.h"
#include "object/async.h"
#include "object/device.h"

enum { PREFETCH = 3 }; /* entries ahead */

static struct handle_table cqs = HANDLE_TABLE_INIT;

_Static_assert(sizeof(struct cqe) == 2 * CACHE_LINE, "a completion is two cache lines");
_Static_assert(offsetof(struct cqe, inline_data) + 8 <= CACHE_LINE,
               "eight bytes of payload travel in the first");

static uint32_t ring_size(unsigned int entries)
{
	uint32_t size = 1;

	while (size < entries)
		size <<= 1;
	return size;
}

static size_t ring_bytes(uint32_t size)
{
	return (size_t)size * sizeof(struct cqe);
}

static int cq_share(struct cq *cq, uint32_t size, struct channel *channel)
{
	int err = segment_alloc(sizeof(*cq->sh), &cq->off);

	if (err)
		return err;
	cq->sh = segment_ptr(cq->off);
	err = segment_alloc(ring_bytes(size), &cq->sh->ring);
	if (err) {
		segment_free(cq->off, sizeof(*cq->sh));
		return err;
	}
	owner_lock_init(&cq->sh->lock);
	cq->sh->size = size;
	cq->sh->channel = channel ? channel->off : 0;
	cq->ring = segment_ptr(cq->sh->ring);
	return 0;
}

static void cq_unshare(struct cq *cq)
{
	segment_free(cq->sh->ring, ring_bytes(cq->sh->size));
	segment_free(cq->off, sizeof(*cq->sh));
}

int cq_create(struct ibv_context *context, unsigned int entries, void *cq_context,
              struct channel *channel, struct cq **cq)
{
	struct ibv_cq *base;
	struct cq *made;
	int err;

	if (!entries || entries > DEVICE_MAX_CQE)
		return -EINVAL;
	made = calloc(1, sizeof(*made));
	if (!made)
		return -ENOMEM;
	err = cq_share(made, ring_size(entries), channel);
	if (err)
		goto free_made;
	base = cq_base(made);
	err = handle_alloc(&cqs, made, &base->handle);
	if (err)
		goto unshare;
	made->sh->handle = base->handle;
	base->context = context;
	base->channel = channel ? &channel->ibv : NULL;
	base->cq_context = cq_context;
	base->cqe = made->sh->size;
	pthread_mutex_init(&base->mutex, NULL);
	pthread_cond_init(&base->cond, NULL);
	if (channel)
		atomic_fetch_add(&channel->users, 1);
	*cq = made;
	return 0;
unshare:
	cq_unshare(made);
free_made:
	free(made);
	return err;
}

static void wait_for_acks(struct ibv_cq *base, const struct cq *cq)
{
	pthread_mutex_lock(&base->mutex);
	while (base->comp_events_completed != cq->events_delivered)
		pthread_cond_wait(&base->cond, &base->mutex);
	pthread_mutex_unlock(&base->mutex);
}

int cq_destroy(struct cq *cq)
{
	struct ibv_cq *base = cq_base(cq);

	if (atomic_load(&cq->users))
		return -EBUSY;
	async_forget_cq(to_context(base->context), base);
	if (base->channel) {
		channel_forget(to_channel(base->channel), cq->off);
		wait_for_acks(base, cq);
		atomic_fetch_sub(&to_channel(base->channel)->users, 1);
	}
	handle_free(&cqs, base->handle);
	cq_unshare(cq);
	pthread_mutex_destroy(&base->mutex);
	pthread_cond_destroy(&base->cond);
	free(cq);
	return 0;
}

struct ibv_cq *cq_event_taken(uint32_t handle)
{
	struct cq *cq = handle_get(&cqs, handle);
	struct ibv_cq *base = cq_base(cq);

	pthread_mutex_lock(&base->mutex);
	cq->events_delivered++;
	pthread_mutex_unlock(&base->mutex);
	return base;
}

/* A producer died after an entry was whole and before it was counted: count it. */
static void cq_repair(struct cq_shared *sh, const struct cqe *ring)
{
	const struct cqe *next = &ring[sh->tail & (sh->size - 1)];

	if (atomic_load_explicit(&next->c.turn, memory_order_acquire) == sh->tail + 1)
		sh->tail++;
}

static bool cq_has_room(struct cq_shared *sh)
{
	if (likely(sh->tail - sh->head_seen < sh->size))
		return true;
	sh->head_seen = atomic_load_explicit(&sh->head, memory_order_acquire);
	return sh->tail - sh->head_seen < sh->size;
}

static void cq_wake(const struct peer *owner, struct cq_shared *sh, seg_off cq,
                    bool solicited)
{
	uint32_t armed;

	atomic_thread_fence(
	        memory_order_seq_cst); /* the entry before the look: cq_arm() */
	armed = atomic_load_explicit(&sh->armed, memory_order_relaxed);
	if (likely(armed == CQ_NOT_ARMED) || (armed == CQ_ARMED_SOLICITED && !solicited))
		return;
	if (atomic_exchange(&sh->armed, CQ_NOT_ARMED) != CQ_NOT_ARMED)
		channel_notify(owner, sh->channel, cq);
}

/*
 * Field by field: the caller has just written these, each with its own width, and a wider
 * load would wait until they have all left the store buffer.
 */
static inline void fill(struct completion *to, const struct completion *from)
{
	to->status = from->status;
	to->opcode = from->opcode;
	to->wc_flags = from->wc_flags;
	to->flags = from->flags;
	to->wr_id = from->wr_id;
	to->byte_len = from->byte_len;
	to->imm = from->imm;
	to->qp_num = from->qp_num;
	to->src_qp = from->src_qp;
	to->qp = from->qp;
	to->wqe = from->wqe;
	to->place_va = from->place_va;
	to->place_lkey = from->place_lkey;
	to->vendor_err = from->vendor_err;
}

int cq_push(const struct peer *owner, seg_off cq, const struct completion *entry,
            const void *data)
{
	struct cq_shared *sh = peer_ptr(owner, cq);
	struct cqe *ring = peer_ptr(owner, sh->ring), *to;

	if (unlikely(owner_lock(&sh->lock)))
		cq_repair(sh, ring);
	if (unlikely(!cq_has_room(sh) || atomic_load(&sh->overrun))) {
		bool ignored = sh->flags & CQ_IGNORE_OVERRUN;

		if (!ignored)
			atomic_store(&sh->overrun, 1);
		owner_unlock(&sh->lock);
		return ignored ? 0 : -EOVERFLOW;
	}
	to = &ring[sh->tail & (sh->size - 1)];
	fill(&to->c, entry);
	if (entry->flags & CQE_INLINE)
		memcpy(to->inline_data, data, entry->byte_len);
	if (unlikely(sh->flags & CQ_TIMESTAMPS))
		to->timestamp = now_ns();
	atomic_store_explicit(&to->c.turn, sh->tail + 1, memory_order_release);
	sh->tail++;
	/* The owner has read the line since: to write it is to fetch it from another
	 * core. */
	__builtin_prefetch(&ring[(sh->tail + PREFETCH) & (sh->size - 1)], 1);
	owner_unlock(&sh->lock);
	if (sh->channel)
		cq_wake(owner, sh, cq,
		        (entry->flags & CQE_SOLICITED) ||
		                entry->status != IBV_WC_SUCCESS);
	return 0;
}

int cq_poll(struct cq *cq, unsigned int count, cq_each *each, void *arg)
{
	unsigned int got = 0;
	uint32_t head;

	owner_lock(&cq->lock);
	while (got < count && !cq_is_empty(cq)) {
		struct cqe *entry;

		head = atomic_load_explicit(&cq->head, memory_order_relaxed);
		entry = &cq->ring[head & (cq->sh->size - 1)];

		__builtin_prefetch(&cq->ring[(head + PREFETCH) & (cq->sh->size - 1)]);
		if (!(entry->c.flags & CQE_DEAD))
			each(entry, arg, got++);
		atomic_store_explicit(&cq->head, head + 1, memory_order_relaxed);
		atomic_store_explicit(&cq->sh->head, head + 1, memory_order_release);
	}
	owner_unlock(&cq->lock);
	return got;
}

/* The current entry's place is the producers' again. */
static void take_out(struct cq *cq)
{
	uint32_t head = atomic_load_explicit(&cq->head, memory_order_relaxed) + 1;

	atomic_store_explicit(&cq->head, head, memory_order_relaxed);
	atomic_store_explicit(&cq->sh->head, head, memory_order_release);
	cq->current = NULL;
}

const struct cqe *cq_poll_next(struct cq *cq)
{
	if (cq->current)
		take_out(cq);
	while (!cq_is_empty(cq)) {
		uint32_t head = atomic_load_explicit(&cq->head, memory_order_relaxed);

		cq->current = &cq->ring[head & (cq->sh->size - 1)];
		__builtin_prefetch(&cq->ring[(head + PREFETCH) & (cq->sh->size - 1)]);
		if (!(cq->current->c.flags & CQE_DEAD))
			return cq->current;
		take_out(cq);
	}
	return NULL;
}

const struct cqe *cq_poll_begin(struct cq *cq)
{
	const struct cqe *entry;

	owner_lock(&cq->lock);
	entry = cq_poll_next(cq);
	if (!entry)
		owner_unlock(&cq->lock);
	return entry;
}

void cq_poll_end(struct cq *cq)
{
	if (cq->current)
		take_out(cq);
	owner_unlock(&cq->lock);
}

void cq_arm(struct cq *cq, bool solicited_only)
{
	uint32_t wanted = solicited_only ? CQ_ARMED_SOLICITED : CQ_ARMED_ANY;
	uint32_t armed = atomic_load(&cq->sh->armed);

	/* Asking for solicited events does not take back having asked for all
	 * (IBA 11.4.2.2). */
	while (armed < wanted &&
	       !atomic_compare_exchange_weak(&cq->sh->armed, &armed, wanted))
		;
	atomic_thread_fence(
	        memory_order_seq_cst); /* before the caller looks again: cq_wake() */
}

void cq_forget_qp(struct cq *cq, uint32_t qp, cq_each *each, void *arg)
{
	uint32_t at;

	owner_lock(&cq->lock);
	for (at = cq->head;; at++) {
		struct cqe *entry = &cq->ring[at & (cq->sh->size - 1)];

		if (atomic_load_explicit(&entry->c.turn, memory_order_acquire) != at + 1)
			break;
		if (entry->c.qp != qp || (entry->c.flags & CQE_DEAD))
			continue;
		entry->c.flags |= CQE_DEAD;
		each(entry, arg, 0);
	}
	owner_unlock(&cq->lock);
}
