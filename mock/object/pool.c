/* SPDX-License-Identifier: BSD-2-Clause */
#include "object/pool.h"

#include <stdlib.h>
#include "host/peer.h"

static int grow_locked(const struct pool *pool, seg_off *off)
{
	_Atomic seg_off *first = (void *)((char *)segment_head() + pool->list);
	int err = segment_alloc(pool->size, off);

	if (err)
		return err;
	*(seg_off *)segment_ptr(*off) = atomic_load(first);
	atomic_store_explicit(first, *off, memory_order_release);
	return 0;
}

int pool_take(struct pool *pool, seg_off *off)
{
	int err = 0;

	pthread_mutex_lock(&pool->lock);
	if (pool->generation != peer_self()->generation) {
		pool->generation = peer_self()->generation;
		pool->count = 0;
	}
	if (pool->count)
		*off = pool->free[--pool->count];
	else
		err = grow_locked(pool, off);
	pthread_mutex_unlock(&pool->lock);
	return err;
}

void pool_give(struct pool *pool, seg_off off)
{
	pthread_mutex_lock(&pool->lock);
	if (pool->count == pool->room) {
		size_t room = pool->room ? 2 * pool->room : 64;
		seg_off *grown = realloc(pool->free, room * sizeof(*grown));

		if (!grown) { /* the block is lost until the process ends */
			pthread_mutex_unlock(&pool->lock);
			return;
		}
		pool->free = grown;
		pool->room = room;
	}
	pool->free[pool->count++] = off;
	pthread_mutex_unlock(&pool->lock);
}
