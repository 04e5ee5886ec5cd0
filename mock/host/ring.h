/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Messages for a process, in its segment: longer ones than an inbox takes, from any
 * process of the host, in the order in which they were put. One thread of the owner
 * reads.
 */
#ifndef MOCK_HOST_RING_H
#define MOCK_HOST_RING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>
#include "host/lock.h"

#define RING_BYTES (UINT64_C(1) << 20)

struct ring {
	struct host_lock lock;                              /* of those that put */
	_Atomic uint64_t head __attribute__((aligned(64))); /* next to be read */
	_Atomic uint64_t tail __attribute__((aligned(64))); /* after what is whole */
	uint8_t data[RING_BYTES] __attribute__((aligned(64)));
};

/* In zeroed memory. */
void ring_init(struct ring *ring);

/*
 * Puts a message of several parts. -EAGAIN when there is no room, or when somebody has
 * been putting another one for too long (it is stopped); otherwise whether the ring was
 * empty, so that its owner may sleep.
 */
int ring_put(struct ring *ring, const struct iovec *parts, unsigned int count);

/* Its owner may sleep when it finds this where it read up to: see ring_put(). */
static inline uint64_t ring_tail(const struct ring *ring)
{
	return atomic_load(&ring->tail);
}

static inline bool ring_waits(const struct ring *ring)
{
	return atomic_load_explicit(&ring->tail, memory_order_acquire) !=
	       atomic_load_explicit(&ring->head, memory_order_relaxed);
}

/* The next message before `until`, which stays where it is until ring_next() is called
 * again; NULL when there is none. Length is 0 at first, and then the last one's. */
const void *ring_next(struct ring *ring, uint64_t until, uint32_t *length);

#endif
