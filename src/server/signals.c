/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The first signal to stop drains; the second one does not wait for anything. SIGHUP:
 * read files again.
 */
#include <event2/event.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "program/logger.h"
#include "server/loop.h"
#include "server/server.h"

static struct event *watched[3];

static void end_at_once(const struct server *server)
{
	unsigned sessions = 0;

	for (unsigned i = 0; i < server->loop_count; i++)
		sessions += atomic_load(&server->loops[i]->sessions);
	log_say(SRDMA_LOG_WARN, "ended at once, with about %u sessions", sessions);
	_exit(EXIT_FAILURE);
}

static void on_signal(evutil_socket_t number, short what, void *arg)
{
	struct server *server = arg;

	(void)what;
	if (server->signals++)
		end_at_once(server);
	log_say(SRDMA_LOG_INFO,
	        "%s: stopping: transfers under way may end; again to end at once",
	        number == SIGTERM ? "SIGTERM" : "SIGINT");
	acceptor_free(server->acceptor);
	server->acceptor = NULL;
	for (unsigned i = 0; i < server->loop_count; i++)
		loop_drain(server->loops[i]);
}

static void on_hangup(evutil_socket_t number, short what, void *arg)
{
	(void)number;
	(void)what;
	server_reload(arg);
}

int signals_watch(struct server *server)
{
	static const struct {
		int number;
		event_callback_fn fn;
	} signals[] = {
		{ SIGTERM, on_signal },
		{ SIGINT, on_signal },
		{ SIGHUP, on_hangup },
	};

	signal(SIGPIPE, SIG_IGN); /* the log may go to a pipe that has closed */
	signal(SIGXFSZ, SIG_IGN); /* a full disk is an error of one transfer */
	for (int i = 0; i < 3; i++) {
		watched[i] = evsignal_new(server->base, signals[i].number, signals[i].fn,
		                          server);
		if (!watched[i] || event_add(watched[i], NULL) < 0)
			return fault(FAULT_SYSTEM, "libevent cannot watch signals");
	}
	return 0;
}

/* One that still comes has nothing left to stop, and would only spoil the exit status. */
static void hold_back(void)
{
	sigset_t set;

	sigemptyset(&set);
	for (int i = 0; i < 3; i++)
		if (watched[i])
			sigaddset(&set, event_get_signal(watched[i]));
	pthread_sigmask(SIG_BLOCK, &set, NULL);
}

void signals_unwatch(void)
{
	hold_back();
	for (int i = 0; i < 3; i++) {
		if (watched[i])
			event_free(watched[i]);
		watched[i] = NULL;
	}
}
