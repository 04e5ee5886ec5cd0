/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A server for any number of clients in one thread: sends each message back, and grants
 * each client a region of memory of its own (for examples/one_sided.c).
 *
 *   minimal_server CERTIFICATE KEY CA [PORT]
 */
#include <poll.h>
#include <srdma.h>
#include <stdio.h>
#include <stdlib.h>

#define SCRATCH     65536
#define SCRATCH_TAG 1
#define CREDITS     16

/* A client: its region, and messages that could not be sent back yet. */
struct client {
	struct srdma_message *waiting[CREDITS];
	unsigned count;
	char scratch[SCRATCH];
};

static int on_authenticated(struct srdma_session *session, void *user)
{
	struct client *client = calloc(1, sizeof(*client));

	(void)user;
	if (!client)
		return SRDMA_ENOMEM;
	srdma_session_set_user(session, client);
	printf("session %llu: this is %s\n",
	       (unsigned long long)srdma_session_id(session),
	       srdma_identity_text(srdma_session_peer(session)));
	return 0; /* the place to refuse those who are not welcome */
}

static void on_established(struct srdma_session *session, void *user)
{
	struct client *client = user;
	struct srdma_buffer *buffer;
	struct srdma_grant *grant;

	if (srdma_buffer_register(session, client->scratch, SCRATCH, &buffer) ||
	    srdma_grant(session, buffer, 0, SCRATCH, SRDMA_RIGHT_READ | SRDMA_RIGHT_WRITE,
	                SCRATCH_TAG, &grant))
		srdma_session_abort(session, srdma_detail());
}

static int echo(struct srdma_session *session, const struct srdma_message *message)
{
	return srdma_send(session, srdma_message_data(message),
	                  srdma_message_length(message), NULL);
}

/* The peer's credits bound how many messages can be here at a time. */
static void on_message(struct srdma_session *session, struct srdma_message *message,
                       void *user)
{
	struct client *client = user;

	if (client->count || echo(session, message) == SRDMA_EBLOCKED) {
		srdma_message_keep(message);
		client->waiting[client->count++] = message;
	}
}

static void on_writable(struct srdma_session *session, void *user)
{
	struct client *client = user;
	unsigned sent = 0;

	while (sent < client->count &&
	       echo(session, client->waiting[sent]) != SRDMA_EBLOCKED)
		srdma_message_release(client->waiting[sent++]);
	client->count -= sent;
	for (unsigned i = 0; i < client->count; i++)
		client->waiting[i] = client->waiting[i + sent];
}

/* The device is done with the client's memory here, so it can go. */
static void on_closed(struct srdma_session *session, int code, const char *reason,
                      void *user)
{
	printf("session %llu: %s (%s)\n", (unsigned long long)srdma_session_id(session),
	       reason, srdma_category_name(srdma_category(code)));
	srdma_session_free(session);
	free(user);
}

static const struct srdma_handlers handlers = {
	.size = sizeof(handlers),
	.on_authenticated = on_authenticated,
	.on_established = on_established,
	.on_message = on_message,
	.on_writable = on_writable,
	.on_closed = on_closed,
};

static _Noreturn void die(void)
{
	fprintf(stderr, "minimal_server: %s\n", srdma_detail());
	exit(1);
}

int main(int argc, char **argv)
{
	struct srdma_context *context;
	struct srdma_worker *worker;
	struct srdma_listener *listener;
	int socket;

	if (argc < 4) {
		fprintf(stderr, "usage: minimal_server CERTIFICATE KEY CA [PORT]\n");
		return 2;
	}
	if (srdma_context_new(&context) ||
	    srdma_context_set_text(context, SRDMA_OPT_CERTIFICATE, argv[1]) ||
	    srdma_context_set_text(context, SRDMA_OPT_KEY, argv[2]) ||
	    srdma_context_set_text(context, SRDMA_OPT_CA, argv[3]) ||
	    srdma_context_set_number(context, SRDMA_OPT_CREDITS, CREDITS) ||
	    srdma_context_load(context) || srdma_worker_new(context, &worker) ||
	    srdma_listener_new(context, "*", argc > 4 ? argv[4] : "4433", &listener))
		die();
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("listening on port %u\n", srdma_listener_port(listener));

	for (;;) {
		struct pollfd fds[] = {
			{ .fd = srdma_listener_fd(listener), .events = POLLIN },
			{ .fd = srdma_worker_fd(worker), .events = POLLIN }
		};

		poll(fds, 2, -1);
		while (!srdma_listener_accept(listener, &socket))
			if (srdma_worker_adopt(worker, socket, &handlers, NULL))
				die();
		if (srdma_worker_run(worker, 0) < 0)
			die();
	}
}
