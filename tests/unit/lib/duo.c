/* SPDX-License-Identifier: BSD-2-Clause */
#include "duo.h"

#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "context.h"

static int on_authenticated(struct srdma_session *session, void *user)
{
	struct duo_end *end = user;

	end->session = session;
	snprintf(end->identity, sizeof(end->identity), "%s",
	         srdma_identity_text(srdma_session_peer(session)));
	return end->refuse ? SRDMA_EREFUSED : 0;
}

static void on_established(struct srdma_session *session, void *user)
{
	struct duo_end *end = user;

	(void)session;
	end->established++;
}

static void look_at(struct duo_end *end, const struct srdma_message *message)
{
	size_t length = srdma_message_length(message);
	uint32_t number;

	if (length >= sizeof(number)) {
		memcpy(&number, srdma_message_data(message), sizeof(number));
		end->in_order &= number == end->messages;
	}
	end->messages++;
	end->bytes += length;
	end->last_length = length < sizeof(end->last) ? length : sizeof(end->last);
	memcpy(end->last, srdma_message_data(message), end->last_length);
}

static void on_message(struct srdma_session *session, struct srdma_message *message,
                       void *user)
{
	struct duo_end *end = user;

	look_at(end, message);
	if (end->keep) {
		srdma_message_keep(message);
		end->kept[end->kept_count++] = message;
	}
	if (end->echo)
		CHECK_SRDMA(srdma_send(session, srdma_message_data(message),
		                       srdma_message_length(message), NULL));
	if (end->free_at_message) {
		end->session = NULL;
		srdma_session_free(session);
	}
}

static void on_complete(struct srdma_session *session,
                        const struct srdma_completion *completion, void *user)
{
	struct duo_end *end = user;

	(void)session;
	end->completions++;
	end->failures += completion->status != 0;
	end->last_status = completion->status;
	end->last_op = completion->op;
}

static void on_writable(struct srdma_session *session, void *user)
{
	(void)session;
	((struct duo_end *)user)->writable++;
}

static void on_grant(struct srdma_session *session, struct srdma_remote *remote,
                     void *user)
{
	struct duo_end *end = user;

	(void)session;
	end->grants++;
	end->remote = remote;
}

static void on_revoke(struct srdma_session *session, struct srdma_remote *remote,
                      void *user)
{
	struct duo_end *end = user;

	(void)session;
	end->revokes++;
	end->completions_at_revoke = end->completions;
	if (end->remote == remote)
		end->remote = NULL;
}

static void on_released(struct srdma_session *session, uint64_t tag, void *user)
{
	struct duo_end *end = user;

	(void)session;
	end->releases++;
	end->released_tag = tag;
}

static void on_closing(struct srdma_session *session, void *user)
{
	(void)session;
	((struct duo_end *)user)->closing++;
}

static void on_closed(struct srdma_session *session, int code, const char *reason,
                      void *user)
{
	struct duo_end *end = user;

	end->closed++;
	end->code = code;
	snprintf(end->reason, sizeof(end->reason), "%s", reason);
	if (end->session != session || end->free_at_end) {
		if (end->session == session)
			end->session = NULL;
		srdma_session_free(session);
	}
}

static const struct srdma_handlers handlers = {
	.size = sizeof(handlers),
	.on_authenticated = on_authenticated,
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

void duo_certificate(struct duo_end *end, const char *name, const char *authority)
{
	context_certificate(end->context, name, authority);
}

unsigned duo_protection;
enum srdma_packets duo_packets;

const char *duo_provider(void)
{
	return getenv("DUO_FABRIC");
}

void duo_choose_transport(struct srdma_context *context)
{
	if (!duo_provider())
		return;
	CHECK_SRDMA(srdma_context_set_number(context, SRDMA_OPT_TRANSPORT,
	                                     SRDMA_TRANSPORT_FABRIC));
	CHECK_SRDMA(srdma_context_set_text(context, SRDMA_OPT_FABRIC_PROVIDER,
	                                   duo_provider()));
}

static void protect(struct duo_end *end)
{
	if (duo_protection)
		CHECK_SRDMA(srdma_context_set_number(end->context, SRDMA_OPT_PROTECTION,
		                                     duo_protection));
	CHECK_SRDMA(srdma_context_set_number(end->context, SRDMA_OPT_PACKET_PROTECTION,
	                                     duo_packets));
}

void duo_open(struct duo *duo)
{
	memset(duo, 0, sizeof(*duo));
	duo->server.in_order = true;
	duo->client.in_order = true;
	CHECK_SRDMA(srdma_context_new(&duo->server.context));
	CHECK_SRDMA(srdma_context_new(&duo->client.context));
	duo_certificate(&duo->server, "server", "ca");
	duo_certificate(&duo->client, "client", "ca");
	duo_choose_transport(duo->server.context);
	duo_choose_transport(duo->client.context);
	protect(&duo->server);
	protect(&duo->client);
}

void duo_start(struct duo *duo)
{
	CHECK_SRDMA(srdma_context_load(duo->server.context));
	CHECK_SRDMA(srdma_context_load(duo->client.context));
	CHECK_SRDMA(srdma_worker_new(duo->server.context, &duo->server.worker));
	CHECK_SRDMA(srdma_worker_new(duo->client.context, &duo->client.worker));
	CHECK_SRDMA(srdma_listener_new(duo->server.context, "*", "0", &duo->listener));
	snprintf(duo->port, sizeof(duo->port), "%u", srdma_listener_port(duo->listener));
}

void duo_dial(struct duo *duo, const char *host)
{
	CHECK_SRDMA(srdma_connect(duo->client.worker, host, duo->port, &handlers,
	                          &duo->client, &duo->client.session));
}

void duo_turn(struct duo *duo)
{
	struct pollfd fds[] = {
		{ .fd = srdma_listener_fd(duo->listener), .events = POLLIN },
		{ .fd = srdma_worker_fd(duo->server.worker), .events = POLLIN },
		{ .fd = srdma_worker_fd(duo->client.worker), .events = POLLIN },
	};
	int socket;

	poll(fds, 3, 20);
	while (!srdma_listener_accept(duo->listener, &socket))
		CHECK_SRDMA(srdma_worker_adopt(duo->server.worker, socket, &handlers,
		                               &duo->server));
	CHECK(srdma_worker_run(duo->server.worker, 0) >= 0);
	CHECK(srdma_worker_run(duo->client.worker, 0) >= 0);
}

void duo_connect(struct duo *duo)
{
	unsigned before = duo->server.established + duo->client.established;
	uint64_t end = 0;

	duo_dial(duo, "127.0.0.1");
	while (duo->server.established + duo->client.established < before + 2) {
		if (duo->server.closed || duo->client.closed || ++end > 100000)
			check_failed(__FILE__, __LINE__,
			             "not established (server: %s; client: %s)",
			             duo->server.reason, duo->client.reason);
		duo_turn(duo);
	}
}

void duo_close(struct duo *duo)
{
	srdma_session_free(duo->client.session);
	srdma_session_free(duo->server.session);
	srdma_listener_free(duo->listener);
	srdma_worker_free(duo->client.worker);
	srdma_worker_free(duo->server.worker);
	srdma_context_free(duo->client.context);
	srdma_context_free(duo->server.context);
}
