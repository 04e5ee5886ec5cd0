/* SPDX-License-Identifier: BSD-2-Clause */
#include "object/cq.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/log.h"
#include "base/util.h"
#include "host/engine.h"
#include "object/async.h"
#include "object/device.h"
#include "object/pd.h"
#include "object/pool.h"

enum { PREFETCH = 6 }; /* entries ahead */

static struct handle_table cqs = HANDLE_TABLE_LIMITED(max_cq);
static struct pool pool = POOL_INIT(struct cq_shared, cq_list);

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
	seg_off ring;
	int err = pool_take(&pool, &cq->off);

	if (err)
		return err;
	cq->sh = segment_ptr(cq->off);
	memset((char *)cq->sh + sizeof(cq->sh->next), 0,
	       sizeof(*cq->sh) - sizeof(cq->sh->next));
	err = segment_alloc(ring_bytes(size), &ring);
	if (err) {
		pool_give(&pool, cq->off);
		return err;
	}
	atomic_init(&cq->sh->ring, ring);
	owner_lock_init(&cq->sh->lock);
	cq->sh->size = size;
	cq->sh->channel = channel ? channel->off : 0;
	cq->first = ring;
	cq->first_ring = cq->ring = segment_ptr(ring);
	cq->first_size = size;
	return 0;
}

static void cq_unshare(struct cq *cq)
{
	cq->sh->handle = 0;
	segment_free(cq->sh->ring, ring_bytes(cq->sh->size));
	if (cq->resized)
		segment_free(cq->first, ring_bytes(cq->first_size));
	pool_give(&pool, cq->off);
}

int cq_create(struct ibv_context *context, unsigned int entries, void *cq_context,
              struct channel *channel, struct cq **cq)
{
	struct ibv_cq *base;
	struct cq *made;
	int err;

	if (!entries || entries > settings()->max_cqe)
		return -EINVAL;
	made = calloc(1, sizeof(*made));
	if (!made)
		return -ENOMEM;
	err = cq_share(made, ring_size(entries), channel);
	if (err)
		goto free_made;
	base = cq_base(made);
	base->context = context;
	base->channel = channel ? &channel->ibv : NULL;
	base->cq_context = cq_context;
	base->cqe = made->sh->size;
	pthread_mutex_init(&base->mutex, NULL);
	pthread_cond_init(&base->cond, NULL);
	err = handle_alloc(&cqs, made, &base->handle);
	if (err)
		goto unshare;
	made->sh->handle = base->handle;
	if (channel)
		atomic_fetch_add(&channel->users, 1);
	*cq = made;
	return 0;
unshare:
	pthread_mutex_destroy(&base->mutex);
	pthread_cond_destroy(&base->cond);
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
	if (base->channel)
		channel_forget(to_channel(base->channel), cq->off);
	if (cq->parent)
		pd_unuse(cq->parent);
	handle_free(&cqs, base->handle);
	handle_wait(&cq->holds);
	async_forget_cq(to_context(base->context), base);
	if (base->channel) {
		wait_for_acks(base, cq);
		atomic_fetch_sub(&to_channel(base->channel)->users, 1);
	}
	cq_unshare(cq);
	pthread_mutex_destroy(&base->mutex);
	pthread_cond_destroy(&base->cond);
	free(cq);
	return 0;
}

static void hold(void *object)
{
	atomic_fetch_add(&((struct cq *)object)->holds, 1);
}

static void look(void *object)
{
	struct cq *cq = object;
	struct ibv_async_event event = { .element.cq = cq_base(cq) };

	async_raise_due(to_context(event.element.cq->context), &cq->sh->due, event);
	atomic_fetch_sub_explicit(&cq->holds, 1, memory_order_release);
}

void cq_look(uint32_t handle)
{
	void *cq = handle_hold(&cqs, handle, hold);

	if (cq)
		look(cq);
}

void cq_look_all(void)
{
	handle_each(&cqs, hold, look);
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

/* IBA C11-39: nothing is put into it any more, and its owner hears of it once. */
COLD static int overrun(const struct peer *owner, struct cq_shared *sh)
{
	if (sh->flags & CQ_IGNORE_OVERRUN)
		return 0;
	if (!atomic_exchange(&sh->overrun, 1))
		async_tell(owner, ASYNC_CQ, sh->handle, &sh->due, IBV_EVENT_CQ_ERR);
	return -EOVERFLOW;
}

/* Where the next entry goes; the producers' lock is held. */
static struct cqe *next_place(const struct peer *owner, const struct cq_shared *sh)
{
	struct cqe *ring =
	        peer_ptr(owner, atomic_load_explicit(&sh->ring, memory_order_relaxed));

	/* The owner has read the line since: to write it is to fetch it from another
	 * core. */
	__builtin_prefetch(&ring[(sh->tail + 1 + PREFETCH) & (sh->size - 1)], 1);
	return &ring[sh->tail & (sh->size - 1)];
}

static bool may_push(struct cq_shared *sh)
{
	return cq_has_room(sh) &&
	       !atomic_load_explicit(&sh->overrun, memory_order_relaxed);
}

struct cqe *cq_reserve(const struct peer *owner, struct cq_shared *sh)
{
	if (unlikely(!owner_lock_try(&sh->lock)))
		return NULL;
	if (likely(may_push(sh)))
		return next_place(owner, sh);
	owner_unlock(&sh->lock);
	return NULL;
}

void cq_commit(const struct peer *owner, struct cq_shared *sh, seg_off cq,
               struct cqe *entry)
{
	bool solicited =
	        (entry->c.flags & CQE_SOLICITED) || entry->c.status != IBV_WC_SUCCESS;

	if (unlikely(sh->flags & CQ_TIMESTAMPS))
		entry->timestamp = now_ns();
	atomic_store_explicit(&entry->c.turn, sh->tail + 1, memory_order_release);
	sh->tail++;
	owner_unlock(&sh->lock);
	if (sh->channel)
		cq_wake(owner, sh, cq, solicited);
}

int cq_push(const struct peer *owner, seg_off cq, const struct completion *entry,
            const void *data)
{
	struct cq_shared *sh = peer_ptr(owner, cq);
	struct cqe *to;
	int err;

	if (unlikely(owner_lock(&sh->lock)))
		cq_repair(sh, peer_ptr(owner, sh->ring));
	if (unlikely(!may_push(sh))) {
		err = overrun(owner, sh);
		owner_unlock(&sh->lock);
		return err;
	}
	to = next_place(owner, sh);
	fill(&to->c, entry);
	if (entry->flags & CQE_INLINE)
		copy_small(to->inline_data, data, entry->byte_len);
	cq_commit(owner, sh, cq, to);
	return 0;
}

/* The lock of those who poll is held. */
static bool has_next(const struct cq *cq)
{
	uint32_t head = atomic_load_explicit(&cq->head, memory_order_relaxed);
	const struct cqe *next = &cq->ring[head & (cq->sh->size - 1)];

	return atomic_load_explicit(&next->c.turn, memory_order_acquire) == head + 1;
}

static uintptr_t this_thread(void)
{
	static __thread char here;

	return (uintptr_t)&here;
}

/* Takes the lock of those who poll; false when this thread has it, with a batch open. */
static bool lock_polling(struct cq *cq)
{
	if (likely(owner_lock_try(&cq->lock)))
		return true;
	if (atomic_load_explicit(&cq->poller, memory_order_relaxed) == this_thread())
		return false;
	owner_lock_wait(&cq->lock);
	return true;
}

static void unlock_polling(struct cq *cq, bool locked)
{
	if (locked)
		owner_unlock(&cq->lock);
}

bool cq_resized_is_empty(struct cq *cq)
{
	bool locked = lock_polling(cq);
	bool empty = !has_next(cq);

	unlock_polling(cq, locked);
	return empty;
}

int cq_poll(struct cq *cq, unsigned int count, cq_each *each, void *arg)
{
	unsigned int got = 0;
	uint32_t head;

	if (unlikely(!lock_polling(cq)))
		return -EBUSY;
	while (got < count && has_next(cq)) {
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

/* Makes the next one current, if there is one. */
static int advance(struct cq *cq)
{
	if (cq->current)
		take_out(cq);
	while (has_next(cq)) {
		uint32_t head = atomic_load_explicit(&cq->head, memory_order_relaxed);

		cq->current = &cq->ring[head & (cq->sh->size - 1)];
		__builtin_prefetch(&cq->ring[(head + PREFETCH) & (cq->sh->size - 1)]);
		if (!(cq->current->c.flags & CQE_DEAD))
			return 0;
		take_out(cq);
	}
	return -ENOENT;
}

int cq_poll_begin(struct cq *cq)
{
	int err;

	if (!lock_polling(cq))
		return -EBUSY;
	err = advance(cq);
	if (err)
		owner_unlock(&cq->lock);
	else
		atomic_store_explicit(&cq->poller, this_thread(), memory_order_relaxed);
	return err;
}

int cq_poll_next(struct cq *cq)
{
	if (!atomic_load_explicit(&cq->poller, memory_order_relaxed))
		return -EINVAL;
	return advance(cq);
}

void cq_poll_end(struct cq *cq)
{
	if (!atomic_load_explicit(&cq->poller, memory_order_relaxed))
		return;
	if (cq->current)
		take_out(cq);
	atomic_store_explicit(&cq->poller, 0, memory_order_relaxed);
	owner_unlock(&cq->lock);
}

/* Entries that wait to be polled, and will be. Both locks are held. */
static uint32_t waiting(const struct cq *cq)
{
	uint32_t count = 0;

	for (uint32_t at = cq->head; at != cq->sh->tail; at++)
		count += !(cq->ring[at & (cq->sh->size - 1)].c.flags & CQE_DEAD);
	return count;
}

/*
 * The entries go to their places in the larger ring. A place that nobody has written must
 * not look as if it held the entry whose turn is 0.
 */
static void move_entries(const struct cq *cq, struct cqe *to, uint32_t size)
{
	if (cq->sh->tail + size < cq->sh->tail)
		atomic_store_explicit(&to[size - 1].c.turn, 1, memory_order_relaxed);
	for (uint32_t at = cq->head; at != cq->sh->tail; at++)
		memcpy(&to[at & (size - 1)], &cq->ring[at & (cq->sh->size - 1)],
		       sizeof(*to));
}

/* Both locks are held. */
static void replace_ring(struct cq *cq, seg_off ring, uint32_t size)
{
	struct cqe *to = segment_ptr(ring);
	seg_off old = cq->sh->ring;

	move_entries(cq, to, size);
	atomic_store_explicit(&cq->sh->ring, ring, memory_order_relaxed);
	if (atomic_load_explicit(&cq->resized, memory_order_relaxed))
		segment_free(old, ring_bytes(cq->sh->size));
	cq->sh->size = size;
	cq->ring = to;
	if (cq->current)
		cq->current = &to[cq->head & (size - 1)];
	atomic_store_explicit(&cq->resized, true, memory_order_release);
}

/* The lock of those who poll is held. */
static int resize(struct cq *cq, unsigned int entries)
{
	uint32_t size = ring_size(entries);
	bool larger = size > cq->sh->size;
	seg_off ring = 0;
	int err = larger ? segment_alloc(ring_bytes(size), &ring) : 0;

	if (err)
		return err;
	if (owner_lock(&cq->sh->lock))
		cq_repair(cq->sh, cq->ring);
	if (larger)
		replace_ring(cq, ring, size);
	else if (waiting(cq) > entries)
		err = -EINVAL;
	owner_unlock(&cq->sh->lock);
	return err;
}

int cq_resize(struct cq *cq, unsigned int entries)
{
	bool locked;
	int err;

	if (!entries || entries > settings()->max_cqe)
		return -EINVAL;
	locked = lock_polling(cq);
	err = resize(cq, entries);
	if (!err)
		cq_base(cq)->cqe = cq->sh->size;
	unlock_polling(cq, locked);
	return err;
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

void cq_forget(struct cq *cq, uint32_t handle, uint8_t of, cq_each *each, void *arg)
{
	bool locked = lock_polling(cq);
	uint32_t at;

	for (at = cq->head;; at++) {
		struct cqe *entry = &cq->ring[at & (cq->sh->size - 1)];

		if (atomic_load_explicit(&entry->c.turn, memory_order_acquire) != at + 1)
			break;
		if (entry->c.qp != handle || (entry->c.flags & CQE_SRQ) != of ||
		    (entry->c.flags & CQE_DEAD) || entry == cq->current)
			continue;
		entry->c.flags |= CQE_DEAD;
		each(entry, arg, 0);
	}
	unlock_polling(cq, locked);
}
