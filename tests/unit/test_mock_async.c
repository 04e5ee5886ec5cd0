// SPDX-License-Identifier: BSD-2-Clause
/* Asynchronous events: which, about what, and what their acknowledgement holds up. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/check.h"
#include "lib/deadline.h"
#include "lib/event.h"
#include "lib/rcop.h"

static void expect_qp_event(struct rc_end *end, enum ibv_event_type type)
{
	struct ibv_async_event event = event_next(end->context);

	if (event.event_type != type)
		check_failed(__FILE__, __LINE__, "'%s', expected '%s'",
		             ibv_event_type_str(event.event_type),
		             ibv_event_type_str(type));
	CHECK(event.element.qp == end->qp);
	ibv_ack_async_event(&event);
}

static void write_with(struct rc_pair *pair, uint32_t rkey, enum ibv_wc_status status)
{
	rc_do(&pair->a,
	      &(struct rc_op){
	              .opcode = IBV_WR_RDMA_WRITE, .id = 1, .length = 8, .rkey = rkey });
	rc_expect(pair->a.send_cq, 1, status);
}

/* IBA 11.6.3.3: the responder hears of a request that it refused; the requester's way to
 * hear of it is the completion. */
static void access_error_body(struct side *side)
{
	struct rc_pair pair;

	(void)side;
	rc_pair_open(&pair, &rc_default);
	write_with(&pair, pair.b.self.rkey ^ 0x10000, IBV_WC_REM_ACCESS_ERR);
	expect_qp_event(&pair.b, IBV_EVENT_QP_ACCESS_ERR);
	event_expect_none(pair.a.context, 20);
	event_expect_none(pair.b.context, 0);
	rc_pair_close(&pair);
}
ALONE(access_error)

static void invalid_request_body(struct side *side)
{
	struct rc_config config = rc_default;
	struct rc_pair pair;

	(void)side;
	config.qp_access = 0;
	rc_pair_open(&pair, &config);
	write_with(&pair, pair.b.self.rkey, IBV_WC_REM_INV_REQ_ERR);
	expect_qp_event(&pair.b, IBV_EVENT_QP_REQ_ERR);
	event_expect_none(pair.a.context, 20);
	event_expect_none(pair.b.context, 0);
	rc_pair_close(&pair);
}
ALONE(invalid_request)

/* Between processes it is the initiator that finds the error, and the target that hears.
 */
static void refused(struct side *side)
{
	struct rc_end end;

	rc_side_open(side, &end, &rc_default);
	rc_do(&end, &(struct rc_op){ .opcode = IBV_WR_RDMA_READ,
	                             .id = 1,
	                             .length = 8,
	                             .rkey = end.peer.rkey ^ 0x10000 });
	rc_expect(end.send_cq, 1, IBV_WC_REM_ACCESS_ERR);
	rc_side_close(side, &end);
}

static void refusing(struct side *side)
{
	struct rc_end end;

	rc_side_open(side, &end, &rc_default);
	expect_qp_event(&end, IBV_EVENT_QP_ACCESS_ERR);
	event_expect_none(end.context, 5);
	rc_expect_state(&end, IBV_QPS_ERR);
	rc_side_close(side, &end);
}

static void access_error_between_processes(void **state)
{
	(void)state;
	sides_run(SIDES_PROCESSES, refused, refusing, NULL);
}

/* A state that the program itself asked for is no event. */
static void own_doing_body(struct side *side)
{
	struct rc_pair pair;

	(void)side;
	rc_pair_open(&pair, &rc_default);
	rc_to_error(&pair.a);
	rc_to_reset(&pair.a);
	event_expect_none(pair.a.context, 20);
	rc_pair_close(&pair);
}
ALONE(own_doing)

static void overflowing_queue_body(struct side *side)
{
	struct rc_config config = rc_default;
	struct ibv_async_event event;
	struct rc_pair pair;
	uint32_t capacity;

	(void)side;
	config.cq_depth = 4;
	rc_pair_open(&pair, &config);
	capacity = (uint32_t)pair.a.send_cq->cqe;
	for (uint32_t i = 0; i < capacity + 1; i++)
		rc_post(&pair.a, &(struct rc_op){ .opcode = IBV_WR_RDMA_WRITE,
		                                  .flags = IBV_SEND_SIGNALED,
		                                  .length = 8 });
	event = event_next(pair.a.context);
	CHECK_EQ(event.event_type, IBV_EVENT_CQ_ERR);
	CHECK(event.element.cq == pair.a.send_cq);
	ibv_ack_async_event(&event);
	expect_qp_event(&pair.a, IBV_EVENT_QP_FATAL);
	rc_expect_state(&pair.a, IBV_QPS_ERR);
	rc_pair_close(&pair);
}
ALONE(overflowing_queue)

/* --- caused by a peer, in its process
 * --------------------------------------------------------------------------- */

static void overflowing_peer(struct side *side)
{
	struct rc_end end;

	rc_side_open(side, &end, &rc_default);
	/* More than the other's queue for receives takes, and it polls none. */
	for (uint64_t i = 0; i < end.config.recv_depth; i++)
		rc_do(&end, &(struct rc_op){ .opcode = IBV_WR_SEND,
		                             .id = i,
		                             .length = 8,
		                             .flags = IBV_SEND_SIGNALED });
	for (uint64_t i = 0; i < 16; i++)
		rc_sent(&end, i);
	rc_expect(end.send_cq, 16, IBV_WC_REM_OP_ERR);
	rc_side_close(side, &end);
}

/* IBA 11.6.3.1: the queue's event comes once, and each QP that lost an entry has its own.
 */
static void overflown(struct side *side)
{
	struct rc_config config = rc_default;
	struct ibv_async_event event;
	struct rc_end end;

	config.cq_depth = 16;
	rc_open(&end, &config);
	CHECK_EQ(end.recv_cq->cqe, 16);
	side_put(side, &end.self, sizeof(end.self));
	side_get(side, &end.peer, sizeof(end.peer));
	rc_to_init(&end);
	for (uint64_t i = 0; i < config.recv_depth; i++)
		rc_recv(&end, i, 0, 64);
	rc_connect(&end, &end.peer);
	side_meet(side);
	event = event_next(end.context);
	CHECK_EQ(event.event_type, IBV_EVENT_CQ_ERR);
	CHECK(event.element.cq == end.recv_cq);
	ibv_ack_async_event(&event);
	expect_qp_event(&end, IBV_EVENT_QP_FATAL);
	rc_expect_state(&end, IBV_QPS_ERR);
	/* What was there before can still be had. */
	for (uint64_t i = 0; i < 16; i++)
		rc_received(&end, i);
	rc_side_close(side, &end);
}

static void overflow_by_a_peer(void **state)
{
	(void)state;
	sides_run(SIDES_PROCESSES, overflowing_peer, overflown, NULL);
}

static void in_rtr(struct rc_pair *pair)
{
	rc_open(&pair->a, &rc_default);
	rc_open(&pair->b, &rc_default);
	rc_connect(&pair->a, &pair->b.self);
	rc_to_init(&pair->b);
	rc_recv(&pair->b, 1, 0, 64);
	rc_to_rtr(&pair->b, &pair->a.self);
}

/* The first request says that the peer is there, before this end is in RTS; once. */
static void communication_established_body(struct side *side)
{
	struct rc_pair pair;

	(void)side;
	in_rtr(&pair);
	event_expect_none(pair.b.context, 20);
	rc_do(&pair.a, &(struct rc_op){ .opcode = IBV_WR_SEND, .length = 8 });
	expect_qp_event(&pair.b, IBV_EVENT_COMM_EST);
	rc_received(&pair.b, 1);
	rc_recv(&pair.b, 2, 0, 64);
	rc_do(&pair.a, &(struct rc_op){ .opcode = IBV_WR_SEND, .length = 8 });
	rc_received(&pair.b, 2);
	event_expect_none(pair.b.context, 20);
	rc_to_rts(&pair.b);
	rc_recv(&pair.b, 3, 0, 64);
	rc_do(&pair.a, &(struct rc_op){ .opcode = IBV_WR_SEND, .length = 8 });
	rc_received(&pair.b, 3);
	event_expect_none(pair.b.context, 20);
	rc_pair_close(&pair);
}
ALONE(communication_established)

/* UC: whatever the PSN of the first message; RC: only the one that was agreed on. */
static void established_by_other_psn(enum ibv_qp_type type, bool comes)
{
	struct rc_config config = rc_default;
	struct rc_address other;
	struct rc_pair pair;

	config.type = type;
	config.timeout = 8;
	config.retries = 1;
	rc_open(&pair.a, &config);
	rc_open(&pair.b, &config);
	rc_connect(&pair.a, &pair.b.self);
	rc_to_init(&pair.b);
	rc_recv(&pair.b, 1, 0, 64);
	other = pair.a.self;
	other.psn = (other.psn + 1000) & 0xffffff;
	rc_to_rtr(&pair.b, &other);
	rc_do(&pair.a, &(struct rc_op){ .opcode = IBV_WR_SEND,
	                                .id = 1,
	                                .flags = IBV_SEND_SIGNALED,
	                                .length = 8 });
	rc_expect(pair.a.send_cq, 1, comes ? IBV_WC_SUCCESS : IBV_WC_RETRY_EXC_ERR);
	if (comes)
		expect_qp_event(&pair.b, IBV_EVENT_COMM_EST);
	else
		event_expect_none(pair.b.context, 20);
	rc_pair_close(&pair);
}

static void first_psn_body(struct side *side)
{
	(void)side;
	established_by_other_psn(IBV_QPT_UC, true);
	established_by_other_psn(IBV_QPT_RC, false);
}
ALONE(first_psn)

static void established_in_rts_body(struct side *side)
{
	struct rc_pair pair;

	(void)side;
	rc_pair_open(&pair, &rc_default);
	rc_recv(&pair.b, 1, 0, 64);
	rc_do(&pair.a, &(struct rc_op){ .opcode = IBV_WR_SEND, .length = 8 });
	rc_received(&pair.b, 1);
	event_expect_none(pair.b.context, 20);
	rc_pair_close(&pair);
}
ALONE(established_in_rts)

/* IBA 11.6.3: whoever drains an SRQ's QP waits for this one. */
static void last_wqe_body(struct side *side)
{
	struct rc_config config = rc_default;
	struct ibv_async_event event;
	struct rc_pair pair;

	(void)side;
	config.shared_receive = true;
	rc_pair_open(&pair, &config);
	rc_to_error(&pair.a);
	expect_qp_event(&pair.a, IBV_EVENT_QP_LAST_WQE_REACHED);
	rc_to_error(&pair.a);
	event_expect_none(pair.a.context, 20);
	rc_pair_close(&pair);
	/* By a peer's doing: the reason, and then that it was the last. */
	rc_pair_open(&pair, &config);
	write_with(&pair, pair.b.self.rkey ^ 0x10000, IBV_WC_REM_ACCESS_ERR);
	event = event_next(pair.b.context);
	CHECK_EQ(event.event_type, IBV_EVENT_QP_ACCESS_ERR);
	ibv_ack_async_event(&event);
	expect_qp_event(&pair.b, IBV_EVENT_QP_LAST_WQE_REACHED);
	expect_qp_event(&pair.a, IBV_EVENT_QP_LAST_WQE_REACHED);
	rc_pair_close(&pair);
}
ALONE(last_wqe)

/* More at once than an inbox holds, while the process that they are for is stopped. */
enum { MANY = 300 };

static struct rc_config small_config(void)
{
	struct rc_config config = rc_default;

	config.send_depth = config.recv_depth = 2;
	config.cq_depth = 2;
	config.buffer_size = 4096;
	return config;
}

static void open_many(struct side *side, struct rc_end *ends)
{
	struct rc_config config = small_config();

	for (int i = 0; i < MANY; i++)
		rc_side_open(side, &ends[i], &config);
}

static void close_many(struct side *side, struct rc_end *ends)
{
	side_meet(side);
	for (int i = 0; i < MANY; i++)
		rc_close(&ends[i]);
	free(ends);
}

static void failing_many(struct side *side)
{
	struct rc_end *ends = calloc(MANY, sizeof(*ends));

	open_many(side, ends);
	process_stop(side->other);
	for (int i = 0; i < MANY; i++) {
		rc_do(&ends[i], &(struct rc_op){ .opcode = IBV_WR_RDMA_WRITE,
		                                 .id = 1,
		                                 .length = 8,
		                                 .rkey = ends[i].peer.rkey ^ 0x10000 });
		rc_expect(ends[i].send_cq, 1, IBV_WC_REM_ACCESS_ERR);
	}
	process_continue(side->other);
	close_many(side, ends);
}

/* What was posted for sending comes back too. */
static void failed_many(struct side *side)
{
	struct rc_end *ends = calloc(MANY, sizeof(*ends));

	open_many(side, ends);
	for (int i = 0; i < MANY; i++)
		expect_qp_event(&ends[i], IBV_EVENT_QP_ACCESS_ERR);
	close_many(side, ends);
}

static void none_is_lost(void **state)
{
	(void)state;
	sides_run(SIDES_PROCESSES, failing_many, failed_many, NULL);
}

/* --- acknowledgement
 * --------------------------------------------------------------------------- */

/* What nobody took goes with its object, and holds up nothing. */
static void untaken_events_vanish_body(struct side *side)
{
	struct pollfd ready = { .events = POLLIN };
	struct rc_pair pair;

	(void)side;
	rc_pair_open(&pair, &rc_default);
	write_with(&pair, pair.b.self.rkey ^ 0x10000, IBV_WC_REM_ACCESS_ERR);
	ready.fd = pair.b.context->async_fd;
	CHECK_EQ(poll(&ready, 1, deadline_left_ms(deadline_in(PATIENCE_MS))), 1);
	CHECK_EQ(ibv_destroy_qp(pair.b.qp), 0);
	pair.b.qp = NULL;
	event_expect_none(pair.b.context, 0);
	rc_pair_close(&pair);
}
ALONE(untaken_events_vanish)

struct waiter {
	struct ibv_context *context;
	struct ibv_async_event event;
	int result;
};

static void *wait_for_event(void *argument)
{
	struct waiter *self = argument;

	self->result = ibv_get_async_event(self->context, &self->event);
	return NULL;
}

static void blocking_wait_body(struct side *side)
{
	struct waiter waiter = { .result = -1 };
	struct rc_pair pair;
	pthread_t thread;

	(void)side;
	rc_pair_open(&pair, &rc_default);
	waiter.context = pair.b.context;
	CHECK_EQ(pthread_create(&thread, NULL, wait_for_event, &waiter), 0);
	write_with(&pair, pair.b.self.rkey ^ 0x10000, IBV_WC_REM_ACCESS_ERR);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK_EQ(waiter.result, 0);
	CHECK_EQ(waiter.event.event_type, IBV_EVENT_QP_ACCESS_ERR);
	ibv_ack_async_event(&waiter.event);
	rc_pair_close(&pair);
}
ALONE(blocking_wait)

/* ibv_get_async_event(3): each event goes to one of those who wait. */
enum { READERS = 4, EACH = 5 };

struct reader {
	struct ibv_context *context;
	struct ibv_srq *got[EACH];
};

static void *read_events(void *argument)
{
	struct reader *reader = argument;
	struct ibv_async_event event;

	for (int i = 0; i < EACH; i++) {
		CHECK_EQ(ibv_get_async_event(reader->context, &event), 0);
		CHECK_EQ(event.event_type, IBV_EVENT_SRQ_LIMIT_REACHED);
		reader->got[i] = event.element.srq;
		ibv_ack_async_event(&event);
	}
	return NULL;
}

static int times_read(const struct reader *readers, const struct ibv_srq *srq)
{
	int count = 0;

	for (int i = 0; i < READERS; i++)
		for (int n = 0; n < EACH; n++)
			count += readers[i].got[n] == srq;
	return count;
}

static void several_readers_body(struct side *side)
{
	struct ibv_srq_init_attr init = { .attr = { .max_wr = 4, .max_sge = 1 } };
	struct ibv_srq_attr limit = { .srq_limit = 1 };
	struct reader readers[READERS] = { 0 };
	struct ibv_srq *srqs[READERS * EACH];
	pthread_t threads[READERS];
	struct rc_end end;

	(void)side;
	rc_open(&end, &rc_default);
	for (int i = 0; i < READERS; i++) {
		readers[i].context = end.context;
		CHECK_EQ(pthread_create(&threads[i], NULL, read_events, &readers[i]), 0);
	}
	for (int i = 0; i < READERS * EACH; i++) {
		srqs[i] = CHECK_OBJECT(ibv_create_srq(end.pd, &init));
		CHECK_EQ(ibv_modify_srq(srqs[i], &limit, IBV_SRQ_LIMIT), 0);
	}
	for (int i = 0; i < READERS; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
	for (int i = 0; i < READERS * EACH; i++) {
		CHECK_EQ(times_read(readers, srqs[i]), 1);
		CHECK_EQ(ibv_destroy_srq(srqs[i]), 0);
	}
	rc_close(&end);
}
ALONE(several_readers)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(access_error),
		cmocka_unit_test(invalid_request),
		cmocka_unit_test(access_error_between_processes),
		cmocka_unit_test(own_doing),
		cmocka_unit_test(overflowing_queue),
		cmocka_unit_test(overflow_by_a_peer),
		cmocka_unit_test(communication_established),
		cmocka_unit_test(established_in_rts),
		cmocka_unit_test(first_psn),
		cmocka_unit_test(last_wqe),
		cmocka_unit_test(none_is_lost),
		cmocka_unit_test(untaken_events_vanish),
		cmocka_unit_test(blocking_wait),
		cmocka_unit_test(several_readers),
	};

	return cmocka_run_group_tests(tests, runtime_directory_make,
	                              runtime_directory_remove);
}
