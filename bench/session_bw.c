/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One-sided writes of 1 MiB through a session, as ib_write_bw does without one: two
 * processes, several writes under way, each with a region that is cached. Prints MB/s.
 *
 *   session_bw CERTIFICATES sealed|none|packets
 *
 * packets: in clear, and the device protects each packet (MOCKRDMA_LINK=roce).
 */
#include <poll.h>
#include <srdma.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sample.h"

#define BYTES      (1u << 20)
#define UNDER_WAY  16
#define MESSAGE    (64u << 10) /* as secure_server has */
#define TAG        1
#define TIMEOUT    10000 /* ms */
#define SPIN       1000  /* us */
#define DURATION   1000000000ull
#define PATH_BYTES 512

static char *memory;

/* The client's. */
static struct srdma_buffer *buffer;
static struct srdma_remote *remote;
static uint64_t begun, done;
static bool over;

static _Noreturn void give_up(const char *what)
{
	fprintf(stderr, "session_bw: %s: %s\n", what, srdma_detail());
	exit(EXIT_FAILURE);
}

static void set_file(struct srdma_context *context, enum srdma_text_option option,
                     const char *directory, const char *name)
{
	char path[PATH_BYTES];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	if (srdma_context_set_text(context, option, path))
		give_up(path);
}

static struct srdma_context *new_context(const char *certificates, const char *who,
                                         const char *how)
{
	uint64_t protection =
	        strcmp(how, "sealed") ? SRDMA_PROTECTION_NONE : SRDMA_PROTECTION_SEALED;
	uint64_t packets =
	        strcmp(how, "packets") ? SRDMA_PACKETS_OFF : SRDMA_PACKETS_REQUIRED;
	struct srdma_context *context;
	char name[32];

	if (srdma_context_new(&context))
		give_up("context");
	snprintf(name, sizeof(name), "%s.pem", who);
	set_file(context, SRDMA_OPT_CERTIFICATE, certificates, name);
	snprintf(name, sizeof(name), "%s.key", who);
	set_file(context, SRDMA_OPT_KEY, certificates, name);
	set_file(context, SRDMA_OPT_CA, certificates, "ca.pem");
	if (srdma_context_set_number(context, SRDMA_OPT_PROTECTION, protection) ||
	    srdma_context_set_number(context, SRDMA_OPT_PACKET_PROTECTION, packets) ||
	    srdma_context_set_number(context, SRDMA_OPT_MESSAGE_SIZE, MESSAGE) ||
	    srdma_context_set_number(context, SRDMA_OPT_SPIN, SPIN) ||
	    srdma_context_load(context))
		give_up("context");
	return context;
}

/* In either process: pages that a fork shares would be copied first. */
static char *new_memory(void)
{
	char *bytes = malloc(BYTES);

	if (!bytes)
		die("malloc");
	memset(bytes, 0x5a, BYTES);
	return bytes;
}

/*
 * The server
 */

static void grant(struct srdma_session *session, void *user)
{
	struct srdma_buffer *whole;
	struct srdma_grant *granted;

	(void)user;
	if (srdma_buffer_register(session, memory, BYTES, &whole) ||
	    srdma_grant(session, whole, 0, BYTES, SRDMA_RIGHT_WRITE, TAG, &granted))
		give_up("grant");
}

static _Noreturn void serve_end(struct srdma_session *session, int code,
                                const char *reason, void *user)
{
	(void)user;
	(void)reason;
	srdma_session_free(session);
	_exit(code == SRDMA_ECLOSED ? EXIT_SUCCESS : EXIT_FAILURE);
}

static _Noreturn void serve(struct srdma_context *context, int tell)
{
	static const struct srdma_handlers handlers = { .size = sizeof(handlers),
		                                        .on_established = grant,
		                                        .on_closed = serve_end };
	struct srdma_listener *listener;
	struct srdma_worker *worker;
	uint16_t port;
	int socket, error;

	if (srdma_worker_new(context, &worker) ||
	    srdma_listener_new(context, "127.0.0.1", "0", &listener))
		give_up("listen");
	port = srdma_listener_port(listener);
	if (write(tell, &port, sizeof(port)) != sizeof(port))
		die("write");
	poll(&(struct pollfd){ .fd = srdma_listener_fd(listener), .events = POLLIN }, 1,
	     TIMEOUT);
	error = srdma_listener_accept(listener, &socket);
	if (!error)
		error = srdma_worker_adopt(worker, socket, &handlers, NULL);
	while (!error)
		error = srdma_worker_run(worker, TIMEOUT) < 0;
	give_up("serve");
}

/*
 * The client
 */

static void written(struct srdma_session *session,
                    const struct srdma_completion *completion, void *user)
{
	(void)session;
	(void)user;
	if (completion->status)
		give_up("write");
	done++;
}

static void post(struct srdma_session *session)
{
	int error = 0;

	while (!error && !over && begun < done + UNDER_WAY) {
		error = srdma_write(session, buffer, 0, remote, 0, BYTES, &begun);
		begun += !error;
	}
	if (error && error != SRDMA_EBLOCKED)
		give_up("write");
}

static double write_for_a_while(struct srdma_session *session)
{
	struct srdma_worker *worker = srdma_session_worker(session);
	uint64_t start = now_ns();

	for (;;) {
		over = now_ns() - start >= DURATION;
		post(session);
		if (done == begun)
			break;
		if (srdma_worker_run(worker, TIMEOUT) < 0)
			give_up("run");
	}
	return (double)done * BYTES * 1e3 / (double)(now_ns() - start);
}

static double measure(struct srdma_context *context, int told)
{
	static const struct srdma_handlers handlers = { .size = sizeof(handlers),
		                                        .on_complete = written };
	struct srdma_session *session;
	char port[8];
	uint16_t number;
	double rate;

	if (read(told, &number, sizeof(number)) != sizeof(number))
		die("read");
	snprintf(port, sizeof(port), "%u", number);
	if (srdma_dial(context, "127.0.0.1", port, &handlers, NULL, TIMEOUT, &session) ||
	    srdma_remote_wait(session, TAG, TIMEOUT, &remote) ||
	    srdma_buffer_register(session, memory, BYTES, &buffer))
		give_up("connect");
	rate = write_for_a_while(session);
	if (srdma_close_wait(session, TIMEOUT))
		give_up("close");
	srdma_session_free(session);
	return rate;
}

int main(int argc, char **argv)
{
	int port[2], status;
	pid_t server;
	double rate;

	if (argc != 3) {
		fprintf(stderr, "usage: session_bw CERTIFICATES sealed|none|packets\n");
		return 2;
	}
	if (pipe(port) < 0)
		die("pipe");
	server = fork();
	if (server < 0)
		die("fork");
	pin_to_cpu(server == 0);
	memory = new_memory();
	if (server == 0)
		serve(new_context(argv[1], "server", argv[2]), port[1]);
	rate = measure(new_context(argv[1], "client", argv[2]), port[0]);
	if (waitpid(server, &status, 0) != server || status)
		give_up("the server failed");
	printf("%.1f\n", rate);
	return 0;
}
