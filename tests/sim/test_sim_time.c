// SPDX-License-Identifier: BSD-2-Clause
/* How long a requester waits until it sends again by itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "../unit/lib/check.h"
#include "../unit/lib/rcop.h"
#include "../unit/mock_dir.h"
#include "host/engine.h"
#include "sim.h"
#include "wire/roce.h"

enum { ICRC_SIZE = 4, RECEIVES = 16, MS = 1000 * 1000 };

static struct rc_pair pair;
static unsigned int sent, lose;

/* Loses answers. */
static bool watch(uint8_t *bth, size_t length)
{
	struct roce roce;

	CHECK_EQ(roce_decode(bth, length + ICRC_SIZE, &roce), ROCE_OK);
	if (roce.opcode != RC_ACKNOWLEDGE) {
		sent++;
		return false;
	}
	if (!lose)
		return false;
	lose--;
	return true;
}

static void begin(void)
{
	static const struct sim_weather fair = { .delay_ns = 1000 };

	sim_begin(1, &fair);
	rc_pair_open(&pair, &rc_default);
	for (unsigned int i = 0; i < RECEIVES; i++)
		rc_recv(&pair.b, 1, 0, 8);
	sim_filter = watch;
	sent = lose = 0;
}

static void end(void)
{
	sim_filter = NULL;
	rc_pair_close(&pair);
}

/* One message, so many answers to which get lost: how long until it was sent again first.
 */
static uint64_t exchange(unsigned int lost)
{
	uint64_t begun = now_ns(), again = 0;
	struct ibv_wc wc;

	sent = 0;
	lose = lost;
	rc_do(&pair.a, &(struct rc_op){ .opcode = IBV_WR_SEND,
	                                .id = 1,
	                                .flags = IBV_SEND_SIGNALED,
	                                .length = 8 });
	while (ibv_poll_cq(pair.a.send_cq, 1, &wc) != 1) {
		CHECK(sim_step());
		if (sent == 2 && !again)
			again = now_ns() - begun;
	}
	CHECK_EQ(wc.status, IBV_WC_SUCCESS);
	CHECK_EQ(ibv_poll_cq(pair.b.recv_cq, 1, &wc), 1);
	return again;
}

/*
 * Who was slow is not sent again as early as at first, until it has answered something
 * that was sent once: what it answers else may be the first of several.
 */
static void longer_until_an_answer_that_counts(void **state)
{
	uint64_t at_first, later;

	(void)state;
	begin();
	CHECK_EQ(exchange(0), 0); /* the round trip is known from here on */
	at_first = exchange(3);
	CHECK(at_first < 5 * MS);
	later = exchange(1);
	CHECK(later >= 4 * at_first);
	CHECK_EQ(exchange(0), 0);
	CHECK(exchange(1) < 5 * MS);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(longer_until_an_answer_that_counts),
	};
	int failed;

	mock_dir_make();
	sim_install();
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	mock_dir_remove();
	return failed;
}
