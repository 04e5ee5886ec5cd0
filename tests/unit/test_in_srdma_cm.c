/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sessions whose queue pairs the connection manager connects: with the PSNs of TLS, for
 * those alone who have the token of TLS.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <poll.h>
#include <rdma/rdma_cma.h>

#include "lib/check.h"
#include "lib/deadline.h"
#include "lib/duo.h"
#include "lib/pki.h"
#include "session/session.h"

static struct duo duo;

static void start(void)
{
	duo_open(&duo);
	CHECK_SRDMA(srdma_context_set_number(duo.client.context, SRDMA_OPT_CONNECT,
	                                     SRDMA_CONNECT_CM));
	duo_start(&duo);
}

static void check_attested(void)
{
	struct srdma_attestation server, client;

	CHECK_SRDMA(
	        srdma_session_attestation(duo.server.session, &server, sizeof(server)));
	CHECK_SRDMA(
	        srdma_session_attestation(duo.client.session, &client, sizeof(client)));
	CHECK_EQ(server.checked, SRDMA_ATTESTED_ALL);
	CHECK_EQ(client.checked, SRDMA_ATTESTED_ALL);
	CHECK_EQ(server.connect, SRDMA_CONNECT_CM);
	CHECK_EQ(client.connect, SRDMA_CONNECT_CM);
	assert_string_equal(server.psn_local, client.psn_peer);
	assert_string_equal(server.psn_peer, client.psn_local);
}

static void echo_and_close(void)
{
	duo.server.echo = true;
	for (uint32_t i = 0; i < 10; i++)
		CHECK_SRDMA(srdma_send(duo.client.session, &i, sizeof(i), NULL));
	DUO_UNTIL(&duo, duo.client.messages == 10);
	CHECK(duo.client.in_order);
	srdma_session_close(duo.client.session);
	DUO_UNTIL(&duo, duo.client.closed && duo.server.closed);
	CHECK_EQ(duo.client.code, SRDMA_ECLOSED);
	CHECK_EQ(duo.server.code, SRDMA_ECLOSED);
}

static void established_by_ipv4(void **state)
{
	(void)state;
	start();
	duo_connect(&duo);
	check_attested();
	echo_and_close();
	duo_close(&duo);
}

static void established_by_ipv6(void **state)
{
	(void)state;
	start();
	duo_dial(&duo, "::1");
	DUO_UNTIL(&duo, duo.client.established && duo.server.established);
	check_attested();
	echo_and_close();
	duo_close(&duo);
}

static void many_at_once(void **state)
{
	enum { COUNT = 20 };
	struct srdma_session *clients[COUNT];

	(void)state;
	start();
	for (unsigned i = 0; i < COUNT; i++) {
		duo_dial(&duo, "127.0.0.1");
		clients[i] = duo.client.session;
	}
	DUO_UNTIL(&duo,
	          duo.client.established == COUNT && duo.server.established == COUNT);
	CHECK_EQ(duo.client.closed + duo.server.closed, 0);
	for (unsigned i = 0; i < COUNT; i++)
		CHECK_SRDMA(srdma_send(clients[i], "hello", 5, NULL));
	DUO_UNTIL(&duo, duo.server.messages == COUNT);
	duo.client.session = NULL; /* they go with the workers */
	duo.server.session = NULL;
	duo_close(&duo);
}

static void not_allowed_by_the_server(void **state)
{
	(void)state;
	duo_open(&duo);
	CHECK_SRDMA(srdma_context_set_number(duo.client.context, SRDMA_OPT_CONNECT,
	                                     SRDMA_CONNECT_CM));
	CHECK_SRDMA(srdma_context_set_number(duo.server.context, SRDMA_OPT_CONNECT,
	                                     SRDMA_CONNECT_DIRECT));
	duo_start(&duo);
	duo_dial(&duo, "127.0.0.1");
	DUO_UNTIL(&duo, duo.client.closed && duo.server.closed);
	CHECK_EQ(duo.client.code, SRDMA_EVERSION);
	CHECK(strstr(duo.client.reason, "use 'direct'") != NULL);
	duo_close(&duo);
}

/* Up to the moment in which the server waits for the connection. */
static void until_the_server_waits(void)
{
	duo_dial(&duo, "127.0.0.1");
	DUO_UNTIL(&duo, duo.server.session && duo.server.session->phase == PHASE_CM);
}

/* The client has learned another token than the server drew: nobody else's will do. */
static void wrong_token(void **state)
{
	(void)state;
	start();
	until_the_server_waits();
	duo.server.session->handshake->token[15] ^= 1;
	DUO_UNTIL(&duo, duo.client.closed && duo.server.closed);
	CHECK_EQ(duo.client.code, SRDMA_EUNREACHABLE);
	CHECK(strstr(duo.client.reason, "REJECTED") != NULL);
	CHECK_EQ(duo.server.established, 0);
	duo_close(&duo);
}

/* The right token with another queue pair than the one named over TLS. */
static void wrong_queue_pair(void **state)
{
	(void)state;
	start();
	until_the_server_waits();
	duo.server.session->handshake->peer.endpoint.qpn ^= 1;
	DUO_UNTIL(&duo, duo.client.closed && duo.server.closed);
	CHECK_EQ(duo.client.code, SRDMA_EUNREACHABLE);
	CHECK_EQ(duo.server.established, 0);
	duo_close(&duo);
}

/*
 * Somebody on the network who talks to the connection manager's port, which is no secret.
 */

struct stranger {
	struct rdma_event_channel *channel;
	struct rdma_cm_id *id;
	enum rdma_cm_event_type last;
};

static enum rdma_cm_event_type stranger_event(struct stranger *s)
{
	struct rdma_cm_event *event;

	CHECK_CALL(rdma_get_cm_event(s->channel, &event));
	s->last = event->event;
	rdma_ack_cm_event(event);
	return s->last;
}

static void stranger_connects(struct stranger *s, uint16_t port, const void *token,
                              size_t length)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
		                  .sin_port = htons(port),
		                  .sin_addr = { htonl(INADDR_LOOPBACK) } };
	struct rdma_conn_param param = { .private_data = token,
		                         .private_data_len = (uint8_t)length,
		                         .qp_num = 0x1234 };

	s->channel = CHECK_OBJECT(rdma_create_event_channel());
	CHECK_CALL(rdma_create_id(s->channel, &s->id, NULL, RDMA_PS_TCP));
	CHECK_CALL(rdma_resolve_addr(s->id, NULL, (struct sockaddr *)&to, 2000));
	CHECK_EQ(stranger_event(s), RDMA_CM_EVENT_ADDR_RESOLVED);
	CHECK_CALL(rdma_resolve_route(s->id, 2000));
	CHECK_EQ(stranger_event(s), RDMA_CM_EVENT_ROUTE_RESOLVED);
	CHECK_CALL(rdma_connect(s->id, &param));
}

static void stranger_ends(struct stranger *s)
{
	rdma_destroy_id(s->id);
	rdma_destroy_event_channel(s->channel);
}

/* Strangers are turned away while a session waits, and the session is not disturbed. */
static void strangers_are_rejected(void **state)
{
	static const uint8_t zeros[56];
	struct stranger strangers[2];
	struct rdma_cm_event *event;
	struct pollfd fd = { .events = POLLIN };
	uint64_t end = deadline_in(PATIENCE_MS);
	uint16_t port;

	(void)state;
	start();
	/* The port is the same for all sessions of a worker: learn it from a first one.
	 */
	until_the_server_waits();
	DUO_UNTIL(&duo, duo.client.session->phase == PHASE_CM ||
	                        duo.client.session->phase > PHASE_CM);
	port = duo.client.session->handshake->peer.endpoint.cm_port;
	CHECK(port != 0);
	stranger_connects(&strangers[0], port, zeros, sizeof(zeros));
	stranger_connects(&strangers[1], port, zeros, 3);
	for (int i = 0; i < 2; i++) {
		fd.fd = strangers[i].channel->fd;
		while (poll(&fd, 1, 0) == 0) {
			CHECK(!deadline_passed(end));
			duo_turn(&duo);
		}
		CHECK_CALL(rdma_get_cm_event(strangers[i].channel, &event));
		CHECK_EQ(event->event, RDMA_CM_EVENT_REJECTED);
		rdma_ack_cm_event(event);
		stranger_ends(&strangers[i]);
	}
	DUO_UNTIL(&duo, duo.client.established && duo.server.established);
	check_attested();
	echo_and_close();
	duo_close(&duo);
}

/*
 * Anyone on the network can claim that a connection has ended: what the connection
 * manager says of it does not end a session.
 */
static void disconnect_is_not_believed(void **state)
{
	(void)state;
	start();
	duo_connect(&duo);
	CHECK_CALL(rdma_disconnect(duo.client.session->cm_id));
	for (int i = 0; i < 10; i++)
		duo_turn(&duo);
	CHECK(!duo.client.closed && !duo.server.closed);
	echo_and_close();
	duo_close(&duo);
}

static void nothing_is_left(void **state)
{
	struct srdma_objects objects;
	const struct srdma_objects none = { 0 };

	(void)state;
	start();
	duo_connect(&duo);
	srdma_objects(&objects, sizeof(objects));
	CHECK_EQ(objects.cm_ids, 3); /* one at each end, and the listener */
	duo_close(&duo);
	srdma_objects(&objects, sizeof(objects));
	CHECK_BYTES(&objects, &none, sizeof(none));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(established_by_ipv4),
		cmocka_unit_test(established_by_ipv6),
		cmocka_unit_test(many_at_once),
		cmocka_unit_test(not_allowed_by_the_server),
		cmocka_unit_test(wrong_token),
		cmocka_unit_test(wrong_queue_pair),
		cmocka_unit_test(strangers_are_rejected),
		cmocka_unit_test(disconnect_is_not_believed),
		cmocka_unit_test(nothing_is_left),
	};

	return cmocka_run_group_tests(tests, pki_set_up, pki_tear_down);
}
