/* SPDX-License-Identifier: BSD-2-Clause */
/* The client's one session, and waiting for what comes of it. Single-threaded. */
#ifndef CLIENT_CLIENT_H
#define CLIENT_CLIENT_H

#include <stdbool.h>

#include "client/options.h"
#include "program/channel.h"
#include "program/fault.h"
#include "srdma.h"

struct client;

/* A request whose answers are no transfer. One at a time. */
struct exchange {
	uint32_t id;
	bool done;
	int result; /* 0, or the fault that the server answered with */
	char text[FAULT_TEXT];
	/* An answer, other than FAIL. Sets `done` when it was the last. */
	void (*answer)(struct exchange *exchange, const struct app_message *message);
};

struct client {
	struct client_options options;
	struct srdma_context *context;
	struct srdma_worker *worker;
	struct srdma_session *session;
	struct channel channel;
	struct jobs *jobs; /* NULL until a file is moved */
	struct exchange *exchange;
	uint32_t last_id;
	uint64_t heard_us; /* from the server, last */
	bool established;
	bool closing; /* the server has begun to */
	bool closed;
	int reason;
	char reason_text[FAULT_TEXT];
};

/* With these options, loaded; *out is to be freed on failure too. 0 or a fault. */
int client_context_new(const struct client_options *options, struct srdma_context **out);

/* Everything up to an established session. 0 or a fault with a sentence. */
int client_open(struct client *client, const char *host, const char *port);

/*
 * Closes in order if it is open, and frees; it can be opened again. A fault that the
 * close brought to light.
 */
int client_close(struct client *client);

uint32_t client_next_id(struct client *client);

/* Threads for files, when they are first needed. */
int client_need_jobs(struct client *client);

/*
 * Runs the session until *done. A fault when it ends before, when nothing is heard for
 * --timeout, or when the user interrupts.
 */
int client_wait(struct client *client, const bool *done);

/* The same with what is done after `ms`, which is no fault then. */
int client_pause(struct client *client, uint64_t ms);

/* Sends `request` under the exchange's new id, and waits for the exchange to be done. */
int client_ask(struct client *client, struct exchange *exchange,
               struct app_message *request);

/*
 * How the session ended, if it has: with an answer may come the end, and nothing can be
 * begun on it then.
 */
int client_check_session(const struct client *client);

/* What is waiting, without blocking; for a caller that polls the worker itself. */
int client_run(struct client *client);

/* SIGINT and SIGTERM end a wait, instead of the program. */
void client_catch_signals(void);
bool client_was_interrupted(void);

#endif
