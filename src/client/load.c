/* SPDX-License-Identifier: BSD-2-Clause */
#include "client/load.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "client/client.h"
#include "common/clock.h"
#include "program/app.h"
#include "srdma.h"

enum { CLOSE_PATIENCE_MS = 30000, OVERHEAD = APP_HEADER + 16, USUAL_MESSAGE = 16384 };

struct load;

struct caller {
	struct load *load;
	struct srdma_session *session; /* NULL: never begun, or gone */
	uint64_t began_ns;             /* its set-up, then its last message */
	uint32_t id;                   /* of that */
	bool established;
	bool waits; /* for the answer */
	bool blocked;
};

struct load {
	const struct load_plan *plan;
	int control;
	struct srdma_context *context;
	struct srdma_worker *worker;
	struct caller *callers;
	uint64_t begun, opening, waiting, open;
	bool talking, closing;
	char *payload;
	char *message; /* encoded */
	struct load_result result;
};

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* The first sentence says enough. */
static void note(struct load *load, int error, const char *text)
{
	if (load->result.fault)
		return;
	load->result.fault = error;
	snprintf(load->result.text, sizeof(load->result.text), "%s", text);
}

/* --- messages ----------------------------------------------------------------------- */

static void say(struct caller *caller)
{
	struct load *load = caller->load;
	struct app_message message = { .type = APP_PING,
		                       .id = ++caller->id,
		                       .payload = { load->payload, load->plan->size } };
	size_t length = app_encode(&message, load->message, load->plan->size + OVERHEAD);
	int error;

	caller->began_ns = now_ns();
	error = srdma_send(caller->session, load->message, length, NULL);
	caller->blocked = error == SRDMA_EBLOCKED;
	if (error && !caller->blocked) {
		note(load, fault_srdma(error), fault_text());
		srdma_session_abort(caller->session, "cannot send");
		return;
	}
	if (!caller->waits)
		load->waiting++;
	caller->waits = true;
}

static bool is_answer(const struct caller *caller, const struct app_message *message)
{
	const struct load *load = caller->load;

	return caller->waits && message->type == APP_PONG && message->id == caller->id &&
	       message->payload.length == load->plan->size &&
	       !memcmp(message->payload.at, load->payload, load->plan->size);
}

static void on_message(struct srdma_session *session, struct srdma_message *raw,
                       void *user)
{
	struct caller *caller = user;
	struct load *load = caller->load;
	struct app_message message;

	if (app_decode(srdma_message_data(raw), srdma_message_length(raw), &message) ||
	    !is_answer(caller, &message)) {
		note(load, fault(FAULT_MISMATCH, "a pong is not what was sent"),
		     fault_text());
		srdma_session_abort(session, fault_text());
		return;
	}
	histogram_add(&load->result.round_trip, now_ns() - caller->began_ns);
	load->result.bytes += load->plan->size;
	caller->waits = false;
	load->waiting--;
	if (load->talking && !load->plan->interval_ms)
		say(caller);
}

static void on_writable(struct srdma_session *session, void *user)
{
	struct caller *caller = user;

	(void)session;
	if (caller->blocked)
		say(caller);
}

/* --- sessions ----------------------------------------------------------------------- */

static void on_established(struct srdma_session *session, void *user)
{
	struct caller *caller = user;
	struct load *load = caller->load;

	(void)session;
	caller->established = true;
	load->opening--;
	load->result.established++;
	histogram_add(&load->result.set_up, now_ns() - caller->began_ns);
	histogram_add(&load->result.there, (clock_us() - load->plan->began_us) * 1000);
}

static void on_closed(struct srdma_session *session, int code, const char *reason,
                      void *user)
{
	struct caller *caller = user;
	struct load *load = caller->load;

	if (!caller->established) {
		load->opening--;
		load->result.failed++;
	} else if (!load->closing) {
		load->result.lost++;
	}
	if (!caller->established || !load->closing)
		note(load, fault_srdma_text(code, reason), fault_text());
	if (caller->waits)
		load->waiting--;
	caller->waits = caller->blocked = false;
	caller->session = NULL;
	load->open--;
	srdma_session_free(session);
}

static const struct srdma_handlers handlers = {
	.size = sizeof(handlers),
	.on_established = on_established,
	.on_message = on_message,
	.on_writable = on_writable,
	.on_closed = on_closed,
};

static void begin_one(struct load *load)
{
	struct caller *caller = &load->callers[load->begun++];
	int error;

	caller->load = load;
	caller->began_ns = now_ns();
	error = srdma_connect(load->worker, load->plan->host, load->plan->port, &handlers,
	                      caller, &caller->session);
	if (error) {
		note(load, fault_srdma(error), fault_text());
		load->result.failed++;
		return;
	}
	load->opening++;
	load->open++;
}

/* --- the phases --------------------------------------------------------------------- */

static void step(struct load *load, uint64_t until_us)
{
	uint64_t now = clock_us();
	uint64_t ms = now < until_us ? (until_us - now + 999) / 1000 : 0;
	int handled = srdma_worker_run(load->worker, ms > 1000 ? 1000 : (int)ms);

	if (handled < 0) {
		note(load, fault_srdma(handled), fault_text());
		_exit(EXIT_FAILURE);
	}
	if (client_was_interrupted())
		_exit(EXIT_FAILURE);
}

static void open_all(struct load *load)
{
	while (load->begun < load->plan->sessions || load->opening) {
		while (load->begun < load->plan->sessions &&
		       load->opening < load->plan->opening)
			begin_one(load);
		if (load->opening)
			step(load, UINT64_MAX);
	}
}

static void tell(struct load *load)
{
	const char *at = (const char *)&load->result;
	size_t left = sizeof(load->result);

	while (left) {
		ssize_t written = write(load->control, at, left);

		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0)
			_exit(EXIT_FAILURE);
		at += written;
		left -= (size_t)written;
	}
}

/* Sessions have to be kept alive meanwhile. */
static void wait_for_go(struct load *load)
{
	struct pollfd wait[] = { { .fd = load->control, .events = POLLIN },
		                 { .fd = srdma_worker_fd(load->worker),
		                   .events = POLLIN } };
	char go;

	while (!wait[0].revents) {
		if (poll(wait, 2, -1) < 0 && errno != EINTR)
			_exit(EXIT_FAILURE);
		step(load, 0);
	}
	if (read(load->control, &go, 1) != 1)
		_exit(EXIT_FAILURE);
}

static void say_all(struct load *load)
{
	for (uint64_t i = 0; i < load->begun; i++)
		if (load->callers[i].session)
			say(&load->callers[i]);
}

/* The sessions take turns, an interval for all; one that waits misses its turn. */
static uint64_t turn_us(const struct load *load, uint64_t turn)
{
	return turn * load->plan->interval_ms * 1000 / load->begun;
}

/* When the next turn is, of those up to now. */
static uint64_t say_due(struct load *load, uint64_t began_us, uint64_t *turn)
{
	uint64_t now = clock_us() - began_us;

	while (turn_us(load, *turn) <= now) {
		struct caller *caller = &load->callers[(*turn)++ % load->begun];

		if (caller->session && !caller->waits)
			say(caller);
	}
	return began_us + turn_us(load, *turn);
}

static void talk(struct load *load)
{
	uint64_t began = clock_us(), until = began + load->plan->for_ms * 1000;
	uint64_t patience = until + load->plan->options->timeout_ms * 1000;
	uint64_t turn = 0;

	load->talking = load->plan->for_ms;
	if (load->talking && !load->plan->interval_ms)
		say_all(load);
	while (load->open && clock_us() < until) {
		uint64_t next = until;

		if (load->plan->interval_ms)
			next = say_due(load, began, &turn);
		step(load, next < until ? next : until);
	}
	load->talking = false;
	load->result.message_us = clock_us() - began;
	while (load->waiting && clock_us() < patience)
		step(load, patience);
	if (load->waiting)
		note(load,
		     fault(FAULT_TIMEOUT, "%llu messages have not come back",
		           (unsigned long long)load->waiting),
		     fault_text());
}

static void close_all(struct load *load)
{
	uint64_t until = clock_us() + CLOSE_PATIENCE_MS * UINT64_C(1000);

	load->closing = true;
	for (uint64_t i = 0; i < load->begun; i++)
		if (load->callers[i].session)
			srdma_session_close(load->callers[i].session);
	while (load->open && clock_us() < until)
		step(load, until);
}

/* --- life --------------------------------------------------------------------------- */

static int prepare(struct load *load)
{
	int error = client_context_new(load->plan->options, &load->context);

	if (error)
		return error;
	error = srdma_context_set_number(load->context, SRDMA_OPT_MAX_SESSIONS,
	                                 load->plan->sessions);
	/* Answers are as large, and the usual room is what most sessions need. */
	if (!error && load->plan->size + OVERHEAD > USUAL_MESSAGE)
		error = srdma_context_set_number(load->context, SRDMA_OPT_MESSAGE_SIZE,
		                                 load->plan->size + OVERHEAD);
	if (!error)
		error = srdma_worker_new(load->context, &load->worker);
	if (error)
		return fault_srdma(error);
	load->callers = calloc(load->plan->sessions, sizeof(*load->callers));
	load->payload = malloc(load->plan->size + 1);
	load->message = malloc(load->plan->size + OVERHEAD);
	if (!load->callers || !load->payload || !load->message)
		return fault(FAULT_MEMORY, "out of memory");
	for (uint64_t i = 0; i < load->plan->size; i++)
		load->payload[i] = (char)(i * 7 + 1);
	return 0;
}

static void clear(struct load *load)
{
	srdma_worker_free(load->worker);
	srdma_context_free(load->context);
	free(load->callers);
	free(load->payload);
	free(load->message);
}

void load_run(const struct load_plan *plan, int control)
{
	static struct load load;
	int error;

	load.plan = plan;
	load.control = control;
	error = prepare(&load);
	if (error) {
		note(&load, error, fault_text());
		load.result.failed = plan->sessions;
	} else {
		open_all(&load);
	}
	tell(&load);
	if (!error) {
		wait_for_go(&load);
		talk(&load);
		tell(&load);
		close_all(&load);
	}
	clear(&load);
	exit(EXIT_SUCCESS);
}
