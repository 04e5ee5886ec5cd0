// SPDX-License-Identifier: BSD-2-Clause
/*
 * Peers that do not answer, receivers that are not ready, and what becomes of requests
 * that are still queued: retries, flushes, and the way back by RESET.
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

enum { TIMEOUT = 13, RETRIES = 2 };

static const uint64_t timeout_ns = UINT64_C(4096) << TIMEOUT;

static struct rc_config impatient(void)
{
	struct rc_config config = rc_default;

	config.timeout = TIMEOUT;
	config.retries = RETRIES;
	return config;
}

static void expect_unanswered(struct rc_end *end)
{
	uint64_t start = now_ns();

	rc_do(end, &(struct rc_op){ .opcode = IBV_WR_SEND, .id = 1, .length = 8 });
	rc_do(end, &(struct rc_op){ .opcode = IBV_WR_RDMA_READ, .id = 2, .length = 8 });
	rc_expect(end->send_cq, 1, IBV_WC_RETRY_EXC_ERR);
	CHECK(now_ns() - start >= RETRIES * timeout_ns);
	rc_expect(end->send_cq, 2, IBV_WC_WR_FLUSH_ERR);
	rc_expect_state(end, IBV_QPS_ERR);
}

/* --- nobody there
 * --------------------------------------------------------------------------- */

static void no_such_queue_pair_body(struct side *side)
{
	struct rc_config config = impatient();
	struct rc_address nobody;
	struct rc_pair pair;

	(void)side;
	rc_pair_open(&pair, &config);
	nobody = pair.b.self;
	nobody.qpn ^= 1;
	if (nobody.qpn == pair.a.self.qpn)
		nobody.qpn ^= 2;
	rc_to_reset(&pair.a);
	rc_connect(&pair.a, &nobody);
	expect_unanswered(&pair.a);
	rc_pair_close(&pair);
}
ALONE(no_such_queue_pair)

/*
 * 192.0.2.0/24 is for documentation: no host has it. Whether a path to it can be had
 * shows when the QP is given the address, or only when nobody answers.
 */
static void no_such_address_body(struct side *side)
{
	struct rc_config config = impatient();
	struct ibv_qp_attr attr;
	struct rc_end end;
	int mask, err;

	(void)side;
	rc_open(&end, &config);
	rc_to_init(&end);
	end.peer = end.self;
	memcpy(end.peer.gid.raw + 12, "\xc0\x00\x02\x4d", 4);
	mask = rc_rtr_attributes(&end, &attr);
	err = ibv_modify_qp(end.qp, &attr, mask);
	if (err) {
		CHECK(err == EHOSTUNREACH || err == ENETUNREACH || err == ETIMEDOUT);
		rc_expect_state(&end, IBV_QPS_INIT);
	} else {
		rc_to_rts(&end);
		expect_unanswered(&end);
	}
	rc_close(&end);
}
ALONE(no_such_address)

/* --- a peer in a state in which it does not listen
 * ------------------------------------------ */

static void deaf_peer(void (*deafen)(struct rc_end *peer))
{
	struct rc_config config = impatient();
	struct rc_pair pair;

	rc_pair_open(&pair, &config);
	rc_recv(&pair.b, 7, 0, 64);
	deafen(&pair.b);
	expect_unanswered(&pair.a);
	rc_expect_only(pair.b.buffer, 4096, 0);
	rc_pair_close(&pair);
}

static void to_init(struct rc_end *peer)
{
	rc_to_reset(peer);
	rc_to_init(peer);
}

static void destroy_qp(struct rc_end *peer)
{
	CHECK_EQ(ibv_destroy_qp(peer->qp), 0);
	peer->qp = NULL;
}

static void peer_in_reset_body(struct side *side)
{
	(void)side;
	deaf_peer(rc_to_reset);
}
ALONE(peer_in_reset)

static void peer_in_init_body(struct side *side)
{
	(void)side;
	deaf_peer(to_init);
}
ALONE(peer_in_init)

static void peer_in_error_body(struct side *side)
{
	(void)side;
	deaf_peer(rc_to_error);
}
ALONE(peer_in_error)

static void peer_destroyed_body(struct side *side)
{
	(void)side;
	deaf_peer(destroy_qp);
}
ALONE(peer_destroyed)

/* A peer in RTR listens already. */
static void peer_in_rtr_body(struct side *side)
{
	struct rc_config config = impatient();
	struct rc_pair pair;

	(void)side;
	rc_open(&pair.a, &config);
	rc_open(&pair.b, &config);
	rc_connect(&pair.a, &pair.b.self);
	rc_to_init(&pair.b);
	rc_to_rtr(&pair.b, &pair.a.self);
	rc_recv(&pair.b, 1, 0, 64);
	rc_do(&pair.a, &(struct rc_op){ .opcode = IBV_WR_SEND,
	                                .id = 2,
	                                .flags = IBV_SEND_SIGNALED,
	                                .length = 8 });
	rc_sent(&pair.a, 2);
	rc_received(&pair.b, 1);
	rc_to_rts(&pair.b);
	rc_pair_close(&pair);
}
ALONE(peer_in_rtr)

/* A peer that comes up while the requester still retries is heard. */
static void peer_comes_late_body(struct side *side)
{
	struct rc_config config = rc_default;
	struct rc_pair pair;

	(void)side;
	config.timeout = 15; /* 134 ms, 7 times */
	rc_open(&pair.a, &config);
	rc_open(&pair.b, &config);
	rc_connect(&pair.a, &pair.b.self);
	rc_do(&pair.a, &(struct rc_op){ .opcode = IBV_WR_RDMA_WRITE,
	                                .id = 1,
	                                .flags = IBV_SEND_SIGNALED,
	                                .length = 8 });
	rc_expect_nothing(pair.a.send_cq, 20);
	rc_connect(&pair.b, &pair.a.self);
	rc_sent(&pair.a, 1);
	rc_pair_close(&pair);
}
ALONE(peer_comes_late)

/* The process of the peer is gone, tidily. */
static void leaving_peer(struct side *side)
{
	struct rc_end end;

	rc_side_open(side, &end, &rc_default);
	rc_close(&end);
	side_meet(side);
}

static void left_alone(struct side *side)
{
	struct rc_config config = impatient();
	struct rc_end end;

	rc_side_open(side, &end, &config);
	side_meet(side);
	expect_unanswered(&end);
	rc_close(&end);
}

static void peer_process_gone(void **state)
{
	(void)state;
	sides_run(SIDES_PROCESSES, left_alone, leaving_peer, NULL);
}

/* IBA 9.7.6.1.3: a timeout of zero never runs out. */
static void endless_timeout_body(struct side *side)
{
	struct rc_config config = rc_default;
	struct rc_pair pair;

	(void)side;
	config.timeout = 0;
	config.retries = 0;
	rc_pair_open(&pair, &config);
	rc_to_error(&pair.b);
	rc_do(&pair.a,
	      &(struct rc_op){ .opcode = IBV_WR_RDMA_WRITE, .id = 1, .length = 8 });
	rc_expect_nothing(pair.a.send_cq, 300);
	rc_expect_state(&pair.a, IBV_QPS_RTS);
	rc_to_error(&pair.a);
	rc_expect(pair.a.send_cq, 1, IBV_WC_WR_FLUSH_ERR);
	rc_pair_close(&pair);
}
ALONE(endless_timeout)

/* --- receivers that are not ready
 * ----------------------------------------------------------- */

/* The field's values that matter here, in microseconds (IBA 9.7.5.2.8, table 46). */
static const struct {
	uint8_t code;
	uint64_t us;
} rnr_timers[] = { { 1, 10 }, { 12, 640 }, { 20, 10240 }, { 22, 20480 } };

static void rnr_waits_its_time_body(struct side *side)
{
	(void)side;
	for (size_t i = 0; i < sizeof(rnr_timers) / sizeof(rnr_timers[0]); i++) {
		struct rc_config config = rc_default;
		struct rc_pair pair;
		uint64_t start;

		config.rnr_retries = 3;
		config.rnr_timer = rnr_timers[i].code;
		rc_pair_open(&pair, &config);
		start = now_ns();
		rc_do(&pair.a,
		      &(struct rc_op){ .opcode = IBV_WR_SEND, .id = 1, .length = 8 });
		rc_expect(pair.a.send_cq, 1, IBV_WC_RNR_RETRY_EXC_ERR);
		CHECK(now_ns() - start >= 3 * rnr_timers[i].us * 1000);
		rc_expect_state(&pair.a, IBV_QPS_ERR);
		rc_expect_state(&pair.b, IBV_QPS_RTS);
		rc_pair_close(&pair);
	}
}
ALONE(rnr_waits_its_time)

/* The receiver's timer counts, not the sender's: that one is told in the NAK. */
static void rnr_timer_is_the_receivers_body(struct side *side)
{
	struct rc_config sender = rc_default, receiver = rc_default;
	struct rc_pair pair;
	uint64_t start;

	(void)side;
	sender.rnr_retries = 1;
	sender.rnr_timer = 1;
	receiver.rnr_timer = 22; /* 20.48 ms */
	rc_open(&pair.a, &sender);
	rc_open(&pair.b, &receiver);
	rc_connect(&pair.a, &pair.b.self);
	rc_connect(&pair.b, &pair.a.self);
	start = now_ns();
	rc_do(&pair.a, &(struct rc_op){ .opcode = IBV_WR_SEND, .id = 1, .length = 8 });
	rc_expect(pair.a.send_cq, 1, IBV_WC_RNR_RETRY_EXC_ERR);
	CHECK(now_ns() - start >= 20480 * 1000);
	rc_pair_close(&pair);
}
ALONE(rnr_timer_is_the_receivers)

/* Sends go on while the receiver is not ready; they arrive in their order once it is. */
static void late_receives(struct side *side)
{
	struct rc_config config = rc_default;
	struct rc_end end;

	config.rnr_retries = 7;
	config.rnr_timer = 14; /* 1.28 ms */
	rc_side_open(side, &end, &config);
	side_meet(side);
	/* So much longer than 7 tries that only endless ones survive it. */
	pass_ms(100);
	rc_expect_nothing(end.recv_cq, 0);
	for (uint64_t i = 0; i < 3; i++) {
		rc_recv(&end, i, 64 * i, 64);
		rc_received(&end, i);
		CHECK_EQ(end.buffer[64 * i], i);
		pass_ms(5);
	}
	rc_side_close(side, &end);
}

static void patient_sends(struct side *side)
{
	struct rc_end end;

	rc_side_open(side, &end, &rc_default);
	for (uint64_t i = 0; i < 3; i++) {
		end.buffer[i] = (uint8_t)i;
		rc_do(&end, &(struct rc_op){ .opcode = IBV_WR_SEND,
		                             .id = i,
		                             .flags = IBV_SEND_SIGNALED,
		                             .offset = i,
		                             .length = 1 });
	}
	side_meet(side);
	for (uint64_t i = 0; i < 3; i++)
		rc_sent(&end, i);
	rc_side_close(side, &end);
}

static void endless_rnr_between_processes(void **state)
{
	(void)state;
	sides_run(SIDES_PROCESSES, patient_sends, late_receives, NULL);
}

static void endless_rnr_between_threads(void **state)
{
	(void)state;
	sides_run(SIDES_THREADS, patient_sends, late_receives, NULL);
}

/* Each success begins the count of retries anew. */
static void rnr_count_begins_anew_body(struct side *side)
{
	struct rc_config config = rc_default;
	struct rc_pair pair;

	(void)side;
	config.rnr_retries = 6;
	config.rnr_timer = 20; /* 10 ms */
	rc_pair_open(&pair, &config);
	for (uint64_t i = 0; i < 8; i++) {
		rc_do(&pair.a, &(struct rc_op){ .opcode = IBV_WR_SEND,
		                                .id = i,
		                                .flags = IBV_SEND_SIGNALED,
		                                .length = 8 });
		rc_expect_nothing(pair.a.send_cq, 2);
		rc_recv(&pair.b, i, 0, 64);
		rc_sent(&pair.a, i);
		rc_received(&pair.b, i);
	}
	rc_pair_close(&pair);
}
ALONE(rnr_count_begins_anew)

/* One-sided requests need no receive; only those behind a waiting send wait with it. */
static void rnr_holds_back_what_follows_body(struct side *side)
{
	struct rc_pair pair;

	(void)side;
	rc_pair_open(&pair, &rc_default);
	memset(pair.a.buffer, 1, 8);
	rc_do(&pair.a, &(struct rc_op){ .opcode = IBV_WR_SEND,
	                                .id = 1,
	                                .flags = IBV_SEND_SIGNALED,
	                                .length = 8 });
	rc_do(&pair.a, &(struct rc_op){ .opcode = IBV_WR_RDMA_WRITE,
	                                .id = 2,
	                                .flags = IBV_SEND_SIGNALED,
	                                .length = 8 });
	rc_expect_nothing(pair.a.send_cq, 20);
	rc_expect_only(pair.b.buffer, 8, 0);
	rc_recv(&pair.b, 1, 64, 64);
	rc_sent(&pair.a, 1);
	rc_sent(&pair.a, 2);
	rc_expect_only(pair.b.buffer, 8, 1);
	rc_pair_close(&pair);
}
ALONE(rnr_holds_back_what_follows)

/* --- ERR and RESET
 * -------------------------------------------------------------------------- */

static void error_flushes_in_order_body(struct side *side)
{
	struct rc_pair pair;

	(void)side;
	rc_pair_open(&pair, &rc_default);
	for (uint64_t i = 0; i < 5; i++)
		rc_recv(&pair.a, i, 0, 64);
	/* Held back by a receiver that is not ready; signalled or not, each is flushed.
	 */
	for (uint64_t i = 0; i < 5; i++)
		rc_do(&pair.a, &(struct rc_op){ .opcode = IBV_WR_SEND,
		                                .id = 10 + i,
		                                .flags = i % 2 ? IBV_SEND_SIGNALED : 0,
		                                .length = 8 });
	rc_to_error(&pair.a);
	for (uint64_t i = 0; i < 5; i++) {
		rc_expect(pair.a.recv_cq, i, IBV_WC_WR_FLUSH_ERR);
		rc_expect(pair.a.send_cq, 10 + i, IBV_WC_WR_FLUSH_ERR);
	}
	/* What is posted now is flushed too. */
	rc_recv(&pair.a, 20, 0, 64);
	rc_expect(pair.a.recv_cq, 20, IBV_WC_WR_FLUSH_ERR);
	rc_do(&pair.a, &(struct rc_op){ .opcode = IBV_WR_SEND, .id = 21, .length = 8 });
	rc_expect(pair.a.send_cq, 21, IBV_WC_WR_FLUSH_ERR);
	rc_expect_nothing(pair.b.recv_cq, 10);
	rc_pair_close(&pair);
}
ALONE(error_flushes_in_order)

/* RESET forgets: nothing completes, and the queues are empty. */
static void reset_forgets_body(struct side *side)
{
	struct rc_config config = rc_default;
	struct rc_pair pair;

	(void)side;
	config.send_depth = config.recv_depth = 4;
	rc_pair_open(&pair, &config);
	for (uint64_t i = 0; i < 4; i++) {
		rc_recv(&pair.a, i, 0, 64);
		rc_do(&pair.a,
		      &(struct rc_op){ .opcode = IBV_WR_SEND, .id = i, .length = 8 });
	}
	rc_to_reset(&pair.a);
	rc_expect_nothing(pair.a.recv_cq, 20);
	rc_expect_nothing(pair.a.send_cq, 0);
	rc_to_reset(&pair.b);
	rc_connect(&pair.a, &pair.b.self);
	rc_connect(&pair.b, &pair.a.self);
	for (uint64_t i = 0; i < 4; i++) {
		rc_recv(&pair.a, 30 + i, 0, 64);
		rc_do(&pair.b, &(struct rc_op){ .opcode = IBV_WR_SEND, .length = 8 });
	}
	for (uint64_t i = 0; i < 4; i++)
		rc_received(&pair.a, 30 + i);
	rc_pair_close(&pair);
}
ALONE(reset_forgets)

/* Completions made before RESET may stay or go, but never show up as something else. */
static void failed_pair_works_again_body(struct side *side)
{
	struct rc_pair pair;

	(void)side;
	rc_pair_open(&pair, &rc_default);
	for (int round = 0; round < 3; round++) {
		rc_do(&pair.a, &(struct rc_op){ .opcode = IBV_WR_RDMA_WRITE,
		                                .id = 1,
		                                .length = 8,
		                                .rkey = pair.a.peer.rkey ^ 0x10000 });
		rc_expect(pair.a.send_cq, 1, IBV_WC_REM_ACCESS_ERR);
		rc_to_reset(&pair.a);
		rc_to_reset(&pair.b);
		rc_connect(&pair.a, &pair.b.self);
		rc_connect(&pair.b, &pair.a.self);
		rc_do(&pair.a, &(struct rc_op){ .opcode = IBV_WR_RDMA_WRITE,
		                                .id = 2,
		                                .flags = IBV_SEND_SIGNALED,
		                                .length = 8 });
		rc_sent(&pair.a, 2);
	}
	rc_pair_close(&pair);
}
ALONE(failed_pair_works_again)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_such_queue_pair),
		cmocka_unit_test(no_such_address),
		cmocka_unit_test(peer_in_reset),
		cmocka_unit_test(peer_in_init),
		cmocka_unit_test(peer_in_error),
		cmocka_unit_test(peer_destroyed),
		cmocka_unit_test(peer_in_rtr),
		cmocka_unit_test(peer_comes_late),
		cmocka_unit_test(peer_process_gone),
		cmocka_unit_test(endless_timeout),
		cmocka_unit_test(rnr_waits_its_time),
		cmocka_unit_test(rnr_timer_is_the_receivers),
		cmocka_unit_test(endless_rnr_between_processes),
		cmocka_unit_test(endless_rnr_between_threads),
		cmocka_unit_test(rnr_count_begins_anew),
		cmocka_unit_test(rnr_holds_back_what_follows),
		cmocka_unit_test(error_flushes_in_order),
		cmocka_unit_test(reset_forgets),
		cmocka_unit_test(failed_pair_works_again),
	};

	return cmocka_run_group_tests(tests, runtime_directory_make,
	                              runtime_directory_remove);
}
