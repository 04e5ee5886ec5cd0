/* SPDX-License-Identifier: BSD-2-Clause */
/* The process: one acceptor in the main thread, and the loops that serve sessions. */
#ifndef SERVER_SERVER_H
#define SERVER_SERVER_H

#include <stdatomic.h>

#include "program/jobs.h"
#include "server/account.h"
#include "server/metrics.h"
#include "server/parking.h"
#include "server/refusals.h"
#include "server/settings.h"
#include "srdma.h"

struct event;
struct event_base;
struct loop;
struct policy;
struct acceptor;

struct server_totals {
	_Atomic uint64_t sessions; /* established */
	_Atomic uint64_t refused;  /* ended before that */
	_Atomic uint64_t failed;   /* ended otherwise than by a close */
	_Atomic uint64_t files_received;
	_Atomic uint64_t files_sent;
	_Atomic uint64_t bytes_received; /* of these files */
	_Atomic uint64_t bytes_sent;
};

struct server {
	struct settings settings;
	struct srdma_context *context;
	struct policy *policy; /* in force; the main thread's. NULL: none */
	struct jobs *jobs;
	struct accounts accounts;
	struct parking parking;
	struct server_totals totals;
	struct metrics metrics;
	struct metrics_http *metrics_http;
	struct refusals *refusals; /* packets that devices refused */
	struct event_base *base;   /* of the main thread */
	struct acceptor *acceptor;
	struct loop **loops;
	unsigned loop_count;
	struct event *sweep; /* of the parking */
	struct event *ended; /* active when the last loop has ended */
	_Atomic unsigned loops_running;
	unsigned signals; /* received, to stop */
};

/* Everything up to listening, and the end. Faults are logged. */
int server_start(struct server *server);
void server_run(struct server *server);
void server_finish(struct server *server);

/* acceptor.c: takes connections and hands them to the loop with the fewest sessions. */
int acceptor_new(struct server *server, struct acceptor **out);
uint16_t acceptor_port(const struct acceptor *acceptor);
void acceptor_free(struct acceptor *acceptor);

/*
 * reload.c: what files say. server_reload() takes each over alone: what cannot be used is
 * named in the log, and what was in force stays so.
 */
int server_load_policy(struct server *server);
void server_reload(struct server *server);

/* signals.c: SIGTERM, SIGINT and SIGHUP reach the main thread's loop. */
int signals_watch(struct server *server);
void signals_unwatch(void);

#endif
