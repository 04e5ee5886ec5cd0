// SPDX-License-Identifier: BSD-2-Clause
/*
 * What two sides agree on about single packets: by what each wants and can, and against a
 * peer that does not keep to it. That keys work is for attack.sh and session-packets.sh.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/check.h"
#include "session/packets.h"
#include "session/session.h"

enum { AES = FRAME_PACKETS_AES_256_GCM, LATER = 0x80 };

static bool can(void)
{
	return true;
}

static const struct transport able = { .can_protect = can }, unable;

static struct srdma_worker worker;
static struct srdma_session session;

static void begin(const struct transport *transport, enum srdma_packets wanted)
{
	memset(&session, 0, sizeof(session));
	options_init(&worker.options);
	worker.transport = transport;
	worker.options.number[SRDMA_OPT_PACKET_PROTECTION] = wanted;
	session.worker = &worker;
	strcpy(session.name, "peer");
}

static void off_is_the_default(void **state)
{
	(void)state;
	options_init(&worker.options);
	CHECK_EQ(worker.options.number[SRDMA_OPT_PACKET_PROTECTION], SRDMA_PACKETS_OFF);
}

static void offers(void **state)
{
	(void)state;
	begin(&able, SRDMA_PACKETS_OFF);
	CHECK_EQ(packets_offer(&session), 0);
	begin(&able, SRDMA_PACKETS_AUTO);
	CHECK_EQ(packets_offer(&session), AES);
	begin(&able, SRDMA_PACKETS_REQUIRED);
	CHECK_EQ(packets_offer(&session), AES);
	begin(&unable, SRDMA_PACKETS_REQUIRED);
	CHECK_EQ(packets_offer(&session), 0);
}

static const struct {
	const struct transport *transport;
	enum srdma_packets wanted;
	uint8_t peer; /* its offer, or its choice */
	int server;   /* what a server answers to the offer, and its choice */
	uint8_t packets;
	int client; /* what a client says of the choice */
} cases[] = {
	{ &able, SRDMA_PACKETS_OFF, 0, 0, 0, 0 },
	{ &able, SRDMA_PACKETS_OFF, AES, 0, 0, SRDMA_EPROTOCOL },
	{ &able, SRDMA_PACKETS_AUTO, 0, 0, 0, 0 },
	{ &able, SRDMA_PACKETS_AUTO, AES, 0, AES, 0 },
	{ &able, SRDMA_PACKETS_AUTO, LATER, 0, 0, SRDMA_EPROTOCOL },
	{ &able, SRDMA_PACKETS_AUTO, AES | LATER, 0, AES, SRDMA_EPROTOCOL },
	{ &able, SRDMA_PACKETS_REQUIRED, AES, 0, AES, 0 },
	{ &able, SRDMA_PACKETS_REQUIRED, 0, SRDMA_EVERSION, 0, SRDMA_EVERSION },
	{ &able, SRDMA_PACKETS_REQUIRED, LATER, SRDMA_EVERSION, 0, SRDMA_EPROTOCOL },
	{ &unable, SRDMA_PACKETS_AUTO, AES, 0, 0, SRDMA_EPROTOCOL },
	{ &unable, SRDMA_PACKETS_REQUIRED, AES, SRDMA_EVERSION, 0, SRDMA_EPROTOCOL },
	{ &unable, SRDMA_PACKETS_REQUIRED, 0, SRDMA_EVERSION, 0, SRDMA_EVERSION },
};

static void choices(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		begin(cases[i].transport, cases[i].wanted);
		CHECK_EQ(packets_choose(&session, cases[i].peer), cases[i].server);
		CHECK_EQ(session.packets, cases[i].packets);
		begin(cases[i].transport, cases[i].wanted);
		CHECK_EQ(packets_take_choice(&session, cases[i].peer), cases[i].client);
		CHECK_EQ(session.packets, cases[i].client ? 0 : cases[i].packets);
	}
}

/* The sentence names the side that lacks it. */
static void reasons(void **state)
{
	(void)state;
	begin(&able, SRDMA_PACKETS_REQUIRED);
	packets_choose(&session, 0);
	CHECK(strstr(srdma_detail(), "peer does not") != NULL);
	begin(&unable, SRDMA_PACKETS_REQUIRED);
	packets_choose(&session, AES);
	CHECK(strstr(srdma_detail(), "no device of this machine can") != NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(off_is_the_default),
		cmocka_unit_test(offers),
		cmocka_unit_test(choices),
		cmocka_unit_test(reasons),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
