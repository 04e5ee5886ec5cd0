/* SPDX-License-Identifier: BSD-2-Clause */
#include "transport/qp_set.h"

#include <string.h>
#include "host/peer.h"

static bool put(struct qp_set *set, struct qp_shared *qp)
{
	unsigned int count;

	/* The process left the host and is on it again, or is a child. */
	if (set->generation != peer_self()->generation) {
		set->generation = peer_self()->generation;
		atomic_store(&set->count, 0);
	}
	count = atomic_load_explicit(&set->count, memory_order_relaxed);
	for (unsigned int i = 0; i < count; i++)
		if (set->qp[i] == qp)
			return true;
	if (count == QP_SET_MOST)
		return false;
	set->qp[count] = qp;
	atomic_store_explicit(&set->count, count + 1, memory_order_relaxed);
	return true;
}

bool qp_set_put(struct qp_set *set, struct qp_shared *qp)
{
	bool done;

	if (pthread_mutex_trylock(&set->lock))
		return false;
	done = put(set, qp);
	pthread_mutex_unlock(&set->lock);
	return done;
}

static unsigned int take_and_unlock(struct qp_set *set, struct qp_shared **all)
{
	unsigned int count = atomic_load_explicit(&set->count, memory_order_relaxed);

	if (set->generation != peer_self()->generation)
		count = 0;
	memcpy(all, set->qp, count * sizeof(struct qp_shared *));
	atomic_store_explicit(&set->count, 0, memory_order_relaxed);
	pthread_mutex_unlock(&set->lock);
	return count;
}

unsigned int qp_set_take(struct qp_set *set, struct qp_shared **all)
{
	pthread_mutex_lock(&set->lock);
	return take_and_unlock(set, all);
}

unsigned int qp_set_try_take(struct qp_set *set, struct qp_shared **all)
{
	return pthread_mutex_trylock(&set->lock) ? 0 : take_and_unlock(set, all);
}
