/* SPDX-License-Identifier: BSD-2-Clause */
/* Under valgrind it takes a minute by itself.
 * variants: plain asan tsan cov */
/*
 * The peer's process is killed, or stops, in the middle of work: a named error, within a
 * bounded time, each operation ended once, and the next client served.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/check.h"
#include "lib/deadline.h"
#include "lib/duo.h"
#include "lib/pki.h"

static struct duo duo;
static const char *program; /* not /proc/self/exe: under memcheck that is memcheck */
static uint8_t memory[1 << 20];

/*
 * The victim: this program once more, as a client that grants its memory and waits.
 */

static int be_the_victim(char **argv)
{
	struct srdma_context *context;
	struct srdma_session *session;
	struct srdma_buffer *buffer;
	struct srdma_grant *grant;

	check_in_child("victim");
	CHECK_SRDMA(srdma_context_new(&context));
	CHECK_SRDMA(srdma_context_set_text(context, SRDMA_OPT_CERTIFICATE, argv[3]));
	CHECK_SRDMA(srdma_context_set_text(context, SRDMA_OPT_KEY, argv[4]));
	CHECK_SRDMA(srdma_context_set_text(context, SRDMA_OPT_CA, argv[5]));
	CHECK_SRDMA(srdma_context_set_number(context, SRDMA_OPT_PROTECTION,
	                                     SRDMA_PROTECTION_SEALED |
	                                             SRDMA_PROTECTION_NONE));
	duo_choose_transport(context);
	CHECK_SRDMA(srdma_context_load(context));
	CHECK_SRDMA(srdma_dial(context, "127.0.0.1", argv[2], NULL, NULL, PATIENCE_MS,
	                       &session));
	CHECK_SRDMA(srdma_buffer_register(session, memory, sizeof(memory), &buffer));
	CHECK_SRDMA(srdma_grant(session, buffer, 0, sizeof(memory),
	                        SRDMA_RIGHT_READ | SRDMA_RIGHT_WRITE, 1, &grant));
	while (srdma_worker_run(srdma_session_worker(session), -1) >= 0)
		;
	return 1;
}

static pid_t spawn_victim(void)
{
	pid_t pid = fork();

	CHECK_CALL(pid);
	if (!pid) {
		execl(program, program, "victim", duo.port, pki_path("client", ".pem"),
		      pki_path("client", ".key"), pki_path("ca", ".pem"), (char *)NULL);
		_exit(127);
	}
	DUO_UNTIL(&duo, duo.server.grants == 1 || duo.server.closed);
	CHECK(!duo.server.closed);
	return pid;
}

static void start(void)
{
	duo_open(&duo);
	CHECK_SRDMA(
	        srdma_context_set_number(duo.server.context, SRDMA_OPT_KEEPALIVE,
	                                 (uint64_t)deadline_left_ms(deadline_in(300))));
	CHECK_SRDMA(
	        srdma_context_set_number(duo.server.context, SRDMA_OPT_RETRY_COUNT, 2));
	duo_start(&duo);
}

static void kill_victim(pid_t pid)
{
	int status;

	CHECK_CALL(kill(pid, SIGKILL));
	CHECK_EQ(waitpid(pid, &status, 0), pid);
}

static void next_client_is_served(void)
{
	srdma_session_free(duo.server.session);
	duo.server.session = NULL;
	duo.server.closed = 0;
	duo_connect(&duo);
	duo_close(&duo);
}

static void killed_while_idle(void **state)
{
	pid_t pid;

	(void)state;
	start();
	pid = spawn_victim();
	kill_victim(pid);
	DUO_UNTIL(&duo, duo.server.closed);
	CHECK_EQ(duo.server.code, SRDMA_EVANISHED);
	CHECK(strstr(duo.server.reason, "without") != NULL);
	next_client_is_served();
}

static void killed_under_load(void **state)
{
	struct srdma_buffer *buffer;
	unsigned started = 0;
	pid_t pid;

	(void)state;
	start();
	pid = spawn_victim();
	CHECK_SRDMA(srdma_buffer_register(duo.server.session, memory, sizeof(memory),
	                                  &buffer));
	while (!duo.server.closed) {
		while (!duo.server.closed &&
		       !srdma_write(duo.server.session, buffer, 0, duo.server.remote, 0,
		                    sizeof(memory), &started))
			started++;
		if (started > 100 && pid) {
			kill_victim(pid);
			pid = 0;
		}
		duo_turn(&duo);
	}
	CHECK(duo.server.code == SRDMA_EVANISHED || duo.server.code == SRDMA_ENETWORK);
	CHECK(strlen(duo.server.reason) > 20);
	CHECK_EQ(duo.server.completions, started);
	next_client_is_served();
}

/* In clear, by a device: libfabric's tcp needs the peer's processor for it. */
static bool is_read_without_it(void)
{
	return duo_protection && !(duo_provider() && !strcmp(duo_provider(), "tcp"));
}

/* Stopped, it does not answer; but in clear it still has its memory read, one-sidedly. */
static void stopped(void **state)
{
	struct srdma_buffer *buffer;
	uint8_t byte = 1;
	pid_t pid;

	(void)state;
	start();
	pid = spawn_victim();
	CHECK_SRDMA(srdma_buffer_register(duo.server.session, &byte, 1, &buffer));
	CHECK_CALL(kill(pid, SIGSTOP));
	CHECK_SRDMA(srdma_read(duo.server.session, buffer, 0, duo.server.remote, 5, 1,
	                       &byte));
	DUO_UNTIL(&duo, duo.server.completions == 1 || duo.server.closed);
	CHECK_EQ(duo.server.failures, is_read_without_it() ? 0 : 1);
	CHECK_EQ(byte, is_read_without_it() ? 0 : 1);
	DUO_UNTIL(&duo, duo.server.closed);
	CHECK_EQ(duo.server.code, SRDMA_ETIMEOUT);
	CHECK(strstr(duo.server.reason, "has been silent") != NULL);
	kill_victim(pid);
	next_client_is_served();
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(killed_while_idle),
		cmocka_unit_test(killed_under_load),
		cmocka_unit_test(stopped),
	};

	program = argv[0];
	if (argc == 6 && !strcmp(argv[1], "victim"))
		return be_the_victim(argv);
	return DUO_SEALED_AND_CLEAR(tests, pki_set_up, pki_tear_down);
}
