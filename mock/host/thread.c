/* SPDX-License-Identifier: BSD-2-Clause */
#include "host/thread.h"

#include <errno.h>
#include <signal.h>

int thread_start(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *arg),
                 void *arg)
{
	sigset_t all, before;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(thread, attr, run, arg);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	/* Verbs have one name for it. */
	return err == EAGAIN ? -ENOMEM : -err;
}
