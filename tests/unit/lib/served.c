/* SPDX-License-Identifier: BSD-2-Clause */
#include "served.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "check.h"
#include "context.h"
#include "pki.h"
#include "program/fault.h"
#include "program/logger.h"

struct server server;
static pthread_t server_thread;
static struct srdma_context *context;
static char port[8];

/*
 * The server, in a thread
 */

static void *run_server(void *arg)
{
	server_run(arg);
	return NULL;
}

static char *option(const char *format, const char *value)
{
	static char texts[16][300];
	static unsigned used;
	char *text = texts[used++];

	snprintf(text, sizeof(texts[0]), format, value);
	return text;
}

static void start_server(void)
{
	char *argv[] = {
		option("%s", "secure_server"),
		option("%s", "--listen=127.0.0.1:0"),
		option("--cert=%s", pki_path("server", ".pem")),
		option("--key=%s", pki_path("server", ".key")),
		option("--ca=%s", pki_path("ca", ".pem")),
		option("%s", "--export=data=share"),
		option("%s", "--workers=2"),
		option("%s", "--scratch=4k"),
		/* It shares the process with the test, which needs more. */
		option("%s", "--no-seccomp"),
		NULL,
	};

	CHECK_CALL(mkdir("share", 0777));
	logger_start(SRDMA_LOG_WARN, LOG_TEXT);
	CHECK_EQ(settings_read(&server.settings,
	                       (int)(sizeof(argv) / sizeof(argv[0])) - 1, argv),
	         0);
	if (server_start(&server))
		fail_msg("%s", fault_text());
	snprintf(port, sizeof(port), "%u", acceptor_port(server.acceptor));
	CHECK_EQ(pthread_create(&server_thread, NULL, run_server, &server), 0);
}

int set_up(void **state)
{
	(void)state;
	pki_open();
	start_server();
	context = context_as("client");
	return 0;
}

int tear_down(void **state)
{
	struct srdma_objects left;

	(void)state;
	srdma_context_free(context);
	CHECK_CALL(kill(getpid(), SIGTERM));
	CHECK_EQ(pthread_join(server_thread, NULL), 0);
	server_finish(&server);
	settings_clear(&server.settings);
	pki_close();
	srdma_objects(&left, sizeof(left));
	CHECK_EQ(left.sessions + left.queue_pairs + left.memory_regions + left.contexts,
	         0);
	return 0;
}

/*
 * The client
 */

struct srdma_session *dial(void)
{
	struct srdma_session *session;

	if (srdma_dial(context, "127.0.0.1", port, NULL, NULL, PATIENCE, &session))
		fail_msg("%s", srdma_detail());
	return session;
}

int try_send(struct srdma_session *session, const struct app_message *message)
{
	uint8_t bytes[MESSAGE];
	size_t length = app_encode(message, bytes, sizeof(bytes));

	CHECK(length > 0);
	return srdma_send_wait(session, bytes, length, PATIENCE);
}

void say(struct srdma_session *session, const struct app_message *message)
{
	CHECK_EQ(try_send(session, message), 0);
}

/* The next message; it points into a buffer that the next call uses again. */
struct app_message hear(struct srdma_session *session)
{
	static uint8_t bytes[MESSAGE];
	struct app_message message;
	size_t length;
	int error = srdma_recv_wait(session, bytes, sizeof(bytes), PATIENCE, &length);

	if (error)
		fail_msg("%s", srdma_detail());
	CHECK_EQ(app_decode(bytes, length, &message), 0);
	return message;
}

void expect_fail(struct srdma_session *session, uint32_t id, enum fault code)
{
	struct app_message message = hear(session);

	CHECK_EQ(message.type, APP_FAIL);
	CHECK_EQ(message.id, id);
	CHECK_EQ(message.fail.fault, code);
}

/* It is cut: no message comes any more. */
void expect_cut(struct srdma_session *session)
{
	uint8_t bytes[MESSAGE];
	size_t length;
	int error;

	do {
		error = srdma_recv_wait(session, bytes, sizeof(bytes), PATIENCE, &length);
	} while (error == 0);
	CHECK(error != SRDMA_ETIMEOUT);
	CHECK(error < 0);
	srdma_session_free(session);
}

void check_served(void)
{
	struct app_message ping = { .type = APP_PING,
		                    .id = 7,
		                    .payload = { "alive?", 6 } };
	struct srdma_session *session = dial();
	struct app_message pong;

	say(session, &ping);
	pong = hear(session);
	CHECK_EQ(pong.type, APP_PONG);
	CHECK_EQ(srdma_close_wait(session, PATIENCE), 0);
	srdma_session_free(session);
}

unsigned files_shared(void)
{
	DIR *dir = CHECK_OBJECT(opendir("share"));
	struct dirent *entry;
	unsigned count = 0;

	while ((entry = readdir(dir)))
		count += strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..");
	closedir(dir);
	return count;
}

void say_chunk(struct srdma_session *session, uint32_t id, uint64_t index,
               uint32_t length)
{
	struct app_message chunk = { .type = APP_CHUNK,
		                     .id = id,
		                     .chunk = { index, length } };

	say(session, &chunk);
}
