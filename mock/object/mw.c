/* SPDX-License-Identifier: BSD-2-Clause */
#include "object/mw.h"

#include <errno.h>
#include <stdlib.h>
#include "base/util.h"
#include "host/settings.h"

/* Of this process; under the keys' lock. */
static struct {
	struct list all; /* struct mw.node */
	uint32_t count;
	uint64_t generation; /* of the segment that they are in */
} windows = { .all = { &windows.all, &windows.all } };

static seg_off offset_of(const struct mr_entry *entry)
{
	return (seg_off)((const char *)entry - (const char *)peer_self()->base);
}

/* A child of fork has another segment, and none of its parent's windows. */
static void follow_segment(void)
{
	uint64_t generation = peer_self()->generation;

	if (windows.generation == generation)
		return;
	windows.generation = generation;
	windows.count = 0;
	list_init(&windows.all);
}

static bool is_bound(const struct mr_entry *entry)
{
	return atomic_load_explicit(&entry->key, memory_order_relaxed) != 0;
}

int mw_alloc(struct ibv_pd *pd, enum ibv_mw_type type, struct mw **mw)
{
	uint32_t kind = KEY_WINDOW | KEY_SPECIAL;
	struct mw *made;
	int err = -ENOMEM;

	if (!settings()->max_mw)
		return -EOPNOTSUPP;
	if (type != IBV_MW_TYPE_1 && type != IBV_MW_TYPE_2)
		return -EINVAL;
	made = calloc(1, sizeof(*made));
	if (!made)
		return -ENOMEM;
	if (type == IBV_MW_TYPE_2)
		kind |= KEY_TYPE_2;
	keys_lock();
	follow_segment();
	if (windows.count < settings()->max_mw)
		err = key_alloc(pd->handle, kind, &made->entry, &made->key);
	if (!err) {
		list_add_tail(&windows.all, &made->node);
		windows.count++;
	}
	keys_unlock();
	if (err) {
		free(made);
		return err;
	}
	made->ibv = (struct ibv_mw){ .context = pd->context,
		                     .pd = pd,
		                     .rkey = made->key,
		                     .handle = made->key >> 8,
		                     .type = type };
	pd_use(pd);
	*mw = made;
	return 0;
}

/* The region that it was bound to last need not look at it any more. */
static void leave_region(struct mr_entry *entry)
{
	if (entry->parent)
		((struct mr_entry *)segment_ptr(entry->parent))->windows--;
	entry->parent = 0;
}

void mw_free(struct mw *mw, void (*settle)(uint32_t pd))
{
	struct ibv_pd *pd = mw->ibv.pd;

	keys_lock();
	leave_region(segment_ptr(mw->entry));
	key_retire(mw->key);
	list_del(&mw->node);
	windows.count--;
	keys_unlock();
	settle(pd->handle);
	keys_lock();
	key_free(mw->entry);
	keys_unlock();
	pd_unuse(pd);
	free(mw);
}

bool mw_any_bound(seg_off region)
{
	struct mr_entry *entry = segment_ptr(region);
	struct list *at;

	if (!entry->windows)
		return false;
	list_for_each (at, &windows.all) {
		struct mr_entry *window =
		        segment_ptr(list_entry(at, struct mw, node)->entry);

		if (window->parent != region)
			continue;
		if (is_bound(window))
			return true;
		leave_region(window); /* a peer invalidated it */
	}
	return false;
}

/* C10-73 to C10-75: what a region lets be bound to it. */
static bool region_allows(const struct mr_entry *region, const struct mw_bind *bind,
                          uint32_t pd)
{
	const uint32_t writing = IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_REMOTE_ATOMIC;
	uint64_t offset = bind->addr - atomic_load(&region->iova);
	uint64_t length = atomic_load(&region->length);
	uint32_t access = atomic_load(&region->access);

	return key_is_valid(region, bind->lkey) && region->pd == pd &&
	       !(access & KEY_SPECIAL) && (access & IBV_ACCESS_MW_BIND) &&
	       (!(bind->access & writing) || (access & IBV_ACCESS_LOCAL_WRITE)) &&
	       offset <= length && bind->length <= length - offset;
}

static bool window_allows(const struct mr_entry *window, const struct mw_bind *bind,
                          uint32_t pd)
{
	uint32_t kind = window ? atomic_load(&window->access) : 0;

	if (!(kind & KEY_WINDOW) || window->pd != pd)
		return false;
	return !(kind & KEY_TYPE_2) || (!is_bound(window) && bind->lkey && bind->length);
}

#define SET(field, value) \
	atomic_store_explicit(&window->field, value, memory_order_relaxed)

/* A look-up that is under way must not take parts of both: mw_check(). */
static void rewrite(struct mr_entry *window, const struct mr_entry *region,
                    const struct mw_bind *bind, uint32_t qpn)
{
	uint32_t kind = atomic_load(&window->access) & ~KEY_RIGHTS;
	uint32_t version = atomic_load(&window->version);

	SET(version, version + 1);
	atomic_thread_fence(memory_order_release);
	SET(access, kind | bind->access);
	SET(qpn, kind & KEY_TYPE_2 ? qpn : 0);
	SET(iova, bind->access & IBV_ACCESS_ZERO_BASED ? 0 : bind->addr);
	SET(length, bind->length);
	SET(va, atomic_load(&region->va) + bind->addr - atomic_load(&region->iova));
	atomic_store_explicit(&window->version, version + 2, memory_order_release);
}

static int bind_locked(uint32_t pd, uint32_t qpn, const struct mw_bind *bind, bool *stale)
{
	struct mr_entry *window = key_find(peer_self(), bind->rkey);
	struct mr_entry *region = bind->lkey ? key_find(peer_self(), bind->lkey) : NULL;

	if (!window_allows(window, bind, pd) ||
	    (bind->lkey && (!region || !region_allows(region, bind, pd))))
		return -EINVAL;
	*stale = is_bound(window);
	atomic_store(&window->key, 0);
	leave_region(window);
	if (!region || !bind->length)
		return 0;
	rewrite(window, region, bind, qpn);
	window->parent = offset_of(region);
	region->windows++;
	atomic_store_explicit(&window->key, bind->rkey, memory_order_release);
	return 0;
}

int mw_bind(uint32_t pd, uint32_t qpn, const struct mw_bind *bind, bool *stale)
{
	int err;

	keys_lock();
	err = bind_locked(pd, qpn, bind, stale);
	keys_unlock();
	return err;
}

int mw_invalidate(const struct peer *owner, uint32_t pd, uint32_t qpn, uint32_t rkey)
{
	struct mr_entry *window = key_find(owner, rkey);
	uint32_t key = rkey;

	if (!key_is_valid(window, rkey) || window->pd != pd ||
	    !(atomic_load(&window->access) & KEY_TYPE_2) ||
	    atomic_load(&window->qpn) != qpn)
		return -EINVAL;
	return atomic_compare_exchange_strong(&window->key, &key, 0) ? 0 : -EINVAL;
}

#define GET(field) atomic_load_explicit(&window->field, memory_order_relaxed)

bool mw_check(const struct peer *owner, uint32_t key, uint32_t pd, uint32_t qpn,
              uint32_t access, uint64_t addr, uint64_t length, uint64_t *va)
{
	const struct mr_entry *window = key_find(owner, key);
	uint64_t iova, size, start;
	uint32_t rights, bound_to, version;

	if (!window || !(GET(access) & KEY_WINDOW) || window->pd != pd)
		return false;
	version = atomic_load_explicit(&window->version, memory_order_acquire);
	rights = GET(access);
	bound_to = GET(qpn);
	iova = GET(iova);
	size = GET(length);
	start = GET(va);
	atomic_thread_fence(memory_order_acquire);
	/* Not while it was, or is, being changed: its key was not valid then. */
	if ((version & 1) || GET(version) != version || !key_is_valid(window, key))
		return false;
	if ((rights & access) != access || (bound_to && bound_to != qpn) ||
	    addr - iova > size || length > size - (addr - iova))
		return false;
	*va = start + (addr - iova);
	return true;
}
