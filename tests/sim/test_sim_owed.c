// SPDX-License-Identifier: BSD-2-Clause
/*
 * When an acknowledgement goes: with what the program sends after it polled the message,
 * or when it has nothing to send, or after a while; and always before the QP forgets it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "../unit/lib/check.h"
#include "../unit/lib/rcop.h"
#include "../unit/mock_dir.h"
#include "sim.h"
#include "wire/roce.h"

enum { MESSAGE = 8, ICRC_SIZE = 4, RECEIVES = 4, LONG = 8192 };

static struct rc_pair pair;

/* Of the packets since they were last counted: acknowledgements and others. */
static struct {
	unsigned int answers, requests, lose;
	bool answer_was_last;
} seen;

static bool watch(uint8_t *bth, size_t length)
{
	struct roce roce;

	CHECK_EQ(roce_decode(bth, length + ICRC_SIZE, &roce), ROCE_OK);
	seen.answer_was_last = roce.opcode == RC_ACKNOWLEDGE;
	if (!seen.answer_was_last) {
		seen.requests++;
		return false;
	}
	seen.answers++;
	if (!seen.lose)
		return false;
	seen.lose--;
	return true;
}

static void forget_seen(void)
{
	seen.answers = seen.requests = seen.lose = 0;
}

static int begin(void **state)
{
	static const struct sim_weather fair = { .delay_ns = 1000 };

	(void)state;
	sim_begin(1, &fair);
	rc_pair_open(&pair, &rc_default);
	for (unsigned int i = 0; i < RECEIVES; i++) {
		rc_recv(&pair.b, 1, 0, MESSAGE);
		rc_recv(&pair.a, 2, 0, LONG);
	}
	forget_seen();
	sim_filter = watch;
	return 0;
}

static int end(void **state)
{
	(void)state;
	sim_filter = NULL;
	rc_pair_close(&pair);
	return 0;
}

static void send_from(struct rc_end *end, uint64_t id)
{
	rc_do(end, &(struct rc_op){ .opcode = IBV_WR_SEND,
	                            .id = id,
	                            .flags = IBV_SEND_SIGNALED,
	                            .length = MESSAGE });
}

static void polled(struct ibv_cq *cq, uint64_t id)
{
	struct ibv_wc wc;

	CHECK_EQ(ibv_poll_cq(cq, 1, &wc), 1);
	CHECK_EQ(wc.wr_id, id);
	CHECK_EQ(wc.status, IBV_WC_SUCCESS);
}

static void comes(struct ibv_cq *cq, uint64_t id)
{
	struct ibv_wc wc;

	while (ibv_poll_cq(cq, 1, &wc) != 1)
		CHECK(sim_step());
	CHECK_EQ(wc.wr_id, id);
	CHECK_EQ(wc.status, IBV_WC_SUCCESS);
}

static bool has(struct ibv_cq *cq)
{
	struct ibv_wc wc;

	return ibv_poll_cq(cq, 1, &wc) == 1;
}

/* B has the message and has polled it. */
static void give_to_b(void)
{
	send_from(&pair.a, 1);
	CHECK_EQ(seen.requests, 1);
	CHECK(sim_step());
	CHECK_EQ(seen.answers, 0);
	polled(pair.b.recv_cq, 1);
	CHECK_EQ(seen.answers, 0);
}

static void reply_takes_it_along(void **state)
{
	(void)state;
	give_to_b();
	send_from(&pair.b, 2);
	CHECK_EQ(seen.answers, 1);
	CHECK_EQ(seen.requests, 2);
	CHECK(seen.answer_was_last);
	comes(pair.a.recv_cq, 2);
	comes(pair.a.send_cq, 1);
	comes(pair.b.send_cq, 2);
	CHECK_EQ(seen.answers, 2);
}

/* One that is shorter than the acknowledgement, or of packets of two lengths, goes behind
 * it. */
static void goes_first_where_it_has_no_room(void **state)
{
	static const uint32_t lengths[] = { 0, 4096 + 5 };

	(void)state;
	for (unsigned int i = 0; i < 2; i++) {
		forget_seen();
		give_to_b();
		rc_do(&pair.b, &(struct rc_op){ .opcode = IBV_WR_SEND,
		                                .id = 2,
		                                .flags = IBV_SEND_SIGNALED,
		                                .length = lengths[i] });
		CHECK_EQ(seen.answers, 1);
		CHECK(!seen.answer_was_last);
		comes(pair.a.send_cq, 1);
		comes(pair.a.recv_cq, 2);
		comes(pair.b.send_cq, 2);
	}
}

static void goes_when_a_poll_finds_nothing(void **state)
{
	(void)state;
	give_to_b();
	CHECK(!has(pair.b.recv_cq));
	CHECK_EQ(seen.answers, 1);
	CHECK(!has(pair.b.recv_cq));
	CHECK_EQ(seen.answers, 1);
	comes(pair.a.send_cq, 1);
	CHECK_EQ(seen.requests, 1);
}

/* Nobody polls, so sim_step() is all that happens: nothing is sent a second time. */
static void goes_after_a_while(void **state)
{
	(void)state;
	give_to_b();
	while (!seen.answers)
		CHECK(sim_step());
	CHECK_EQ(seen.requests, 1);
	CHECK(sim_step());
	polled(pair.a.send_cq, 1);
	/* And for the next one again. */
	forget_seen();
	give_to_b();
	while (!seen.answers)
		CHECK(sim_step());
	CHECK_EQ(seen.requests, 1);
	CHECK(sim_step());
	polled(pair.a.send_cq, 1);
}

static void is_said_again_when_it_was_lost(void **state)
{
	(void)state;
	give_to_b();
	seen.lose = 1;
	send_from(&pair.b, 2);
	CHECK_EQ(seen.lose, 0);
	comes(pair.a.recv_cq, 2);
	CHECK(!has(pair.a.send_cq));
	comes(pair.a.send_cq, 1);
	comes(pair.b.send_cq, 2);
	CHECK(seen.requests > 2);
}

static void is_not_forgotten_in_error(void **state)
{
	(void)state;
	give_to_b();
	rc_to_error(&pair.b);
	CHECK_EQ(seen.answers, 1);
	comes(pair.a.send_cq, 1);
}

static void is_not_forgotten_in_reset(void **state)
{
	(void)state;
	give_to_b();
	rc_to_reset(&pair.b);
	CHECK(seen.answers >= 1);
	comes(pair.a.send_cq, 1);
}

/* What the program has nothing to look at is acknowledged at once. */
static void write_is_answered_at_once(void **state)
{
	(void)state;
	rc_do(&pair.a, &(struct rc_op){ .opcode = IBV_WR_RDMA_WRITE,
	                                .id = 1,
	                                .flags = IBV_SEND_SIGNALED,
	                                .length = MESSAGE });
	CHECK_EQ(seen.requests, 1);
	CHECK(sim_step());
	CHECK_EQ(seen.answers, 1);
	CHECK(sim_step());
	polled(pair.a.send_cq, 1);
}

/* --- credits (IBA 9.7.7.2) ------------------------------------------------------------
 */

/* B has no receive left, A knows that and has one message to send. */
static void exhaust(void)
{
	for (unsigned int i = 0; i < RECEIVES; i++)
		send_from(&pair.a, 1);
	for (unsigned int i = 0; i < RECEIVES; i++)
		comes(pair.b.recv_cq, 1);
	CHECK(!has(pair.b.recv_cq));
	for (unsigned int i = 0; i < RECEIVES; i++)
		comes(pair.a.send_cq, 1);
	forget_seen();
	send_from(&pair.a, 1);
	CHECK_EQ(seen.requests, 0);
}

static void new_receives_are_told(void **state)
{
	(void)state;
	exhaust();
	CHECK(!has(pair.b.recv_cq));
	CHECK_EQ(seen.answers, 0);
	rc_recv(&pair.b, 1, 0, MESSAGE);
	CHECK(!has(pair.b.recv_cq));
	CHECK_EQ(seen.answers, 1);
	CHECK(!has(pair.b.recv_cq));
	CHECK_EQ(seen.answers, 1);
	CHECK(sim_step());
	CHECK_EQ(seen.requests, 1);
	comes(pair.b.recv_cq, 1);
	comes(pair.a.send_cq, 1);
}

/* A asks by itself, in the end. */
static void new_receives_are_told_in_vain(void **state)
{
	(void)state;
	exhaust();
	seen.lose = 1;
	rc_recv(&pair.b, 1, 0, MESSAGE);
	CHECK(!has(pair.b.recv_cq));
	CHECK_EQ(seen.lose, 0);
	comes(pair.b.recv_cq, 1);
	comes(pair.a.send_cq, 1);
}

/* The acknowledgement waits until the program has posted its receive again. */
static void credit_is_that_of_now(void **state)
{
	(void)state;
	exhaust();
	for (unsigned int i = 0; i < 3; i++) {
		rc_recv(&pair.b, 1, 0, MESSAGE);
		CHECK(!has(pair.b.recv_cq));
		comes(pair.b.recv_cq, 1);
		rc_recv(&pair.b, 1, 0, MESSAGE);
		forget_seen();
		comes(pair.a.send_cq, 1);
		CHECK_EQ(seen.requests, 0);
		send_from(&pair.a, 1);
		CHECK_EQ(seen.requests, 1);
		comes(pair.b.recv_cq, 1);
		comes(pair.a.send_cq, 1);
		send_from(&pair.a, 1);
	}
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(reply_takes_it_along),
		TEST(goes_first_where_it_has_no_room),
		TEST(goes_when_a_poll_finds_nothing),
		TEST(goes_after_a_while),
		TEST(is_said_again_when_it_was_lost),
		TEST(is_not_forgotten_in_error),
		TEST(is_not_forgotten_in_reset),
		TEST(write_is_answered_at_once),
		TEST(new_receives_are_told),
		TEST(new_receives_are_told_in_vain),
		TEST(credit_is_that_of_now),
	};
	int failed;

	mock_dir_make();
	sim_install();
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	mock_dir_remove();
	return failed;
}
