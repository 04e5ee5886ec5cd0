// SPDX-License-Identifier: BSD-2-Clause
/*
 * The table of processes whose segment is mapped here. A segment stays mapped as long as
 * someone counts on it, also after its owner died: its memory is there until then. And a
 * little longer, as who sends one message soon sends another.
 *
 * Death is told by a pidfd, at once; and as that knows nothing of exec, and may be
 * refused, the life locks of watched peers are looked at now and then as well.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"
#include "host/bell.h"
#include "host/engine.h"
#include "host/inside.h"
#include "host/peer.h"
#include "host/segment_format.h"

#define CHECK_INTERVAL UINT64_C(1000000000)

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t idle = PTHREAD_COND_INITIALIZER;
static struct list peers = { &peers, &peers };
static struct list ghosts = { &ghosts, &ghosts }; /* the parent's, after a fork */
static struct peer self;
static struct peer_watch *running; /* whose lost() is called now */
static struct timer check_timer;
static uint64_t next_look; /* 0: none is due */
static _Atomic bool look_due;

struct peer *peer_self(void)
{
	return &self;
}

bool peer_alive(const struct peer *peer)
{
	return registry_alive(peer->slot, peer->generation);
}

static struct peer *find(uint32_t slot, uint64_t generation)
{
	struct list *pos;

	list_for_each (pos, &peers) {
		struct peer *peer = list_entry(pos, struct peer, node);

		if (peer->slot == slot && peer->generation == generation)
			return peer;
	}
	return NULL;
}

void peer_extend(const struct peer *reader)
{
	struct peer *peer = (struct peer *)reader; /* all are ours, and made in here */
	struct segment_head *head = peer->base;
	uint64_t backed = atomic_load_explicit(&head->backed, memory_order_acquire);
	uint64_t reach = atomic_load(&peer->reach);

	if (backed > peer->size || mprotect(head, backed, PROT_READ | PROT_WRITE))
		mock_error("cannot reach the queues of process %d: %s", (int)peer->pid,
		           strerror(errno));
	while (reach < backed &&
	       !atomic_compare_exchange_weak(&peer->reach, &reach, backed))
		;
}

static int map_segment(int fd, struct peer *peer)
{
	const struct segment_head *head;
	struct stat st;
	void *map;

	if (fstat(fd, &st))
		return -errno;
	if ((uint64_t)st.st_size < sizeof(*head) || peer->size < sizeof(*head))
		return -EPROTO;
	map = mmap(NULL, peer->size, PROT_NONE, MAP_SHARED | MAP_NORESERVE, fd, 0);
	if (map == MAP_FAILED) /* valgrind has 128 GiB for all, and says EINVAL */
		return errno == EINVAL ? -ENOMEM : -errno;
	head = map;
	if (mprotect(map, sizeof(*head), PROT_READ | PROT_WRITE) == 0 &&
	    head->magic == SEGMENT_MAGIC && head->version == SEGMENT_VERSION) {
		peer->base = map;
		return 0;
	}
	munmap(map, peer->size);
	return -EPROTO;
}

static int open_segment(const struct process_info *info, struct peer *peer)
{
	file_name file;
	int err, fd;

	segment_file(info->segment, file);
	fd = directory_open(file, O_RDWR);
	if (fd == -ENOENT)
		return -ESRCH;
	err = fd < 0 ? fd : map_segment(fd, peer);
	if (fd >= 0)
		close(fd);
	if (err)
		mock_error("cannot map the queues of process %d (%s/%s): %s: %s",
		           (int)info->pid, directory_path(), file, strerror(-err),
		           remedy_for(err));
	return err;
}

static int add(uint32_t slot, uint64_t generation, struct peer **peer)
{
	struct process_info info;
	struct peer *fresh;
	int err = registry_process(slot, generation, &info);

	if (err)
		return err;
	fresh = calloc(1, sizeof(*fresh));
	if (!fresh)
		return -ENOMEM;
	fresh->slot = slot;
	fresh->generation = generation;
	fresh->pid = info.pid;
	fresh->size = info.size;
	fresh->pidfd = -1;
	list_init(&fresh->watches);
	err = open_segment(&info, fresh);
	if (err) {
		free(fresh);
		return err;
	}
	list_add_tail(&peers, &fresh->node);
	*peer = fresh;
	return 0;
}

int peer_get(uint32_t slot, uint64_t generation, struct peer **peer)
{
	struct peer *found;
	int err = 0;

	pthread_mutex_lock(&lock);
	found = find(slot, generation);
	if (!found)
		err = add(slot, generation, &found);
	else if (!found->self && !peer_alive(found))
		err = -ESRCH;
	if (!err) {
		found->users++;
		*peer = found;
	}
	pthread_mutex_unlock(&lock);
	return err;
}

static void destroy(struct peer *peer)
{
	list_del(&peer->node);
	munmap(peer->base, peer->size);
	free(peer);
}

/* Without putting off a look that is due earlier. */
static int look_in(uint64_t ns)
{
	uint64_t when = now_ns() + ns;

	if (next_look && next_look <= when)
		return 0;
	next_look = when;
	return timer_arm(&check_timer, when);
}

static void put_locked(struct peer *peer)
{
	if (--peer->users || peer->self)
		return;
	peer->idle = false;
	look_in(CHECK_INTERVAL);
}

void peer_put(struct peer *peer)
{
	pthread_mutex_lock(&lock);
	put_locked(peer);
	pthread_mutex_unlock(&lock);
}

static void start_watching(struct peer *peer)
{
	int fd = (int)syscall(SYS_pidfd_open, peer->pid, 0);

	if (fd < 0)
		return; /* the timer has to do */
	if (engine_watch(fd, peer->slot))
		close(fd);
	else
		peer->pidfd = fd;
}

static void stop_watching(struct peer *peer)
{
	if (peer->pidfd >= 0)
		close(peer->pidfd);
	peer->pidfd = -1;
}

int peer_watch(struct peer_watch *watch, struct peer *peer,
               void (*lost)(struct peer_watch *watch))
{
	int err;

	watch->peer = peer;
	watch->lost = lost;
	pthread_mutex_lock(&lock);
	if (list_empty(&peer->watches) && !peer->self)
		start_watching(peer);
	list_add_tail(&peer->watches, &watch->node);
	/* It may have died before the pidfd was there, which then is another's. */
	err = look_in(peer_alive(peer) ? CHECK_INTERVAL : 0);
	pthread_mutex_unlock(&lock);
	return err;
}

void peer_unwatch(struct peer_watch *watch)
{
	pthread_mutex_lock(&lock);
	list_del(&watch->node);
	if (list_empty(&watch->peer->watches))
		stop_watching(watch->peer);
	while (running == watch && !in_engine())
		pthread_cond_wait(&idle, &lock);
	pthread_mutex_unlock(&lock);
}

/* The lock is held, but not while lost() runs. What the peer said before it died, it
 * said: that comes first, and may have been put in after the engine looked last. */
static void tell_watchers(struct peer *peer)
{
	struct peer_watch *watch;

	peer->users++;
	pthread_mutex_unlock(&lock);
	engine_read_inbox();
	pthread_mutex_lock(&lock);
	while (!list_empty(&peer->watches)) {
		watch = list_entry(peer->watches.next, struct peer_watch, node);
		list_del(&watch->node);
		running = watch;
		pthread_mutex_unlock(&lock);
		watch->lost(watch);
		pthread_mutex_lock(&lock);
		running = NULL;
		pthread_cond_broadcast(&idle);
	}
	stop_watching(peer);
	put_locked(peer);
}

#define ALL_SLOTS UINT32_MAX

/* A watched peer that is dead. */
static struct peer *find_dead(uint32_t slot)
{
	struct list *pos;

	list_for_each (pos, &peers) {
		struct peer *peer = list_entry(pos, struct peer, node);

		if ((slot == ALL_SLOTS || peer->slot == slot) &&
		    !list_empty(&peer->watches) && !peer_alive(peer))
			return peer;
	}
	return NULL;
}

/* Unmaps who was idle since the last look; whether there is reason for another. */
static bool drop_idle(void)
{
	struct list *pos, *tmp;
	bool again = false;

	list_for_each_safe (pos, tmp, &peers) {
		struct peer *peer = list_entry(pos, struct peer, node);
		bool idle = !peer->users && !peer->self;

		if (idle && peer->idle) {
			destroy(peer);
			continue;
		}
		peer->idle = idle;
		again |= idle || !list_empty(&peer->watches);
	}
	return again;
}

void peers_check(uint32_t slot)
{
	struct peer *peer;

	pthread_mutex_lock(&lock);
	while ((peer = find_dead(slot))) {
		registry_bury(peer->slot, peer->generation);
		tell_watchers(peer);
	}
	pthread_mutex_unlock(&lock);
}

bool peers_look(void)
{
	if (!atomic_exchange(&look_due, false))
		return false;
	peers_check(ALL_SLOTS);
	pthread_mutex_lock(&lock);
	next_look = 0;
	if (drop_idle())
		look_in(CHECK_INTERVAL);
	pthread_mutex_unlock(&lock);
	return true;
}

/* The thread that fires a timer may be the program's; what comes of it is the engine's.
 */
static void have_a_look(struct timer *timer)
{
	(void)timer;
	atomic_store(&look_due, true);
	if (!in_engine())
		bell_ring(segment_head()->bell);
}

int peers_open(const struct registry_self *me)
{
	self = (struct peer){
		.slot = me->slot,
		.generation = me->generation,
		.pid = getpid(),
		.self = true,
		.base = segment_head(),
		.size = segment_size(),
		.reach = segment_size(),
		.pidfd = -1,
	};
	list_init(&self.watches);
	list_add_tail(&peers, &self.node);
	timer_init(&check_timer, have_a_look);
	next_look = 0;
	return 0;
}

/* Whoever still counts on a peer here forgot to let go of it; its mapping goes anyway. */
void peers_close(void)
{
	timer_cancel_sync(&check_timer);
	pthread_mutex_lock(&lock);
	list_del(&self.node);
	while (!list_empty(&peers)) {
		struct peer *peer = list_entry(peers.next, struct peer, node);

		stop_watching(peer);
		destroy(peer);
	}
	pthread_mutex_unlock(&lock);
}

static void forget(void)
{
	struct list *pos, *tmp;

	list_for_each_safe (pos, tmp, &peers) {
		struct peer *peer = list_entry(pos, struct peer, node);

		stop_watching(peer);
		list_del(pos);
		if (!peer->self)
			list_add_tail(&ghosts, pos);
	}
}

void peers_fork(enum fork_stage stage)
{
	if (stage == FORK_BEFORE)
		pthread_mutex_lock(&lock);
	if (stage == FORK_CHILD)
		forget();
	if (stage != FORK_BEFORE)
		pthread_mutex_unlock(&lock);
}
