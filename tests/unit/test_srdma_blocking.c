/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The blocking calls against a server in a thread of its own; and what other threads may
 * do to a worker.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <poll.h>
#include <pthread.h>
#include <srdma.h>
#include <stdatomic.h>
#include <unistd.h>

#include "lib/check.h"
#include "lib/deadline.h"
#include "lib/duo.h"
#include "lib/pki.h"

#define TAG 7

/* A server that echoes, and grants each session its own scratch. */
static struct {
	struct srdma_context *context;
	struct srdma_listener *listener;
	struct srdma_worker *worker;
	pthread_t thread;
	atomic_bool stop;
	atomic_uint sessions;
	atomic_uint closed_in_order;
	atomic_bool deaf; /* do not echo */
	char port[8];
} server;

static uint8_t scratch[4096];

static void on_established(struct srdma_session *session, void *user)
{
	struct srdma_buffer *buffer;
	struct srdma_grant *grant;

	(void)user;
	server.sessions++;
	CHECK_SRDMA(srdma_buffer_register(session, scratch, sizeof(scratch), &buffer));
	CHECK_SRDMA(srdma_grant(session, buffer, 0, sizeof(scratch),
	                        SRDMA_RIGHT_READ | SRDMA_RIGHT_WRITE, TAG, &grant));
}

static void on_message(struct srdma_session *session, struct srdma_message *message,
                       void *user)
{
	size_t length = srdma_message_length(message);
	const char *text = srdma_message_data(message);

	(void)user;
	if (length == 5 && !memcmp(text, "close", 5))
		srdma_session_close(session);
	else if (!server.deaf)
		CHECK_SRDMA(srdma_send(session, text, length, NULL));
}

static void on_closed(struct srdma_session *session, int code, const char *reason,
                      void *user)
{
	(void)reason;
	(void)user;
	server.closed_in_order += code == SRDMA_ECLOSED;
	srdma_session_free(session);
}

static const struct srdma_handlers handlers = {
	.size = sizeof(handlers),
	.on_established = on_established,
	.on_message = on_message,
	.on_closed = on_closed,
};

/* Accepts in another thread than the worker's, as an acceptor of many workers does. */
static void *accept_all(void *unused)
{
	struct pollfd fd = { .fd = srdma_listener_fd(server.listener), .events = POLLIN };
	int socket;

	(void)unused;
	while (!server.stop) {
		poll(&fd, 1, 20);
		while (!srdma_listener_accept(server.listener, &socket))
			CHECK_SRDMA(srdma_worker_adopt(server.worker, socket, &handlers,
			                               NULL));
	}
	srdma_worker_wake(server.worker);
	return NULL;
}

static void *serve(void *unused)
{
	pthread_t acceptor;

	(void)unused;
	pthread_create(&acceptor, NULL, accept_all, NULL);
	while (!server.stop)
		CHECK(srdma_worker_run(server.worker, 1000) >= 0);
	pthread_join(acceptor, NULL);
	return NULL;
}

static struct srdma_context *context_of(const char *name)
{
	struct duo_end end;

	CHECK_SRDMA(srdma_context_new(&end.context));
	duo_certificate(&end, name, "ca");
	CHECK_SRDMA(srdma_context_load(end.context));
	return end.context;
}

static int start_server(void **state)
{
	(void)state;
	pki_open();
	server.context = context_of("server");
	CHECK_SRDMA(srdma_worker_new(server.context, &server.worker));
	CHECK_SRDMA(
	        srdma_listener_new(server.context, "127.0.0.1", "0", &server.listener));
	snprintf(server.port, sizeof(server.port), "%u",
	         srdma_listener_port(server.listener));
	pthread_create(&server.thread, NULL, serve, NULL);
	return 0;
}

static int stop_server(void **state)
{
	(void)state;
	server.stop = true;
	pthread_join(server.thread, NULL);
	srdma_listener_free(server.listener);
	srdma_worker_free(server.worker);
	srdma_context_free(server.context);
	pki_close();
	return 0;
}

static struct srdma_session *dial(void)
{
	struct srdma_context *context = context_of("client");
	struct srdma_session *session;

	CHECK_SRDMA(srdma_dial(context, "127.0.0.1", server.port, NULL, NULL, PATIENCE_MS,
	                       &session));
	srdma_context_free(context); /* the session keeps it */
	return session;
}

static void messages(void **state)
{
	struct srdma_session *session = dial();
	char text[64];
	size_t length;

	(void)state;
	for (int i = 0; i < 100; i++) {
		snprintf(text, sizeof(text), "message %d", i);
		CHECK_SRDMA(srdma_send_wait(session, text, strlen(text), PATIENCE_MS));
		memset(text, 0, sizeof(text));
		CHECK_SRDMA(srdma_recv_wait(session, text, sizeof(text), PATIENCE_MS,
		                            &length));
		text[length] = '\0';
		CHECK_EQ(strtol(text + 8, NULL, 10), i);
	}
	CHECK_SRDMA(srdma_close_wait(session, PATIENCE_MS));
	CHECK_EQ(srdma_session_state(session), SRDMA_STATE_CLOSED);
	CHECK_EQ(srdma_send_wait(session, "x", 1, 100), SRDMA_ECLOSED);
	srdma_session_free(session);
}

static void message_too_large_for_the_caller(void **state)
{
	struct srdma_session *session = dial();
	char text[64];
	size_t length;

	(void)state;
	CHECK_SRDMA(srdma_send_wait(session, "four and more", 13, PATIENCE_MS));
	CHECK_EQ(srdma_recv_wait(session, text, 4, PATIENCE_MS, &length), SRDMA_EINVAL);
	CHECK_SRDMA(srdma_recv_wait(session, text, 13, PATIENCE_MS, &length));
	CHECK_EQ(length, 13);
	srdma_session_free(session);
}

static void timeout_leaves_the_session(void **state)
{
	struct srdma_session *session = dial();
	struct srdma_remote *remote;
	char text[64];
	size_t length;

	(void)state;
	CHECK_EQ(srdma_recv_wait(session, text, sizeof(text), 0, &length),
	         SRDMA_ETIMEOUT);
	CHECK_EQ(srdma_recv_wait(session, text, sizeof(text), 30, &length),
	         SRDMA_ETIMEOUT);
	CHECK_EQ(srdma_remote_wait(session, 12345, 30, &remote), SRDMA_ETIMEOUT);
	CHECK_SRDMA(srdma_send_wait(session, "still here", 10, PATIENCE_MS));
	CHECK_SRDMA(srdma_recv_wait(session, text, sizeof(text), PATIENCE_MS, &length));
	CHECK_EQ(length, 10);
	CHECK_SRDMA(srdma_close_wait(session, PATIENCE_MS));
	srdma_session_free(session);
}

static void one_sided(void **state)
{
	struct srdma_session *session = dial();
	struct srdma_buffer *buffer;
	struct srdma_remote *remote;
	uint8_t bytes[2 * sizeof(scratch)];

	(void)state;
	for (size_t i = 0; i < sizeof(scratch); i++)
		bytes[i] = (uint8_t)(i * 7 + 1);
	CHECK_SRDMA(srdma_remote_wait(session, TAG, PATIENCE_MS, &remote));
	CHECK_SRDMA(srdma_buffer_register(session, bytes, sizeof(bytes), &buffer));
	CHECK_SRDMA(srdma_write_wait(session, buffer, 0, remote, 0, sizeof(scratch),
	                             PATIENCE_MS));
	CHECK_SRDMA(srdma_read_wait(session, buffer, sizeof(scratch), remote, 0,
	                            sizeof(scratch), PATIENCE_MS));
	CHECK_BYTES(bytes + sizeof(scratch), bytes, sizeof(scratch));
	CHECK_EQ(srdma_write_wait(session, buffer, 0, remote, 1, sizeof(scratch),
	                          PATIENCE_MS),
	         SRDMA_ERIGHTS);
	CHECK_SRDMA(srdma_close_wait(session, PATIENCE_MS));
	srdma_session_free(session);
}

static void peer_closes_while_we_wait(void **state)
{
	struct srdma_session *session = dial();
	unsigned before = server.closed_in_order;
	uint64_t end = deadline_in(PATIENCE_MS);
	char text[8];
	size_t length;

	(void)state;
	CHECK_SRDMA(srdma_send_wait(session, "close", 5, PATIENCE_MS));
	CHECK_EQ(srdma_recv_wait(session, text, sizeof(text), PATIENCE_MS, &length),
	         SRDMA_ECLOSED);
	CHECK_SRDMA(srdma_close_wait(session, PATIENCE_MS));
	srdma_session_free(session);
	while (server.closed_in_order == before) {
		unsigned calls = 0;

		CHECK(!deadline_passed(end));
		wait_a_little(&calls);
	}
}

static void dial_that_fails_leaves_nothing(void **state)
{
	struct srdma_context *context = context_of("client");
	struct srdma_session *session = NULL;
	struct srdma_objects before, after;

	(void)state;
	srdma_objects(&before, sizeof(before));
	CHECK_SRDMA(srdma_context_set_text(context, SRDMA_OPT_SERVER_NAME, "elsewhere"));
	CHECK_EQ(srdma_dial(context, "127.0.0.1", server.port, NULL, NULL, PATIENCE_MS,
	                    &session),
	         SRDMA_ENAME);
	CHECK(strstr(srdma_detail(), "not for 'elsewhere'") != NULL);
	CHECK_EQ(srdma_dial(context, "127.0.0.1", "1", NULL, NULL, PATIENCE_MS, &session),
	         SRDMA_EREFUSED);
	CHECK_EQ(srdma_dial(context, "no.such.host.invalid", "1", NULL, NULL, 1000,
	                    &session),
	         SRDMA_EUNREACHABLE);
	CHECK_EQ(srdma_dial(context, "", "1", NULL, NULL, 1000, &session), SRDMA_EINVAL);
	CHECK(!session);
	srdma_context_free(context);
	srdma_objects(&after, sizeof(after));
	CHECK_EQ(after.contexts, before.contexts);
}

static void unknown_device(void **state)
{
	struct srdma_context *context = context_of("client");
	struct srdma_worker *worker;

	(void)state;
	CHECK_SRDMA(srdma_context_set_text(context, SRDMA_OPT_DEVICE, "mlx5_9"));
	CHECK_EQ(srdma_worker_new(context, &worker), SRDMA_ENODEVICE);
	CHECK(strstr(srdma_detail(), "mlx5_9") != NULL);
	CHECK_SRDMA(srdma_context_set_text(context, SRDMA_OPT_DEVICE, "mock0"));
	CHECK_SRDMA(srdma_worker_new(context, &worker));
	srdma_worker_free(worker);
	srdma_context_free(context);
}

/*
 * Other threads
 */

static atomic_uint called;
static unsigned in_order;

static void note_call(struct srdma_worker *worker, void *arg)
{
	CHECK(worker == server.worker);
	CHECK_EQ(srdma_worker_run(worker, 0), SRDMA_ESTATE);
	in_order += (uintptr_t)arg == called;
	called++;
}

static void calls_from_another_thread(void **state)
{
	enum { COUNT = 1000 };
	uint64_t end = deadline_in(PATIENCE_MS);
	unsigned calls = 0;

	(void)state;
	for (uintptr_t i = 0; i < COUNT; i++)
		CHECK_SRDMA(srdma_worker_call(server.worker, note_call, (void *)i));
	while (called < COUNT) {
		CHECK(!deadline_passed(end));
		wait_a_little(&calls);
	}
	CHECK_EQ(in_order, COUNT);
}

static void count_call(struct srdma_worker *worker, void *arg)
{
	(void)worker;
	++*(unsigned *)arg;
}

static void calls_left_over_are_made_at_the_end(void **state)
{
	struct srdma_context *context = context_of("client");
	struct srdma_worker *worker;
	unsigned count = 0;

	(void)state;
	CHECK_SRDMA(srdma_worker_new(context, &worker));
	CHECK_SRDMA(srdma_worker_call(worker, count_call, &count));
	CHECK_SRDMA(srdma_worker_call(worker, count_call, &count));
	srdma_worker_free(worker);
	CHECK_EQ(count, 2);
	srdma_context_free(context);
}

static void descriptor_shows_what_is_to_do(void **state)
{
	struct srdma_context *context = context_of("client");
	struct srdma_worker *worker;
	struct pollfd fd = { .events = POLLIN };
	unsigned count = 0;

	(void)state;
	CHECK_SRDMA(srdma_worker_new(context, &worker));
	fd.fd = srdma_worker_fd(worker);
	CHECK_EQ(poll(&fd, 1, 0), 0);
	CHECK_EQ(srdma_worker_run(worker, 10), 0);
	CHECK_SRDMA(srdma_worker_call(worker, count_call, &count));
	CHECK_EQ(poll(&fd, 1, PATIENCE_MS), 1);
	CHECK(srdma_worker_run(worker, 0) > 0);
	CHECK_EQ(count, 1);
	while (srdma_worker_run(worker, 0) > 0)
		;
	CHECK_EQ(poll(&fd, 1, 0), 0);
	srdma_worker_free(worker);
	srdma_context_free(context);
}

/* Sessions of several threads, each with its own worker, to one server. */
static void *one_of_many(void *failed)
{
	struct srdma_session *session = dial();
	char text[16000];
	size_t length;

	memset(text, 'x', sizeof(text));
	for (int i = 0; i < 50; i++) {
		CHECK_SRDMA(srdma_send_wait(session, text, sizeof(text), PATIENCE_MS));
		CHECK_SRDMA(srdma_recv_wait(session, text, sizeof(text), PATIENCE_MS,
		                            &length));
		if (length != sizeof(text))
			*(atomic_bool *)failed = true;
	}
	CHECK_SRDMA(srdma_close_wait(session, PATIENCE_MS));
	srdma_session_free(session);
	return NULL;
}

static void many_threads(void **state)
{
	static atomic_bool failed;
	pthread_t threads[6];

	(void)state;
	for (int i = 0; i < 6; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, one_of_many, &failed), 0);
	for (int i = 0; i < 6; i++)
		pthread_join(threads[i], NULL);
	CHECK(!failed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages),
		cmocka_unit_test(message_too_large_for_the_caller),
		cmocka_unit_test(timeout_leaves_the_session),
		cmocka_unit_test(one_sided),
		cmocka_unit_test(peer_closes_while_we_wait),
		cmocka_unit_test(dial_that_fails_leaves_nothing),
		cmocka_unit_test(unknown_device),
		cmocka_unit_test(calls_from_another_thread),
		cmocka_unit_test(calls_left_over_are_made_at_the_end),
		cmocka_unit_test(descriptor_shows_what_is_to_do),
		cmocka_unit_test(many_threads),
	};

	return cmocka_run_group_tests(tests, start_server, stop_server);
}
