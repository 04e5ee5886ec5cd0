// SPDX-License-Identifier: BSD-2-Clause
/*
 * ATOMIC WRITE in packets (IBA annex A19): what asks for it and what answers, and that
 * neither a lost answer nor a repeated request writes twice. Among all other operations,
 * in any weather, test_sim_rc.c has it.
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

enum { WORD = 8, ICRC_SIZE = 4, DMA_LENGTH = 27 /* its last byte, in a packet */ };

static struct rc_pair pair;

static struct {
	unsigned int requests, answers, under_way, most_under_way;
	unsigned int lose; /* answers */
	int length;        /* that requests claim, if not negative */
} seen;

static bool watch_request(uint8_t *bth, const struct roce *roce)
{
	CHECK_EQ(roce->length, WORD);
	CHECK_EQ(roce->dma_length, WORD);
	seen.requests++;
	if (++seen.under_way > seen.most_under_way)
		seen.most_under_way = seen.under_way;
	if (seen.length >= 0)
		bth[DMA_LENGTH] = (uint8_t)seen.length;
	return false;
}

static bool watch_answer(const struct roce *roce)
{
	CHECK_EQ(roce->length, 0);
	CHECK_EQ(roce->syndrome & AETH_KIND_MASK, AETH_ACK);
	seen.answers++;
	seen.under_way--;
	if (!seen.lose)
		return false;
	seen.lose--;
	return true;
}

static bool watch(uint8_t *bth, size_t length)
{
	struct roce roce;

	CHECK_EQ(roce_decode(bth, length + ICRC_SIZE, &roce), ROCE_OK);
	switch (roce.opcode) {
	case RC_ATOMIC_WRITE: return watch_request(bth, &roce);
	case RC_READ_RESPONSE_ONLY: return watch_answer(&roce);
	case RC_ACKNOWLEDGE: CHECK_EQ(roce.syndrome & AETH_KIND_MASK, AETH_NAK); break;
	default: check_failed(__FILE__, __LINE__, "opcode 0x%02x", roce.opcode);
	}
	return false;
}

static void begin(const struct sim_weather *weather, uint8_t reads)
{
	struct rc_config config = rc_default;

	sim_begin(1, weather);
	config.reads_out = config.reads_in = reads;
	rc_pair_open(&pair, &config);
	seen = (__typeof__(seen)){ .length = -1 };
	sim_filter = watch;
}

static void end(void)
{
	sim_filter = NULL;
	rc_pair_close(&pair);
}

static uint64_t *word(void)
{
	return (uint64_t *)(void *)pair.b.buffer;
}

static void write_word(uint64_t id, uint64_t value)
{
	((uint64_t *)(void *)pair.a.buffer)[id] = value;
	rc_do(&pair.a, &(struct rc_op){ .opcode = IBV_WR_ATOMIC_WRITE,
	                                .id = id,
	                                .flags = IBV_SEND_SIGNALED,
	                                .offset = id * WORD,
	                                .length = WORD });
}

static void expect_completion(uint64_t id, enum ibv_wc_status status)
{
	struct ibv_wc wc;

	while (ibv_poll_cq(pair.a.send_cq, 1, &wc) != 1)
		CHECK(sim_step());
	CHECK_EQ(wc.wr_id, id);
	CHECK_EQ(wc.status, status);
}

static const struct sim_weather fair = { .delay_ns = 1000 };

/* The answer is lost, and the peer has gone on with the word when the request comes once
 * more. */
static void answer_lost(void **state)
{
	(void)state;
	begin(&fair, 4);
	seen.lose = 2;
	write_word(1, 11);
	while (seen.answers < 1)
		CHECK(sim_step());
	CHECK_EQ(*word(), 11);
	*word() = 12;
	expect_completion(1, IBV_WC_SUCCESS);
	CHECK_EQ(seen.requests, 3);
	CHECK_EQ(seen.answers, 3);
	CHECK_EQ(*word(), 12);
	end();
}

/* The same with each packet twice, and no two writes in each other's way. */
static void packets_repeated(void **state)
{
	static const struct sim_weather twice = { .delay_ns = 1000, .duplicate = 1000 };

	(void)state;
	begin(&twice, 4);
	for (uint64_t id = 0; id < 20; id++)
		write_word(id, 100 + id);
	for (uint64_t id = 0; id < 20; id++)
		expect_completion(id, IBV_WC_SUCCESS);
	CHECK_EQ(*word(), 119);
	*word() = 1;
	while (sim_step())
		;
	CHECK_EQ(*word(), 1);
	end();
}

/* As many as the connection's READs, and no more, wait for their answers. */
static void limited(void **state)
{
	(void)state;
	for (uint8_t reads = 1; reads <= 3; reads++) {
		begin(&fair, reads);
		for (uint64_t id = 0; id < 12; id++)
			write_word(id, id);
		for (uint64_t id = 0; id < 12; id++)
			expect_completion(id, IBV_WC_SUCCESS);
		CHECK_EQ(seen.most_under_way, reads);
		CHECK_EQ(seen.requests, 12);
		end();
	}
}

/* IBA 9.7.4.1.7: a request that claims another length than it brings. */
static void length_lies(void **state)
{
	static const int lengths[] = { 0, 4, 7, 9, 16 };

	(void)state;
	for (unsigned int i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		begin(&fair, 4);
		seen.length = lengths[i];
		write_word(1, 5);
		expect_completion(1, IBV_WC_REM_INV_REQ_ERR);
		CHECK_EQ(*word(), 0);
		rc_expect_state(&pair.b, IBV_QPS_ERR);
		end();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answer_lost),
		cmocka_unit_test(packets_repeated),
		cmocka_unit_test(limited),
		cmocka_unit_test(length_lies),
	};
	int failed;

	mock_dir_make();
	sim_install();
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	mock_dir_remove();
	return failed;
}
