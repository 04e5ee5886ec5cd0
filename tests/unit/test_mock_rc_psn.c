// SPDX-License-Identifier: BSD-2-Clause
/*
 * Packet sequence numbers decide who is heard. A queue pair whose rq_psn is not its
 * peer's sq_psn receives nothing, and the sender ends with a retry error after its own
 * timeout.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/check.h"
#include "lib/deadline.h"
#include "lib/rcop.h"

enum { TIMEOUT = 13, RETRIES = 2 };

/* IBA 9.7.6.1.3: no timer runs out before 4.096 µs × 2^timeout. */
static const uint64_t timeout_ns = UINT64_C(4096) << TIMEOUT;

struct psn_case {
	const char *name;
	enum ibv_wr_opcode opcode;
	uint32_t step; /* what the initiator adds to the number that the target expects */
};

static struct rc_config impatient(void)
{
	struct rc_config config = rc_default;

	config.timeout = TIMEOUT;
	config.retries = RETRIES;
	return config;
}

/* The initiator tells its real number, and then uses another one. */
static void connect_with_step(struct side *side, struct rc_end *end,
                              const struct rc_config *config, uint32_t step)
{
	struct rc_address peer;

	srandom((unsigned int)side->other);
	rc_open(end, config);
	side_put(side, &end->self, sizeof(end->self));
	side_get(side, &peer, sizeof(peer));
	end->self.psn = (end->self.psn + step) & 0xffffff;
	rc_connect(end, &peer);
	side_meet(side);
}

static void unheard_initiator(struct side *side)
{
	const struct psn_case *one = side->argument;
	struct rc_config config = impatient();
	struct rc_end end;
	uint64_t start;

	connect_with_step(side, &end, &config, one->step);
	memset(end.buffer, 0xcc, 64);
	side_meet(side);
	start = now_ns();
	rc_do(&end, &(struct rc_op){ .opcode = one->opcode, .id = 1, .length = 8 });
	rc_expect(end.send_cq, 1, IBV_WC_RETRY_EXC_ERR);
	CHECK(now_ns() - start >= RETRIES * timeout_ns);
	rc_do(&end, &(struct rc_op){ .opcode = one->opcode, .id = 2, .length = 8 });
	rc_expect(end.send_cq, 2, IBV_WC_WR_FLUSH_ERR);
	rc_expect_state(&end, IBV_QPS_ERR);
	/* Nothing came back either. */
	rc_expect_only(end.buffer, 64, 0xcc);
	side_meet(side);
	rc_side_close(side, &end);
}

static void unheard_target(struct side *side)
{
	struct rc_config config = impatient();
	struct rc_end end;

	rc_side_open(side, &end, &config);
	rc_recv(&end, 1, 0, 64);
	side_meet(side);
	side_meet(side);
	rc_expect_nothing(end.recv_cq, 0);
	rc_expect_state(&end, IBV_QPS_RTS);
	rc_expect_only(end.buffer, 4096, 0);
	rc_side_close(side, &end);
}

static void unheard_between_processes(void **state)
{
	sides_run(SIDES_PROCESSES, unheard_initiator, unheard_target, *state);
}

static void unheard_between_threads(void **state)
{
	sides_run(SIDES_THREADS, unheard_initiator, unheard_target, *state);
}

static const struct psn_case cases[] = {
	{ "send, one ahead", IBV_WR_SEND, 1 },
	{ "send, one behind", IBV_WR_SEND, 0xffffff },
	{ "send, the farthest", IBV_WR_SEND, 0x800000 },
	{ "send, far behind", IBV_WR_SEND, 0x800001 },
	{ "immediate, one ahead", IBV_WR_SEND_WITH_IMM, 1 },
	{ "write, one ahead", IBV_WR_RDMA_WRITE, 1 },
	{ "write, one behind", IBV_WR_RDMA_WRITE, 0xffffff },
	{ "read, one ahead", IBV_WR_RDMA_READ, 1 },
	{ "read, one behind", IBV_WR_RDMA_READ, 0xffffff },
	{ "swap, one ahead", IBV_WR_ATOMIC_CMP_AND_SWP, 1 },
	{ "add, one behind", IBV_WR_ATOMIC_FETCH_AND_ADD, 0xffffff },
};

/* --- after having been heard
 * ---------------------------------------------------------------- */

/* Numbers already used count as behind: the target is asked again and does nothing again.
 */
static void reused_numbers_initiator(struct side *side)
{
	struct rc_config config = impatient();
	struct rc_end end;

	rc_side_open(side, &end, &config);
	for (uint64_t i = 0; i < 5; i++) {
		rc_do(&end, &(struct rc_op){ .opcode = IBV_WR_ATOMIC_FETCH_AND_ADD,
		                             .id = i,
		                             .flags = IBV_SEND_SIGNALED,
		                             .length = 8,
		                             .compare_add = 1 });
		rc_sent(&end, i);
	}
	rc_to_reset(&end);
	rc_connect(&end, &end.peer);
	rc_do(&end, &(struct rc_op){ .opcode = IBV_WR_RDMA_WRITE,
	                             .id = 9,
	                             .offset = 1024,
	                             .remote = 64,
	                             .length = 8 });
	rc_expect(end.send_cq, 9, IBV_WC_RETRY_EXC_ERR);
	side_meet(side);
	rc_side_close(side, &end);
}

static void reused_numbers_target(struct side *side)
{
	struct rc_config config = impatient();
	struct rc_end end;

	rc_side_open(side, &end, &config);
	memset(end.buffer + 64, 0x77, 8);
	side_meet(side);
	CHECK_EQ(*(uint64_t *)(void *)end.buffer, 5);
	rc_expect_only(end.buffer + 64, 8, 0x77);
	rc_side_close(side, &end);
}

static void reused_numbers(void **state)
{
	(void)state;
	sides_run(SIDES_PROCESSES, reused_numbers_initiator, reused_numbers_target, NULL);
}

/* --- the other direction is its own
 * --------------------------------------------------------- */

static void one_direction_initiator(struct side *side)
{
	struct rc_config config = impatient();
	struct rc_end end;

	connect_with_step(side, &end, &config, 3);
	rc_recv(&end, 1, 0, 64);
	side_meet(side);
	rc_received(&end, 1);
	rc_do(&end, &(struct rc_op){ .opcode = IBV_WR_SEND, .id = 2, .length = 8 });
	rc_expect(end.send_cq, 2, IBV_WC_RETRY_EXC_ERR);
	rc_side_close(side, &end);
}

static void one_direction_target(struct side *side)
{
	struct rc_config config = impatient();
	struct rc_end end;

	rc_side_open(side, &end, &config);
	rc_recv(&end, 1, 0, 64);
	side_meet(side);
	rc_do(&end, &(struct rc_op){ .opcode = IBV_WR_SEND,
	                             .id = 2,
	                             .flags = IBV_SEND_SIGNALED,
	                             .length = 8 });
	rc_sent(&end, 2);
	rc_side_close(side, &end);
}

static void one_direction(void **state)
{
	(void)state;
	sides_run(SIDES_PROCESSES, one_direction_initiator, one_direction_target, NULL);
}

/* --- the end of the number space
 * ------------------------------------------------------------ */

static void wrap(uint32_t first, uint32_t length)
{
	struct rc_config config = rc_default;
	struct rc_pair pair;

	rc_open(&pair.a, &config);
	rc_open(&pair.b, &config);
	pair.a.self.psn = first;
	pair.b.self.psn = 0xffffff;
	rc_connect(&pair.a, &pair.b.self);
	rc_connect(&pair.b, &pair.a.self);
	for (uint64_t i = 0; i < 40; i++) {
		struct rc_op op = { .opcode = i % 2 ? IBV_WR_RDMA_READ : IBV_WR_SEND,
			            .id = i,
			            .flags = IBV_SEND_SIGNALED,
			            .length = length };

		if (i % 2 == 0)
			rc_recv(&pair.b, i / 2, 0, length);
		rc_do(&pair.a, &op);
		rc_sent(&pair.a, i);
		if (i % 2 == 0)
			rc_received(&pair.b, i / 2);
	}
	rc_pair_close(&pair);
}

static void numbers_wrap_body(struct side *side)
{
	(void)side;
	wrap(0xffffff, 8);
	wrap(0xfffff0, 8);
	/* Several packets of the path MTU each, the wrap in the middle of a message. */
	wrap(0xfffffd, 5000);
	wrap(0, 8);
}
ALONE(numbers_wrap)

enum { CASES = sizeof(cases) / sizeof(cases[0]), OTHERS = 3 };

int main(void)
{
	static struct CMUnitTest tests[2 * CASES + OTHERS] = {
		[2 * CASES] = cmocka_unit_test(reused_numbers),
		cmocka_unit_test(one_direction),
		cmocka_unit_test(numbers_wrap),
	};
	static char names[2 * CASES][64];

	for (int i = 0; i < CASES; i++) {
		snprintf(names[2 * i], sizeof(names[0]), "%s, between processes",
		         cases[i].name);
		snprintf(names[2 * i + 1], sizeof(names[0]), "%s, between threads",
		         cases[i].name);
		tests[2 * i] =
		        (struct CMUnitTest){ names[2 * i], unheard_between_processes,
			                     NULL, NULL, (void *)&cases[i] };
		tests[2 * i + 1] =
		        (struct CMUnitTest){ names[2 * i + 1], unheard_between_threads,
			                     NULL, NULL, (void *)&cases[i] };
	}
	return cmocka_run_group_tests(tests, runtime_directory_make,
	                              runtime_directory_remove);
}
