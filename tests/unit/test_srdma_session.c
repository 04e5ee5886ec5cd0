/* SPDX-License-Identifier: BSD-2-Clause */
/* Sessions from both ends: established, messages, closed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/check.h"
#include "lib/deadline.h"
#include "lib/duo.h"
#include "lib/pki.h"

static struct duo duo;

static void start_connected(void)
{
	duo_open(&duo);
	duo_start(&duo);
	duo_connect(&duo);
}

static void check_queue_pairs(const struct srdma_attestation *server,
                              const struct srdma_attestation *client)
{
	CHECK_EQ(server->transport, SRDMA_TRANSPORT_VERBS);
	CHECK_EQ(server->checked, SRDMA_ATTESTED_ALL);
	CHECK_EQ(client->checked, SRDMA_ATTESTED_ALL);
	CHECK_EQ(strlen(server->psn_local), 8);
	assert_string_equal(server->psn_local, client->psn_peer);
	assert_string_equal(server->psn_peer, client->psn_local);
	CHECK(strcmp(server->psn_local, server->psn_peer) != 0);
	assert_string_equal(client->gid, "::ffff:127.0.0.1");
	assert_string_equal(server->qp_state, "RTS");
	CHECK(server->shared_receive);
}

/* No PSNs, nor anything said of them. */
static void check_fabric(const struct srdma_attestation *end)
{
	CHECK_EQ(end->transport, SRDMA_TRANSPORT_FABRIC);
	CHECK_EQ(end->checked, SRDMA_ATTESTED_FABRIC);
	CHECK_EQ(strlen(end->psn_local) + strlen(end->psn_peer), 0);
	CHECK(strstr(end->device, duo_provider()) != NULL);
	CHECK(strncmp(end->gid, "fi_", 3) == 0);
}

static void check_transport(const struct srdma_attestation *server,
                            const struct srdma_attestation *client)
{
	if (!duo_provider()) {
		check_queue_pairs(server, client);
		return;
	}
	check_fabric(server);
	check_fabric(client);
	CHECK(strcmp(server->gid, client->gid) != 0);
}

static void established_and_attested(void **state)
{
	struct srdma_attestation server, client;

	(void)state;
	start_connected();
	assert_string_equal(duo.server.identity, "spiffe://test/client");
	assert_string_equal(duo.client.identity, "localhost");
	CHECK_SRDMA(
	        srdma_session_attestation(duo.server.session, &server, sizeof(server)));
	CHECK_SRDMA(
	        srdma_session_attestation(duo.client.session, &client, sizeof(client)));
	check_transport(&server, &client);
	CHECK(!strncmp(client.tls, "TLSv1.3 ", 8));
	assert_string_equal(client.protection, server.protection);
	CHECK_EQ(!strcmp(client.protection, "none"),
	         duo_protection == SRDMA_PROTECTION_NONE);
	CHECK_EQ(client.connect, SRDMA_CONNECT_DIRECT);
	CHECK_EQ(srdma_session_state(duo.client.session), SRDMA_STATE_ESTABLISHED);
	duo_close(&duo);
}

static void by_ipv6_and_by_name(void **state)
{
	struct srdma_attestation attestation;

	(void)state;
	if (duo_provider() && !strcmp(duo_provider(), "verbs"))
		skip(); /* its provider lists no ::1 */
	duo_open(&duo);
	duo_start(&duo);
	duo_dial(&duo, "::1");
	DUO_UNTIL(&duo, duo.client.established && duo.server.established);
	CHECK_SRDMA(srdma_session_attestation(duo.client.session, &attestation,
	                                      sizeof(attestation)));
	if (!duo_provider())
		assert_string_equal(attestation.gid, "::1");
	srdma_session_free(duo.client.session);
	srdma_session_free(duo.server.session);
	duo_dial(&duo, "localhost");
	DUO_UNTIL(&duo, duo.client.established == 2 && duo.server.established == 2);
	duo_close(&duo);
}

static void send_numbered(struct srdma_session *session, uint32_t number, size_t length)
{
	static char bytes[65536];

	memset(bytes, (int)number, length);
	if (length >= sizeof(number))
		memcpy(bytes, &number, sizeof(number));
	CHECK_SRDMA(srdma_send(session, bytes, length, NULL));
}

static void messages_of_all_sizes(void **state)
{
	static const size_t sizes[] = { 0,   1,   4,    63,   64,    219,
		                        220, 221, 4095, 4096, 16383, 16384 };
	unsigned count = sizeof(sizes) / sizeof(sizes[0]);
	struct srdma_session_stats stats;
	size_t total = 0;

	(void)state;
	start_connected();
	duo.server.echo = true;
	CHECK_EQ(srdma_session_max_message(duo.client.session), 16384);
	for (unsigned i = 0; i < count; i++) {
		send_numbered(duo.client.session, i, sizes[i]);
		total += sizes[i];
		DUO_UNTIL(&duo, duo.client.messages == i + 1);
		CHECK_EQ(duo.client.last_length, sizes[i]);
		for (size_t at = 4; at < sizes[i]; at++)
			CHECK(duo.client.last[at] == (char)i);
	}
	CHECK(duo.server.in_order && duo.client.in_order);
	CHECK_EQ(srdma_send(duo.client.session, duo.client.last, 16385, NULL),
	         SRDMA_EINVAL);
	srdma_session_stats(duo.client.session, &stats, sizeof(stats));
	CHECK_EQ(stats.messages_sent, count);
	CHECK_EQ(stats.messages_received, count);
	CHECK_EQ(stats.bytes_received, total);
	CHECK(stats.established_us > 0);
	duo_close(&duo);
}

/* As fast as it goes, both ways, with a window much smaller than the number of messages.
 */
static void flood_both_ways(void **state)
{
	enum { COUNT = 3000 };
	uint32_t sent[2] = { 0, 0 };

	(void)state;
	duo_open(&duo);
	CHECK_SRDMA(srdma_context_set_number(duo.server.context, SRDMA_OPT_CREDITS, 3));
	CHECK_SRDMA(srdma_context_set_number(duo.client.context, SRDMA_OPT_CREDITS, 2));
	CHECK_SRDMA(
	        srdma_context_set_number(duo.client.context, SRDMA_OPT_SEND_DEPTH, 4));
	duo_start(&duo);
	duo_connect(&duo);
	while (sent[0] < COUNT || sent[1] < COUNT) {
		while (sent[0] < COUNT && srdma_session_writable(duo.client.session)) {
			send_numbered(duo.client.session, sent[0], sent[0] % 2000);
			sent[0]++;
		}
		while (sent[1] < COUNT && srdma_session_writable(duo.server.session)) {
			send_numbered(duo.server.session, sent[1], 4);
			sent[1]++;
		}
		duo_turn(&duo);
		CHECK(!duo.server.closed && !duo.client.closed);
	}
	DUO_UNTIL(&duo, duo.server.messages == COUNT && duo.client.messages == COUNT);
	CHECK(duo.server.in_order && duo.client.in_order);
	duo_close(&duo);
}

/* Kept messages hold the sender back; nothing is lost, and it hears when it can go on. */
static void kept_messages_hold_the_sender_back(void **state)
{
	uint32_t sent = 0;

	(void)state;
	start_connected();
	duo.server.keep = true;
	while (srdma_session_writable(duo.client.session))
		send_numbered(duo.client.session, sent++, 100);
	CHECK_EQ(sent, 16);
	CHECK_EQ(srdma_send(duo.client.session, "x", 1, NULL), SRDMA_EBLOCKED);
	DUO_UNTIL(&duo, duo.server.messages == 16);
	for (int i = 0; i < 20; i++)
		duo_turn(&duo);
	CHECK_EQ(duo.client.writable, 0);
	CHECK_EQ(srdma_send(duo.client.session, "x", 1, NULL), SRDMA_EBLOCKED);
	for (unsigned i = 0; i < duo.server.kept_count; i++) {
		uint32_t number;

		memcpy(&number, srdma_message_data(duo.server.kept[i]), sizeof(number));
		CHECK_EQ(number, i);
		srdma_message_release(duo.server.kept[i]);
	}
	duo.server.keep = false;
	DUO_UNTIL(&duo, duo.client.writable == 1);
	send_numbered(duo.client.session, 16, 100);
	DUO_UNTIL(&duo, duo.server.messages == 17);
	CHECK(duo.server.in_order);
	duo_close(&duo);
}

static void completions_tell_of_each_operation(void **state)
{
	int marks[10];

	(void)state;
	start_connected();
	for (int i = 0; i < 10; i++)
		CHECK_SRDMA(srdma_send(duo.client.session, "hello", 5, &marks[i]));
	DUO_UNTIL(&duo, duo.client.completions == 10);
	CHECK_EQ(duo.client.failures, 0);
	CHECK(duo.client.last_op == &marks[9]);
	/* Sent means in the peer's memory: even if that one looks only now. */
	DUO_UNTIL(&duo, duo.server.messages == 10);
	duo_close(&duo);
}

/*
 * Closing
 */

static void check_closed_in_order(void)
{
	DUO_UNTIL(&duo, duo.server.closed && duo.client.closed);
	if (duo.server.code != SRDMA_ECLOSED || duo.client.code != SRDMA_ECLOSED)
		check_failed(__FILE__, __LINE__, "server: %s; client: %s",
		             duo.server.reason, duo.client.reason);
	CHECK_EQ(duo.server.closed, 1);
	CHECK_EQ(duo.client.closed, 1);
}

static void close_loses_nothing_posted(void **state)
{
	enum { COUNT = 16 };

	(void)state;
	start_connected();
	for (uint32_t i = 0; i < COUNT; i++) {
		send_numbered(duo.client.session, i, 10000);
		send_numbered(duo.server.session, i, 10000);
	}
	srdma_session_close(duo.client.session);
	CHECK_EQ(srdma_send(duo.client.session, "x", 1, NULL), SRDMA_ECLOSED);
	check_closed_in_order();
	CHECK_EQ(duo.server.messages, COUNT);
	CHECK_EQ(duo.client.messages, COUNT);
	CHECK(duo.server.in_order && duo.client.in_order);
	CHECK_EQ(duo.server.closing, 1);
	CHECK_EQ(duo.client.closing, 0);
	CHECK_EQ(srdma_send(duo.client.session, "x", 1, NULL), SRDMA_ECLOSED);
	duo_close(&duo);
}

static void both_close_at_once(void **state)
{
	(void)state;
	start_connected();
	for (uint32_t i = 0; i < 8; i++) {
		send_numbered(duo.client.session, i, 5000);
		send_numbered(duo.server.session, i, 5000);
	}
	srdma_session_close(duo.client.session);
	srdma_session_close(duo.server.session);
	check_closed_in_order();
	CHECK_EQ(duo.server.messages, 8);
	CHECK_EQ(duo.client.messages, 8);
	duo_close(&duo);
}

static void server_closes(void **state)
{
	(void)state;
	start_connected();
	srdma_session_close(duo.server.session);
	check_closed_in_order();
	CHECK_EQ(duo.client.closing, 1);
	duo_close(&duo);
}

static void abort_is_told(void **state)
{
	const char *reason;
	int mark;

	(void)state;
	start_connected();
	duo.server.keep = true;
	CHECK_SRDMA(srdma_send(duo.client.session, "last words", 10, &mark));
	srdma_session_abort(duo.server.session, "the operator said so");
	DUO_UNTIL(&duo, duo.server.closed && duo.client.closed);
	CHECK_EQ(duo.server.code, SRDMA_ECLOSED);
	CHECK_EQ(duo.client.code, SRDMA_EVANISHED);
	CHECK(strstr(duo.client.reason, "the operator said so") != NULL);
	CHECK_EQ(srdma_session_reason(duo.client.session, &reason), SRDMA_EVANISHED);
	assert_string_equal(reason, duo.client.reason);
	CHECK_EQ(duo.client.completions, 1);
	duo_close(&duo);
}

/* The other side frees without a word to its own caller; this side still learns of it. */
static void free_tells_the_peer(void **state)
{
	(void)state;
	start_connected();
	srdma_session_free(duo.server.session);
	duo.server.session = NULL;
	DUO_UNTIL(&duo, duo.client.closed);
	CHECK_EQ(duo.server.closed, 0);
	CHECK_EQ(duo.client.code, SRDMA_EVANISHED);
	CHECK_EQ(srdma_worker_sessions(duo.server.worker), 0);
	duo_close(&duo);
}

static void free_from_within_callbacks(void **state)
{
	(void)state;
	start_connected();
	duo.server.free_at_message = true;
	duo.client.free_at_end = true;
	for (uint32_t i = 0; i < 4; i++)
		send_numbered(duo.client.session, i, 3000);
	DUO_UNTIL(&duo, duo.client.closed);
	CHECK_EQ(duo.server.messages, 1);
	CHECK_EQ(srdma_worker_sessions(duo.server.worker), 0);
	CHECK_EQ(srdma_worker_sessions(duo.client.worker), 0);
	duo_close(&duo);
}

/* What the peer said before it vanished is handed over before the end. */
static void worker_free_ends_sessions(void **state)
{
	(void)state;
	start_connected();
	send_numbered(duo.client.session, 0, 100);
	srdma_worker_free(duo.client.worker);
	duo.client.session = NULL;
	CHECK_EQ(duo.client.closed, 1);
	CHECK_EQ(duo.client.code, SRDMA_ECLOSED);
	duo.client.worker = NULL;
	CHECK_SRDMA(srdma_worker_new(duo.client.context, &duo.client.worker));
	DUO_UNTIL(&duo, duo.server.closed);
	CHECK_EQ(duo.server.messages, 1);
	CHECK_EQ(duo.server.code, SRDMA_EVANISHED);
	duo_close(&duo);
}

/*
 * Refusals
 */

static void policy_refuses(void **state)
{
	(void)state;
	duo_open(&duo);
	duo_start(&duo);
	duo.server.refuse = true;
	duo_dial(&duo, "127.0.0.1");
	DUO_UNTIL(&duo, duo.server.closed && duo.client.closed);
	CHECK_EQ(duo.server.code, SRDMA_EREFUSED);
	CHECK_EQ(duo.client.code, SRDMA_EREFUSED);
	CHECK(strstr(duo.client.reason, "'spiffe://test/client' is not allowed here") !=
	      NULL);
	CHECK_EQ(duo.server.established + duo.client.established, 0);
	duo_close(&duo);
}

static void limit_of_sessions(void **state)
{
	struct srdma_session *first_client, *first_server;

	(void)state;
	duo_open(&duo);
	CHECK_SRDMA(
	        srdma_context_set_number(duo.server.context, SRDMA_OPT_MAX_SESSIONS, 1));
	duo_start(&duo);
	duo_connect(&duo);
	first_client = duo.client.session;
	first_server = duo.server.session;
	duo_dial(&duo, "127.0.0.1");
	DUO_UNTIL(&duo, duo.client.closed && duo.server.closed);
	CHECK_EQ(duo.client.code, SRDMA_EREFUSED);
	CHECK_EQ(duo.server.code, SRDMA_ELIMIT);
	CHECK(strstr(duo.client.reason, "limit of sessions") != NULL);
	CHECK_EQ(srdma_session_state(first_client), SRDMA_STATE_ESTABLISHED);
	srdma_session_free(first_client);
	srdma_session_free(first_server);
	duo.server.session =
	        NULL; /* on_authenticated was not reached: freed in on_closed */
	duo_close(&duo);
}

static void no_common_way_to_connect(void **state)
{
	(void)state;
	if (duo_provider())
		skip(); /* there is one way only */
	duo_open(&duo);
	CHECK_SRDMA(srdma_context_set_number(duo.server.context, SRDMA_OPT_CONNECT,
	                                     SRDMA_CONNECT_CM));
	CHECK_SRDMA(srdma_context_set_number(duo.client.context, SRDMA_OPT_CONNECT,
	                                     SRDMA_CONNECT_DIRECT));
	duo_start(&duo);
	duo_dial(&duo, "127.0.0.1");
	DUO_UNTIL(&duo, duo.client.closed && duo.server.closed);
	CHECK_EQ(duo.client.code, SRDMA_EVERSION);
	CHECK(strstr(duo.client.reason, "use 'cm'") != NULL);
	duo_close(&duo);
}

static void nothing_listens(void **state)
{
	(void)state;
	duo_open(&duo);
	duo_start(&duo);
	srdma_listener_free(duo.listener);
	CHECK_SRDMA(
	        srdma_listener_new(duo.server.context, "127.0.0.1", "0", &duo.listener));
	duo_dial(&duo, "127.0.0.1");
	DUO_UNTIL(&duo, duo.client.closed);
	CHECK_EQ(duo.client.code, SRDMA_EREFUSED);
	CHECK(strstr(duo.client.reason, "is the server running") != NULL);
	duo_close(&duo);
}

static void many_sessions_of_one_worker(void **state)
{
	enum { COUNT = 40 };
	struct srdma_session *clients[COUNT], *servers[COUNT];

	(void)state;
	duo_open(&duo);
	duo_start(&duo);
	for (unsigned i = 0; i < COUNT; i++) {
		duo_connect(&duo);
		clients[i] = duo.client.session;
		servers[i] = duo.server.session;
	}
	duo.server.echo = true;
	for (unsigned i = 0; i < COUNT; i++)
		CHECK_SRDMA(srdma_send(clients[i], &i, sizeof(i), NULL));
	DUO_UNTIL(&duo, duo.client.messages == COUNT);
	CHECK_EQ(srdma_worker_sessions(duo.server.worker), COUNT);
	for (unsigned i = 0; i < COUNT; i++) {
		srdma_session_free(clients[i]);
		srdma_session_free(servers[i]);
	}
	duo.client.session = NULL;
	duo.server.session = NULL;
	CHECK_EQ(srdma_worker_sessions(duo.server.worker), 0);
	duo_close(&duo);
}

/* Nothing of the device or of the library is left when all is freed. */
static void nothing_is_left(void **state)
{
	struct srdma_objects objects;
	const struct srdma_objects none = { 0 };

	(void)state;
	srdma_objects(&objects, sizeof(objects));
	CHECK_BYTES(&objects, &none, sizeof(none));
	start_connected();
	send_numbered(duo.client.session, 0, 5000);
	DUO_UNTIL(&duo, duo.server.messages == 1);
	srdma_objects(&objects, sizeof(objects));
	CHECK_EQ(objects.sessions, 2);
	CHECK_EQ(objects.queue_pairs, 2);
	CHECK_EQ(objects.contexts, 2);
	CHECK_EQ(objects.completion_queues, 2);
	CHECK_EQ(objects.shared_receive_queues, duo_provider() ? 0 : 2);
	CHECK_EQ(objects.protection_domains, duo_provider() ? 0 : 4);
	CHECK(objects.memory_regions >= 3);
	duo_close(&duo);
	srdma_objects(&objects, sizeof(objects));
	CHECK_BYTES(&objects, &none, sizeof(none));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(established_and_attested),
		cmocka_unit_test(by_ipv6_and_by_name),
		cmocka_unit_test(messages_of_all_sizes),
		cmocka_unit_test(flood_both_ways),
		cmocka_unit_test(kept_messages_hold_the_sender_back),
		cmocka_unit_test(completions_tell_of_each_operation),
		cmocka_unit_test(close_loses_nothing_posted),
		cmocka_unit_test(both_close_at_once),
		cmocka_unit_test(server_closes),
		cmocka_unit_test(abort_is_told),
		cmocka_unit_test(free_tells_the_peer),
		cmocka_unit_test(free_from_within_callbacks),
		cmocka_unit_test(worker_free_ends_sessions),
		cmocka_unit_test(policy_refuses),
		cmocka_unit_test(limit_of_sessions),
		cmocka_unit_test(no_common_way_to_connect),
		cmocka_unit_test(nothing_listens),
		cmocka_unit_test(many_sessions_of_one_worker),
		cmocka_unit_test(nothing_is_left),
	};

	return DUO_SEALED_AND_CLEAR(tests, pki_set_up, pki_tear_down);
}
