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
#include "lib/rcop.h"

static struct ibv_async_event next_event(struct ibv_context *context)
{
	struct pollfd ready = { .fd = context->async_fd, .events = POLLIN };
	struct ibv_async_event event;

	if (poll(&ready, 1, deadline_left_ms(deadline_in(PATIENCE_MS))) != 1)
		check_failed(__FILE__, __LINE__, "no asynchronous event comes");
	CHECK_EQ(ibv_get_async_event(context, &event), 0);
	return event;
}

static void expect_no_event(struct ibv_context *context, int milliseconds)
{
	struct pollfd ready = { .fd = context->async_fd, .events = POLLIN };

	CHECK_EQ(poll(&ready, 1, milliseconds), 0);
}

static void expect_qp_event(struct rc_end *end, enum ibv_event_type type)
{
	struct ibv_async_event event = next_event(end->context);

	if (event.event_type != type)
		check_failed(__FILE__, __LINE__, "'%s', expected '%s'",
		             ibv_event_type_str(event.event_type),
		             ibv_event_type_str(type));
	CHECK(event.element.qp == end->qp);
	ibv_ack_async_event(&event);
	expect_no_event(end->context, 5);
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
	expect_no_event(pair.a.context, 20);
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
	expect_no_event(pair.a.context, 20);
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
	expect_no_event(pair.a.context, 20);
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
	event = next_event(pair.a.context);
	CHECK_EQ(event.event_type, IBV_EVENT_CQ_ERR);
	CHECK(event.element.cq == pair.a.send_cq);
	ibv_ack_async_event(&event);
	rc_pair_close(&pair);
}
ALONE(overflowing_queue)

/* --- acknowledgement
 * --------------------------------------------------------------------------- */

struct destroyer {
	struct ibv_qp *qp;
	int result;
	bool done;
};

static void *destroy(void *argument)
{
	struct destroyer *self = argument;

	self->result = ibv_destroy_qp(self->qp);
	__atomic_store_n(&self->done, true, __ATOMIC_RELEASE);
	return NULL;
}

/* ibv_get_async_event(3): destroying waits for the events that were taken. */
static void destroying_waits_body(struct side *side)
{
	struct destroyer destroyer = { 0 };
	struct ibv_async_event event;
	struct rc_pair pair;
	pthread_t thread;

	(void)side;
	rc_pair_open(&pair, &rc_default);
	write_with(&pair, pair.b.self.rkey ^ 0x10000, IBV_WC_REM_ACCESS_ERR);
	event = next_event(pair.b.context);
	destroyer.qp = pair.b.qp;
	pair.b.qp = NULL;
	CHECK_EQ(pthread_create(&thread, NULL, destroy, &destroyer), 0);
	pass_ms(100);
	CHECK(!__atomic_load_n(&destroyer.done, __ATOMIC_ACQUIRE));
	ibv_ack_async_event(&event);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK_EQ(destroyer.result, 0);
	rc_pair_close(&pair);
}
ALONE(destroying_waits)

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
	expect_no_event(pair.b.context, 0);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(access_error),
		cmocka_unit_test(invalid_request),
		cmocka_unit_test(access_error_between_processes),
		cmocka_unit_test(own_doing),
		cmocka_unit_test(overflowing_queue),
		cmocka_unit_test(destroying_waits),
		cmocka_unit_test(untaken_events_vanish),
		cmocka_unit_test(blocking_wait),
	};

	return cmocka_run_group_tests(tests, runtime_directory_make,
	                              runtime_directory_remove);
}
