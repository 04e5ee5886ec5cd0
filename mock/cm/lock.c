/* SPDX-License-Identifier: BSD-2-Clause */
#include "cm/lock.h"

#include <time.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int cancel; /* the holder's cancelability before it entered */

void cm_enter(void)
{
	int before;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before);
	pthread_mutex_lock(&lock);
	cancel = before;
}

bool cm_enter_at_exit(void)
{
	struct timespec deadline;
	int before;

	clock_gettime(CLOCK_REALTIME, &deadline);
	deadline.tv_sec++;
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before);
	if (!pthread_mutex_timedlock(&lock, &deadline)) {
		cancel = before;
		return true;
	}
	pthread_setcancelstate(before, NULL);
	return false;
}

void cm_leave(void)
{
	int before = cancel;

	pthread_mutex_unlock(&lock);
	pthread_setcancelstate(before, NULL);
}

void cm_wait(pthread_cond_t *cond)
{
	int before = cancel;

	pthread_cond_wait(cond, &lock);
	cancel = before;
}
