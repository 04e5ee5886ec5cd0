// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "base/util.h"
#include "base/log.h"
#include "host/bell.h"
#include "host/engine.h"
#include "host/inside.h"
#include "host/plain_epoll.h"
#include "host/thread.h"

#define STACK       ((size_t)512 << 10)
#define EVENTS      32
#define BLIND_NAP   10000000 /* ns */
#define NS_PER_S    UINT64_C(1000000000)
#define WHAT_BELL   UINT64_C(0)
#define WHAT_TIMER  UINT64_C(1)
#define WHAT_PEER   UINT64_C(2)
#define WHAT_SOURCE UINT64_C(3) /* with its address above */
#define WHAT(event) ((event)->data.u64 & 3)

static struct {
	pthread_t thread;
	bool running;
	_Atomic bool stop;
	bool blind; /* the program closed our descriptors: look now and then */
	sem_t started;
	int bell, timer, poll;
	inbox_handler *_Atomic handler[INBOX_KINDS];
	void (*_Atomic last_words)(void);
} engine = { .bell = -1, .timer = -1, .poll = -1 };

/* Held while one of them is looked after. */
static pthread_mutex_t sources_lock = PTHREAD_MUTEX_INITIALIZER;
static struct list sources = { &sources, &sources };

static __thread bool is_engine;

bool in_engine(void)
{
	return is_engine;
}

void inbox_handle(enum inbox_kind kind, inbox_handler *handler)
{
	atomic_store(&engine.handler[kind], handler);
}

void engine_last_words(void (*say)(void))
{
	atomic_store(&engine.last_words, say);
}

/* The sleeper looks at tail after it moved head, we at head after we moved tail. */
static int put_message(struct inbox *inbox, const struct inbox_slot *message, bool *first)
{
	uint32_t tail = atomic_load(&inbox->tail);
	struct inbox_slot *slot = &inbox->slot[tail % INBOX_SLOTS];

	if (tail - atomic_load(&inbox->head) >= INBOX_SLOTS)
		return -EAGAIN;
	memcpy(slot, message, offsetof(struct inbox_slot, body) + message->length);
	atomic_store(&inbox->tail, tail + 1);
	*first = atomic_load(&inbox->head) == tail;
	return 0;
}

COLD int inbox_post(const struct peer *to, enum inbox_kind kind, const void *body,
                    uint32_t length)
{
	struct segment_head *head = to->base;
	struct inbox_slot message = {
		.kind = kind,
		.from = peer_self()->slot,
		.generation = peer_self()->generation,
		.length = length,
	};
	bool first = false;
	int err;

	if (length > INBOX_BODY_MAX)
		return -EMSGSIZE;
	if (!to->self && !peer_alive(to))
		return -ESRCH;
	memcpy(message.body, body, length);
	/* A sender that died in here had not moved tail: its message never was. */
	host_lock(&head->inbox.lock);
	err = put_message(&head->inbox, &message, &first);
	host_unlock(&head->inbox.lock);
	if (first)
		bell_ring(head->bell);
	return err;
}

COLD void inbox_tell(const struct peer *to, enum inbox_kind kind, const void *body,
                     uint32_t length)
{
	struct segment_head *head = to->base;

	if (inbox_post(to, kind, body, length) != -EAGAIN)
		return;
	atomic_fetch_or(&head->inbox.missed, 1u << kind);
	bell_ring(head->bell);
}

static void deliver(const struct inbox_slot *message)
{
	inbox_handler *handler;
	struct peer *from;

	if (message->kind >= INBOX_KINDS || message->length > INBOX_BODY_MAX)
		return;
	handler = atomic_load(&engine.handler[message->kind]);
	if (!handler)
		return;
	if (peer_get(message->from, message->generation, &from))
		from = NULL;
	handler(from, message->body, message->length);
	if (from)
		peer_put(from);
}

static void deliver_missed(struct inbox *inbox)
{
	uint32_t missed =
	        atomic_load(&inbox->missed) ? atomic_exchange(&inbox->missed, 0) : 0;

	for (unsigned int kind = 0; kind < INBOX_KINDS; kind++) {
		inbox_handler *handler = atomic_load(&engine.handler[kind]);

		if ((missed & 1u << kind) && handler)
			handler(NULL, NULL, 0);
	}
}

/* Each message is copied out, so that its place is free before its handler runs. */
void engine_read_inbox(void)
{
	struct inbox *inbox = &segment_head()->inbox;
	uint32_t head = atomic_load(&inbox->head);
	struct inbox_slot message;

	while (head != atomic_load(&inbox->tail)) {
		memcpy(&message, &inbox->slot[head % INBOX_SLOTS], sizeof(message));
		atomic_store(&inbox->head, ++head);
		deliver(&message);
	}
	deliver_missed(inbox);
}

void engine_wake_at(uint64_t deadline)
{
	struct itimerspec when = {
		.it_value.tv_sec = (time_t)(deadline / NS_PER_S),
		.it_value.tv_nsec = (long)(deadline % NS_PER_S),
	};

	timerfd_settime(engine.timer, TFD_TIMER_ABSTIME, &when, NULL);
}

static int add_descriptor(int fd, uint64_t what, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.u64 = what };

	return plain_epoll_ctl(engine.poll, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
}

int engine_watch(int pidfd, uint32_t slot)
{
	return add_descriptor(pidfd, WHAT_PEER | (uint64_t)slot << 2,
	                      EPOLLIN | EPOLLONESHOT);
}

static void wait_for_source(struct engine_source *source)
{
	int err = add_descriptor(source->fd, WHAT_SOURCE | (uintptr_t)source,
	                         source->events ? source->events : EPOLLIN);

	if (err && err != -EEXIST && !engine.blind)
		mock_error("a descriptor cannot be waited for: %s", strerror(-err));
}

void engine_add(struct engine_source *source)
{
	pthread_mutex_lock(&sources_lock);
	list_add_tail(&sources, &source->node);
	wait_for_source(source);
	pthread_mutex_unlock(&sources_lock);
}

/* An exclusive one cannot be changed (EPOLLEXCLUSIVE, epoll_ctl(2)), so it goes. */
void engine_pause(struct engine_source *source)
{
	if (!engine.blind)
		plain_epoll_ctl(engine.poll, EPOLL_CTL_DEL, source->fd, NULL);
}

void engine_resume(struct engine_source *source)
{
	struct epoll_event event = {
		.events = source->events,
		.data.u64 = WHAT_SOURCE | (uintptr_t)source,
	};

	if (!(source->events & EPOLLONESHOT))
		wait_for_source(source);
	else if (!engine.blind)
		plain_epoll_ctl(engine.poll, EPOLL_CTL_MOD, source->fd, &event);
}

static bool is_source(const struct engine_source *source)
{
	struct list *at;

	list_for_each (at, &sources)
		if (list_entry(at, struct engine_source, node) == source)
			return true;
	return false;
}

/* Closing takes it off what is waited for. */
static void drop_source(struct engine_source *source)
{
	list_del(&source->node);
	if (!engine.blind)
		close(source->fd);
	if (source->gone)
		source->gone(source);
}

void engine_remove(struct engine_source *source)
{
	pthread_mutex_lock(&sources_lock);
	if (is_source(source))
		drop_source(source);
	pthread_mutex_unlock(&sources_lock);
}

/* It may have been removed since the event was there. */
static void handle_source(struct engine_source *source)
{
	bool stays = false;

	pthread_mutex_lock(&sources_lock);
	if (is_source(source)) {
		stays = source->gone;
		if (!stays)
			source->ready(source);
	}
	pthread_mutex_unlock(&sources_lock);
	if (stays)
		source->ready(source);
}

static void handle_event(const struct epoll_event *event)
{
	uint64_t expirations;

	if (WHAT(event) == WHAT_BELL)
		bell_silence(engine.bell);
	else if (WHAT(event) == WHAT_PEER)
		peers_check((uint32_t)(event->data.u64 >> 2));
	else if (WHAT(event) == WHAT_SOURCE)
		handle_source((void *)(uintptr_t)(event->data.u64 & ~UINT64_C(3)));
	else if (read(engine.timer, &expirations, sizeof(expirations)) < 0)
		return; /* armed anew meanwhile */
}

/* From then on none of our descriptors is touched: their numbers may be others'. */
static void go_blind(int err)
{
	mock_warn("the program closed descriptors of the mock (%s), which goes on "
	          "without them, slowly: close only what the program opened",
	          strerror(err));
	engine.blind = true;
}

static void wait_for_events(void)
{
	struct epoll_event events[EVENTS];
	struct timespec nap = { .tv_nsec = BLIND_NAP };
	int count;

	if (engine.blind) {
		nanosleep(&nap, NULL);
		return;
	}
	count = plain_epoll_wait(engine.poll, events, EVENTS);
	if (count < 0 && errno != EINTR)
		go_blind(errno);
	for (int i = 0; i < count; i++)
		handle_event(&events[i]);
}

static void *run(void *arg)
{
	struct host_lock *life = registry_life_lock();

	(void)arg;
	is_engine = true;
	prctl(PR_SET_NAME, "mockrdma", 0, 0, 0);
	prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);
	host_lock(life);
	sem_post(&engine.started);
	while (!atomic_load(&engine.stop)) {
		engine_read_inbox();
		timers_run();
		/* What comes of a look may be a timer of ours. */
		if (!peers_look())
			wait_for_events();
	}
	if (atomic_load(&engine.last_words))
		atomic_load (&engine.last_words)();
	host_unlock(life);
	return NULL;
}

static void close_all(void)
{
	int *const fds[] = { &engine.poll, &engine.timer, &engine.bell };

	for (unsigned int i = 0; i < ARRAY_SIZE(fds); i++) {
		if (*fds[i] >= 0 && !engine.blind)
			close(*fds[i]);
		*fds[i] = -1;
	}
}

static int open_all(int bell)
{
	int err;

	engine.bell = bell;
	engine.timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	engine.poll = plain_epoll_create();
	if (engine.timer < 0 || engine.poll < 0)
		return -errno;
	err = add_descriptor(engine.bell, WHAT_BELL, EPOLLIN);
	return err ? err : add_descriptor(engine.timer, WHAT_TIMER, EPOLLIN);
}

static int start_engine_thread(void)
{
	pthread_attr_t attr;
	int err;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK);
	err = thread_start(&engine.thread, &attr, run, NULL);
	pthread_attr_destroy(&attr);
	return err;
}

int engine_start(int bell)
{
	int err;

	engine.blind = false;
	atomic_store(&engine.stop, false);
	sem_init(&engine.started, 0, 0);
	err = open_all(bell);
	if (!err)
		err = start_engine_thread();
	if (err) {
		mock_error("cannot start the mock's thread: %s: %s", strerror(-err),
		           remedy_for(err));
		engine.bell = -1; /* the caller's still */
		close_all();
		return err;
	}
	while (sem_wait(&engine.started))
		;
	engine.running = true;
	return 0;
}

/* The child's copy would keep the parent's open. */
static void drop_sources(void)
{
	struct list *at, *next;

	list_for_each_safe (at, next, &sources)
		drop_source(list_entry(at, struct engine_source, node));
}

static void drop_staying(void)
{
	struct list *at, *next;

	pthread_mutex_lock(&sources_lock);
	list_for_each_safe (at, next, &sources) {
		struct engine_source *source = list_entry(at, struct engine_source, node);

		if (source->gone)
			drop_source(source);
	}
	pthread_mutex_unlock(&sources_lock);
}

int engine_stop(bool exiting)
{
	struct timespec deadline;
	int err;

	atomic_store(&engine.stop, true);
	bell_ring(segment_head()->bell);
	clock_gettime(CLOCK_REALTIME, &deadline);
	deadline.tv_sec++;
	if (exiting)
		err = pthread_timedjoin_np(engine.thread, NULL, &deadline);
	else
		err = pthread_join(engine.thread, NULL);
	if (err)
		return -err;
	engine.running = false;
	if (!exiting)
		drop_staying();
	close_all();
	return 0;
}

void engine_fork(enum fork_stage stage)
{
	if (stage == FORK_BEFORE)
		pthread_mutex_lock(&sources_lock);
	if (stage == FORK_CHILD)
		drop_sources();
	if (stage != FORK_BEFORE)
		pthread_mutex_unlock(&sources_lock);
	if (stage != FORK_CHILD || !engine.running)
		return;
	engine.running = false;
	close_all();
	bell_forget();
}
