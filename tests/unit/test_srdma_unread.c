// SPDX-License-Identifier: BSD-2-Clause
/*
 * Sessions that end before what came in them was looked at: the receive buffers that they
 * share with others are not lost with them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/check.h"
#include "lib/deadline.h"
#include "lib/duo.h"
#include "lib/pki.h"

/* In all, several times what a worker begins with. */
enum { SESSIONS = 30, MESSAGES = 8 };

static struct duo duo;

static void client_sends(void)
{
	for (unsigned i = 0; i < MESSAGES; i++)
		CHECK_SRDMA(srdma_send(duo.client.session, "unread", 6, NULL));
}

static void end_unread(void)
{
	srdma_session_free(duo.server.session);
	duo.server.session = NULL;
	DUO_UNTIL(&duo, duo.client.closed);
	srdma_session_free(duo.client.session);
	duo.client.session = NULL;
	duo.client.closed = 0;
}

static void buffers_come_back(void **state)
{
	struct srdma_worker_stats before, after;

	(void)state;
	duo_open(&duo);
	duo_start(&duo);
	duo_connect(&duo);
	srdma_worker_stats(duo.server.worker, &before, sizeof(before));
	client_sends();
	end_unread();
	for (unsigned i = 1; i < SESSIONS; i++) {
		duo_connect(&duo);
		client_sends();
		end_unread();
	}
	duo_connect(&duo);
	client_sends();
	DUO_UNTIL(&duo, duo.server.messages == MESSAGES);
	srdma_worker_stats(duo.server.worker, &after, sizeof(after));
	CHECK_EQ(after.receive_buffers, before.receive_buffers);
	duo_close(&duo);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(buffers_come_back),
	};

	return DUO_SEALED_AND_CLEAR(tests, pki_set_up, pki_tear_down);
}
