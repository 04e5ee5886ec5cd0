/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A count of those who use an object: its owner, until it destroys it, and threads that
 * wait inside. Whoever is last frees it. A thread that waits on a descriptor in the
 * kernel keeps the file; one that waits in here keeps what it will look at when it wakes.
 */
#ifndef MOCK_BASE_REFS_H
#define MOCK_BASE_REFS_H

#include <stdatomic.h>
#include <stdbool.h>

struct refs {
	_Atomic unsigned int count;
};

static inline void refs_init(struct refs *refs)
{
	atomic_init(&refs->count, 1);
}

static inline void refs_get(struct refs *refs)
{
	atomic_fetch_add_explicit(&refs->count, 1, memory_order_relaxed);
}

/* False when the last user has gone already. */
static inline bool refs_get_live(struct refs *refs)
{
	unsigned int count = atomic_load_explicit(&refs->count, memory_order_relaxed);

	while (count && !atomic_compare_exchange_weak_explicit(
	                        &refs->count, &count, count + 1, memory_order_acquire,
	                        memory_order_relaxed))
		;
	return count != 0;
}

/* Whether that was the last: the caller frees the object. */
static inline bool refs_put(struct refs *refs)
{
	return atomic_fetch_sub_explicit(&refs->count, 1, memory_order_acq_rel) == 1;
}

#endif
