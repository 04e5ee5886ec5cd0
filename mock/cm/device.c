/* SPDX-License-Identifier: BSD-2-Clause */
#include "cm/device.h"

#include <errno.h>
#include <pthread.h>
#include "cm/id.h"
#include "host/engine.h"
#include "object/device.h"
#include "object/pd.h"

int (*cm_open_context)(struct context **context);

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct context *shared;
static struct pd *shared_pd;
/* Of the parent of a fork: what the program made on them leads there. */
static struct context *inherited __attribute__((used));
static struct pd *inherited_pd __attribute__((used));
static uint32_t forks;

static void before_fork(void)
{
	pthread_mutex_lock(&lock);
	cm_enter();
}

static void after_fork(void)
{
	cm_leave();
	pthread_mutex_unlock(&lock);
}

/* The child starts afresh: nothing that the parent had is its own. */
static void after_fork_in_child(void)
{
	forks++;
	inherited = shared;
	inherited_pd = shared_pd;
	shared = NULL;
	shared_pd = NULL;
	conns_forget();
	events_forget();
	after_fork();
}

/* After the host's own handlers, so that ours is the first before a fork: the lock goes
 * before the host's locks. */
static void watch_forks(void)
{
	pthread_atfork(before_fork, after_fork, after_fork_in_child);
}

static int open_locked(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct context *context;
	struct pd *pd;
	int err = cm_open_context(&context);

	if (err)
		return err;
	pthread_once(&once, watch_forks);
	err = pd_alloc(&context->vctx.context, &pd);
	if (err) {
		context_close(context);
		return err;
	}
	pd->of_cm = true;
	inbox_handle(INBOX_CM, messages_receive);
	shared = context;
	shared_pd = pd;
	return 0;
}

int cm_device_open(void)
{
	int cancel, err = 0;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
	pthread_mutex_lock(&lock);
	if (!shared)
		err = open_locked();
	pthread_mutex_unlock(&lock);
	pthread_setcancelstate(cancel, NULL);
	return err;
}

struct ibv_context *cm_device_context(void)
{
	return &shared->vctx.context;
}

struct ibv_pd *cm_device_pd(void)
{
	return &shared_pd->ibv;
}

uint32_t cm_forks(void)
{
	return forks;
}
