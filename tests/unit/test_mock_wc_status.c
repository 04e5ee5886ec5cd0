// SPDX-License-Identifier: BSD-2-Clause
/*
 * Every status that a completion can have, reached; and those that none has on this
 * device, with the reason. docs/statuses.md says the same in words.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "lib/check.h"
#include "lib/deadline.h"
#include "lib/rcop.h"

static void post_send(struct rc_end *end, uint32_t length)
{
	rc_do(end, &(struct rc_op){ .opcode = IBV_WR_SEND,
	                            .id = 1,
	                            .flags = IBV_SEND_SIGNALED,
	                            .length = length });
}

static void success(struct side *side)
{
	struct rc_pair pair;

	(void)side;
	rc_pair_open(&pair, &rc_default);
	rc_recv(&pair.b, 1, 0, 64);
	post_send(&pair.a, 8);
	rc_expect(pair.a.send_cq, 1, IBV_WC_SUCCESS);
	rc_expect(pair.b.recv_cq, 1, IBV_WC_SUCCESS);
	rc_pair_close(&pair);
}

/* The receive is too short; for the sender, its request was invalid. */
static void length_error(struct side *side)
{
	struct rc_pair pair;

	(void)side;
	rc_pair_open(&pair, &rc_default);
	rc_recv(&pair.b, 1, 0, 64);
	post_send(&pair.a, 1000);
	rc_expect(pair.b.recv_cq, 1, IBV_WC_LOC_LEN_ERR);
	rc_expect(pair.a.send_cq, 1, IBV_WC_REM_INV_REQ_ERR);
	rc_pair_close(&pair);
}

/* A READ on a connection that allows none. */
static void operation_error(struct side *side)
{
	struct rc_config config = rc_default;
	struct rc_pair pair;

	(void)side;
	config.reads_out = 0;
	rc_pair_open(&pair, &config);
	rc_do(&pair.a,
	      &(struct rc_op){ .opcode = IBV_WR_RDMA_READ, .id = 1, .length = 8 });
	rc_expect(pair.a.send_cq, 1, IBV_WC_LOC_QP_OP_ERR);
	rc_pair_close(&pair);
}

static void protection_error(struct side *side)
{
	struct ibv_sge sge;
	struct rc_pair pair;

	(void)side;
	rc_pair_open(&pair, &rc_default);
	sge = rc_sge(&pair.a, 0, 8);
	sge.lkey ^= 0x10000;
	rc_do(&pair.a, &(struct rc_op){ .opcode = IBV_WR_RDMA_WRITE,
	                                .id = 1,
	                                .sges = &sge,
	                                .sge_count = 1 });
	rc_expect(pair.a.send_cq, 1, IBV_WC_LOC_PROT_ERR);
	rc_pair_close(&pair);
}

static void flush_error(struct side *side)
{
	struct rc_pair pair;

	(void)side;
	rc_pair_open(&pair, &rc_default);
	rc_recv(&pair.a, 1, 0, 64);
	rc_to_error(&pair.a);
	post_send(&pair.a, 8);
	rc_expect(pair.a.recv_cq, 1, IBV_WC_WR_FLUSH_ERR);
	rc_expect(pair.a.send_cq, 1, IBV_WC_WR_FLUSH_ERR);
	rc_pair_close(&pair);
}

/* A window on a region that was not registered for it. */
static void bind_error(struct side *side)
{
	struct ibv_send_wr wr = { .wr_id = 1, .opcode = IBV_WR_BIND_MW }, *bad;
	struct rc_pair pair;
	struct ibv_mw *mw;

	(void)side;
	rc_pair_open(&pair, &rc_default);
	mw = CHECK_OBJECT(ibv_alloc_mw(pair.a.pd, IBV_MW_TYPE_2));
	wr.bind_mw.mw = mw;
	wr.bind_mw.rkey = ibv_inc_rkey(mw->rkey);
	wr.bind_mw.bind_info = (struct ibv_mw_bind_info){
		.mr = pair.a.mr,
		.addr = (uintptr_t)pair.a.buffer,
		.length = 8,
		.mw_access_flags = IBV_ACCESS_REMOTE_READ,
	};
	CHECK_EQ(ibv_post_send(pair.a.qp, &wr, &bad), 0);
	rc_expect(pair.a.send_cq, 1, IBV_WC_MW_BIND_ERR);
	CHECK_EQ(ibv_dealloc_mw(mw), 0);
	rc_pair_close(&pair);
}

/* The sender's view of a request that is not allowed, of a key that is wrong, and of a
 * receiver that cannot. */
static void remote_invalid_request(struct side *side)
{
	struct rc_config config = rc_default;
	struct rc_pair pair;

	(void)side;
	config.qp_access = 0;
	rc_pair_open(&pair, &config);
	rc_do(&pair.a,
	      &(struct rc_op){ .opcode = IBV_WR_RDMA_WRITE, .id = 1, .length = 8 });
	rc_expect(pair.a.send_cq, 1, IBV_WC_REM_INV_REQ_ERR);
	rc_pair_close(&pair);
}

static void remote_access_error(struct side *side)
{
	struct rc_pair pair;

	(void)side;
	rc_pair_open(&pair, &rc_default);
	rc_do(&pair.a, &(struct rc_op){ .opcode = IBV_WR_RDMA_WRITE,
	                                .id = 1,
	                                .length = 8,
	                                .rkey = pair.b.self.rkey ^ 0x10000 });
	rc_expect(pair.a.send_cq, 1, IBV_WC_REM_ACCESS_ERR);
	rc_pair_close(&pair);
}

static void remote_operation_error(struct side *side)
{
	struct ibv_sge sge;
	struct rc_pair pair;

	(void)side;
	rc_pair_open(&pair, &rc_default);
	sge = rc_sge(&pair.b, 0, 64);
	sge.lkey ^= 0x10000;
	CHECK_EQ(rc_post_recv_sges(&pair.b, 1, &sge, 1), 0);
	post_send(&pair.a, 8);
	rc_expect(pair.b.recv_cq, 1, IBV_WC_LOC_PROT_ERR);
	rc_expect(pair.a.send_cq, 1, IBV_WC_REM_OP_ERR);
	rc_pair_close(&pair);
}

/* Nobody answers. */
static void retries_exceeded(struct side *side)
{
	struct rc_config config = rc_default;
	struct rc_pair pair;

	(void)side;
	config.timeout = 8;
	config.retries = 1;
	rc_pair_open(&pair, &config);
	rc_to_reset(&pair.b);
	post_send(&pair.a, 8);
	rc_expect(pair.a.send_cq, 1, IBV_WC_RETRY_EXC_ERR);
	rc_pair_close(&pair);
}

static void receiver_not_ready(struct side *side)
{
	struct rc_config config = rc_default;
	struct rc_pair pair;

	(void)side;
	config.rnr_retries = 1;
	rc_pair_open(&pair, &config);
	post_send(&pair.a, 8);
	rc_expect(pair.a.send_cq, 1, IBV_WC_RNR_RETRY_EXC_ERR);
	rc_pair_close(&pair);
}

/* --- memory that is gone from under its key: between processes */

static void immediate_to_nowhere(struct side *side)
{
	struct rc_end end;

	rc_side_open(side, &end, side->argument);
	side_meet(side);
	rc_do(&end, &(struct rc_op){ .opcode = IBV_WR_RDMA_WRITE_WITH_IMM,
	                             .id = 1,
	                             .length = 64 });
	rc_expect(end.send_cq, 1, IBV_WC_REM_ACCESS_ERR);
	rc_side_close(side, &end);
}

static void nowhere(struct side *side)
{
	struct rc_end end;

	rc_side_open(side, &end, side->argument);
	rc_recv(&end, 1, 0, 64);
	CHECK_CALL(munmap(end.buffer, end.config.buffer_size));
	side_meet(side);
	rc_expect(end.recv_cq, 1, IBV_WC_LOC_ACCESS_ERR);
	rc_side_close(side, &end);
}

static void local_access_error(void **state)
{
	struct rc_config config = rc_default;

	(void)state;
	sides_run(SIDES_PROCESSES, immediate_to_nowhere, nowhere, &config);
	config.shared_receive = true;
	sides_run(SIDES_PROCESSES, immediate_to_nowhere, nowhere, &config);
}

/* --- all of them */

struct status {
	side_function *reach; /* or … */
	const char *elsewhere;
};

#define ABSENT(reason)         \
	{                      \
		NULL, (reason) \
	}

static const struct status statuses[] = {
	[IBV_WC_SUCCESS] = { success, NULL },
	[IBV_WC_LOC_LEN_ERR] = { length_error, NULL },
	[IBV_WC_LOC_QP_OP_ERR] = { operation_error, NULL },
	[IBV_WC_LOC_EEC_OP_ERR] = ABSENT("reliable datagrams"),
	[IBV_WC_LOC_PROT_ERR] = { protection_error, NULL },
	[IBV_WC_WR_FLUSH_ERR] = { flush_error, NULL },
	[IBV_WC_MW_BIND_ERR] = { bind_error, NULL },
	[IBV_WC_BAD_RESP_ERR] = ABSENT("tests/sim/test_sim_errors.c"),
	[IBV_WC_LOC_ACCESS_ERR] = ABSENT("local_access_error()"),
	[IBV_WC_REM_INV_REQ_ERR] = { remote_invalid_request, NULL },
	[IBV_WC_REM_ACCESS_ERR] = { remote_access_error, NULL },
	[IBV_WC_REM_OP_ERR] = { remote_operation_error, NULL },
	[IBV_WC_RETRY_EXC_ERR] = { retries_exceeded, NULL },
	[IBV_WC_RNR_RETRY_EXC_ERR] = { receiver_not_ready, NULL },
	[IBV_WC_LOC_RDD_VIOL_ERR] = ABSENT("reliable datagrams"),
	[IBV_WC_REM_INV_RD_REQ_ERR] = ABSENT("reliable datagrams"),
	[IBV_WC_REM_ABORT_ERR] = ABSENT("reliable datagrams break off messages"),
	[IBV_WC_INV_EECN_ERR] = ABSENT("reliable datagrams"),
	[IBV_WC_INV_EEC_STATE_ERR] = ABSENT("reliable datagrams"),
	[IBV_WC_FATAL_ERR] = ABSENT("a device that broke"),
	[IBV_WC_RESP_TIMEOUT_ERR] = ABSENT("management datagrams"),
	[IBV_WC_GENERAL_ERR] = ABSENT("nothing is left to be called so"),
	[IBV_WC_TM_ERR] = ABSENT("tag matching"),
	[IBV_WC_TM_RNDV_INCOMPLETE] = ABSENT("tag matching"),
};

static void every_status(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
		if (statuses[i].reach)
			alone_run(statuses[i].reach, NULL);
		else if (!statuses[i].elsewhere)
			fail_msg("status %zu, '%s', has no entry", i,
			         ibv_wc_status_str((enum ibv_wc_status)i));
	}
	/* A later rdma-core may know more: an entry is due then. */
	assert_string_equal(ibv_wc_status_str(sizeof(statuses) / sizeof(statuses[0])),
	                    "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_status),
		cmocka_unit_test(local_access_error),
	};

	return cmocka_run_group_tests(tests, runtime_directory_make,
	                              runtime_directory_remove);
}
