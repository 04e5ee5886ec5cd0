/* SPDX-License-Identifier: BSD-2-Clause */
#include "client/client.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "program/jobs.h"

#define CLOSE_PATIENCE_MS 5000

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
	(void)number;
	interrupted = 1;
}

void client_catch_signals(void)
{
	struct sigaction action = { .sa_handler = on_signal };

	sigemptyset(&action.sa_mask);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	action.sa_handler = SIG_IGN;
	sigaction(SIGPIPE, &action, NULL);
	sigaction(SIGXFSZ, &action, NULL); /* a write over a limit fails instead */
}

bool client_was_interrupted(void)
{
	return interrupted;
}

/*
 * What the session tells
 */

static void on_established(struct srdma_session *session, void *user)
{
	struct client *client = user;

	(void)session;
	client->established = true;
	client->heard_us = clock_us();
}

static void end_exchange(struct exchange *exchange, const struct app_message *message)
{
	size_t length = message->fail.text.length;

	memcpy(exchange->text, message->fail.text.at, length);
	exchange->text[length] = '\0';
	for (char *c = exchange->text; *c; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			*c = '?';
	exchange->result = fault_from_wire(message->fail.fault);
	exchange->done = true;
}

static int take_message(struct client *client, const struct app_message *message)
{
	struct exchange *exchange = client->exchange;
	bool taken;
	int error = channel_on_message(&client->channel, message, &taken);

	if (error || taken)
		return error;
	/* Answers to what was given up are let pass. */
	if (!exchange || exchange->id != message->id || exchange->done)
		return 0;
	if (message->type == APP_FAIL)
		end_exchange(exchange, message);
	else
		exchange->answer(exchange, message);
	return 0;
}

static void on_message(struct srdma_session *session, struct srdma_message *raw,
                       void *user)
{
	struct client *client = user;
	struct app_message message;
	int error =
	        app_decode(srdma_message_data(raw), srdma_message_length(raw), &message);

	client->heard_us = clock_us();
	if (!error)
		error = take_message(client, &message);
	if (!error)
		return;
	client->reason = error;
	snprintf(client->reason_text, sizeof(client->reason_text), "%s", fault_text());
	srdma_session_abort(session, fault_text());
}

static void on_complete(struct srdma_session *session,
                        const struct srdma_completion *completion, void *user)
{
	struct client *client = user;

	(void)session;
	client->heard_us = clock_us();
	channel_on_complete(completion);
}

static void on_writable(struct srdma_session *session, void *user)
{
	struct client *client = user;

	(void)session;
	channel_on_writable(&client->channel);
}

static void on_grant(struct srdma_session *session, struct srdma_remote *remote,
                     void *user)
{
	struct client *client = user;

	(void)session;
	(void)remote;
	client->heard_us = clock_us();
	channel_on_grant(&client->channel);
}

static void on_revoke(struct srdma_session *session, struct srdma_remote *remote,
                      void *user)
{
	struct client *client = user;

	(void)session;
	channel_on_revoke(&client->channel, remote);
}

static void on_released(struct srdma_session *session, uint64_t tag, void *user)
{
	struct client *client = user;

	(void)session;
	channel_on_released(&client->channel, tag);
}

static void on_closing(struct srdma_session *session, void *user)
{
	struct client *client = user;

	(void)session;
	client->closing = true;
}

static void on_closed(struct srdma_session *session, int code, const char *reason,
                      void *user)
{
	struct client *client = user;

	(void)session;
	if (!client->reason) {
		client->reason = fault_srdma_text(code, code == SRDMA_ECLOSED
		                                                ? "the server closed the "
		                                                  "session"
		                                                : reason);
		snprintf(client->reason_text, sizeof(client->reason_text), "%s",
		         fault_text());
	}
	channel_on_closed(&client->channel, client->reason, client->reason_text);
	client->closed = true;
}

static const struct srdma_handlers handlers = {
	.size = sizeof(handlers),
	.on_established = on_established,
	.on_message = on_message,
	.on_complete = on_complete,
	.on_writable = on_writable,
	.on_grant = on_grant,
	.on_revoke = on_revoke,
	.on_released = on_released,
	.on_closing = on_closing,
	.on_closed = on_closed,
};

/*
 * Waiting
 */

static int closed(const struct client *client)
{
	return fault((enum fault) - client->reason, "%s", client->reason_text);
}

int client_check_session(const struct client *client)
{
	return client->closed ? closed(client) : 0;
}

int client_run(struct client *client)
{
	int handled = srdma_worker_run(client->worker, 0);

	return handled < 0 ? fault_srdma(handled) : client_check_session(client);
}

/* One step of a wait that ends at `deadline`. */
static int wait_step(struct client *client, uint64_t deadline)
{
	uint64_t now = clock_us();
	uint64_t ms = now < deadline ? (deadline - now + 999) / 1000 : 0;
	int handled = srdma_worker_run(client->worker, (int)ms);

	if (handled < 0)
		return fault_srdma(handled);
	if (client->closed)
		return closed(client);
	if (interrupted)
		return fault(FAULT_CANCELLED, "interrupted");
	return 0;
}

int client_wait(struct client *client, const bool *done)
{
	uint64_t patience = client->options.timeout_ms * 1000;
	int error = 0;

	client->heard_us = clock_us();
	while (!error && !*done) {
		error = wait_step(client, client->heard_us + patience);
		if (!error && !*done && clock_us() >= client->heard_us + patience)
			error = fault(
			        FAULT_TIMEOUT,
			        "the server has not answered for %.1f s: look at its "
			        "log, or raise --timeout",
			        (double)patience / 1e6);
	}
	return *done ? 0 : error;
}

int client_pause(struct client *client, uint64_t ms)
{
	uint64_t until = clock_us() + ms * 1000;
	int error = 0;

	while (!error && clock_us() < until)
		error = wait_step(client, until);
	return error;
}

uint32_t client_next_id(struct client *client)
{
	return ++client->last_id;
}

int client_ask(struct client *client, struct exchange *exchange,
               struct app_message *request)
{
	int error;

	exchange->id = client_next_id(client);
	request->id = exchange->id;
	client->exchange = exchange;
	error = channel_send(&client->channel, request);
	if (!error)
		error = client_wait(client, &exchange->done);
	client->exchange = NULL;
	if (!error && exchange->result)
		error = fault((enum fault) - exchange->result, "%s", exchange->text);
	return error;
}

/*
 * Life
 */

int client_context_new(const struct client_options *o, struct srdma_context **out)
{
	struct srdma_context *context;
	uint64_t step = o->timeout_ms < 600000 ? o->timeout_ms : 600000;
	int error = srdma_context_new(&context);

	if (error)
		return fault_srdma(error);
	*out = context;
	if ((error = srdma_context_set_text(context, SRDMA_OPT_CERTIFICATE,
	                                    o->certificate)) ||
	    (error = srdma_context_set_text(context, SRDMA_OPT_KEY, o->key)) ||
	    (error = srdma_context_set_text(context, SRDMA_OPT_CA, o->ca)) ||
	    (error = srdma_context_set_text(context, SRDMA_OPT_CRL, o->crl)) ||
	    (error = srdma_context_set_text(context, SRDMA_OPT_SERVER_NAME,
	                                    o->server_name)) ||
	    (error = srdma_context_set_text(context, SRDMA_OPT_DEVICE, o->device)) ||
	    (error = srdma_context_set_text(context, SRDMA_OPT_FABRIC_PROVIDER,
	                                    o->fabric_provider)) ||
	    (error = srdma_context_set_number(context, SRDMA_OPT_TRANSPORT,
	                                      o->transport)) ||
	    (o->connect && (error = srdma_context_set_number(context, SRDMA_OPT_CONNECT,
	                                                     o->connect))) ||
	    (error = srdma_context_set_number(context, SRDMA_OPT_PROTECTION,
	                                      o->protection)) ||
	    (error = srdma_context_set_number(context, SRDMA_OPT_PACKET_PROTECTION,
	                                      o->packets)) ||
	    (error = srdma_context_set_number(context, SRDMA_OPT_STEP_TIMEOUT, step)) ||
	    (error = srdma_context_load(context)))
		return fault_srdma(error);
	return 0;
}

static int wait_for_session(struct client *client)
{
	/* Each step has its own timeout in the library, whose sentence says more. */
	while (!client->established && !client->closed && !interrupted) {
		int handled = srdma_worker_run(client->worker, -1);

		if (handled < 0)
			return fault_srdma(handled);
	}
	if (client->closed)
		return closed(client);
	return interrupted ? fault(FAULT_CANCELLED, "interrupted") : 0;
}

int client_open(struct client *client, const char *host, const char *port)
{
	int error = client_context_new(&client->options, &client->context);

	if (error)
		return error;
	error = srdma_context_set_number(client->context, SRDMA_OPT_MESSAGE_SIZE,
	                                 APP_MESSAGE_SIZE);
	if (!error)
		error = srdma_worker_new(client->context, &client->worker);
	if (!error)
		error = srdma_connect(client->worker, host, port, &handlers, client,
		                      &client->session);
	if (error)
		return fault_srdma(error);
	channel_init(&client->channel, client->session, NULL);
	return wait_for_session(client);
}

int client_need_jobs(struct client *client)
{
	if (client->jobs)
		return 0;
	if (jobs_new(1, &client->jobs))
		return -FAULT_SYSTEM;
	client->channel.pool = client->jobs;
	return 0;
}

/* Until `unsent` has nothing that waits any more, if it is given, or it is closed. */
static int run_until(struct client *client, const struct channel *unsent,
                     uint64_t deadline)
{
	while (!client->closed && clock_us() < deadline &&
	       (!unsent || channel_is_blocked(unsent))) {
		int handled = srdma_worker_run(client->worker, 100);

		if (handled < 0)
			return fault_srdma(handled);
	}
	return 0;
}

static int close_in_order(struct client *client)
{
	uint64_t deadline = clock_us() + CLOSE_PATIENCE_MS * UINT64_C(1000);
	int error;

	/* What waits for credit, such as why a file was given up, is to arrive too. */
	error = run_until(client, &client->channel, deadline);
	srdma_session_close(client->session);
	if (!error)
		error = run_until(client, NULL, deadline);
	if (error)
		return error;
	if (!client->closed || client->reason == -FAULT_CLOSED)
		return 0;
	return closed(client);
}

/* So that transfers end, and nothing but to clear up comes of what the pool has. */
static void break_off(struct client *client)
{
	srdma_session_abort(client->session, "gave up closing in order");
	run_until(client, NULL, clock_us() + CLOSE_PATIENCE_MS * UINT64_C(1000));
}

int client_close(struct client *client)
{
	int error = 0;

	if (client->session && client->established && !client->closed)
		error = close_in_order(client);
	if (client->established && !client->closed)
		break_off(client);
	jobs_end(client->jobs);
	if (client->session)
		srdma_session_free(client->session);
	srdma_worker_free(client->worker);
	jobs_free(client->jobs);
	srdma_context_free(client->context);
	*client = (struct client){ .options = client->options };
	return error;
}
