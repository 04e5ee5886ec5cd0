// SPDX-License-Identifier: BSD-2-Clause
/*
 * The unreliable connection (IBA 9.8.2): data arrives, or is lost without a word to its
 * sender, whose own mistakes stop its send queue alone.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "lib/check.h"
#include "lib/rcop.h"

enum { LENGTH = 3000, AWAY = 16384 };

static struct rc_config uc_config(void)
{
	struct rc_config config = rc_default;

	config.type = IBV_QPT_UC;
	return config;
}

static void send_one(struct rc_end *end, uint64_t id)
{
	rc_do(end, &(struct rc_op){ .opcode = IBV_WR_SEND,
	                            .id = id,
	                            .flags = IBV_SEND_SIGNALED,
	                            .length = 100 });
	rc_sent(end, id);
}

static struct rc_end *open_pair(struct rc_pair *pair)
{
	struct rc_config config = uc_config();

	rc_pair_open(pair, &config);
	return &pair->a;
}

/* --- all operations, between processes and between threads ------------------------- */

struct mode {
	bool extended, shared_receive;
	unsigned int flags;
	uint32_t length;
};

static const struct rc_op operations[] = {
	{ .opcode = IBV_WR_SEND, .id = 1 },
	{ .opcode = IBV_WR_SEND_WITH_IMM, .id = 2, .imm = 0x12345678 },
	{ .opcode = IBV_WR_RDMA_WRITE, .id = 3, .remote = AWAY },
	{ .opcode = IBV_WR_RDMA_WRITE_WITH_IMM, .id = 4, .remote = AWAY, .imm = 77 },
};

static struct rc_config config_of(const struct mode *mode)
{
	struct rc_config config = uc_config();

	config.extended = mode->extended;
	config.shared_receive = mode->shared_receive;
	return config;
}

static void initiator(struct side *side)
{
	const struct mode *mode = side->argument;
	struct rc_config config = config_of(mode);
	struct rc_end end;

	rc_side_open(side, &end, &config);
	for (size_t i = 0; i < 4; i++) {
		struct rc_op op = operations[i];

		op.flags = IBV_SEND_SIGNALED | mode->flags;
		op.length = mode->length;
		rc_fill(end.buffer, mode->length, (unsigned int)i);
		side_meet(side);
		rc_do(&end, &op);
		rc_sent(&end, op.id);
		side_meet(side);
	}
	rc_side_close(side, &end);
}

static void expect_arrival(struct rc_end *end, const struct rc_op *op, uint32_t length)
{
	struct ibv_wc wc;

	if (op->opcode == IBV_WR_RDMA_WRITE) {
		rc_expect_nothing(end->recv_cq, 0);
		return;
	}
	wc = rc_received(end, op->id);
	CHECK_EQ(wc.byte_len, length);
	CHECK_EQ(wc.opcode, op->opcode == IBV_WR_RDMA_WRITE_WITH_IMM
	                            ? IBV_WC_RECV_RDMA_WITH_IMM
	                            : IBV_WC_RECV);
	CHECK_EQ(wc.wc_flags & IBV_WC_WITH_IMM, op->imm ? IBV_WC_WITH_IMM : 0);
	CHECK_EQ(wc.wc_flags & IBV_WC_GRH, 0);
	if (op->imm)
		CHECK_EQ(be32toh(wc.imm_data), op->imm);
}

static void target(struct side *side)
{
	const struct mode *mode = side->argument;
	struct rc_config config = config_of(mode);
	struct rc_end end;

	rc_side_open(side, &end, &config);
	for (size_t i = 0; i < 4; i++) {
		const struct rc_op *op = &operations[i];

		if (op->opcode != IBV_WR_RDMA_WRITE)
			rc_recv(&end, op->id, 0, LENGTH);
		side_meet(side);
		side_meet(side);
		expect_arrival(&end, op, mode->length);
		rc_await_filled(end.buffer + op->remote, mode->length, (unsigned int)i);
	}
	rc_side_close(side, &end);
}

static void every_operation(void **state)
{
	static const struct mode modes[] = {
		{ .length = LENGTH },
		{ .length = 8 },
		{ .length = LENGTH, .extended = true },
		{ .length = LENGTH, .shared_receive = true },
		{ .length = 40, .flags = IBV_SEND_INLINE },
		{ .length = 40, .flags = IBV_SEND_INLINE, .extended = true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		sides_run(SIDES_PROCESSES, initiator, target, &modes[i]);
		if (i < 3) /* the same path, but for who copies */
			sides_run(SIDES_THREADS, initiator, target, &modes[i]);
	}
}

/* --- what gets lost ----------------------------------------------------------------- */

static void no_receive_is_silence_body(struct side *side)
{
	struct rc_pair pair;

	(void)side;
	open_pair(&pair);
	send_one(&pair.a, 1);
	send_one(&pair.a, 2);
	rc_recv(&pair.b, 10, 0, 100);
	/* The two that are missing are a gap, over which the next message goes. */
	send_one(&pair.a, 3);
	rc_received(&pair.b, 10);
	rc_expect_nothing(pair.b.recv_cq, 0);
	rc_expect_state(&pair.a, IBV_QPS_RTS);
	rc_expect_state(&pair.b, IBV_QPS_RTS);
	rc_pair_close(&pair);
}
ALONE(no_receive_is_silence)

/* A WRITE with immediate that finds no receive writes nothing. */
static void immediate_without_receive_body(struct side *side)
{
	struct rc_pair pair;

	(void)side;
	open_pair(&pair);
	memset(pair.a.buffer, 'x', 64);
	rc_do(&pair.a, &(struct rc_op){ .opcode = IBV_WR_RDMA_WRITE_WITH_IMM,
	                                .id = 1,
	                                .flags = IBV_SEND_SIGNALED,
	                                .length = 64 });
	rc_sent(&pair.a, 1);
	rc_expect_only(pair.b.buffer, 64, 0);
	rc_pair_close(&pair);
}
ALONE(immediate_without_receive)

static void expect_dropped(struct rc_pair *pair, const struct rc_op *op)
{
	memset(pair->a.buffer, 'x', 64);
	rc_do(&pair->a, op);
	rc_sent(&pair->a, op->id);
	rc_expect_only(pair->b.buffer, 4096, 0);
	rc_expect_nothing(pair->b.recv_cq, 0);
	rc_expect_state(&pair->a, IBV_QPS_RTS);
	rc_expect_state(&pair->b, IBV_QPS_RTS);
}

static void bad_keys_are_silence_body(struct side *side)
{
	struct rc_op op = { .opcode = IBV_WR_RDMA_WRITE,
		            .id = 1,
		            .flags = IBV_SEND_SIGNALED,
		            .length = 64 };
	struct rc_pair pair;

	(void)side;
	open_pair(&pair);
	op.rkey = pair.b.mr->rkey ^ 0x00010000;
	expect_dropped(&pair, &op);
	op.rkey = pair.b.mr->rkey;
	op.remote = pair.b.config.buffer_size - 1;
	expect_dropped(&pair, &op);
	op.remote = 0;
	op.opcode = IBV_WR_RDMA_WRITE_WITH_IMM;
	op.rkey ^= 0x00010000;
	rc_recv(&pair.b, 9, 0, 64);
	expect_dropped(&pair, &op);
	/* The receive is still there. */
	send_one(&pair.a, 2);
	rc_expect(pair.b.recv_cq, 9, IBV_WC_LOC_LEN_ERR);
	rc_pair_close(&pair);
}
ALONE(bad_keys_are_silence)

static void writes_not_permitted_body(struct side *side)
{
	struct rc_config config = uc_config();
	struct rc_pair pair;

	(void)side;
	config.qp_access = IBV_ACCESS_LOCAL_WRITE;
	rc_pair_open(&pair, &config);
	expect_dropped(&pair, &(struct rc_op){ .opcode = IBV_WR_RDMA_WRITE,
	                                       .id = 1,
	                                       .flags = IBV_SEND_SIGNALED,
	                                       .length = 64 });
	rc_pair_close(&pair);
}
ALONE(writes_not_permitted)

/* IBA 9.8.2.2.1: the first packet that begins a message sets the number. */
static void any_first_psn_body(struct side *side)
{
	struct rc_config config = uc_config();
	struct rc_pair pair;
	struct rc_address other;

	(void)side;
	rc_open(&pair.a, &config);
	rc_open(&pair.b, &config);
	rc_connect(&pair.a, &pair.b.self);
	other = pair.a.self;
	other.psn = (other.psn + 1000000) & 0xffffff;
	rc_connect(&pair.b, &other);
	rc_recv(&pair.b, 5, 0, 100);
	send_one(&pair.a, 1);
	rc_received(&pair.b, 5);
	rc_pair_close(&pair);
}
ALONE(any_first_psn)

/* An RC queue pair is not heard by a UC one, nor the other way round. */
static void other_transport_body(struct side *side)
{
	struct rc_config reliable = rc_default, unreliable = uc_config();
	struct rc_end rc, uc;

	(void)side;
	reliable.timeout = 8;
	reliable.retries = 1;
	rc_open(&rc, &reliable);
	rc_open(&uc, &unreliable);
	rc_connect(&rc, &uc.self);
	rc_connect(&uc, &rc.self);
	rc_recv(&rc, 1, 0, 100);
	rc_recv(&uc, 1, 0, 100);
	send_one(&uc, 2);
	rc_expect_nothing(rc.recv_cq, 0);
	rc_do(&rc, &(struct rc_op){ .opcode = IBV_WR_RDMA_WRITE, .id = 3, .length = 8 });
	rc_expect(rc.send_cq, 3, IBV_WC_RETRY_EXC_ERR);
	rc_expect_nothing(uc.recv_cq, 0);
	rc_close(&rc);
	rc_close(&uc);
}
ALONE(other_transport)

/* --- what a side does wrong itself ---------------------------------------------------
 */

static void operations_that_uc_has_not_body(struct side *side)
{
	static const enum ibv_wr_opcode absent[] = {
		IBV_WR_RDMA_READ,
		IBV_WR_ATOMIC_CMP_AND_SWP,
		IBV_WR_ATOMIC_FETCH_AND_ADD,
	};
	struct rc_config config = uc_config();
	struct rc_pair pair, extended;

	(void)side;
	open_pair(&pair);
	config.extended = true;
	rc_pair_open(&extended, &config);
	for (size_t i = 0; i < sizeof(absent) / sizeof(absent[0]); i++) {
		struct rc_op op = { .opcode = absent[i], .length = 8 };

		CHECK_EQ(rc_post(&pair.a, &op), EINVAL);
		CHECK(!extended.a.qpx->wr_rdma_read || rc_post(&extended.a, &op));
	}
	rc_pair_close(&pair);
	rc_pair_close(&extended);
}
ALONE(operations_that_uc_has_not)

static void leave_sqe(struct rc_end *end)
{
	struct ibv_qp_attr attr = { .qp_state = IBV_QPS_RTS,
		                    .cur_qp_state = IBV_QPS_SQE };

	CHECK_EQ(ibv_modify_qp(end->qp, &attr, IBV_QP_STATE | IBV_QP_CUR_STATE), 0);
	rc_expect_state(end, IBV_QPS_RTS);
}

/* IBA 10.3.1.7: only the send queue stops, until it is told to go on. */
static void bad_local_key_body(struct side *side)
{
	struct rc_pair pair;
	struct ibv_sge sge;
	struct rc_op op = {
		.opcode = IBV_WR_SEND, .id = 1, .sges = &sge, .sge_count = 1
	};

	(void)side;
	open_pair(&pair);
	rc_recv(&pair.a, 20, 0, 100);
	rc_recv(&pair.b, 30, 0, 100);
	sge = rc_sge(&pair.a, 0, 64);
	sge.lkey ^= 0x00010000;
	rc_do(&pair.a, &op);
	rc_expect(pair.a.send_cq, 1, IBV_WC_LOC_PROT_ERR);
	rc_expect_state(&pair.a, IBV_QPS_SQE);
	/* What is posted now comes back, */
	rc_do(&pair.a, &(struct rc_op){ .opcode = IBV_WR_SEND, .id = 2, .length = 8 });
	rc_expect(pair.a.send_cq, 2, IBV_WC_WR_FLUSH_ERR);
	/* but receives go on. */
	send_one(&pair.b, 3);
	rc_received(&pair.a, 20);
	leave_sqe(&pair.a);
	send_one(&pair.a, 4);
	rc_received(&pair.b, 30);
	rc_pair_close(&pair);
}
ALONE(bad_local_key)

static void receive_too_small_body(struct side *side)
{
	struct rc_pair pair;

	(void)side;
	open_pair(&pair);
	rc_recv(&pair.b, 10, 0, 99);
	rc_recv(&pair.b, 11, 0, 100);
	send_one(&pair.a, 1);
	rc_expect(pair.b.recv_cq, 10, IBV_WC_LOC_LEN_ERR);
	rc_expect(pair.b.recv_cq, 11, IBV_WC_WR_FLUSH_ERR);
	rc_expect_state(&pair.b, IBV_QPS_ERR);
	/* The sender knows nothing of it. */
	rc_expect_state(&pair.a, IBV_QPS_RTS);
	send_one(&pair.a, 2);
	rc_pair_close(&pair);
}
ALONE(receive_too_small)

/* --- attributes -----------------------------------------------------------------------
 */

static void attributes_body(struct side *side)
{
	struct rc_config config = uc_config();
	struct rc_end end;
	struct ibv_qp_attr attr;
	int mask;

	(void)side;
	rc_open(&end, &config);
	rc_to_init(&end);
	end.peer = end.self;
	mask = rc_rtr_attributes(&end, &attr);
	for (int bit = 1; bit < IBV_QP_RATE_LIMIT; bit <<= 1)
		if (mask & bit & ~IBV_QP_STATE)
			CHECK_EQ(ibv_modify_qp(end.qp, &attr, mask & ~bit), EINVAL);
	CHECK_EQ(ibv_modify_qp(end.qp, &attr, mask | IBV_QP_MIN_RNR_TIMER), EINVAL);
	CHECK_EQ(ibv_modify_qp(end.qp, &attr, mask | IBV_QP_MAX_DEST_RD_ATOMIC), EINVAL);
	CHECK_EQ(ibv_modify_qp(end.qp, &attr, mask | IBV_QP_QKEY), EINVAL);
	CHECK_EQ(ibv_modify_qp(end.qp, &attr, mask), 0);
	mask = rc_rts_attributes(&end, &attr);
	CHECK_EQ(ibv_modify_qp(end.qp, &attr, IBV_QP_STATE), EINVAL);
	CHECK_EQ(ibv_modify_qp(end.qp, &attr, mask | IBV_QP_TIMEOUT), EINVAL);
	CHECK_EQ(ibv_modify_qp(end.qp, &attr, mask | IBV_QP_RETRY_CNT), EINVAL);
	CHECK_EQ(ibv_modify_qp(end.qp, &attr, mask | IBV_QP_MAX_QP_RD_ATOMIC), EINVAL);
	CHECK_EQ(ibv_modify_qp(end.qp, &attr, mask), 0);
	/* Nobody but the device itself puts a queue pair there. */
	attr.qp_state = IBV_QPS_SQE;
	CHECK_EQ(ibv_modify_qp(end.qp, &attr, IBV_QP_STATE), EINVAL);
	rc_close(&end);
}
ALONE(attributes)

/* --- a peer that is killed
 * --------------------------------------------------------------- */

static void killed_target(struct side *side)
{
	struct rc_config config = uc_config();
	struct rc_end end;

	rc_side_open(side, &end, &config);
	raise(SIGKILL);
}

static void survivor(struct side *side)
{
	struct rc_config config = uc_config();
	struct process *victim = (struct process *)side->argument;
	struct side link = { .socket = victim->socket, .other = victim->pid };
	struct rc_end end;

	rc_side_open(&link, &end, &config);
	process_wait(victim);
	for (uint64_t id = 1; id <= 50; id++)
		send_one(&end, id);
	rc_expect_state(&end, IBV_QPS_RTS);
	rc_close(&end);
}

static void peer_is_killed_body(struct side *side)
{
	struct process victim = process_start("victim", killed_target, NULL);

	side->argument = &victim;
	survivor(side);
}
ALONE(peer_is_killed)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_operation),
		cmocka_unit_test(no_receive_is_silence),
		cmocka_unit_test(immediate_without_receive),
		cmocka_unit_test(bad_keys_are_silence),
		cmocka_unit_test(writes_not_permitted),
		cmocka_unit_test(any_first_psn),
		cmocka_unit_test(other_transport),
		cmocka_unit_test(operations_that_uc_has_not),
		cmocka_unit_test(bad_local_key),
		cmocka_unit_test(receive_too_small),
		cmocka_unit_test(attributes),
		cmocka_unit_test(peer_is_killed),
	};

	return cmocka_run_group_tests(tests, runtime_directory_make,
	                              runtime_directory_remove);
}
