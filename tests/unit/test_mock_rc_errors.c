// SPDX-License-Identifier: BSD-2-Clause
/*
 * Each way in which a request is refused: the status on both sides, the state of both
 * queue pairs, and the flush of what follows, as IBA 9.9.2 and 9.9.3 have it. Every case
 * runs between two processes and between two threads.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "lib/check.h"
#include "lib/rcop.h"

enum { BUFFER = 4096, NOTHING = -1, RECEIVE_ID = 50 };

struct error_case {
	const char *name;
	enum ibv_wr_opcode opcode;
	uint32_t length;
	uint64_t remote;
	/* What makes it fail; each may be absent. */
	void (*configure)(struct rc_config *initiator, struct rc_config *target);
	void (*spoil)(struct rc_end *initiator, struct rc_op *op);
	void (*receive)(struct rc_end *target); /* in place of a good receive */
	enum ibv_wc_status initiator;
	int target; /* status of its receive, or NOTHING */
	enum ibv_qp_state target_state;
};

/* --- what makes requests fail
 * ----------------------------------------------------------- */

static void wrong_rkey(struct rc_end *end, struct rc_op *op)
{
	op->rkey = end->peer.rkey ^ 0x00010000;
}

static void region_unwritable(struct rc_config *initiator, struct rc_config *target)
{
	(void)initiator;
	target->mr_access &= ~IBV_ACCESS_REMOTE_WRITE;
}

static void region_unreadable(struct rc_config *initiator, struct rc_config *target)
{
	(void)initiator;
	target->mr_access &= ~IBV_ACCESS_REMOTE_READ;
}

static void region_not_atomic(struct rc_config *initiator, struct rc_config *target)
{
	(void)initiator;
	target->mr_access &= ~IBV_ACCESS_REMOTE_ATOMIC;
}

static void qp_unwritable(struct rc_config *initiator, struct rc_config *target)
{
	(void)initiator;
	target->qp_access &= ~(unsigned int)IBV_ACCESS_REMOTE_WRITE;
}

static void qp_unreadable(struct rc_config *initiator, struct rc_config *target)
{
	(void)initiator;
	target->qp_access &= ~(unsigned int)IBV_ACCESS_REMOTE_READ;
}

static void qp_not_atomic(struct rc_config *initiator, struct rc_config *target)
{
	(void)initiator;
	target->qp_access &= ~(unsigned int)IBV_ACCESS_REMOTE_ATOMIC;
}

static void no_reads_taken(struct rc_config *initiator, struct rc_config *target)
{
	(void)initiator;
	target->reads_in = 0;
}

static void no_reads_asked(struct rc_config *initiator, struct rc_config *target)
{
	(void)target;
	initiator->reads_out = 0;
}

static void wrong_lkey(struct rc_end *end, struct rc_op *op)
{
	static struct ibv_sge sge;

	sge = rc_sge(end, 0, op->length);
	sge.lkey ^= 0x00020000;
	op->sges = &sge;
	op->sge_count = 1;
}

static void past_own_buffer(struct rc_end *end, struct rc_op *op)
{
	op->offset = end->config.buffer_size - op->length + 1;
}

static void before_own_buffer(struct rc_end *end, struct rc_op *op)
{
	static struct ibv_sge sge;

	sge = rc_sge(end, 0, op->length);
	sge.addr--;
	op->sges = &sge;
	op->sge_count = 1;
}

static void second_piece_wrong(struct rc_end *end, struct rc_op *op)
{
	static struct ibv_sge sges[2];

	sges[0] = rc_sge(end, 0, op->length / 2);
	sges[1] = rc_sge(end, end->config.buffer_size, op->length / 2);
	op->sges = sges;
	op->sge_count = 2;
}

static void own_region_read_only(struct rc_config *initiator, struct rc_config *target)
{
	(void)target;
	initiator->mr_access = IBV_ACCESS_REMOTE_READ;
}

/* As much as makes one byte more than the port carries; no memory is touched for it. */
static void longer_than_the_port_carries(struct rc_end *end, struct rc_op *op)
{
	static struct ibv_sge sges[4];
	struct ibv_port_attr port;
	uint64_t left;

	CHECK_EQ(ibv_query_port(end->context, RC_PORT, &port), 0);
	left = (uint64_t)port.max_msg_sz + 1;
	op->sge_count = 0;
	while (left) {
		uint32_t piece = left > 1u << 30 ? 1u << 30 : (uint32_t)left;

		CHECK(op->sge_count < 4);
		sges[op->sge_count++] = rc_sge(end, 0, piece);
		left -= piece;
	}
	op->sges = sges;
}

static void huge_buffer(struct rc_config *initiator, struct rc_config *target)
{
	(void)target;
	initiator->buffer_size = 1u << 30;
}

static void receive_too_small(struct rc_end *end)
{
	rc_recv(end, RECEIVE_ID, 0, 63);
}

static void receive_with_wrong_lkey(struct rc_end *end)
{
	struct ibv_sge sge = rc_sge(end, 0, 256);

	sge.lkey ^= 0x00040000;
	CHECK_EQ(rc_post_recv_sges(end, RECEIVE_ID, &sge, 1), 0);
}

static void receive_past_the_buffer(struct rc_end *end)
{
	rc_recv(end, RECEIVE_ID, end->config.buffer_size - 255, 256);
}

static void no_receive(struct rc_end *end)
{
	(void)end;
}

static void region_read_only(struct rc_config *initiator, struct rc_config *target)
{
	(void)initiator;
	target->mr_access = IBV_ACCESS_REMOTE_READ;
}

static void no_rnr_retries(struct rc_config *initiator, struct rc_config *target)
{
	(void)target;
	initiator->rnr_retries = 0;
}

static void two_rnr_retries(struct rc_config *initiator, struct rc_config *target)
{
	initiator->rnr_retries = 2;
	target->rnr_timer = 1; /* 10 µs */
}

/* --- the cases
 * ---------------------------------------------------------------------------- */

#define FLUSHED   IBV_WC_WR_FLUSH_ERR, IBV_QPS_ERR
#define UNTOUCHED NOTHING, IBV_QPS_RTS

#define WRITE     IBV_WR_RDMA_WRITE
#define WRITE_IMM IBV_WR_RDMA_WRITE_WITH_IMM
#define READ      IBV_WR_RDMA_READ
#define SWAP      IBV_WR_ATOMIC_CMP_AND_SWP
#define ADD       IBV_WR_ATOMIC_FETCH_AND_ADD
#define STORE     IBV_WR_ATOMIC_WRITE
#define SEND      IBV_WR_SEND

static const struct error_case cases[] = {
	/* The key, the bounds and the rights of the region: NAK remote access error. */
	{ "write with a wrong key", WRITE, 64, 0, NULL, wrong_rkey, NULL,
	  IBV_WC_REM_ACCESS_ERR, FLUSHED },
	{ "write with immediate and a wrong key", WRITE_IMM, 64, 0, NULL, wrong_rkey,
	  NULL, IBV_WC_REM_ACCESS_ERR, FLUSHED },
	{ "read with a wrong key", READ, 64, 0, NULL, wrong_rkey, NULL,
	  IBV_WC_REM_ACCESS_ERR, FLUSHED },
	{ "add with a wrong key", ADD, 8, 0, NULL, wrong_rkey, NULL,
	  IBV_WC_REM_ACCESS_ERR, FLUSHED },
	{ "atomic write with a wrong key", STORE, 8, 0, NULL, wrong_rkey, NULL,
	  IBV_WC_REM_ACCESS_ERR, FLUSHED },
	{ "atomic write behind the region", STORE, 8, BUFFER, NULL, NULL, NULL,
	  IBV_WC_REM_ACCESS_ERR, FLUSHED },
	{ "atomic write to a region not writable", STORE, 8, 0, region_unwritable, NULL,
	  NULL, IBV_WC_REM_ACCESS_ERR, FLUSHED },
	{ "write one byte past the region", WRITE, 64, BUFFER - 63, NULL, NULL, NULL,
	  IBV_WC_REM_ACCESS_ERR, FLUSHED },
	{ "write one byte before the region", WRITE, 64, (uint64_t)-1, NULL, NULL, NULL,
	  IBV_WC_REM_ACCESS_ERR, FLUSHED },
	{ "read one byte past the region", READ, 64, BUFFER - 63, NULL, NULL, NULL,
	  IBV_WC_REM_ACCESS_ERR, FLUSHED },
	{ "add behind the region", ADD, 8, BUFFER, NULL, NULL, NULL,
	  IBV_WC_REM_ACCESS_ERR, FLUSHED },
	{ "swap behind the region", SWAP, 8, BUFFER, NULL, NULL, NULL,
	  IBV_WC_REM_ACCESS_ERR, FLUSHED },
	{ "write to a region not writable", WRITE, 64, 0, region_unwritable, NULL, NULL,
	  IBV_WC_REM_ACCESS_ERR, FLUSHED },
	{ "read of a region not readable", READ, 64, 0, region_unreadable, NULL, NULL,
	  IBV_WC_REM_ACCESS_ERR, FLUSHED },
	{ "add to a region not for atomics", ADD, 8, 0, region_not_atomic, NULL, NULL,
	  IBV_WC_REM_ACCESS_ERR, FLUSHED },
	{ "swap in a region not for atomics", SWAP, 8, 0, region_not_atomic, NULL, NULL,
	  IBV_WC_REM_ACCESS_ERR, FLUSHED },

	/* What the queue pair does not take at all: NAK invalid request. */
	{ "write to a QP that takes none", WRITE, 64, 0, qp_unwritable, NULL, NULL,
	  IBV_WC_REM_INV_REQ_ERR, FLUSHED },
	{ "read from a QP that answers none", READ, 64, 0, qp_unreadable, NULL, NULL,
	  IBV_WC_REM_INV_REQ_ERR, FLUSHED },
	{ "add on a QP that does none", ADD, 8, 0, qp_not_atomic, NULL, NULL,
	  IBV_WC_REM_INV_REQ_ERR, FLUSHED },
	{ "read beyond max_dest_rd_atomic", READ, 64, 0, no_reads_taken, NULL, NULL,
	  IBV_WC_REM_INV_REQ_ERR, FLUSHED },
	{ "add beyond max_dest_rd_atomic", ADD, 8, 0, no_reads_taken, NULL, NULL,
	  IBV_WC_REM_INV_REQ_ERR, FLUSHED },
	{ "add at an address not aligned", ADD, 8, 4, NULL, NULL, NULL,
	  IBV_WC_REM_INV_REQ_ERR, FLUSHED },
	{ "swap at an address not aligned", SWAP, 8, 1, NULL, NULL, NULL,
	  IBV_WC_REM_INV_REQ_ERR, FLUSHED },
	{ "atomic write to a QP that takes no writes", STORE, 8, 0, qp_unwritable, NULL,
	  NULL, IBV_WC_REM_INV_REQ_ERR, FLUSHED },
	{ "atomic write beyond max_dest_rd_atomic", STORE, 8, 0, no_reads_taken, NULL,
	  NULL, IBV_WC_REM_INV_REQ_ERR, FLUSHED },
	{ "atomic write at an address not aligned", STORE, 8, 4, NULL, NULL, NULL,
	  IBV_WC_REM_INV_REQ_ERR, FLUSHED },
	{ "message longer than the receive", SEND, 64, 0, NULL, NULL, receive_too_small,
	  IBV_WC_REM_INV_REQ_ERR, IBV_WC_LOC_LEN_ERR, IBV_QPS_ERR },

	/* What the target's own memory refuses: NAK remote operational error. */
	{ "receive with a wrong key", SEND, 64, 0, NULL, NULL, receive_with_wrong_lkey,
	  IBV_WC_REM_OP_ERR, IBV_WC_LOC_PROT_ERR, IBV_QPS_ERR },
	{ "receive past its region", SEND, 256, 0, NULL, NULL, receive_past_the_buffer,
	  IBV_WC_REM_OP_ERR, IBV_WC_LOC_PROT_ERR, IBV_QPS_ERR },
	{ "receive into a region that is read-only", SEND, 64, 0, region_read_only, NULL,
	  NULL, IBV_WC_REM_OP_ERR, IBV_WC_LOC_PROT_ERR, IBV_QPS_ERR },

	/* What fails at home never reaches the target. */
	{ "send with a wrong key", SEND, 64, 0, NULL, wrong_lkey, NULL,
	  IBV_WC_LOC_PROT_ERR, UNTOUCHED },
	{ "write with a wrong local key", WRITE, 64, 0, NULL, wrong_lkey, NULL,
	  IBV_WC_LOC_PROT_ERR, UNTOUCHED },
	{ "send from past the own region", SEND, 64, 0, NULL, past_own_buffer, NULL,
	  IBV_WC_LOC_PROT_ERR, UNTOUCHED },
	{ "send from before the own region", SEND, 64, 0, NULL, before_own_buffer, NULL,
	  IBV_WC_LOC_PROT_ERR, UNTOUCHED },
	{ "write whose second piece is wrong", WRITE, 64, 0, NULL, second_piece_wrong,
	  NULL, IBV_WC_LOC_PROT_ERR, UNTOUCHED },
	{ "read into a region that is read-only", READ, 64, 0, own_region_read_only, NULL,
	  NULL, IBV_WC_LOC_PROT_ERR, UNTOUCHED },
	{ "add whose answer goes to a read-only region", ADD, 8, 0, own_region_read_only,
	  NULL, NULL, IBV_WC_LOC_PROT_ERR, UNTOUCHED },
	{ "atomic write of less than a word", STORE, 4, 0, NULL, NULL, NULL,
	  IBV_WC_LOC_LEN_ERR, UNTOUCHED },
	{ "atomic write of more than a word", STORE, 16, 0, NULL, NULL, NULL,
	  IBV_WC_LOC_LEN_ERR, UNTOUCHED },
	{ "atomic write where none may be asked for", STORE, 8, 0, no_reads_asked, NULL,
	  NULL, IBV_WC_LOC_QP_OP_ERR, UNTOUCHED },
	{ "message longer than the port carries", SEND, 64, 0, huge_buffer,
	  longer_than_the_port_carries, NULL, IBV_WC_LOC_LEN_ERR, UNTOUCHED },

	/* Receiver not ready. */
	{ "no receive and no retry", SEND, 64, 0, no_rnr_retries, NULL, no_receive,
	  IBV_WC_RNR_RETRY_EXC_ERR, UNTOUCHED },
	{ "no receive and two retries", SEND, 64, 0, two_rnr_retries, NULL, no_receive,
	  IBV_WC_RNR_RETRY_EXC_ERR, UNTOUCHED },
	{ "no receive for an immediate", WRITE_IMM, 64, 0, no_rnr_retries, NULL,
	  no_receive, IBV_WC_RNR_RETRY_EXC_ERR, UNTOUCHED },
};

/* --- running them
 * --------------------------------------------------------------------------- */

static void configure(const struct error_case *one, struct rc_config *initiator,
                      struct rc_config *target)
{
	*initiator = *target = rc_default;
	initiator->buffer_size = target->buffer_size = BUFFER;
	if (one->configure)
		one->configure(initiator, target);
}

static void initiator(struct side *side)
{
	const struct error_case *one = side->argument;
	struct rc_op op = { .opcode = one->opcode,
		            .id = 1,
		            .length = one->length,
		            .remote = one->remote };
	const struct rc_op later = { .opcode = SEND, .length = 8 };
	struct rc_config config, ignored;
	struct rc_end end;

	configure(one, &config, &ignored);
	rc_side_open(side, &end, &config);
	memset(end.buffer, 0xcc, BUFFER);
	side_meet(side);
	if (one->spoil)
		one->spoil(&end, &op);
	/* Not asked to signal: a completion in error comes nevertheless. */
	rc_do(&end, &op);
	for (uint64_t id = 2; id < 5; id++) {
		op = later;
		op.id = id;
		rc_post(&end, &op);
	}
	rc_expect(end.send_cq, 1, one->initiator);
	for (uint64_t id = 2; id < 5; id++)
		rc_expect(end.send_cq, id, IBV_WC_WR_FLUSH_ERR);
	rc_expect_nothing(end.send_cq, 0);
	rc_expect_state(&end, IBV_QPS_ERR);
	side_meet(side);
	rc_side_close(side, &end);
}

static void expect_receives(struct rc_end *end, const struct error_case *one)
{
	if (one->target == NOTHING) {
		rc_expect_nothing(end->recv_cq, 10);
		return;
	}
	rc_expect(end->recv_cq, RECEIVE_ID, (enum ibv_wc_status)one->target);
	rc_expect(end->recv_cq, RECEIVE_ID + 1, IBV_WC_WR_FLUSH_ERR);
	rc_expect_nothing(end->recv_cq, 0);
}

static void target(struct side *side)
{
	const struct error_case *one = side->argument;
	struct rc_config config, ignored;
	struct rc_end end;

	configure(one, &ignored, &config);
	rc_side_open(side, &end, &config);
	if (one->receive)
		one->receive(&end);
	else
		rc_recv(&end, RECEIVE_ID, 0, 1024);
	if (one->receive != no_receive)
		rc_recv(&end, RECEIVE_ID + 1, 0, 1024);
	side_meet(side);
	side_meet(side);
	expect_receives(&end, one);
	rc_expect_state(&end, one->target_state);
	/* No refused request has written a byte; the write of an RNR may have. */
	if (one->initiator != IBV_WC_RNR_RETRY_EXC_ERR)
		rc_expect_only(end.buffer, BUFFER, 0);
	rc_side_close(side, &end);
}

static void between_processes(void **state)
{
	sides_run(SIDES_PROCESSES, initiator, target, *state);
}

static void between_threads(void **state)
{
	sides_run(SIDES_THREADS, initiator, target, *state);
}

enum { CASES = sizeof(cases) / sizeof(cases[0]) };

int main(void)
{
	static struct CMUnitTest tests[2 * CASES];
	static char names[2 * CASES][100];

	for (int i = 0; i < CASES; i++) {
		snprintf(names[2 * i], sizeof(names[0]), "%s, between processes",
		         cases[i].name);
		snprintf(names[2 * i + 1], sizeof(names[0]), "%s, between threads",
		         cases[i].name);
		tests[2 * i] = (struct CMUnitTest){ names[2 * i], between_processes, NULL,
			                            NULL, (void *)&cases[i] };
		tests[2 * i + 1] = (struct CMUnitTest){ names[2 * i + 1], between_threads,
			                                NULL, NULL, (void *)&cases[i] };
	}
	return cmocka_run_group_tests(tests, runtime_directory_make,
	                              runtime_directory_remove);
}
