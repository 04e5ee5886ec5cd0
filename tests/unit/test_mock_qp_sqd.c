// SPDX-License-Identifier: BSD-2-Clause
/* The state SQD (IBA 10.3.1.6): what was begun is finished, nothing else is begun, and
 * who asked hears when that is so. */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/check.h"
#include "lib/deadline.h"
#include "lib/rcop.h"

static void to_sqd(struct rc_end *end, bool notify)
{
	struct ibv_qp_attr attr = { .qp_state = IBV_QPS_SQD,
		                    .en_sqd_async_notify = notify };

	CHECK_EQ(ibv_modify_qp(end->qp, &attr, IBV_QP_STATE | IBV_QP_EN_SQD_ASYNC_NOTIFY),
	         0);
	rc_expect_state(end, IBV_QPS_SQD);
}

static void back_to_rts(struct rc_end *end)
{
	struct ibv_qp_attr attr = { .qp_state = IBV_QPS_RTS };

	CHECK_EQ(ibv_modify_qp(end->qp, &attr, IBV_QP_STATE), 0);
	rc_expect_state(end, IBV_QPS_RTS);
}

static void send_next(struct rc_end *end, uint64_t id)
{
	rc_do(end, &(struct rc_op){ .opcode = IBV_WR_SEND,
	                            .id = id,
	                            .flags = IBV_SEND_SIGNALED,
	                            .length = 8 });
}

static bool event_comes(struct rc_end *end, int milliseconds)
{
	struct pollfd ready = { .fd = end->context->async_fd, .events = POLLIN };
	int count = poll(&ready, 1, milliseconds);

	CHECK_CALL(count);
	return count == 1;
}

static void expect_drained(struct rc_end *end)
{
	struct ibv_async_event event;

	CHECK(event_comes(end, deadline_left_ms(deadline_in(PATIENCE_MS))));
	CHECK_EQ(ibv_get_async_event(end->context, &event), 0);
	CHECK_EQ(event.event_type, IBV_EVENT_SQ_DRAINED);
	CHECK(event.element.qp == end->qp);
	ibv_ack_async_event(&event);
}

static int draining(struct rc_end *end)
{
	struct ibv_qp_init_attr init;
	struct ibv_qp_attr attr;

	CHECK_EQ(ibv_query_qp(end->qp, &attr, IBV_QP_STATE, &init), 0);
	return attr.sq_draining;
}

static void at_rest_body(struct side *side)
{
	struct rc_pair pair;

	(void)side;
	rc_pair_open(&pair, &rc_default);
	to_sqd(&pair.a, true);
	expect_drained(&pair.a);
	CHECK_EQ(draining(&pair.a), 0);
	back_to_rts(&pair.a);
	/* Not asked for, it does not come; nor does it come from the last time. */
	to_sqd(&pair.a, false);
	CHECK(!event_comes(&pair.a, 30));
	back_to_rts(&pair.a);
	to_sqd(&pair.a, true);
	expect_drained(&pair.a);
	rc_pair_close(&pair);
}
ALONE(at_rest)

/* A request that waits for the receiver has begun; those behind it have not. */
static void drains_body(struct side *side)
{
	struct rc_pair pair;

	(void)side;
	rc_pair_open(&pair, &rc_default);
	send_next(&pair.a, 1);
	send_next(&pair.a, 2);
	to_sqd(&pair.a, true);
	send_next(&pair.a, 3); /* can be posted, and waits too */
	CHECK(draining(&pair.a));
	CHECK(!event_comes(&pair.a, 30));
	rc_recv(&pair.b, 1, 0, 64);
	rc_sent(&pair.a, 1);
	rc_received(&pair.b, 1);
	expect_drained(&pair.a);
	CHECK_EQ(draining(&pair.a), 0);
	rc_recv(&pair.b, 2, 0, 64);
	rc_recv(&pair.b, 3, 0, 64);
	rc_expect_nothing(pair.a.send_cq, 30);
	rc_expect_nothing(pair.b.recv_cq, 0);
	back_to_rts(&pair.a);
	for (uint64_t i = 2; i <= 3; i++) {
		rc_sent(&pair.a, i);
		rc_received(&pair.b, i);
	}
	CHECK(!event_comes(&pair.a, 0));
	rc_pair_close(&pair);
}
ALONE(drains)

/* Only sending rests: requests of the peer are answered. */
static void responder_goes_on_body(struct side *side)
{
	struct rc_pair pair;

	(void)side;
	rc_pair_open(&pair, &rc_default);
	to_sqd(&pair.a, false);
	rc_recv(&pair.a, 1, 0, 64);
	send_next(&pair.b, 1);
	rc_sent(&pair.b, 1);
	rc_received(&pair.a, 1);
	rc_do(&pair.b, &(struct rc_op){ .opcode = IBV_WR_RDMA_READ,
	                                .id = 2,
	                                .flags = IBV_SEND_SIGNALED,
	                                .length = 8 });
	rc_sent(&pair.b, 2);
	rc_pair_close(&pair);
}
ALONE(responder_goes_on)

/* What waits is returned, as from any other state. */
static void to_error_body(struct side *side)
{
	struct rc_pair pair;

	(void)side;
	rc_pair_open(&pair, &rc_default);
	to_sqd(&pair.a, false);
	send_next(&pair.a, 1);
	send_next(&pair.a, 2);
	rc_expect_nothing(pair.a.send_cq, 10);
	rc_to_error(&pair.a);
	rc_expect(pair.a.send_cq, 1, IBV_WC_WR_FLUSH_ERR);
	rc_expect(pair.a.send_cq, 2, IBV_WC_WR_FLUSH_ERR);
	rc_to_reset(&pair.a);
	CHECK(!event_comes(&pair.a, 20));
	rc_pair_close(&pair);
}
ALONE(to_error)

/* A request that fails while the queue drains ends that: there is nothing to hear of but
 * its completion. */
static void fails_while_it_drains_body(struct side *side)
{
	struct rc_config config = rc_default;
	struct rc_pair pair;

	(void)side;
	config.rnr_retries = 1;
	rc_pair_open(&pair, &config);
	send_next(&pair.a, 1);
	send_next(&pair.a, 2);
	to_sqd(&pair.a, true);
	rc_expect(pair.a.send_cq, 1, IBV_WC_RNR_RETRY_EXC_ERR);
	rc_expect(pair.a.send_cq, 2, IBV_WC_WR_FLUSH_ERR);
	rc_expect_state(&pair.a, IBV_QPS_ERR);
	CHECK(!event_comes(&pair.a, 20));
	rc_pair_close(&pair);
}
ALONE(fails_while_it_drains)

/* SQD is where most attributes of a connection can be changed; all are given back. */
static void attributes_body(struct side *side)
{
	const int mask = IBV_QP_TIMEOUT | IBV_QP_RETRY_CNT | IBV_QP_RNR_RETRY |
	                 IBV_QP_MAX_QP_RD_ATOMIC | IBV_QP_MAX_DEST_RD_ATOMIC |
	                 IBV_QP_ACCESS_FLAGS | IBV_QP_MIN_RNR_TIMER;
	struct ibv_qp_attr attr = { .timeout = 9,
		                    .retry_cnt = 2,
		                    .rnr_retry = 3,
		                    .max_rd_atomic = 1,
		                    .max_dest_rd_atomic = 2,
		                    .qp_access_flags = IBV_ACCESS_REMOTE_READ,
		                    .min_rnr_timer = 21 };
	struct ibv_qp_init_attr init;
	struct rc_pair pair;

	(void)side;
	rc_pair_open(&pair, &rc_default);
	CHECK_EQ(ibv_modify_qp(pair.a.qp, &attr, mask), EINVAL); /* not in RTS */
	to_sqd(&pair.a, false);
	CHECK_EQ(ibv_modify_qp(pair.a.qp, &attr, mask), 0);
	memset(&attr, 0, sizeof(attr));
	CHECK_EQ(ibv_query_qp(pair.a.qp, &attr, mask, &init), 0);
	CHECK_EQ(attr.timeout, 9);
	CHECK_EQ(attr.retry_cnt, 2);
	CHECK_EQ(attr.rnr_retry, 3);
	CHECK_EQ(attr.max_rd_atomic, 1);
	CHECK_EQ(attr.max_dest_rd_atomic, 2);
	CHECK_EQ(attr.qp_access_flags, IBV_ACCESS_REMOTE_READ);
	CHECK_EQ(attr.min_rnr_timer, 21);
	CHECK_EQ(attr.dest_qp_num, pair.b.qp->qp_num);
	CHECK_EQ(attr.cap.max_send_wr, rc_default.send_depth);
	back_to_rts(&pair.a);
	/* They hold: the peer may not write any more. */
	rc_do(&pair.b, &(struct rc_op){ .opcode = IBV_WR_RDMA_WRITE, .length = 8 });
	rc_expect(pair.b.send_cq, 0, IBV_WC_REM_INV_REQ_ERR);
	rc_pair_close(&pair);
}
ALONE(attributes)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(at_rest),
		cmocka_unit_test(drains),
		cmocka_unit_test(responder_goes_on),
		cmocka_unit_test(to_error),
		cmocka_unit_test(fails_while_it_drains),
		cmocka_unit_test(attributes),
	};

	return cmocka_run_group_tests(tests, runtime_directory_make,
	                              runtime_directory_remove);
}
