/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is libfabric's alone: the order of messages, and what a peer may say of its
 * endpoint. All else of a session is tested by session-fabric.sh, with the tests of
 * verbs. variants: plain asan
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include "lib/check.h"
#include "lib/deadline.h"
#include "lib/duo.h"
#include "lib/pki.h"
#include "session/fabric_endpoint.h"
#include "session/session.h"

static struct duo duo;

static void by(const char *provider)
{
	setenv("DUO_FABRIC", provider, 1);
	duo_open(&duo);
	duo_start(&duo);
}

static struct fabric_endpoint *start(void)
{
	by("tcp");
	duo_connect(&duo);
	return to_fabric(duo.client.session->endpoint);
}

static void expect_end(struct duo_end *end, int code, const char *what)
{
	DUO_UNTIL(&duo, duo.client.closed && duo.server.closed);
	CHECK_EQ(end->code, code);
	if (!strstr(end->reason, what))
		check_failed(__FILE__, __LINE__, "'%s' does not say '%s'", end->reason,
		             what);
	duo_close(&duo);
}

/* A number beyond all that the server has buffers for. */
static void far_ahead(void **state)
{
	struct fabric_endpoint *endpoint;

	(void)state;
	endpoint = start();
	endpoint->next_out += endpoint->receive_count;
	CHECK_SRDMA(srdma_send(duo.client.session, "x", 1, NULL));
	expect_end(&duo.server, SRDMA_EPROTOCOL, "out of place");
}

static void twice(void **state)
{
	struct fabric_endpoint *endpoint;

	(void)state;
	endpoint = start();
	CHECK_SRDMA(srdma_send(duo.client.session, "x", 1, NULL));
	endpoint->next_out--;
	CHECK_SRDMA(srdma_send(duo.client.session, "y", 1, NULL));
	expect_end(&duo.server, SRDMA_EPROTOCOL, "out of place");
}

/* They come in another order than they were sent in; the caller does not see it. */
static void out_of_order(void **state)
{
	struct fabric_endpoint *sender;
	uint32_t number;

	(void)state;
	sender = start();
	number = sender->next_out;
	/* The seal has an order of its own: numbers are exchanged, not messages. */
	sender->next_out = number + 1;
	CHECK_SRDMA(srdma_send(duo.client.session, "early", 5, NULL));
	for (int i = 0; i < 20; i++)
		duo_turn(&duo);
	CHECK_EQ(duo.server.messages, 0); /* it waits for the one before it */
	sender->next_out = number;
	CHECK_SRDMA(srdma_send(duo.client.session, "first", 5, NULL));
	/* Opened in the order of the numbers: not that of the seals. */
	expect_end(&duo.server, SRDMA_ESEAL, "seal broken");
}

static void say(struct frame *frame, int code, const char *what)
{
	struct endpoint *endpoint = duo.client.session->endpoint;

	CHECK_EQ(endpoint->transport->connect(endpoint, frame), code);
	if (!strstr(srdma_detail(), what))
		check_failed(__FILE__, __LINE__, "'%s' does not say '%s'", srdma_detail(),
		             what);
}

static void addresses_of_others(void **state)
{
	struct endpoint *endpoint;
	struct sockaddr_in address;
	struct frame frame;

	(void)state;
	start();
	endpoint = duo.client.session->endpoint;
	endpoint->transport->describe(endpoint, &frame);
	memcpy(&address, frame.fabric.name, sizeof(address));
	CHECK_EQ(address.sin_addr.s_addr, htonl(INADDR_LOOPBACK));
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1);
	memcpy(frame.fabric.name, &address, sizeof(address));
	say(&frame, SRDMA_EPROTOCOL, "none of its own");
	endpoint->transport->describe(endpoint, &frame);
	frame.fabric.length--;
	say(&frame, SRDMA_EPROTOCOL, "none of its own");
	duo_close(&duo);
}

static void another_provider(void **state)
{
	struct endpoint *endpoint;
	struct frame frame;

	(void)state;
	start();
	endpoint = duo.client.session->endpoint;
	endpoint->transport->describe(endpoint, &frame);
	frame.fabric.provider[0] = 'x';
	CHECK_EQ(endpoint->transport->learn(endpoint, &frame), SRDMA_EVERSION);
	CHECK(strstr(srdma_detail(), "both sides have to name the same") != NULL);
	duo_close(&duo);
}

static void both_ends_of_shm(void **state)
{
	(void)state;
	by("shm");
	duo_dial(&duo, "127.0.0.1");
	expect_end(&duo.server, SRDMA_ENODEVICE, "shm cannot connect two ends in one");
}

static void no_such_provider(void **state)
{
	struct srdma_worker *worker;

	(void)state;
	start();
	CHECK_SRDMA(srdma_context_set_text(duo.client.context, SRDMA_OPT_FABRIC_PROVIDER,
	                                   "nonesuch"));
	CHECK_EQ(srdma_worker_new(duo.client.context, &worker), SRDMA_ENODEVICE);
	CHECK(strstr(srdma_detail(), "no provider 'nonesuch'") != NULL);
	duo_close(&duo);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(far_ahead),        cmocka_unit_test(twice),
		cmocka_unit_test(out_of_order),     cmocka_unit_test(addresses_of_others),
		cmocka_unit_test(another_provider), cmocka_unit_test(both_ends_of_shm),
		cmocka_unit_test(no_such_provider),
	};

	return cmocka_run_group_tests(tests, pki_set_up, pki_tear_down);
}
