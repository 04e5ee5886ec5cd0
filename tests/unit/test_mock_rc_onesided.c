// SPDX-License-Identifier: BSD-2-Clause
/*
 * WRITE, READ and ATOMIC take no part of the target's processor: they complete while its
 * process is stopped, whatever it was doing in that instant.
 */
#include <pthread.h>
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

/* --- an initiator that is stopped
 * ------------------------------------------------------------- */

enum { STOPS = 5, WRITTEN = 16384 };

/* Writes without end; when its connection breaks, that is all that happens to it. */
static void writer(struct side *side)
{
	struct rc_end writes, other;
	enum ibv_wc_status status;

	rc_side_open(side, &writes, &rc_default);
	rc_side_open(side, &other, &rc_default);
	memset(writes.buffer, 0xaa, WRITTEN);
	side_put(side, "!", 1);
	do {
		rc_do(&writes, &(struct rc_op){ .opcode = IBV_WR_RDMA_WRITE,
		                                .flags = IBV_SEND_SIGNALED,
		                                .length = WRITTEN });
		status = rc_next(writes.send_cq).status;
	} while (status == IBV_WC_SUCCESS);
	CHECK(status == IBV_WC_REM_ACCESS_ERR || status == IBV_WC_RETRY_EXC_ERR ||
	      status == IBV_WC_WR_FLUSH_ERR);
	rc_expect_state(&writes, IBV_QPS_ERR);
	/* The other connection has not noticed anything. */
	rc_recv(&other, 1, 0, 64);
	side_meet(side);
	rc_received(&other, 1);
	rc_side_close(side, &other);
	rc_side_close(side, &writes);
}

static void *continue_soon(void *argument)
{
	pass_ms(20);
	process_continue(*(pid_t *)argument);
	return NULL;
}

/*
 * Takes the region away while its writer is stopped, which may be in the middle of
 * writing. Whether that waits for the writer to go on or not: from then on the memory is
 * not written.
 */
static void take_away(struct side *side, struct rc_end *end)
{
	pthread_t thread;

	process_stop(side->other);
	CHECK_EQ(pthread_create(&thread, NULL, continue_soon, &side->other), 0);
	CHECK_EQ(ibv_dereg_mr(end->mr), 0);
	end->mr = NULL;
	memset(end->buffer, 0, WRITTEN);
	pthread_join(thread, NULL);
}

static void stops_its_writer(struct side *side)
{
	struct rc_end written, other;
	char byte;

	rc_side_open(side, &written, &rc_default);
	rc_side_open(side, &other, &rc_default);
	side_get(side, &byte, 1);
	for (int i = 0; i < STOPS; i++) {
		uint64_t until = now_ns() + (uint64_t)random() % 300000;

		while (now_ns() < until)
			;
		process_stop(side->other);
		process_continue(side->other);
	}
	take_away(side, &written);
	side_meet(side);
	rc_expect_only(written.buffer, WRITTEN, 0);
	rc_do(&other, &(struct rc_op){ .opcode = IBV_WR_SEND,
	                               .id = 1,
	                               .flags = IBV_SEND_SIGNALED,
	                               .length = 8 });
	rc_sent(&other, 1);
	rc_side_close(side, &other);
	rc_side_close(side, &written);
}

static void stopped_initiator(void **state)
{
	(void)state;
	for (int round = 0; round < 20; round++)
		sides_run(SIDES_PROCESSES, stops_its_writer, writer, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(while_stopped),
		cmocka_unit_test(stopped_at_any_instant),
		cmocka_unit_test(stopped_initiator),
	};

	return cmocka_run_group_tests(tests, runtime_directory_make,
	                              runtime_directory_remove);
}
