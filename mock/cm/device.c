/* SPDX-License-Identifier: BSD-2-Clause */
#include "cm/device.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include "cm/far.h"
#include "cm/id.h"
#include "cm/send.h"
#include "host/engine.h"
#include "host/settings.h"
#include "object/device.h"
#include "object/pd.h"
#include "object/xrcd.h"

int (*cm_open_context)(struct device *device, struct context **context);

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* Of each device. */
struct opened {
	struct context *context;
	struct pd *pd;
	struct xrcd *xrcd;
};

static struct opened shared[DEVICES_MAX];
static bool is_open;
/* Of the parent of a fork: what the program made on them leads there. */
static struct opened inherited[DEVICES_MAX] __attribute__((used));
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
	memcpy(inherited, shared, sizeof(inherited));
	memset(shared, 0, sizeof(shared));
	is_open = false;
	conns_forget();
	messages_forget();
	events_forget();
	after_fork();
}

/* After the host's own handlers, so that ours is the first before a fork: the lock goes
 * before the host's locks. */
static void watch_forks(void)
{
	pthread_atfork(before_fork, after_fork, after_fork_in_child);
}

static int open_one(struct device *device, struct opened *opened)
{
	int err = cm_open_context(device, &opened->context);

	if (err)
		return err;
	err = pd_alloc(&opened->context->vctx.context, &opened->pd);
	if (err)
		context_close(opened->context);
	return err;
}

static void close_first(unsigned int count)
{
	while (count--) {
		pd_free(&shared[count].pd->ibv);
		context_close(shared[count].context);
	}
}

static int open_locked(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	for (unsigned int i = 0; i < device_count(); i++) {
		int err = open_one(device_at(i), &shared[i]);

		if (err) {
			close_first(i);
			return err;
		}
	}
	pthread_once(&once, watch_forks);
	for (unsigned int i = 0; i < device_count(); i++)
		shared[i].pd->of_cm = true;
	inbox_handle(INBOX_CM, inbox_receive);
	is_open = true;
	return 0;
}

int cm_device_open(void)
{
	int cancel, err = 0;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
	pthread_mutex_lock(&lock);
	if (!is_open)
		err = open_locked();
	pthread_mutex_unlock(&lock);
	pthread_setcancelstate(cancel, NULL);
	return err;
}

struct ibv_context *cm_device_context(const struct device *device)
{
	return &shared[device->index].context->vctx.context;
}

struct ibv_pd *cm_device_pd(const struct device *device)
{
	return &shared[device->index].pd->ibv;
}

int cm_device_xrcd(const struct device *device, struct xrcd **xrcd)
{
	struct ibv_xrcd_init_attr attr = {
		.comp_mask = IBV_XRCD_INIT_ATTR_FD | IBV_XRCD_INIT_ATTR_OFLAGS,
		.fd = -1,
		.oflags = O_CREAT,
	};
	struct opened *opened = &shared[device->index];
	int err = 0;

	pthread_mutex_lock(&lock);
	if (!opened->xrcd)
		err = xrcd_open(cm_device_context(device), &attr, &opened->xrcd);
	if (!err)
		*xrcd = opened->xrcd;
	pthread_mutex_unlock(&lock);
	return err;
}

uint32_t cm_forks(void)
{
	return forks;
}
