// SPDX-License-Identifier: BSD-2-Clause
/*
 * The answer to a question is the last thing that a server says: what the client would
 * do next fails with how the session ended.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "client/command.h"
#include "lib/check.h"
#include "lib/context.h"
#include "lib/pki.h"
#include "program/app.h"

enum { TIMES = 50 };

static struct srdma_context *context;
static struct srdma_listener *listener;
static struct srdma_worker *worker;
static pthread_t thread;
static atomic_bool over;
static char port[8];

/* In one run of the client's worker come the answer and the end, now and then. */
static void answer(struct srdma_session *session, struct srdma_message *raw, void *user)
{
	char room[APP_MESSAGE_SIZE];
	struct app_message message;
	size_t length;

	(void)user;
	if (app_decode(srdma_message_data(raw), srdma_message_length(raw), &message))
		return;
	if (message.type != APP_FEATURES && message.type != APP_GET)
		return;
	if (message.type == APP_GET) {
		message.type = APP_FOUND;
		message.found.size = 1;
	}
	length = app_encode(&message, room, sizeof(room));
	srdma_send(session, room, length, session);
}

static void end(struct srdma_session *session, const struct srdma_completion *done,
                void *user)
{
	(void)done;
	(void)user;
	srdma_session_abort(session, "enough");
}

static void free_it(struct srdma_session *session, int code, const char *reason,
                    void *user)
{
	(void)code;
	(void)reason;
	(void)user;
	srdma_session_free(session);
}

static const struct srdma_handlers handlers = {
	.size = sizeof(handlers),
	.on_message = answer,
	.on_complete = end,
	.on_closed = free_it,
};

static void *serve(void *arg)
{
	int fd;

	(void)arg;
	while (!atomic_load(&over)) {
		if (!srdma_listener_accept(listener, &fd))
			CHECK_EQ(srdma_worker_adopt(worker, fd, &handlers, NULL), 0);
		CHECK(srdma_worker_run(worker, 1) >= 0);
	}
	return NULL;
}

static int set_up(void **state)
{
	(void)state;
	pki_open();
	context = context_as("server");
	CHECK_EQ(srdma_worker_new(context, &worker), 0);
	CHECK_EQ(srdma_listener_new(context, "127.0.0.1", "0", &listener), 0);
	snprintf(port, sizeof(port), "%u", srdma_listener_port(listener));
	CHECK_EQ(pthread_create(&thread, NULL, serve, NULL), 0);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	atomic_store(&over, true);
	pthread_join(thread, NULL);
	srdma_worker_free(worker);
	srdma_listener_free(listener);
	srdma_context_free(context);
	pki_close();
	return 0;
}

static int run_once(const struct command *command, char *words[2], uint64_t reconnect)
{
	struct report report;
	struct client client = {
		.options = { .certificate = strdup(pki_path("client", ".pem")),
		             .key = strdup(pki_path("client", ".key")),
		             .ca = strdup(pki_path("ca", ".pem")),
		             .protection = SRDMA_PROTECTION_SEALED,
		             .transport = SRDMA_TRANSPORT_VERBS,
		             .timeout_ms = 20000,
		             .reconnect = reconnect },
	};
	struct call call = { .client = &client,
		             .report = &report,
		             .host = "127.0.0.1",
		             .port = port,
		             .words = words,
		             .count = 2 };
	int error;

	report_begin(&report, command->name, true);
	error = client_open(&client, call.host, call.port);
	if (!error)
		error = command->run(&call);
	client_close(&client);
	free(client.options.certificate);
	free(client.options.key);
	free(client.options.ca);
	return error;
}

static void check_ends(const struct command *command, char *words[2], uint64_t reconnect)
{
	for (int i = 0; i < TIMES; i++)
		CHECK(run_once(command, words, reconnect) < 0);
}

/* The features are asked for before each file, with --reconnect. */
static void put_after_the_end(void **state)
{
	char file[300], target[] = "data/there";

	(void)state;
	snprintf(file, sizeof(file), "%s", pki_path("ca", ".pem"));
	check_ends(&put_command, (char *[]){ file, target }, 1);
}

static void get_after_the_end(void **state)
{
	char source[] = "data/there", target[300];

	(void)state;
	snprintf(target, sizeof(target), "%s", pki_path("never", ".txt"));
	check_ends(&get_command, (char *[]){ source, target }, 0);
	CHECK(access(target, F_OK) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(put_after_the_end),
		cmocka_unit_test(get_after_the_end),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
