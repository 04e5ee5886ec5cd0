// SPDX-License-Identifier: BSD-2-Clause
/*
 * Joining and leaving the host. What a process needs comes up in one order and goes down
 * in the other, and the directory is locked while it does; so others see a process whole
 * or not at all.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/at_exit.h"
#include "base/log.h"
#include "host/bell.h"
#include "host/inside.h"
#include "host/owner_lock.h"
#include "host/random.h"
#include "host/registry.h"
#include "host/settings.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned int users;
static bool left; /* for good: the process exits */

static void fork_all(enum fork_stage stage)
{
	peers_fork(stage);
	timers_fork(stage);
	segment_fork(stage);
	registry_fork(stage);
	engine_fork(stage);
}

static void before_fork(void)
{
	pthread_mutex_lock(&lock);
	fork_all(FORK_BEFORE);
}

static void after_fork_in_parent(void)
{
	fork_all(FORK_PARENT);
	pthread_mutex_unlock(&lock);
}

static void after_fork_in_child(void)
{
	fork_all(FORK_CHILD);
	users = 0;
	pthread_mutex_unlock(&lock);
}

static void watch_forks(void)
{
	pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
}

/* The rest of join(), once the registry has our slot. */
static int come_up(uint64_t segment, int bell_fd, uint64_t bell,
                   const struct registry_self *self)
{
	int err = segment_create(segment, bell);

	if (err)
		return err;
	peers_open(self);
	owner_lock_set_tag(self->slot, self->generation);
	err = engine_start(bell_fd);
	if (!err) {
		registry_announce(segment_size());
		return 0;
	}
	peers_close();
	segment_destroy();
	return err;
}

static int join_locked(int dir, int bell_fd, uint64_t bell)
{
	uint64_t segment = random_u64();
	struct registry_self self;
	int err = registry_open(dir, segment, bell, &self);

	if (err)
		return err;
	err = come_up(segment, bell_fd, bell, &self);
	if (!err)
		return 0;
	registry_leave(dir, false);
	registry_close();
	return err;
}

static int join(void)
{
	uint64_t bell;
	int dir, bell_fd, err;

	copy_allow_peers();
	err = directory_choose();
	if (err)
		return err;
	dir = directory_lock();
	if (dir < 0)
		return dir;
	err = bell_create(&bell_fd, &bell);
	if (err) {
		mock_error("cannot make a socket: %s: %s", strerror(-err),
		           remedy_for(err));
	} else {
		err = join_locked(dir, bell_fd, bell);
		if (err)
			close(bell_fd);
	}
	if (err)
		directory_remove(dir);
	directory_unlock(dir);
	return err;
}

int host_attach(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	int err = 0;

	settings();
	pthread_once(&once, watch_forks);
	pthread_mutex_lock(&lock);
	if (left)
		err = -ESHUTDOWN;
	else if (users == 0)
		err = join();
	if (!err)
		users++;
	pthread_mutex_unlock(&lock);
	return err;
}

static void leave(void)
{
	int dir = directory_lock();

	if (dir >= 0) {
		registry_leave(dir, false);
		directory_unlock(dir);
	}
	engine_stop(false);
	peers_close();
	timers_discard();
	segment_destroy();
	registry_close();
	bell_forget();
}

void host_detach(void)
{
	pthread_mutex_lock(&lock);
	if (users && --users == 0 && !left)
		leave();
	pthread_mutex_unlock(&lock);
}

/*
 * A program that exits without closing what it opened: takes its name off the registry,
 * but unmaps nothing, as other threads may still be in a call. Each wait has an end, as
 * the thread that calls exit() may hold any lock (from a signal handler, for one); what
 * is not done then, the next process on this host does.
 */
__attribute__((destructor(AT_EXIT_HOST))) static void leave_at_exit(void)
{
	struct timespec deadline;
	int dir;

	clock_gettime(CLOCK_REALTIME, &deadline);
	deadline.tv_sec++;
	if (pthread_mutex_timedlock(&lock, &deadline))
		return;
	if (users && !left) {
		dir = directory_lock_at_exit();
		if (dir >= 0) {
			registry_leave(dir, true);
			directory_unlock(dir);
		}
		engine_stop(true);
	}
	left = true;
	pthread_mutex_unlock(&lock);
}
