// SPDX-License-Identifier: BSD-2-Clause
/*
 * The RC queue pair's state machine against IBA 10.3.1 and the table of Modify QP
 * (11.2.5.2): every pair of states, with every attribute missing that is required and
 * every attribute present that is not permitted.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/check.h"
#include "lib/rcop.h"

/* Indexed by enum ibv_qp_state up to here. */
enum { STATES = IBV_QPS_ERR + 1 };

static const char *const state_names[STATES] = {
	"RESET", "INIT", "RTR", "RTS", "SQD", "SQE", "ERR",
};

struct transition {
	bool exists;
	int required, optional; /* beside IBV_QP_STATE */
};

#define COMMON_OPTIONAL (IBV_QP_CUR_STATE | IBV_QP_ACCESS_FLAGS | IBV_QP_MIN_RNR_TIMER)

/*
 * Alternate paths are left out: a device without automatic path migration refuses them,
 * one with it takes them. Neither RESET to ERR: the specification and Linux disagree.
 */
static const struct transition transitions[STATES][STATES] = {
	[IBV_QPS_RESET] = {
		[IBV_QPS_INIT] = { true, IBV_QP_PKEY_INDEX | IBV_QP_PORT | IBV_QP_ACCESS_FLAGS,
				   0 },
		[IBV_QPS_RESET] = { true, 0, 0 },
	},
	[IBV_QPS_INIT] = {
		[IBV_QPS_INIT] = { true, 0,
				   IBV_QP_PKEY_INDEX | IBV_QP_PORT | IBV_QP_ACCESS_FLAGS },
		[IBV_QPS_RTR] = { true,
				  IBV_QP_AV | IBV_QP_PATH_MTU | IBV_QP_DEST_QPN |
					  IBV_QP_RQ_PSN | IBV_QP_MAX_DEST_RD_ATOMIC |
					  IBV_QP_MIN_RNR_TIMER,
				  IBV_QP_ACCESS_FLAGS | IBV_QP_PKEY_INDEX },
		[IBV_QPS_RESET] = { true, 0, 0 },
		[IBV_QPS_ERR] = { true, 0, 0 },
	},
	[IBV_QPS_RTR] = {
		[IBV_QPS_RTS] = { true,
				  IBV_QP_TIMEOUT | IBV_QP_RETRY_CNT | IBV_QP_RNR_RETRY |
					  IBV_QP_SQ_PSN | IBV_QP_MAX_QP_RD_ATOMIC,
				  COMMON_OPTIONAL },
		[IBV_QPS_RESET] = { true, 0, 0 },
		[IBV_QPS_ERR] = { true, 0, 0 },
	},
	[IBV_QPS_RTS] = {
		[IBV_QPS_RTS] = { true, 0, COMMON_OPTIONAL },
		[IBV_QPS_SQD] = { true, 0, IBV_QP_EN_SQD_ASYNC_NOTIFY },
		[IBV_QPS_RESET] = { true, 0, 0 },
		[IBV_QPS_ERR] = { true, 0, 0 },
	},
	[IBV_QPS_SQD] = {
		[IBV_QPS_RTS] = { true, 0, COMMON_OPTIONAL },
		[IBV_QPS_SQD] = { true, 0,
				  IBV_QP_PORT | IBV_QP_AV | IBV_QP_TIMEOUT | IBV_QP_RETRY_CNT |
					  IBV_QP_RNR_RETRY | IBV_QP_MAX_QP_RD_ATOMIC |
					  IBV_QP_MAX_DEST_RD_ATOMIC | IBV_QP_PKEY_INDEX |
					  IBV_QP_ACCESS_FLAGS | IBV_QP_MIN_RNR_TIMER },
		[IBV_QPS_RESET] = { true, 0, 0 },
		[IBV_QPS_ERR] = { true, 0, 0 },
	},
	[IBV_QPS_ERR] = {
		[IBV_QPS_RESET] = { true, 0, 0 },
		[IBV_QPS_ERR] = { true, 0, 0 },
	},
};

/* Each attribute that an RC QP can be given, one bit each. */
static const int attributes[] = {
	IBV_QP_CUR_STATE,
	IBV_QP_EN_SQD_ASYNC_NOTIFY,
	IBV_QP_ACCESS_FLAGS,
	IBV_QP_PKEY_INDEX,
	IBV_QP_PORT,
	IBV_QP_QKEY,
	IBV_QP_AV,
	IBV_QP_PATH_MTU,
	IBV_QP_TIMEOUT,
	IBV_QP_RETRY_CNT,
	IBV_QP_RNR_RETRY,
	IBV_QP_RQ_PSN,
	IBV_QP_MAX_QP_RD_ATOMIC,
	IBV_QP_MIN_RNR_TIMER,
	IBV_QP_SQ_PSN,
	IBV_QP_MAX_DEST_RD_ATOMIC,
	IBV_QP_DEST_QPN,
};

#define ATTRIBUTE_COUNT (sizeof(attributes) / sizeof(attributes[0]))

/* Every attribute has a value that is right in itself. */
static struct ibv_qp_attr good_attributes(const struct rc_end *end,
                                          enum ibv_qp_state from, enum ibv_qp_state to)
{
	struct ibv_qp_attr attr;

	rc_rtr_attributes(end, &attr);
	attr.qp_state = to;
	attr.cur_qp_state = from;
	attr.port_num = RC_PORT;
	attr.qp_access_flags = end->config.qp_access;
	attr.sq_psn = end->self.psn;
	attr.timeout = 14;
	attr.retry_cnt = 7;
	attr.rnr_retry = 7;
	attr.max_rd_atomic = 1;
	attr.qkey = 0x11;
	return attr;
}

/* A QP of its own for each attempt: what the attempt left behind is never reused. */
struct bench {
	struct rc_end end;
	struct rc_address peer;
};

static void renew_qp(struct bench *bench)
{
	struct ibv_qp_init_attr init = {
		.send_cq = bench->end.send_cq,
		.recv_cq = bench->end.recv_cq,
		.cap = { 4, 4, 1, 1, 0 },
		.qp_type = IBV_QPT_RC,
	};

	CHECK_EQ(ibv_destroy_qp(bench->end.qp), 0);
	bench->end.qp = CHECK_OBJECT(ibv_create_qp(bench->end.pd, &init));
	CHECK_EQ(bench->end.qp->state, IBV_QPS_RESET);
}

/* By legal steps; SQE is not reached by a modification of an RC QP. */
static void bring_to(struct bench *bench, enum ibv_qp_state state)
{
	struct ibv_qp_attr sqd = { .qp_state = IBV_QPS_SQD };

	renew_qp(bench);
	if (state == IBV_QPS_RESET)
		return;
	rc_to_init(&bench->end);
	if (state == IBV_QPS_INIT)
		return;
	if (state == IBV_QPS_ERR) {
		rc_to_error(&bench->end);
		return;
	}
	rc_to_rtr(&bench->end, &bench->peer);
	if (state == IBV_QPS_RTR)
		return;
	rc_to_rts(&bench->end);
	if (state == IBV_QPS_SQD)
		CHECK_EQ(ibv_modify_qp(bench->end.qp, &sqd, IBV_QP_STATE), 0);
}

/* In which state the QP is afterwards shows whether a refusal changed anything. */
static void attempt(struct bench *bench, enum ibv_qp_state from, enum ibv_qp_state to,
                    int mask, int expected)
{
	struct ibv_qp_attr attr;
	int err;

	bring_to(bench, from);
	attr = good_attributes(&bench->end, from, to);
	err = ibv_modify_qp(bench->end.qp, &attr, mask | IBV_QP_STATE);
	if (err != expected)
		check_failed(__FILE__, __LINE__, "%s to %s with mask 0x%x: %d, not %d",
		             state_names[from], state_names[to], (unsigned int)mask, err,
		             expected);
	if (rc_state(&bench->end) != (expected ? from : to))
		check_failed(__FILE__, __LINE__, "%s to %s with mask 0x%x: then in %s",
		             state_names[from], state_names[to], (unsigned int)mask,
		             state_names[bench->end.qp->state]);
}

static void attempt_legal(struct bench *bench, enum ibv_qp_state from,
                          enum ibv_qp_state to)
{
	const struct transition *way = &transitions[from][to];

	attempt(bench, from, to, way->required, 0);
	attempt(bench, from, to, way->required | way->optional, 0);
	for (size_t i = 0; i < ATTRIBUTE_COUNT; i++) {
		int bit = attributes[i];

		if (way->required & bit)
			attempt(bench, from, to, way->required & ~bit, EINVAL);
		else if (way->optional & bit)
			attempt(bench, from, to, way->required | bit, 0);
		else
			attempt(bench, from, to, way->required | bit, EINVAL);
	}
}

static void attempt_illegal(struct bench *bench, enum ibv_qp_state from,
                            enum ibv_qp_state to)
{
	int everything = 0;

	for (size_t i = 0; i < ATTRIBUTE_COUNT; i++)
		everything |= attributes[i];
	attempt(bench, from, to, 0, EINVAL);
	attempt(bench, from, to, everything, EINVAL);
	attempt(bench, from, to, transitions[IBV_QPS_RESET][IBV_QPS_INIT].required,
	        EINVAL);
	attempt(bench, from, to, transitions[IBV_QPS_INIT][IBV_QPS_RTR].required, EINVAL);
	attempt(bench, from, to, transitions[IBV_QPS_RTR][IBV_QPS_RTS].required, EINVAL);
}

static void attempt_pair(struct bench *bench, enum ibv_qp_state from,
                         enum ibv_qp_state to)
{
	if (from == IBV_QPS_SQE || (from == IBV_QPS_RESET && to == IBV_QPS_ERR))
		return;
	if (transitions[from][to].exists)
		attempt_legal(bench, from, to);
	else
		attempt_illegal(bench, from, to);
}

static void open_bench(struct bench *bench)
{
	rc_open(&bench->end, &rc_default);
	bench->peer = bench->end.peer = bench->end.self;
}

static void every_pair_of_states_body(struct side *side)
{
	struct bench bench;

	(void)side;
	open_bench(&bench);
	for (int from = 0; from < STATES; from++)
		for (int to = 0; to < STATES; to++)
			attempt_pair(&bench, (enum ibv_qp_state)from,
			             (enum ibv_qp_state)to);
	rc_close(&bench.end);
}
ALONE(every_pair_of_states)

/* Without IBV_QP_STATE the state stays, and the table's diagonal says what may change. */
static void without_a_state_body(struct side *side)
{
	struct bench bench;
	struct ibv_qp_attr attr;

	(void)side;
	open_bench(&bench);
	bring_to(&bench, IBV_QPS_RTS);
	attr = good_attributes(&bench.end, IBV_QPS_RTS, IBV_QPS_RESET);
	CHECK_EQ(ibv_modify_qp(bench.end.qp, &attr, IBV_QP_MIN_RNR_TIMER), 0);
	rc_expect_state(&bench.end, IBV_QPS_RTS);
	CHECK_EQ(ibv_modify_qp(bench.end.qp, &attr, IBV_QP_RQ_PSN), EINVAL);
	rc_expect_state(&bench.end, IBV_QPS_RTS);
	rc_close(&bench.end);
}
ALONE(without_a_state)

static void wrong_current_state_body(struct side *side)
{
	struct ibv_qp_attr attr;
	struct bench bench;
	int mask;

	(void)side;
	open_bench(&bench);
	bring_to(&bench, IBV_QPS_RTR);
	mask = rc_rts_attributes(&bench.end, &attr);
	attr.cur_qp_state = IBV_QPS_SQD;
	CHECK_EQ(ibv_modify_qp(bench.end.qp, &attr, mask | IBV_QP_CUR_STATE), EINVAL);
	rc_expect_state(&bench.end, IBV_QPS_RTR);
	attr.cur_qp_state = IBV_QPS_RTR;
	CHECK_EQ(ibv_modify_qp(bench.end.qp, &attr, mask | IBV_QP_CUR_STATE), 0);
	rc_close(&bench.end);
}
ALONE(wrong_current_state)

static void no_such_state_body(struct side *side)
{
	struct ibv_qp_attr attr = { .qp_state = IBV_QPS_UNKNOWN };
	struct bench bench;

	(void)side;
	open_bench(&bench);
	CHECK_EQ(ibv_modify_qp(bench.end.qp, &attr, IBV_QP_STATE), EINVAL);
	attr.qp_state = (enum ibv_qp_state)77;
	CHECK_EQ(ibv_modify_qp(bench.end.qp, &attr, IBV_QP_STATE), EINVAL);
	attr.qp_state = IBV_QPS_INIT;
	/* Bits beyond those that the API defines. */
	CHECK_EQ(ibv_modify_qp(bench.end.qp, &attr, IBV_QP_STATE | 1 << 29), EINVAL);
	rc_expect_state(&bench.end, IBV_QPS_RESET);
	rc_close(&bench.end);
}
ALONE(no_such_state)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_pair_of_states),
		cmocka_unit_test(without_a_state),
		cmocka_unit_test(wrong_current_state),
		cmocka_unit_test(no_such_state),
	};

	return cmocka_run_group_tests(tests, runtime_directory_make,
	                              runtime_directory_remove);
}
