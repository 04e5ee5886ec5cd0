/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A lock in shared memory that survives its holder: when a process dies holding it, the
 * next one to take it is told, and repairs what it guards.
 *
 * Order, never to be taken the other way round: a requester's lock (private to its
 * process), then one responder's, then one receive queue's or completion queue's, then a
 * channel's. Never two of one kind at a time.
 */
#ifndef MOCK_HOST_LOCK_H
#define MOCK_HOST_LOCK_H

#include <errno.h>
#include <pthread.h>
#include <time.h>
#include "base/util.h"

struct host_lock {
	pthread_mutex_t mutex; /* process-shared, robust */
};

/* Prepares a lock in freshly allocated, zeroed shared memory. */
void host_lock_init(struct host_lock *lock);

/*
 * Takes the lock. Returns 0, or -EOWNERDEAD when its last holder died with it: the lock
 * is then held and usable again, and the caller repairs what it guards before going on.
 */
static inline int host_lock(struct host_lock *lock)
{
	int err = pthread_mutex_lock(&lock->mutex);

	if (likely(!err))
		return 0;
	pthread_mutex_consistent(&lock->mutex);
	return -err;
}

/* As host_lock(), or -EBUSY at once when another thread holds it. */
static inline int host_trylock(struct host_lock *lock)
{
	int err = pthread_mutex_trylock(&lock->mutex);

	if (err == EOWNERDEAD)
		pthread_mutex_consistent(&lock->mutex);
	return -err;
}

/*
 * As host_lock(), or -ETIMEDOUT at a time of CLOCK_REALTIME: for the process's exit,
 * where the holder may be a thread that will not run again.
 */
int host_lock_until(struct host_lock *lock, const struct timespec *deadline);

static inline void host_unlock(struct host_lock *lock)
{
	pthread_mutex_unlock(&lock->mutex);
}

#endif
