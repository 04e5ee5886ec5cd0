/* SPDX-License-Identifier: BSD-2-Clause */
#include "session/worker.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "session/error.h"
#include "session/linger.h"
#include "session/session.h"
#include "session/transport.h"

#define SKIPS       16 /* runs that completions alone may fill */
#define ALARM_NEVER UINT64_MAX

struct call {
	struct list node;
	void (*fn)(struct srdma_worker *worker, void *arg);
	void *arg;
};

/*
 * Descriptors
 */

int worker_watch(struct srdma_worker *worker, struct source *source, uint32_t events)
{
	int error = poller_add(worker->poller, source->fd, events, source);

	if (error)
		return fail(error == -ENOSPC || error == -ENOMEM ? SRDMA_ENOMEM
		                                                 : SRDMA_ESYSTEM,
		            "cannot poll a descriptor: %s", errno_text(error));
	return 0;
}

void worker_rewatch(struct srdma_worker *worker, struct source *source, uint32_t events)
{
	poller_change(worker->poller, source->fd, events, source);
}

void worker_unwatch(struct srdma_worker *worker, struct source *source)
{
	if (source->fd < 0)
		return;
	poller_remove(worker->poller, source->fd);
	/* An event of it may be waiting in srdma_worker_run(). */
	for (unsigned i = 0; i < worker->event_count; i++)
		if (worker->events[i].data == source)
			worker->events[i].data = NULL;
}

/*
 * Timers
 */

int worker_add_timer(struct srdma_worker *worker)
{
	int error = timers_reserve(&worker->timers, worker->timer_count + 1);

	if (!error)
		worker->timer_count++;
	return error;
}

void worker_drop_timer(struct srdma_worker *worker, struct timer *timer)
{
	timer_cancel(&worker->timers, timer);
	worker->timer_count--;
}

void worker_set_timer(struct srdma_worker *worker, struct timer *timer, uint64_t after_us)
{
	timer_set(&worker->timers, timer, clock_us() + after_us);
	if (!worker->running)
		worker_kick(worker);
}

/* The alarm follows the first timer, but only forwards: early alarms are cheaper than
 * calls. */
static void set_alarm(struct srdma_worker *worker)
{
	uint64_t first = timers_first(&worker->timers);

	if (first >= worker->alarm_at)
		return;
	worker->alarm_at = first;
	alarm_set(worker->alarm.fd, first);
}

static void alarm_ready(struct source *source, uint32_t events)
{
	struct srdma_worker *worker = container_of(source, struct srdma_worker, alarm);

	(void)events;
	if (alarm_clear(source->fd))
		worker->alarm_at = ALARM_NEVER;
}

/*
 * Other threads
 */

void srdma_worker_wake(struct srdma_worker *worker)
{
	notice_raise(worker->wake.fd);
}

void worker_kick(struct srdma_worker *worker)
{
	if (worker->running)
		worker->again = true;
	else
		srdma_worker_wake(worker);
}

static void wake_ready(struct source *source, uint32_t events)
{
	(void)events;
	notice_clear(source->fd);
}

int srdma_worker_call(struct srdma_worker *worker,
                      void (*fn)(struct srdma_worker *worker, void *arg), void *arg)
{
	struct call *call = malloc(sizeof(*call));

	if (!call)
		return fail(SRDMA_ENOMEM, "out of memory for a call");
	call->fn = fn;
	call->arg = arg;
	pthread_mutex_lock(&worker->calls_lock);
	list_append(&worker->calls, &call->node);
	pthread_mutex_unlock(&worker->calls_lock);
	srdma_worker_wake(worker);
	return 0;
}

static unsigned make_calls(struct srdma_worker *worker)
{
	struct list calls;
	unsigned count = 0;

	list_init(&calls);
	pthread_mutex_lock(&worker->calls_lock);
	list_splice(&calls, &worker->calls);
	pthread_mutex_unlock(&worker->calls_lock);
	list_for_each_safe (node, &calls) {
		struct call *call = container_of(node, struct call, node);

		call->fn(worker, call->arg);
		free(call);
		count++;
	}
	return count;
}

/*
 * Running
 */

unsigned worker_poll(struct srdma_worker *worker)
{
	return worker->transport->poll(worker);
}

/* Sessions that have something to settle: ends above all. Completions come first. */
static unsigned attend(struct srdma_worker *worker)
{
	struct list sessions;
	unsigned count = 0;

	list_init(&sessions);
	list_splice(&sessions, &worker->attention);
	while (!list_empty(&sessions)) {
		struct srdma_session *session =
		        container_of(sessions.next, struct srdma_session, attention);

		list_remove(&session->attention);
		session_attend(session);
		count++;
	}
	return count;
}

static unsigned step(struct srdma_worker *worker)
{
	unsigned count = worker_poll(worker);

	count += make_calls(worker);
	count += timers_run(&worker->timers, clock_us());
	if (!list_empty(&worker->attention)) {
		worker_poll(worker);
		count += attend(worker);
	}
	return count;
}

static unsigned spin(struct srdma_worker *worker)
{
	uint64_t end = clock_us() + worker->options.number[SRDMA_OPT_SPIN];
	unsigned count = 0;

	while (!count && clock_us() < end)
		count = worker_poll(worker);
	return count;
}

static unsigned dispatch(struct srdma_worker *worker, int timeout_ms)
{
	int count = poller_wait(worker->poller, worker->events, timeout_ms);
	unsigned handled = 0;

	worker->event_count = count > 0 ? (unsigned)count : 0;
	for (unsigned i = 0; i < worker->event_count; i++) {
		struct source *source = worker->events[i].data;

		if (!source)
			continue;
		source->ready(source, worker->events[i].events);
		handled++;
	}
	worker->event_count = 0;
	return handled;
}

/* What those who are still on the stack had in their hands. */
static void reap(struct srdma_worker *worker)
{
	while (!list_empty(&worker->dead))
		session_reap(container_of(worker->dead.next, struct srdma_session, node));
}

void worker_rest(struct srdma_worker *worker)
{
	reap(worker);
	worker->running = false;
}

/* Whether a look at the descriptors can be put off: the completions keep us busy. */
static bool can_skip(struct srdma_worker *worker, unsigned handled)
{
	return handled && ++worker->skipped < SKIPS;
}

/*
 * Before sleeping the transport is armed and polled once more, so that what came
 * between is not slept through.
 */
static int run(struct srdma_worker *worker, int timeout_ms)
{
	unsigned handled = step(worker);
	int error;

	if (!handled && timeout_ms && worker->options.number[SRDMA_OPT_SPIN])
		handled = spin(worker);
	if (!can_skip(worker, handled)) {
		worker->skipped = 0;
		if (!handled && timeout_ms) {
			error = worker->transport->arm(worker);
			if (error)
				return error;
			handled = step(worker);
		}
		set_alarm(worker);
		handled += dispatch(worker, handled || worker->again ? 0 : timeout_ms);
		worker->again = false;
		handled += step(worker);
	}
	if (worker->watched) {
		unsigned more;

		error = worker->transport->arm(worker);
		if (error)
			return error;
		more = step(worker);
		worker->again |= more > 0; /* and there may be more than a step takes */
		handled += more;
	}
	return (int)handled;
}

int srdma_worker_run(struct srdma_worker *worker, int timeout_ms)
{
	int result;

	if (worker->running)
		return fail(SRDMA_ESTATE,
		            "srdma_worker_run() was called from a callback");
	worker->running = true;
	result = run(worker, timeout_ms);
	worker_rest(worker);
	set_alarm(worker);
	/* Someone else polls the descriptor: what is left must show there. */
	if (worker->again || !list_empty(&worker->attention))
		srdma_worker_wake(worker);
	return result;
}

int srdma_worker_fd(const struct srdma_worker *worker)
{
	((struct srdma_worker *)worker)->watched = true;
	return worker->poller;
}

/*
 * Life
 */

static void init(struct srdma_worker *worker)
{
	worker->poller = -1;
	worker->wake = (struct source){ -1, wake_ready };
	worker->alarm = (struct source){ -1, alarm_ready };
	worker->alarm_at = ALARM_NEVER;
	list_init(&worker->adapters);
	list_init(&worker->sessions);
	strangers_init(&worker->strangers);
	list_init(&worker->attention);
	list_init(&worker->dead);
	list_init(&worker->lingers);
	list_init(&worker->calls);
	pthread_mutex_init(&worker->calls_lock, NULL);
}

static int open_descriptors(struct srdma_worker *worker)
{
	int error;

	error = worker->poller = poller_open();
	if (error >= 0)
		error = worker->wake.fd = notice_open();
	if (error >= 0)
		error = worker->alarm.fd = alarm_open();
	if (error < 0)
		return fail(SRDMA_ESYSTEM, "cannot create a worker's descriptors: %s",
		            errno_text(error));
	error = worker_watch(worker, &worker->wake, POLLER_IN);
	return error ? error : worker_watch(worker, &worker->alarm, POLLER_IN);
}

static int check_context(struct srdma_worker *worker)
{
	SSL_CTX *tls;
	int error = context_tls(worker->context, &tls);

	if (error)
		return error;
	SSL_CTX_free(tls);
	return worker->transport->check(worker);
}

int srdma_worker_new(struct srdma_context *context, struct srdma_worker **out)
{
	struct srdma_worker *worker = calloc(1, sizeof(*worker));
	int error;

	if (!worker)
		return fail(SRDMA_ENOMEM, "out of memory for a worker");
	init(worker);
	worker->context = context_hold(context);
	error = context_options(context, &worker->options);
	if (!error) {
		worker->transport =
		        transport_find(worker->options.number[SRDMA_OPT_TRANSPORT]);
		error = check_context(worker);
	}
	if (!error)
		error = open_descriptors(worker);
	if (error)
		srdma_worker_free(worker);
	else
		*out = worker;
	return error;
}

static void end_sessions(struct srdma_worker *worker)
{
	while (!list_empty(&worker->sessions)) {
		struct srdma_session *session =
		        container_of(worker->sessions.next, struct srdma_session, node);

		session_end(session);
		if (!session->freed) /* in its last callback */
			session_discard(session);
	}
	reap(worker);
}

static void close_fd(int fd)
{
	if (fd >= 0)
		close(fd);
}

void srdma_worker_free(struct srdma_worker *worker)
{
	if (!worker)
		return;
	worker->running = true;
	make_calls(worker);
	end_sessions(worker);
	while (make_calls(worker)) /* those that calls and callbacks made */
		;
	linger_end_all(worker);
	if (worker->transport)
		worker->transport->end(worker);
	timers_clear(&worker->timers);
	close_fd(worker->wake.fd);
	close_fd(worker->alarm.fd);
	close_fd(worker->poller);
	pthread_mutex_destroy(&worker->calls_lock);
	options_clear(&worker->options);
	srdma_context_free(worker->context);
	free(worker);
}

unsigned srdma_worker_sessions(const struct srdma_worker *worker)
{
	return worker->session_count;
}

struct srdma_session *srdma_worker_next(const struct srdma_worker *worker,
                                        const struct srdma_session *after)
{
	const struct list *next = after ? after->node.next : worker->sessions.next;

	return next == &worker->sessions ? NULL
	                                 : container_of(next, struct srdma_session, node);
}

void srdma_worker_stats(const struct srdma_worker *worker,
                        struct srdma_worker_stats *stats, size_t size)
{
	struct srdma_worker_stats now = worker->stats;

	now.handshakes = strangers_count(&worker->strangers);
	now.crowded_out = worker->strangers.closed;
	memcpy(stats, &now, size < sizeof(now) ? size : sizeof(now));
}
