/* SPDX-License-Identifier: BSD-2-Clause */
#include "host/owner_lock.h"

#include <errno.h>
#include <sched.h>
#include <stdbool.h>
#include <time.h>

#include "host/inside.h"

enum {
	SLOT_BITS = 13, /* the lowest is always set, so that no tag is 0 */
	SPINS = 100,    /* the holder is on another core: it is done in no time */
	YIELDS = 1000,  /* it lost its core, and may need ours */
	NAP_NS = 50000, /* it is stopped */
	CHECK_EVERY = 64,
};

uint64_t owner_lock_tag;

void owner_lock_set_tag(uint32_t slot, uint64_t generation)
{
	owner_lock_tag = generation << SLOT_BITS | (uint64_t)slot << 1 | 1;
}

static bool is_dead(uint64_t tag)
{
	return !registry_alive((tag & ((1U << SLOT_BITS) - 1)) >> 1, tag >> SLOT_BITS);
}

static void pause_for(unsigned int turn)
{
	const struct timespec nap = { .tv_nsec = NAP_NS };

	if (turn < SPINS)
		cpu_relax();
	else if (turn < YIELDS)
		sched_yield();
	else
		nanosleep(&nap, NULL);
}

int owner_lock_wait(struct owner_lock *lock)
{
	for (unsigned int turn = 1;; turn++) {
		uint64_t owner = atomic_load_explicit(&lock->owner, memory_order_relaxed);
		bool orphan = owner && turn % CHECK_EVERY == 0 && is_dead(owner);

		if ((!owner || orphan) &&
		    atomic_compare_exchange_strong_explicit(
		            &lock->owner, &owner, owner_lock_tag, memory_order_acquire,
		            memory_order_relaxed))
			return orphan ? -EOWNERDEAD : 0;
		pause_for(turn);
	}
}
