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

/* Whether that was the last: the caller frees the object. */
static inline bool refs_put(struct refs *refs)
{
	return atomic_fetch_sub_explicit(&refs->count, 1, memory_order_acq_rel) == 1;
}

#endif
