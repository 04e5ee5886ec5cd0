/* SPDX-License-Identifier: BSD-2-Clause */
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "program/logger.h"
#include "server/loop.h"
#include "server/peer.h"
#include "server/server.h"

#define AT_ONCE 64 /* connections accepted before other events get their turn */
/* Of one loop, and not taken up by it: those count in no limit, but have a descriptor. */
#define ON_THE_WAY 32

/* Until it is tried again. */
#define LOOP_BUSY_US      1000
#define NO_DESCRIPTORS_US 200000

struct acceptor {
	struct server *server;
	struct srdma_listener *listener;
	struct event *readable;
	struct event *retry; /* after a pause */
};

static struct loop *least_loaded(struct server *server)
{
	struct loop *least = server->loops[0];

	for (unsigned i = 1; i < server->loop_count; i++)
		if (atomic_load(&server->loops[i]->sessions) <
		    atomic_load(&least->sessions))
			least = server->loops[i];
	return least;
}

static void taken_up(struct srdma_worker *worker, void *arg)
{
	struct loop *loop = arg;

	(void)worker;
	loop->taken_up++;
}

static void hand_over(struct loop *loop, int fd)
{
	atomic_fetch_add(&loop->sessions, 1);
	if (srdma_worker_adopt(loop->worker, fd, &peer_handlers, &loop->owner) < 0) {
		log_say(SRDMA_LOG_ERROR, "a connection was dropped: %s", srdma_detail());
		close(fd);
		return;
	}
	atomic_fetch_add(&loop->arriving, 1);
	if (srdma_worker_call(loop->worker, taken_up, loop) < 0)
		atomic_fetch_sub(&loop->arriving, 1);
}

static void pause_accepting(struct acceptor *acceptor, long us)
{
	const struct timeval pause = { .tv_usec = us };

	event_del(acceptor->readable);
	event_add(acceptor->retry, &pause);
}

/* Descriptors ran out. */
static void complain(void)
{
	log_say(SRDMA_LOG_ERROR,
	        "no new clients for now: %s: raise 'ulimit -n' or lower --max-sessions",
	        srdma_detail());
}

static void on_readable(evutil_socket_t unused, short what, void *arg)
{
	struct acceptor *acceptor = arg;

	(void)unused;
	(void)what;
	for (int i = 0; i < AT_ONCE; i++) {
		struct loop *loop = least_loaded(acceptor->server);
		int fd, error;

		if (atomic_load(&loop->arriving) >= ON_THE_WAY) {
			pause_accepting(acceptor, LOOP_BUSY_US);
			return;
		}
		error = srdma_listener_accept(acceptor->listener, &fd);
		if (error == SRDMA_EBLOCKED)
			return;
		if (error == SRDMA_ELIMIT) {
			complain();
			pause_accepting(acceptor, NO_DESCRIPTORS_US);
			return;
		}
		if (error < 0)
			log_say(SRDMA_LOG_WARN, "cannot accept: %s", srdma_detail());
		else
			hand_over(loop, fd);
	}
}

static void on_retry(evutil_socket_t unused, short what, void *arg)
{
	struct acceptor *acceptor = arg;

	(void)unused;
	(void)what;
	event_add(acceptor->readable, NULL);
}

static int listen_there(struct acceptor *acceptor)
{
	struct server *server = acceptor->server;
	int error = srdma_listener_new(server->context, server->settings.host,
	                               server->settings.port, &acceptor->listener);

	if (!error)
		return 0;
	return fault(FAULT_SYSTEM, "%.300s (option --listen)", srdma_detail());
}

static int watch(struct acceptor *acceptor)
{
	struct event_base *base = acceptor->server->base;

	acceptor->readable = event_new(base, srdma_listener_fd(acceptor->listener),
	                               EV_READ | EV_PERSIST, on_readable, acceptor);
	acceptor->retry = event_new(base, -1, 0, on_retry, acceptor);
	if (!acceptor->readable || !acceptor->retry ||
	    event_add(acceptor->readable, NULL) < 0)
		return fault(FAULT_SYSTEM, "libevent cannot watch the listener");
	return 0;
}

uint16_t acceptor_port(const struct acceptor *acceptor)
{
	return srdma_listener_port(acceptor->listener);
}

static void announce(const struct acceptor *acceptor)
{
	const char *host = acceptor->server->settings.host;
	uint16_t port = acceptor_port(acceptor);
	struct json fields = { 0 };
	const struct log_about about = {
		.level = SRDMA_LOG_INFO,
		.event = "listening",
		.fields = &fields,
	};

	if (!host || !*host)
		host = "*";
	json_uint(&fields, "port", port);
	log_about(&about,
	          strchr(host, ':') ? "listening on [%s]:%u" : "listening on %s:%u", host,
	          port);
	json_free(&fields);
}

int acceptor_new(struct server *server, struct acceptor **out)
{
	struct acceptor *acceptor = calloc(1, sizeof(*acceptor));
	int error;

	if (!acceptor)
		return fault(FAULT_MEMORY, "out of memory");
	acceptor->server = server;
	error = listen_there(acceptor);
	if (!error)
		error = watch(acceptor);
	if (error) {
		acceptor_free(acceptor);
		return error;
	}
	announce(acceptor);
	*out = acceptor;
	return 0;
}

void acceptor_free(struct acceptor *acceptor)
{
	if (!acceptor)
		return;
	if (acceptor->readable)
		event_free(acceptor->readable);
	if (acceptor->retry)
		event_free(acceptor->retry);
	if (acceptor->listener)
		srdma_listener_free(acceptor->listener);
	free(acceptor);
}
