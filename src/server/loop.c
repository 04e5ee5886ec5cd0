/* SPDX-License-Identifier: BSD-2-Clause */
#include "server/loop.h"

#include <event2/event.h>
#include <stdlib.h>

#include "common/clock.h"
#include "program/logger.h"
#include "server/peer.h"
#include "server/policy.h"

static void end_when_drained(struct loop *loop)
{
	if (loop->draining && srdma_worker_sessions(loop->worker) == 0)
		event_base_loopbreak(loop->base);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct loop *loop = arg;
	int handled = srdma_worker_run(loop->worker, 0);
	struct srdma_worker_stats stats;

	(void)fd;
	(void)what;
	if (handled < 0)
		log_say(SRDMA_LOG_ERROR, "worker %u: %s", loop->number, srdma_detail());
	atomic_fetch_sub(&loop->arriving, loop->taken_up);
	loop->taken_up = 0;
	srdma_worker_stats(loop->worker, &stats, sizeof(stats));
	atomic_store(&loop->handshakes, (unsigned)stats.handshakes);
	atomic_store(&loop->sessions, srdma_worker_sessions(loop->worker));
	end_when_drained(loop);
}

static void on_sweep(evutil_socket_t fd, short what, void *arg)
{
	struct loop *loop = arg;
	uint64_t idle_us = loop->server->settings.idle_timeout_ms * 1000;
	uint64_t now = clock_us();

	(void)fd;
	(void)what;
	list_for_each_safe (node, &loop->peers) {
		struct peer *peer = container_of(node, struct peer, node);

		if (now - peer->active_us > idle_us)
			peer_close_idle(peer);
	}
}

/* A quarter of the time that it watches over, and at least a second. */
static void start_sweep(struct loop *loop)
{
	uint64_t ms = loop->server->settings.idle_timeout_ms / 4;
	struct timeval interval;

	if (!loop->server->settings.idle_timeout_ms)
		return;
	ms = ms < 100 ? 100 : ms > 60000 ? 60000 : ms;
	interval = (struct timeval){ .tv_sec = (time_t)(ms / 1000),
		                     .tv_usec = (suseconds_t)(ms % 1000 * 1000) };
	event_add(loop->sweep, &interval);
}

static void on_count(evutil_socket_t fd, short what, void *arg)
{
	struct loop *loop = arg;

	(void)fd;
	(void)what;
	list_for_each (node, &loop->peers)
		peer_count(container_of(node, struct peer, node));
}

static void start_counting(struct loop *loop)
{
	const struct timeval second = { .tv_sec = 1 };

	if (loop->server->settings.metrics)
		event_add(loop->counting, &second);
}

static void cut_all(struct loop *loop)
{
	struct srdma_session *session = srdma_worker_next(loop->worker, NULL);

	while (session) {
		struct srdma_session *next = srdma_worker_next(loop->worker, session);

		srdma_session_abort(session, "the server is being stopped");
		session = next;
	}
}

static void on_deadline(evutil_socket_t fd, short what, void *arg)
{
	struct loop *loop = arg;

	(void)fd;
	(void)what;
	loop->drain_over = true;
	log_say(SRDMA_LOG_WARN, "worker %u: cut %u sessions that were still busy",
	        loop->number, srdma_worker_sessions(loop->worker));
	cut_all(loop);
}

static void start_drain(struct srdma_worker *worker, void *arg)
{
	struct loop *loop = arg;
	uint64_t ms = loop->server->settings.drain_timeout_ms;
	struct timeval patience = { .tv_sec = (time_t)(ms / 1000),
		                    .tv_usec = (suseconds_t)(ms % 1000 * 1000) };
	struct srdma_session *session = srdma_worker_next(worker, NULL);

	loop->draining = true;
	event_add(loop->deadline, &patience);
	while (session) {
		struct srdma_session *next = srdma_worker_next(worker, session);

		if (srdma_session_state(session) < SRDMA_STATE_ESTABLISHED)
			srdma_session_abort(session, "the server is being stopped");
		session = next;
	}
	list_for_each_safe (node, &loop->peers)
		peer_drain(container_of(node, struct peer, node));
}

void loop_drain(struct loop *loop)
{
	if (srdma_worker_call(loop->worker, start_drain, loop) < 0)
		log_say(SRDMA_LOG_ERROR, "worker %u cannot be told to stop: %s",
		        loop->number, srdma_detail());
}

/* A policy on its way to a loop. */
struct change {
	struct loop *loop;
	struct policy *policy;
};

static void change_policy(struct srdma_worker *worker, void *arg)
{
	struct change *change = arg;
	struct loop *loop = change->loop;

	(void)worker;
	policy_drop(loop->policy);
	loop->policy = change->policy;
	free(change);
	list_for_each_safe (node, &loop->peers)
		peer_policy_changed(container_of(node, struct peer, node));
}

int loop_set_policy(struct loop *loop, struct policy *policy)
{
	struct change *change = malloc(sizeof(*change));
	int error;

	if (!change)
		return fault(FAULT_MEMORY, "out of memory");
	*change = (struct change){ loop, policy_hold(policy) };
	error = srdma_worker_call(loop->worker, change_policy, change);
	if (!error)
		return 0;
	policy_drop(policy);
	free(change);
	return fault_srdma(error);
}

static void *run(void *arg)
{
	struct loop *loop = arg;

	event_base_dispatch(loop->base);
	if (atomic_fetch_sub(&loop->server->loops_running, 1) == 1)
		event_active(loop->server->ended, 0, 0);
	return NULL;
}

int loop_start(struct loop *loop)
{
	int error;

	if (event_add(loop->readable, NULL) < 0)
		return fault(FAULT_SYSTEM, "libevent cannot watch a descriptor");
	start_sweep(loop);
	start_counting(loop);
	atomic_fetch_add(&loop->server->loops_running, 1);
	error = pthread_create(&loop->thread, NULL, run, loop);
	if (error) {
		atomic_fetch_sub(&loop->server->loops_running, 1);
		return fault_errno(error, "cannot start a thread");
	}
	loop->started = true;
	return 0;
}

static int make_events(struct loop *loop)
{
	loop->base = event_base_new();
	if (!loop->base)
		return fault(FAULT_SYSTEM, "libevent cannot make a loop");
	loop->readable = event_new(loop->base, srdma_worker_fd(loop->worker),
	                           EV_READ | EV_PERSIST, on_readable, loop);
	loop->sweep = event_new(loop->base, -1, EV_PERSIST, on_sweep, loop);
	loop->deadline = event_new(loop->base, -1, 0, on_deadline, loop);
	loop->counting = event_new(loop->base, -1, EV_PERSIST, on_count, loop);
	if (!loop->readable || !loop->sweep || !loop->deadline || !loop->counting)
		return fault(FAULT_MEMORY, "out of memory");
	return 0;
}

int loop_new(struct server *server, unsigned number, struct loop **out)
{
	struct loop *loop = calloc(1, sizeof(*loop));
	int error;

	if (!loop)
		return fault(FAULT_MEMORY, "out of memory");
	loop->server = server;
	loop->number = number;
	loop->policy = policy_hold(server->policy);
	list_init(&loop->peers);
	error = srdma_worker_new(server->context, &loop->worker);
	error = error ? fault_srdma(error) : make_events(loop);
	if (error)
		loop_free(loop);
	else
		*out = loop;
	return error;
}

void loop_join(struct loop *loop)
{
	if (loop->started)
		pthread_join(loop->thread, NULL);
	loop->started = false;
}

void loop_free(struct loop *loop)
{
	srdma_worker_free(loop->worker);
	policy_drop(loop->policy);
	if (loop->readable)
		event_free(loop->readable);
	if (loop->sweep)
		event_free(loop->sweep);
	if (loop->deadline)
		event_free(loop->deadline);
	if (loop->counting)
		event_free(loop->counting);
	if (loop->base)
		event_base_free(loop->base);
	free(loop);
}
