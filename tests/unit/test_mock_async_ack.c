// SPDX-License-Identifier: BSD-2-Clause
/*
 * ibv_get_async_event(3): destroying waits for the events that were taken until they are
 * acknowledged, whatever the object is.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lib/check.h"
#include "lib/deadline.h"
#include "lib/event.h"
#include "lib/rcop.h"

struct destroyer {
	int (*destroy)(void *object);
	void *object;
	int result;
	bool done;
};

static int destroy_qp(void *qp)
{
	return ibv_destroy_qp(qp);
}

static int destroy_cq(void *cq)
{
	return ibv_destroy_cq(cq);
}

static int destroy_srq(void *srq)
{
	return ibv_destroy_srq(srq);
}

static void *destroy(void *argument)
{
	struct destroyer *self = argument;

	self->result = self->destroy(self->object);
	__atomic_store_n(&self->done, true, __ATOMIC_RELEASE);
	return NULL;
}

static void expect_waiting(struct ibv_async_event *event, int (*how)(void *),
                           void *object)
{
	struct destroyer destroyer = { .destroy = how, .object = object };
	pthread_t thread;

	CHECK_EQ(pthread_create(&thread, NULL, destroy, &destroyer), 0);
	pass_ms(100);
	CHECK(!__atomic_load_n(&destroyer.done, __ATOMIC_ACQUIRE));
	ibv_ack_async_event(event);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK_EQ(destroyer.result, 0);
}

static void queue_pair_body(struct side *side)
{
	struct ibv_async_event event;
	struct rc_pair pair;

	(void)side;
	rc_pair_open(&pair, &rc_default);
	rc_do(&pair.a, &(struct rc_op){ .opcode = IBV_WR_RDMA_WRITE,
	                                .id = 1,
	                                .length = 8,
	                                .rkey = pair.b.self.rkey ^ 0x10000 });
	rc_expect(pair.a.send_cq, 1, IBV_WC_REM_ACCESS_ERR);
	event = event_next(pair.b.context);
	CHECK(event.element.qp == pair.b.qp);
	expect_waiting(&event, destroy_qp, pair.b.qp);
	pair.b.qp = NULL;
	rc_pair_close(&pair);
}
ALONE(queue_pair)

/* Beside the queue's own event there is the queue pair's, which is of no concern to it.
 */
static void completion_queue_body(struct side *side)
{
	struct rc_config config = rc_default;
	struct ibv_async_event event, fatal;
	struct rc_pair pair;
	struct ibv_cq *cq;
	int capacity;

	(void)side;
	config.cq_depth = 4;
	rc_pair_open(&pair, &config);
	cq = pair.a.send_cq;
	capacity = cq->cqe;
	for (int i = 0; i < capacity + 1; i++)
		rc_post(&pair.a, &(struct rc_op){ .opcode = IBV_WR_RDMA_WRITE,
		                                  .flags = IBV_SEND_SIGNALED,
		                                  .length = 8 });
	event = event_next(pair.a.context);
	CHECK_EQ(event.event_type, IBV_EVENT_CQ_ERR);
	CHECK(event.element.cq == cq);
	fatal = event_next(pair.a.context);
	ibv_ack_async_event(&fatal);
	CHECK_EQ(ibv_destroy_qp(pair.a.qp), 0);
	pair.a.qp = NULL;
	expect_waiting(&event, destroy_cq, cq);
	pair.a.send_cq = CHECK_OBJECT(ibv_create_cq(pair.a.context, 1, NULL, NULL, 0));
	rc_pair_close(&pair);
}
ALONE(completion_queue)

static void shared_receive_queue_body(struct side *side)
{
	struct ibv_srq_init_attr init = { .attr = { .max_wr = 4, .max_sge = 1 } };
	struct ibv_srq_attr limit = { .srq_limit = 2 };
	struct ibv_async_event event;
	struct ibv_srq *srq;
	struct rc_end end;

	(void)side;
	rc_open(&end, &rc_default);
	srq = CHECK_OBJECT(ibv_create_srq(end.pd, &init));
	CHECK_EQ(ibv_modify_srq(srq, &limit, IBV_SRQ_LIMIT), 0);
	event = event_next(end.context);
	CHECK_EQ(event.event_type, IBV_EVENT_SRQ_LIMIT_REACHED);
	CHECK(event.element.srq == srq);
	expect_waiting(&event, destroy_srq, srq);
	rc_close(&end);
}
ALONE(shared_receive_queue)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(queue_pair),
		cmocka_unit_test(completion_queue),
		cmocka_unit_test(shared_receive_queue),
	};

	return cmocka_run_group_tests(tests, runtime_directory_make,
	                              runtime_directory_remove);
}
