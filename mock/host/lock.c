// SPDX-License-Identifier: BSD-2-Clause
#include "host/lock.h"

void host_lock_init(struct host_lock *lock)
{
	pthread_mutexattr_t attr;

	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	pthread_mutex_init(&lock->mutex, &attr);
	pthread_mutexattr_destroy(&attr);
}

int host_lock_until(struct host_lock *lock, const struct timespec *deadline)
{
	int err = pthread_mutex_timedlock(&lock->mutex, deadline);

	if (err == EOWNERDEAD)
		pthread_mutex_consistent(&lock->mutex);
	return -err;
}
