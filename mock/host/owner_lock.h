/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The lock of the data path: in shared memory, held for one short step, nearly always
 * free. Taking it is one atomic operation, giving it back one store. It names the process
 * that holds it, so that whoever waits finds out if that one died, and takes over. For
 * locks that are waited for there is host_lock, whose order (host/lock.h) this one is
 * part of.
 */
#ifndef MOCK_HOST_OWNER_LOCK_H
#define MOCK_HOST_OWNER_LOCK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include "base/util.h"

struct owner_lock {
	_Atomic uint64_t owner; /* 0: free; else owner_lock_tag of the process */
	_Atomic uint32_t turns; /* how often it was given back */
};

/* Of this process: its slot and generation in the registry. Set when it joins the host.
 */
extern uint64_t owner_lock_tag;
void owner_lock_set_tag(uint32_t slot, uint64_t generation);

/* Free again, whoever had it: for memory that is being prepared. */
static inline void owner_lock_init(struct owner_lock *lock)
{
	atomic_store_explicit(&lock->owner, 0, memory_order_relaxed);
}

int owner_lock_wait(struct owner_lock *lock);

static inline bool owner_lock_try(struct owner_lock *lock)
{
	uint64_t free = 0;

	return atomic_compare_exchange_strong_explicit(
	        &lock->owner, &free, owner_lock_tag, memory_order_acquire,
	        memory_order_relaxed);
}

/*
 * Takes the lock. Returns 0, or -EOWNERDEAD when its last holder died with it: the caller
 * repairs what it guards before going on. Not recursive, not fair.
 */
static inline int owner_lock(struct owner_lock *lock)
{
	return likely(owner_lock_try(lock)) ? 0 : owner_lock_wait(lock);
}

static inline void owner_unlock(struct owner_lock *lock)
{
	atomic_store_explicit(&lock->turns,
	                      atomic_load_explicit(&lock->turns, memory_order_relaxed) +
	                              1,
	                      memory_order_relaxed);
	atomic_store_explicit(&lock->owner, 0, memory_order_release);
}

/*
 * Waits until whoever holds the lock now has given it back, without taking it: a process
 * that is stopped in here holds up nobody. False when the holder died with it.
 */
bool owner_lock_settle(struct owner_lock *lock);

#endif
