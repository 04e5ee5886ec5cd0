// SPDX-License-Identifier: BSD-2-Clause
/*
 * WRITE, READ and ATOMIC take no part of the target's processor: they complete while its
 * process is stopped, whatever it was doing in that instant.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/check.h"
#include "lib/deadline.h"
#include "lib/rcop.h"

static void one_sided_round(struct rc_end *end, uint64_t round)
{
	struct rc_op op = { .id = round, .flags = IBV_SEND_SIGNALED, .length = 3000 };

	rc_fill(end->buffer, 3000, (unsigned int)round);
	op.opcode = IBV_WR_RDMA_WRITE;
	op.remote = 4096;
	rc_do(end, &op);
	rc_sent(end, round);
	op.opcode = IBV_WR_RDMA_READ;
	op.offset = 8192;
	rc_do(end, &op);
	rc_sent(end, round);
	rc_expect_filled(end->buffer + 8192, 3000, (unsigned int)round);
	op = (struct rc_op){ .opcode = IBV_WR_ATOMIC_FETCH_AND_ADD,
		             .id = round,
		             .flags = IBV_SEND_SIGNALED,
		             .length = 8,
		             .compare_add = 1 };
	rc_do(end, &op);
	rc_sent(end, round);
	CHECK_EQ(*(uint64_t *)(void *)end->buffer, round);
}

/* --- a target that waits
 * -------------------------------------------------------------------- */

static void stopper(struct side *side)
{
	struct rc_end end;

	rc_side_open(side, &end, &rc_default);
	process_stop(side->other);
	for (uint64_t round = 0; round < 20; round++)
		one_sided_round(&end, round);
	process_continue(side->other);
	side_meet(side);
	rc_side_close(side, &end);
}

static void stopped(struct side *side)
{
	struct rc_end end;

	rc_side_open(side, &end, &rc_default);
	side_meet(side);
	CHECK_EQ(*(uint64_t *)(void *)end.buffer, 20);
	rc_expect_filled(end.buffer + 4096, 3000, 19);
	rc_side_close(side, &end);
}

static void while_stopped(void **state)
{
	(void)state;
	sides_run(SIDES_PROCESSES, stopper, stopped, NULL);
}

/* --- a target that works
 * ------------------------------------------------------------------- */

enum { ROUNDS = 100, DONE = 4000 };

/* Stopped wherever it happens to be, which may be inside any of its own verbs calls. */
static void random_stopper(struct side *side)
{
	struct rc_config config = rc_default;
	struct rc_end end;

	config.shared_receive = true;
	rc_side_open(side, &end, &config);
	for (uint64_t round = 0; round < ROUNDS; round++) {
		uint64_t until = now_ns() + (uint64_t)random() % 500000;

		while (now_ns() < until)
			;
		process_stop(side->other);
		one_sided_round(&end, round);
		process_continue(side->other);
	}
	end.buffer[0] = 1;
	rc_do(&end, &(struct rc_op){ .opcode = IBV_WR_RDMA_WRITE,
	                             .id = ROUNDS,
	                             .flags = IBV_SEND_SIGNALED,
	                             .length = 1,
	                             .remote = DONE });
	rc_sent(&end, ROUNDS);
	rc_side_close(side, &end);
}

/* Polls, posts receives, registers memory, and writes to the other side, without end. */
static void busy_target(struct side *side)
{
	struct rc_end end;
	uint64_t rounds = 0;

	rc_side_open(side, &end, &rc_default);
	while (!__atomic_load_n(&end.buffer[DONE], __ATOMIC_ACQUIRE)) {
		struct ibv_mr *mr;
		struct ibv_wc wc;

		CHECK_EQ(ibv_poll_cq(end.recv_cq, 1, &wc), 0);
		if (rounds < end.config.recv_depth)
			rc_recv(&end, rounds, 0, 8);
		mr = CHECK_OBJECT(
		        ibv_reg_mr(end.pd, end.buffer, 64, IBV_ACCESS_LOCAL_WRITE));
		CHECK_EQ(ibv_dereg_mr(mr), 0);
		rc_do(&end, &(struct rc_op){ .opcode = IBV_WR_RDMA_WRITE,
		                             .id = rounds,
		                             .flags = IBV_SEND_SIGNALED,
		                             .offset = 16384,
		                             .length = 512,
		                             .remote = 16384 });
		rc_sent(&end, rounds);
		rounds++;
	}
	CHECK_EQ(*(uint64_t *)(void *)end.buffer, ROUNDS);
	rc_side_close(side, &end);
}

static void stopped_at_any_instant(void **state)
{
	(void)state;
	sides_run(SIDES_PROCESSES, random_stopper, busy_target, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(while_stopped),
		cmocka_unit_test(stopped_at_any_instant),
	};

	return cmocka_run_group_tests(tests, runtime_directory_make,
	                              runtime_directory_remove);
}
