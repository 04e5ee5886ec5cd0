// SPDX-License-Identifier: BSD-2-Clause
/*
 * ATOMIC WRITE (IBA annex A19): a word that the peer sees all of or nothing, posted with
 * its value or out of registered memory. How it fails is in test_mock_rc_errors.c, what a
 * network does to it in tests/sim/test_sim_atomic_write.c.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/check.h"
#include "lib/deadline.h"
#include "lib/rcop.h"

enum { WORD = 8, PLACE = 16, ROUNDS = 4000 };

struct way {
	enum sides_mode mode;
	bool extended;
};

static void open_side(struct side *side, struct rc_end *end)
{
	const struct way *way = side->argument;
	struct rc_config config = rc_default;

	config.extended = way->extended;
	/* Nothing but the right to write is asked of the target. */
	config.mr_access = IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE;
	config.qp_access = IBV_ACCESS_REMOTE_WRITE;
	rc_side_open(side, end, &config);
}

static uint64_t *word_at(struct rc_end *end, size_t offset)
{
	return (uint64_t *)(void *)(end->buffer + offset);
}

/* All its bytes are the same. */
static uint64_t uniform(unsigned int round)
{
	return (round & 0xff) * UINT64_C(0x0101010101010101);
}

static void write_word(struct rc_end *end, uint64_t id, unsigned int flags,
                       uint64_t value)
{
	*word_at(end, 0) = value;
	rc_do(end, &(struct rc_op){ .opcode = IBV_WR_ATOMIC_WRITE,
	                            .id = id,
	                            .flags = flags,
	                            .length = WORD,
	                            .remote = PLACE });
}

/* --- the value that arrives, and what is left alone ----------------------------------
 */

static void value_first(struct side *side)
{
	struct rc_end end;
	struct ibv_wc wc;

	open_side(side, &end);
	side_meet(side);
	write_word(&end, 1, IBV_SEND_SIGNALED, UINT64_C(0x0123456789abcdef));
	wc = rc_sent(&end, 1);
	CHECK_EQ(wc.opcode, IBV_WC_ATOMIC_WRITE);
	/* The word that it was made of is as it was. */
	CHECK_EQ(*word_at(&end, 0), UINT64_C(0x0123456789abcdef));
	side_meet(side);
	side_meet(side);
	write_word(&end, 2, IBV_SEND_SIGNALED | IBV_SEND_INLINE, 7);
	*word_at(&end, 0) = 8; /* it was taken when it was posted */
	CHECK_EQ(rc_sent(&end, 2).opcode, IBV_WC_ATOMIC_WRITE);
	side_meet(side);
	rc_side_close(side, &end);
}

static void value_second(struct side *side)
{
	struct rc_end end;

	open_side(side, &end);
	memset(end.buffer, 0xcc, 64);
	rc_recv(&end, 1, 0, 64);
	side_meet(side);
	side_meet(side);
	CHECK_EQ(*word_at(&end, PLACE), UINT64_C(0x0123456789abcdef));
	side_meet(side);
	side_meet(side);
	CHECK_EQ(*word_at(&end, PLACE), 7);
	rc_expect_only(end.buffer, PLACE, 0xcc);
	rc_expect_only(end.buffer + PLACE + WORD, 64 - PLACE - WORD, 0xcc);
	rc_expect_nothing(end.recv_cq, 0);
	rc_side_close(side, &end);
}

/* --- never a part of it ---------------------------------------------------------------
 */

static void whole_first(struct side *side)
{
	struct rc_end end;

	open_side(side, &end);
	side_meet(side);
	for (unsigned int round = 1; round <= ROUNDS; round++) {
		write_word(&end, round, IBV_SEND_SIGNALED, uniform(round));
		rc_sent(&end, round);
	}
	write_word(&end, 0, IBV_SEND_SIGNALED, UINT64_MAX - 1);
	rc_sent(&end, 0);
	rc_side_close(side, &end);
}

static void whole_second(struct side *side)
{
	uint64_t deadline = deadline_in(PATIENCE_MS), seen;
	struct rc_end end;

	open_side(side, &end);
	side_meet(side);
	do {
		seen = __atomic_load_n(word_at(&end, PLACE), __ATOMIC_RELAXED);
		if (seen != UINT64_MAX - 1)
			CHECK_EQ(seen, uniform((unsigned int)seen));
		CHECK(!deadline_passed(deadline));
	} while (seen != UINT64_MAX - 1);
	rc_side_close(side, &end);
}

/* --- from several pieces --------------------------------------------------------------
 */

static void pieces_first(struct side *side)
{
	struct ibv_sge sges[3];
	struct rc_end end;

	open_side(side, &end);
	rc_fill(end.buffer, 1000, 4);
	sges[0] = rc_sge(&end, 100, 1);
	sges[1] = rc_sge(&end, 300, 5);
	sges[2] = rc_sge(&end, 200, 2);
	rc_do(&end, &(struct rc_op){ .opcode = IBV_WR_ATOMIC_WRITE,
	                             .id = 1,
	                             .flags = IBV_SEND_SIGNALED,
	                             .sges = sges,
	                             .sge_count = 3,
	                             .remote = PLACE });
	rc_sent(&end, 1);
	side_put(side, end.buffer, 1000);
	rc_side_close(side, &end);
}

static void pieces_second(struct side *side)
{
	uint8_t sent[1000];
	struct rc_end end;

	open_side(side, &end);
	side_get(side, sent, sizeof(sent));
	assert_memory_equal(end.buffer + PLACE, sent + 100, 1);
	assert_memory_equal(end.buffer + PLACE + 1, sent + 300, 5);
	assert_memory_equal(end.buffer + PLACE + 6, sent + 200, 2);
	rc_side_close(side, &end);
}

/* --- what the device says of it -------------------------------------------------------
 */

static void announced_body(struct side *side)
{
	const uint64_t atomic_write = UINT64_C(1)
	                              << 40; /* IB_UVERBS_DEVICE_ATOMIC_WRITE */
	static const enum ibv_qp_type others[] = { IBV_QPT_UC, IBV_QPT_UD,
		                                   IBV_QPT_XRC_SEND };
	struct ibv_device_attr_ex device;
	struct rc_end end;

	(void)side;
	rc_open(&end, &rc_default);
	CHECK_EQ(ibv_query_device_ex(end.context, NULL, &device), 0);
	CHECK_EQ(device.device_cap_flags_ex & atomic_write, atomic_write);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		struct ibv_qp_init_attr_ex attr = {
			.send_cq = end.send_cq,
			.recv_cq = end.recv_cq,
			.cap = { 1, 1, 1, 1, 0 },
			.qp_type = others[i],
			.comp_mask =
			        IBV_QP_INIT_ATTR_PD | IBV_QP_INIT_ATTR_SEND_OPS_FLAGS,
			.pd = end.pd,
			.send_ops_flags = IBV_QP_EX_WITH_ATOMIC_WRITE,
		};

		CHECK_FAILS(ibv_create_qp_ex(end.context, &attr), EOPNOTSUPP);
	}
	rc_close(&end);
}
ALONE(announced)

/* Its value takes room though the queue pair was given none for data. */
static void without_room_for_data_body(struct side *side)
{
	const uint64_t value = 99;
	struct rc_config config = rc_default;
	struct rc_pair pair;

	(void)side;
	config.extended = true;
	config.send_sges = config.inline_size = 0;
	rc_pair_open(&pair, &config);
	ibv_wr_start(pair.a.qpx);
	pair.a.qpx->wr_id = 1;
	pair.a.qpx->wr_flags = IBV_SEND_SIGNALED;
	ibv_wr_atomic_write(pair.a.qpx, pair.a.peer.rkey, pair.a.peer.buffer, &value);
	CHECK_EQ(ibv_wr_complete(pair.a.qpx), 0);
	rc_sent(&pair.a, 1);
	CHECK_EQ(*word_at(&pair.b, 0), value);
	rc_pair_close(&pair);
}
ALONE(without_room_for_data)

/* There is nothing to be set of it. */
static void with_data_body(struct side *side)
{
	const uint64_t value = 99;
	struct rc_config config = rc_default;
	struct rc_pair pair;

	(void)side;
	config.extended = true;
	rc_pair_open(&pair, &config);
	ibv_wr_start(pair.a.qpx);
	ibv_wr_atomic_write(pair.a.qpx, pair.a.peer.rkey, pair.a.peer.buffer, &value);
	ibv_wr_set_sge(pair.a.qpx, pair.a.mr->lkey, (uintptr_t)pair.a.buffer, WORD);
	CHECK_EQ(ibv_wr_complete(pair.a.qpx), EINVAL);
	CHECK_EQ(*word_at(&pair.b, 0), 0);
	rc_pair_close(&pair);
}
ALONE(with_data)

/* A key may count from an address that is a multiple of 8 where its memory is not. */
static void memory_unaligned_body(struct side *side)
{
	static const enum ibv_wr_opcode opcodes[] = { IBV_WR_ATOMIC_WRITE,
		                                      IBV_WR_ATOMIC_FETCH_AND_ADD };
	struct rc_pair pair;
	struct ibv_mr *mr;

	(void)side;
	for (size_t i = 0; i < sizeof(opcodes) / sizeof(opcodes[0]); i++) {
		rc_pair_open(&pair, &rc_default);
		mr = CHECK_OBJECT(ibv_reg_mr_iova(pair.b.pd, pair.b.buffer + 4, 64,
		                                  (uintptr_t)pair.b.buffer,
		                                  rc_default.mr_access));
		*word_at(&pair.a, 0) = 5;
		rc_do(&pair.a, &(struct rc_op){ .opcode = opcodes[i],
		                                .id = 1,
		                                .length = WORD,
		                                .rkey = mr->rkey,
		                                .compare_add = 5 });
		rc_expect(pair.a.send_cq, 1, IBV_WC_REM_INV_REQ_ERR);
		rc_expect_only(pair.b.buffer, 64, 0);
		CHECK_EQ(ibv_dereg_mr(mr), 0);
		rc_pair_close(&pair);
	}
}
ALONE(memory_unaligned)

#define TWO_SIDES(name)                                                 \
	static void name(void **state)                                  \
	{                                                               \
		const struct way *way = *state;                         \
		sides_run(way->mode, name##_first, name##_second, way); \
	}

TWO_SIDES(value)
TWO_SIDES(whole)
TWO_SIDES(pieces)

static struct way processes = { SIDES_PROCESSES, false };
static struct way threads = { SIDES_THREADS, false };
static struct way processes_ex = { SIDES_PROCESSES, true };
static struct way threads_ex = { SIDES_THREADS, true };

#define IN(function, way)                                           \
	{                                                           \
#function " in " #way, function, NULL, NULL, &(way) \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN(value, processes),        IN(value, threads),
		IN(value, processes_ex),     IN(value, threads_ex),
		IN(whole, processes),        IN(whole, threads),
		IN(pieces, processes),       IN(pieces, threads),
		cmocka_unit_test(announced), cmocka_unit_test(without_room_for_data),
		cmocka_unit_test(with_data), cmocka_unit_test(memory_unaligned),
	};

	return cmocka_run_group_tests(tests, runtime_directory_make,
	                              runtime_directory_remove);
}
