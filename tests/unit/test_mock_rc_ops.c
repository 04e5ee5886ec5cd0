// SPDX-License-Identifier: BSD-2-Clause
/*
 * What RC operations do when all is well: data, completions and their fields. Each test
 * runs between two processes and between two threads, by ibv_post_send() and by
 * ibv_wr_*().
 */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/check.h"
#include "lib/rcop.h"

/* What a side is told: the configuration of both ends. */
static const struct rc_config *config_of(const struct side *side)
{
	return side->argument;
}

static struct rc_op send_of(uint64_t id, size_t offset, uint32_t length)
{
	return (struct rc_op){ .opcode = IBV_WR_SEND,
		               .id = id,
		               .flags = IBV_SEND_SIGNALED,
		               .offset = offset,
		               .length = length };
}

/* --- send
 * --------------------------------------------------------------------------------- */

static void message_first(struct side *side)
{
	struct rc_op op = send_of(11, 100, 1000);
	struct rc_end end;
	struct ibv_wc wc;

	rc_side_open(side, &end, config_of(side));
	rc_fill(end.buffer + 100, 1000, 1);
	side_meet(side);
	rc_do(&end, &op);
	wc = rc_sent(&end, 11);
	CHECK_EQ(wc.opcode, IBV_WC_SEND);
	rc_expect_nothing(end.send_cq, 0);
	rc_side_close(side, &end);
}

static void message_second(struct side *side)
{
	struct rc_end end;
	struct ibv_wc wc;

	rc_side_open(side, &end, config_of(side));
	rc_recv(&end, 21, 50, 2000);
	side_meet(side);
	wc = rc_received(&end, 21);
	CHECK_EQ(wc.opcode, IBV_WC_RECV);
	CHECK_EQ(wc.byte_len, 1000);
	CHECK_EQ(wc.wc_flags & IBV_WC_WITH_IMM, 0);
	CHECK_EQ(wc.src_qp, end.peer.qpn);
	rc_expect_only(end.buffer, 50, 0);
	rc_expect_filled(end.buffer + 50, 1000, 1);
	rc_expect_only(end.buffer + 1050, 1000, 0);
	rc_side_close(side, &end);
}

static void immediate_first(struct side *side)
{
	struct rc_op op = send_of(1, 0, 4);
	struct rc_end end;

	rc_side_open(side, &end, config_of(side));
	side_meet(side);
	op.opcode = IBV_WR_SEND_WITH_IMM;
	op.imm = 0x01020304;
	rc_do(&end, &op);
	CHECK_EQ(rc_sent(&end, 1).opcode, IBV_WC_SEND);
	rc_fill(end.buffer, 64, 2);
	op = (struct rc_op){ .opcode = IBV_WR_RDMA_WRITE_WITH_IMM,
		             .id = 2,
		             .flags = IBV_SEND_SIGNALED,
		             .length = 64,
		             .remote = 4096,
		             .imm = 0xfffefdfc };
	rc_do(&end, &op);
	CHECK_EQ(rc_sent(&end, 2).opcode, IBV_WC_RDMA_WRITE);
	rc_side_close(side, &end);
}

static void immediate_second(struct side *side)
{
	struct rc_end end;
	struct ibv_wc wc;

	rc_side_open(side, &end, config_of(side));
	rc_recv(&end, 1, 0, 64);
	rc_recv(&end, 2, 0, 0);
	side_meet(side);
	wc = rc_received(&end, 1);
	CHECK_EQ(wc.opcode, IBV_WC_RECV);
	CHECK_EQ(wc.wc_flags & IBV_WC_WITH_IMM, IBV_WC_WITH_IMM);
	CHECK_EQ(ntohl(wc.imm_data), 0x01020304);
	CHECK_EQ(wc.byte_len, 4);
	wc = rc_received(&end, 2);
	CHECK_EQ(wc.opcode, IBV_WC_RECV_RDMA_WITH_IMM);
	CHECK_EQ(wc.wc_flags & IBV_WC_WITH_IMM, IBV_WC_WITH_IMM);
	CHECK_EQ(ntohl(wc.imm_data), 0xfffefdfc);
	CHECK_EQ(wc.byte_len, 64);
	rc_expect_filled(end.buffer + 4096, 64, 2);
	rc_side_close(side, &end);
}

/* --- one-sided
 * ---------------------------------------------------------------------------- */

static void one_sided_first(struct side *side)
{
	struct rc_op write = { .opcode = IBV_WR_RDMA_WRITE,
		               .id = 1,
		               .flags = IBV_SEND_SIGNALED,
		               .offset = 8,
		               .length = 5000,
		               .remote = 300 };
	struct rc_op read = { .opcode = IBV_WR_RDMA_READ,
		              .id = 2,
		              .flags = IBV_SEND_SIGNALED,
		              .offset = 20000,
		              .length = 5000,
		              .remote = 300 };
	struct rc_end end;
	struct ibv_wc wc;

	rc_side_open(side, &end, config_of(side));
	rc_fill(end.buffer + 8, 5000, 3);
	rc_do(&end, &write);
	wc = rc_sent(&end, 1);
	CHECK_EQ(wc.opcode, IBV_WC_RDMA_WRITE);
	rc_do(&end, &read);
	wc = rc_sent(&end, 2);
	CHECK_EQ(wc.opcode, IBV_WC_RDMA_READ);
	CHECK_EQ(wc.byte_len, 5000);
	rc_expect_filled(end.buffer + 20000, 5000, 3);
	rc_expect_only(end.buffer + 25000, 100, 0);
	side_meet(side);
	rc_side_close(side, &end);
}

static void one_sided_second(struct side *side)
{
	struct rc_end end;

	rc_side_open(side, &end, config_of(side));
	rc_recv(&end, 1, 0, 64);
	side_meet(side);
	rc_expect_only(end.buffer, 300, 0);
	rc_expect_filled(end.buffer + 300, 5000, 3);
	rc_expect_only(end.buffer + 5300, 1000, 0);
	/* Neither consumes a receive, nor says anything here. */
	rc_expect_nothing(end.recv_cq, 0);
	rc_side_close(side, &end);
}

/* --- atomics
 * ------------------------------------------------------------------------------ */

static uint64_t *words(struct rc_end *end)
{
	return (uint64_t *)(void *)end->buffer;
}

static uint64_t atomic(struct rc_end *end, enum ibv_wr_opcode opcode,
                       uint64_t compare_add, uint64_t swap)
{
	struct ibv_wc wc;

	words(end)[1] = ~UINT64_C(0);
	rc_do(end, &(struct rc_op){ .opcode = opcode,
	                            .id = 1,
	                            .flags = IBV_SEND_SIGNALED,
	                            .offset = 8,
	                            .length = 8,
	                            .remote = 16,
	                            .compare_add = compare_add,
	                            .swap = swap });
	wc = rc_sent(end, 1);
	CHECK_EQ(wc.opcode, opcode == IBV_WR_ATOMIC_FETCH_AND_ADD ? IBV_WC_FETCH_ADD
	                                                          : IBV_WC_COMP_SWAP);
	CHECK_EQ(wc.byte_len, 8);
	return words(end)[1];
}

static void atomics_first(struct side *side)
{
	const uint64_t big = UINT64_C(0x8000000000000001);
	struct rc_end end;

	rc_side_open(side, &end, config_of(side));
	side_meet(side);
	CHECK_EQ(atomic(&end, IBV_WR_ATOMIC_FETCH_AND_ADD, 5, 0), 1000);
	CHECK_EQ(atomic(&end, IBV_WR_ATOMIC_FETCH_AND_ADD, (uint64_t)-6, 0), 1005);
	CHECK_EQ(atomic(&end, IBV_WR_ATOMIC_CMP_AND_SWP, 12, 7), 999);
	CHECK_EQ(atomic(&end, IBV_WR_ATOMIC_CMP_AND_SWP, 999, big), 999);
	CHECK_EQ(atomic(&end, IBV_WR_ATOMIC_FETCH_AND_ADD, big, 0), big);
	CHECK_EQ(atomic(&end, IBV_WR_ATOMIC_FETCH_AND_ADD, 0, 0), 2);
	side_meet(side);
	rc_side_close(side, &end);
}

static void atomics_second(struct side *side)
{
	struct rc_end end;

	rc_side_open(side, &end, config_of(side));
	words(&end)[2] = 1000;
	words(&end)[3] = 77;
	side_meet(side);
	side_meet(side);
	CHECK_EQ(words(&end)[1], 0);
	CHECK_EQ(words(&end)[2], 2);
	CHECK_EQ(words(&end)[3], 77);
	rc_side_close(side, &end);
}

/* --- pieces
 * ------------------------------------------------------------------------------- */

static void pieces_first(struct side *side)
{
	struct rc_end end;
	struct ibv_sge sges[4];
	struct rc_op op = { .opcode = IBV_WR_SEND,
		            .id = 1,
		            .flags = IBV_SEND_SIGNALED,
		            .sges = sges,
		            .sge_count = 4 };

	rc_side_open(side, &end, config_of(side));
	rc_fill(end.buffer, 400, 4);
	sges[0] = rc_sge(&end, 0, 1);
	sges[1] = rc_sge(&end, 1, 0);
	sges[2] = rc_sge(&end, 1, 150);
	sges[3] = rc_sge(&end, 151, 249);
	side_meet(side);
	rc_do(&end, &op);
	rc_sent(&end, 1);
	op.opcode = IBV_WR_RDMA_WRITE;
	op.id = 2;
	op.remote = 8192;
	rc_do(&end, &op);
	rc_sent(&end, 2);
	op.opcode = IBV_WR_RDMA_READ;
	op.id = 3;
	for (int i = 0; i < 4; i++)
		sges[i].addr += 10000;
	rc_do(&end, &op);
	CHECK_EQ(rc_sent(&end, 3).byte_len, 400);
	rc_expect_filled(end.buffer + 10000, 400, 4);
	side_meet(side);
	rc_side_close(side, &end);
}

static void pieces_second(struct side *side)
{
	struct rc_end end;
	struct ibv_sge sges[3];
	uint8_t whole[400];

	rc_side_open(side, &end, config_of(side));
	sges[0] = rc_sge(&end, 1000, 7);
	sges[1] = rc_sge(&end, 2000, 350);
	sges[2] = rc_sge(&end, 3000, 100);
	CHECK_EQ(rc_post_recv_sges(&end, 1, sges, 3), 0);
	side_meet(side);
	CHECK_EQ(rc_received(&end, 1).byte_len, 400);
	memcpy(whole, end.buffer + 1000, 7);
	memcpy(whole + 7, end.buffer + 2000, 350);
	memcpy(whole + 357, end.buffer + 3000, 43);
	rc_expect_filled(whole, 400, 4);
	rc_expect_only(end.buffer + 1007, 100, 0);
	rc_expect_only(end.buffer + 3043, 100, 0);
	side_meet(side);
	rc_expect_filled(end.buffer + 8192, 400, 4);
	rc_side_close(side, &end);
}

/* --- nothing to carry
 * --------------------------------------------------------------------- */

static void empty_first(struct side *side)
{
	struct rc_end end;

	rc_side_open(side, &end, config_of(side));
	side_meet(side);
	rc_do(&end, &(struct rc_op){
	                    .opcode = IBV_WR_SEND, .id = 1, .flags = IBV_SEND_SIGNALED });
	rc_sent(&end, 1);
	rc_do(&end, &(struct rc_op){ .opcode = IBV_WR_RDMA_WRITE,
	                             .id = 2,
	                             .flags = IBV_SEND_SIGNALED });
	rc_sent(&end, 2);
	rc_do(&end, &(struct rc_op){ .opcode = IBV_WR_RDMA_READ,
	                             .id = 3,
	                             .flags = IBV_SEND_SIGNALED });
	CHECK_EQ(rc_sent(&end, 3).byte_len, 0);
	rc_do(&end, &(struct rc_op){ .opcode = IBV_WR_RDMA_WRITE_WITH_IMM,
	                             .id = 4,
	                             .flags = IBV_SEND_SIGNALED,
	                             .imm = 9 });
	rc_sent(&end, 4);
	rc_side_close(side, &end);
}

static void empty_second(struct side *side)
{
	struct rc_end end;
	struct ibv_wc wc;

	rc_side_open(side, &end, config_of(side));
	rc_recv(&end, 1, 0, 64);
	rc_recv(&end, 2, 0, 64);
	side_meet(side);
	CHECK_EQ(rc_received(&end, 1).byte_len, 0);
	wc = rc_received(&end, 2);
	CHECK_EQ(wc.opcode, IBV_WC_RECV_RDMA_WITH_IMM);
	CHECK_EQ(wc.byte_len, 0);
	CHECK_EQ(ntohl(wc.imm_data), 9);
	rc_expect_only(end.buffer, 64, 0);
	rc_side_close(side, &end);
}

/* --- inline
 * ------------------------------------------------------------------------------- */

/* Inline data needs no key, and the buffer is the program's own again after the call. */
static void inlined_first(struct side *side)
{
	struct rc_end end;
	uint8_t stack[64];
	struct ibv_sge pieces[2] = {
		{ .addr = (uintptr_t)stack, .length = 40, .lkey = 0xdead },
		{ .addr = (uintptr_t)stack + 40, .length = 24, .lkey = 0xbeef },
	};
	struct rc_op op = { .opcode = IBV_WR_SEND,
		            .id = 1,
		            .flags = IBV_SEND_SIGNALED | IBV_SEND_INLINE,
		            .sges = pieces };

	rc_side_open(side, &end, config_of(side));
	side_meet(side);
	for (unsigned int round = 0; round < 2; round++) {
		rc_fill(stack, sizeof(stack), 60 + round);
		op.opcode = round ? IBV_WR_RDMA_WRITE_WITH_IMM : IBV_WR_SEND;
		op.id = round;
		op.remote = 4096;
		op.sge_count = 2;
		rc_do(&end, &op);
		memset(stack, 0xee, sizeof(stack));
		rc_sent(&end, round);
	}
	rc_side_close(side, &end);
}

static void inlined_second(struct side *side)
{
	struct rc_end end;

	rc_side_open(side, &end, config_of(side));
	rc_recv(&end, 0, 0, 64);
	rc_recv(&end, 1, 0, 0);
	side_meet(side);
	CHECK_EQ(rc_received(&end, 0).byte_len, 64);
	rc_expect_filled(end.buffer, 64, 60);
	CHECK_EQ(rc_received(&end, 1).byte_len, 64);
	rc_expect_filled(end.buffer + 4096, 64, 61);
	rc_side_close(side, &end);
}

/* --- signalling and order
 * ----------------------------------------------------------------- */

/* Receives lie one after another; that order is what the receiver checks. */
static void order_first(struct side *side)
{
	struct rc_end end;

	rc_side_open(side, &end, config_of(side));
	side_meet(side);
	for (uint64_t i = 0; i < 32; i++) {
		struct rc_op op = send_of(i, i, 1);

		end.buffer[i] = (uint8_t)i;
		if (i % 4 != 3)
			op.flags = 0;
		rc_do(&end, &op);
	}
	for (uint64_t i = 3; i < 32; i += 4)
		rc_sent(&end, i);
	rc_expect_nothing(end.send_cq, 0);
	rc_side_close(side, &end);
}

static void order_second(struct side *side)
{
	struct rc_end end;

	rc_side_open(side, &end, config_of(side));
	for (uint64_t i = 0; i < 32; i++)
		rc_recv(&end, 100 + i, 64 * i, 64);
	side_meet(side);
	for (uint64_t i = 0; i < 32; i++) {
		rc_received(&end, 100 + i);
		CHECK_EQ(end.buffer[64 * i], i);
	}
	rc_side_close(side, &end);
}

/* A send that follows a write finds it done, and a fence makes a read come before a
 * write. */
static void visibility_first(struct side *side)
{
	struct rc_end end;

	rc_side_open(side, &end, config_of(side));
	side_meet(side);
	for (uint64_t i = 0; i < 50; i++) {
		struct rc_op read = { .opcode = IBV_WR_RDMA_READ,
			              .id = i,
			              .offset = 2048,
			              .length = 1024,
			              .remote = 8192 };
		struct rc_op write = { .opcode = IBV_WR_RDMA_WRITE,
			               .id = i,
			               .flags = IBV_SEND_FENCE,
			               .length = 1024,
			               .remote = 8192 };
		struct rc_op say = send_of(i, 0, 8);

		rc_fill(end.buffer, 1024, (unsigned int)i);
		rc_do(&end, &read);
		rc_do(&end, &write);
		rc_do(&end, &say);
		rc_sent(&end, i);
		if (i > 0)
			rc_expect_filled(end.buffer + 2048, 1024, (unsigned int)i - 1);
		side_meet(side);
	}
	rc_side_close(side, &end);
}

static void visibility_second(struct side *side)
{
	struct rc_end end;

	rc_side_open(side, &end, config_of(side));
	rc_recv(&end, 0, 0, 64);
	side_meet(side);
	for (uint64_t i = 0; i < 50; i++) {
		rc_received(&end, i);
		rc_expect_filled(end.buffer + 8192, 1024, (unsigned int)i);
		rc_recv(&end, i + 1, 0, 64);
		side_meet(side);
	}
	rc_side_close(side, &end);
}

/* --- both ways at once
 * -------------------------------------------------------------------- */

static void exchange(struct side *side)
{
	struct rc_end end;

	rc_side_open(side, &end, config_of(side));
	for (uint64_t i = 0; i < 16; i++)
		rc_recv(&end, i, 1024 + 64 * i, 64);
	side_meet(side);
	for (uint64_t i = 0; i < 500; i++) {
		struct rc_op op = send_of(i, 0, 8);

		words(&end)[0] = i;
		rc_do(&end, &op);
		rc_received(&end, i);
		CHECK_EQ(*(uint64_t *)(void *)(end.buffer + 1024 + 64 * (i % 16)), i);
		rc_recv(&end, i + 16, 1024 + 64 * (i % 16), 64);
		rc_sent(&end, i);
	}
	rc_side_close(side, &end);
}

/* --- the ways to run them
 * ----------------------------------------------------------------- */

struct way {
	enum sides_mode mode;
	bool extended, shared_receive;
};

static void run_way(void **state, side_function *first, side_function *second)
{
	const struct way *way = *state;
	struct rc_config config = rc_default;

	config.extended = way->extended;
	config.shared_receive = way->shared_receive;
	sides_run(way->mode, first, second, &config);
}

#define TWO_SIDES(name)                                      \
	static void name(void **state)                       \
	{                                                    \
		run_way(state, name##_first, name##_second); \
	}

TWO_SIDES(message)
TWO_SIDES(immediate)
TWO_SIDES(one_sided)
TWO_SIDES(atomics)
TWO_SIDES(pieces)
TWO_SIDES(empty)
TWO_SIDES(inlined)
TWO_SIDES(order)
TWO_SIDES(visibility)

static void exchange_both_ways(void **state)
{
	run_way(state, exchange, exchange);
}

static struct way processes = { SIDES_PROCESSES, false, false };
static struct way threads = { SIDES_THREADS, false, false };
static struct way processes_ex = { SIDES_PROCESSES, true, false };
static struct way threads_ex = { SIDES_THREADS, true, false };
static struct way processes_srq = { SIDES_PROCESSES, false, true };

#define IN(function, way)                                           \
	{                                                           \
#function " in " #way, function, NULL, NULL, &(way) \
	}

#define EVERY_WAY(function)                                                         \
	IN(function, processes), IN(function, threads), IN(function, processes_ex), \
	        IN(function, threads_ex), IN(function, processes_srq)

int main(void)
{
	const struct CMUnitTest tests[] = {
		EVERY_WAY(message),    EVERY_WAY(immediate),
		EVERY_WAY(one_sided),  EVERY_WAY(atomics),
		EVERY_WAY(pieces),     EVERY_WAY(empty),
		EVERY_WAY(inlined),    EVERY_WAY(order),
		EVERY_WAY(visibility), EVERY_WAY(exchange_both_ways),
	};

	return cmocka_run_group_tests(tests, runtime_directory_make,
	                              runtime_directory_remove);
}
