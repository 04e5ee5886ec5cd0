// SPDX-License-Identifier: BSD-2-Clause
/* Completion queues and channels: what is delivered, when, and to whom. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/check.h"
#include "lib/deadline.h"
#include "lib/rcop.h"

static bool readable(int fd, int milliseconds)
{
	struct pollfd ready = { .fd = fd, .events = POLLIN };
	int count = poll(&ready, 1, milliseconds);

	CHECK_CALL(count);
	return count == 1;
}

static void set_nonblocking(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	CHECK_CALL(flags);
	CHECK_CALL(fcntl(fd, F_SETFL, flags | O_NONBLOCK));
}

/* An event must come within a test's patience, and be for that queue. */
static void expect_event(struct ibv_comp_channel *channel, struct ibv_cq *cq)
{
	struct ibv_cq *from = NULL;
	void *context = NULL;

	CHECK(readable(channel->fd, PATIENCE_MS));
	CHECK_EQ(ibv_get_cq_event(channel, &from, &context), 0);
	CHECK(from == cq);
	CHECK(context == cq->cq_context);
	ibv_ack_cq_events(from, 1);
}

static void open_pair(struct rc_pair *pair)
{
	struct rc_config config = rc_default;

	config.channel = true;
	rc_pair_open(pair, &config);
}

static void send_one(struct rc_pair *pair, uint64_t id, unsigned int flags)
{
	rc_recv(&pair->b, id, 0, 64);
	rc_do(&pair->a, &(struct rc_op){ .opcode = IBV_WR_SEND,
	                                 .id = id,
	                                 .flags = IBV_SEND_SIGNALED | flags,
	                                 .length = 8 });
	rc_sent(&pair->a, id);
}

static void create_arguments_body(struct side *side)
{
	struct ibv_context *context = rc_open_device();
	struct ibv_device_attr device;
	struct ibv_cq *cq;
	int mark;

	(void)side;
	CHECK_EQ(ibv_query_device(context, &device), 0);
	CHECK_FAILS(ibv_create_cq(context, 0, NULL, NULL, 0), EINVAL);
	CHECK_FAILS(ibv_create_cq(context, -1, NULL, NULL, 0), EINVAL);
	CHECK_FAILS(ibv_create_cq(context, device.max_cqe + 1, NULL, NULL, 0), EINVAL);
	CHECK_FAILS(ibv_create_cq(context, 1, NULL, NULL, context->num_comp_vectors),
	            EINVAL);
	CHECK_FAILS(ibv_create_cq(context, 1, NULL, NULL, -1), EINVAL);
	cq = CHECK_OBJECT(ibv_create_cq(context, 5, &mark, NULL, 0));
	CHECK(cq->cqe >= 5);
	CHECK(cq->cq_context == &mark && cq->context == context && !cq->channel);
	CHECK_EQ(ibv_destroy_cq(cq), 0);
	CHECK_EQ(ibv_close_device(context), 0);
}
ALONE(create_arguments)

static void poll_in_batches_body(struct side *side)
{
	struct rc_pair pair;
	struct ibv_wc wc[8];

	(void)side;
	rc_pair_open(&pair, &rc_default);
	for (uint64_t i = 0; i < 5; i++)
		send_one(&pair, i, 0);
	CHECK_EQ(ibv_poll_cq(pair.b.recv_cq, 0, wc), 0);
	CHECK_EQ(ibv_poll_cq(pair.b.recv_cq, 2, wc), 2);
	CHECK(wc[0].wr_id == 0 && wc[1].wr_id == 1);
	CHECK_EQ(ibv_poll_cq(pair.b.recv_cq, 8, wc), 3);
	CHECK(wc[0].wr_id == 2 && wc[1].wr_id == 3 && wc[2].wr_id == 4);
	CHECK_EQ(ibv_poll_cq(pair.b.recv_cq, 8, wc), 0);
	rc_pair_close(&pair);
}
ALONE(poll_in_batches)

static void unarmed_is_silent_body(struct side *side)
{
	struct rc_pair pair;

	(void)side;
	open_pair(&pair);
	send_one(&pair, 1, IBV_SEND_SOLICITED);
	CHECK(!readable(pair.b.channel->fd, 50));
	CHECK(!readable(pair.a.channel->fd, 0));
	rc_received(&pair.b, 1);
	rc_pair_close(&pair);
}
ALONE(unarmed_is_silent)

static void armed_once_body(struct side *side)
{
	struct rc_pair pair;

	(void)side;
	open_pair(&pair);
	CHECK_EQ(ibv_req_notify_cq(pair.b.recv_cq, 0), 0);
	send_one(&pair, 1, 0);
	send_one(&pair, 2, 0);
	expect_event(pair.b.channel, pair.b.recv_cq);
	/* One request, one event, however many completions. */
	CHECK(!readable(pair.b.channel->fd, 50));
	rc_received(&pair.b, 1);
	rc_received(&pair.b, 2);
	CHECK_EQ(ibv_req_notify_cq(pair.b.recv_cq, 0), 0);
	send_one(&pair, 3, 0);
	expect_event(pair.b.channel, pair.b.recv_cq);
	rc_received(&pair.b, 3);
	rc_pair_close(&pair);
}
ALONE(armed_once)

/* Only what comes after the request counts: that is why programs poll once more after it.
 */
static void earlier_completions_make_no_event_body(struct side *side)
{
	struct rc_pair pair;

	(void)side;
	open_pair(&pair);
	send_one(&pair, 1, 0);
	CHECK_EQ(ibv_req_notify_cq(pair.b.recv_cq, 0), 0);
	send_one(&pair, 2, 0);
	expect_event(pair.b.channel, pair.b.recv_cq);
	rc_received(&pair.b, 1);
	rc_received(&pair.b, 2);
	rc_pair_close(&pair);
}
ALONE(earlier_completions_make_no_event)

static void solicited_only_body(struct side *side)
{
	struct rc_pair pair;

	(void)side;
	open_pair(&pair);
	CHECK_EQ(ibv_req_notify_cq(pair.b.recv_cq, 1), 0);
	send_one(&pair, 1, 0);
	CHECK(!readable(pair.b.channel->fd, 50));
	send_one(&pair, 2, IBV_SEND_SOLICITED);
	expect_event(pair.b.channel, pair.b.recv_cq);
	rc_received(&pair.b, 1);
	rc_received(&pair.b, 2);
	rc_pair_close(&pair);
}
ALONE(solicited_only)

/* IBA 11.4.2.2: a request for all is not weakened by a later one for solicited only. */
static void all_outweighs_solicited_body(struct side *side)
{
	struct rc_pair pair;

	(void)side;
	open_pair(&pair);
	CHECK_EQ(ibv_req_notify_cq(pair.b.recv_cq, 0), 0);
	CHECK_EQ(ibv_req_notify_cq(pair.b.recv_cq, 1), 0);
	send_one(&pair, 1, 0);
	expect_event(pair.b.channel, pair.b.recv_cq);
	CHECK_EQ(ibv_req_notify_cq(pair.b.recv_cq, 1), 0);
	CHECK_EQ(ibv_req_notify_cq(pair.b.recv_cq, 0), 0);
	send_one(&pair, 2, 0);
	expect_event(pair.b.channel, pair.b.recv_cq);
	rc_received(&pair.b, 1);
	rc_received(&pair.b, 2);
	rc_pair_close(&pair);
}
ALONE(all_outweighs_solicited)

/* A completion in error is an event even for those who wait for solicited ones alone. */
static void errors_count_as_solicited_body(struct side *side)
{
	struct rc_pair pair;

	(void)side;
	open_pair(&pair);
	CHECK_EQ(ibv_req_notify_cq(pair.b.recv_cq, 1), 0);
	rc_recv(&pair.b, 1, 0, 64);
	rc_to_error(&pair.b);
	expect_event(pair.b.channel, pair.b.recv_cq);
	rc_expect(pair.b.recv_cq, 1, IBV_WC_WR_FLUSH_ERR);
	rc_pair_close(&pair);
}
ALONE(errors_count_as_solicited)

static void send_completions_make_events_body(struct side *side)
{
	struct rc_pair pair;

	(void)side;
	open_pair(&pair);
	CHECK_EQ(ibv_req_notify_cq(pair.a.send_cq, 0), 0);
	rc_do(&pair.a,
	      &(struct rc_op){ .opcode = IBV_WR_RDMA_WRITE, .id = 1, .length = 8 });
	CHECK(!readable(pair.a.channel->fd, 50));
	rc_do(&pair.a, &(struct rc_op){ .opcode = IBV_WR_RDMA_WRITE,
	                                .id = 2,
	                                .flags = IBV_SEND_SIGNALED,
	                                .length = 8 });
	expect_event(pair.a.channel, pair.a.send_cq);
	rc_sent(&pair.a, 2);
	rc_pair_close(&pair);
}
ALONE(send_completions_make_events)

static void nonblocking_channel_body(struct side *side)
{
	struct rc_pair pair;
	struct ibv_cq *cq;
	void *context;

	(void)side;
	open_pair(&pair);
	set_nonblocking(pair.b.channel->fd);
	CHECK_FAILS(ibv_get_cq_event(pair.b.channel, &cq, &context), EAGAIN);
	CHECK_EQ(ibv_req_notify_cq(pair.b.recv_cq, 0), 0);
	send_one(&pair, 1, 0);
	expect_event(pair.b.channel, pair.b.recv_cq);
	CHECK_FAILS(ibv_get_cq_event(pair.b.channel, &cq, &context), EAGAIN);
	rc_received(&pair.b, 1);
	rc_pair_close(&pair);
}
ALONE(nonblocking_channel)

static void several_queues_on_a_channel_body(struct side *side)
{
	struct ibv_cq *seen[2];
	struct rc_pair pair;
	void *context;

	(void)side;
	open_pair(&pair);
	/* Both queues of b tell one channel; each event names its own queue. */
	CHECK_EQ(ibv_req_notify_cq(pair.b.recv_cq, 0), 0);
	CHECK_EQ(ibv_req_notify_cq(pair.b.send_cq, 0), 0);
	send_one(&pair, 1, 0);
	rc_do(&pair.b, &(struct rc_op){ .opcode = IBV_WR_RDMA_WRITE,
	                                .id = 2,
	                                .flags = IBV_SEND_SIGNALED,
	                                .length = 8 });
	for (int i = 0; i < 2; i++) {
		CHECK(readable(pair.b.channel->fd, PATIENCE_MS));
		CHECK_EQ(ibv_get_cq_event(pair.b.channel, &seen[i], &context), 0);
		ibv_ack_cq_events(seen[i], 1);
	}
	CHECK(seen[0] == pair.b.recv_cq && seen[1] == pair.b.send_cq);
	CHECK(!readable(pair.b.channel->fd, 0));
	rc_received(&pair.b, 1);
	rc_sent(&pair.b, 2);
	rc_pair_close(&pair);
}
ALONE(several_queues_on_a_channel)

static void in_epoll_body(struct side *side)
{
	struct epoll_event event = { .events = EPOLLIN };
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	struct rc_pair pair;

	(void)side;
	CHECK_CALL(epoll);
	open_pair(&pair);
	CHECK_CALL(epoll_ctl(epoll, EPOLL_CTL_ADD, pair.b.channel->fd, &event));
	for (uint64_t i = 0; i < 20; i++) {
		CHECK_EQ(ibv_req_notify_cq(pair.b.recv_cq, 0), 0);
		CHECK_EQ(epoll_wait(epoll, &event, 1, 0), 0);
		send_one(&pair, i, 0);
		CHECK_EQ(epoll_wait(epoll, &event, 1, PATIENCE_MS), 1);
		expect_event(pair.b.channel, pair.b.recv_cq);
		rc_received(&pair.b, i);
	}
	close(epoll);
	rc_pair_close(&pair);
}
ALONE(in_epoll)

struct blocked {
	struct rc_pair *pair;
	int result;
};

static void *get_event(void *argument)
{
	struct blocked *self = argument;
	struct ibv_cq *cq;
	void *context;

	self->result = ibv_get_cq_event(self->pair->b.channel, &cq, &context);
	if (self->result == 0)
		ibv_ack_cq_events(cq, 1);
	return NULL;
}

static void blocking_wait_body(struct side *side)
{
	struct rc_pair pair;
	struct blocked blocked = { &pair, -1 };
	pthread_t thread;

	(void)side;
	open_pair(&pair);
	CHECK_EQ(ibv_req_notify_cq(pair.b.recv_cq, 0), 0);
	CHECK_EQ(pthread_create(&thread, NULL, get_event, &blocked), 0);
	send_one(&pair, 1, 0);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK_EQ(blocked.result, 0);
	rc_received(&pair.b, 1);
	rc_pair_close(&pair);
}
ALONE(blocking_wait)

static void busy_objects_body(struct side *side)
{
	struct rc_pair pair;
	struct ibv_pd *pd;

	(void)side;
	open_pair(&pair);
	pd = pair.a.pd;
	CHECK_EQ(ibv_destroy_cq(pair.a.send_cq), EBUSY);
	CHECK_EQ(ibv_destroy_cq(pair.a.recv_cq), EBUSY);
	CHECK_EQ(ibv_destroy_comp_channel(pair.a.channel), EBUSY);
	CHECK_EQ(ibv_dealloc_pd(pd), EBUSY);
	/* Refused, they are as usable as before. */
	send_one(&pair, 1, 0);
	rc_received(&pair.b, 1);
	rc_pair_close(&pair);
}
ALONE(busy_objects)

struct destroyer {
	struct ibv_cq *cq;
	int result;
	volatile bool done;
};

static void *destroy(void *argument)
{
	struct destroyer *self = argument;

	self->result = ibv_destroy_cq(self->cq);
	__atomic_store_n(&self->done, true, __ATOMIC_RELEASE);
	return NULL;
}

/* ibv_get_cq_event(3): destroying waits until every event taken is acknowledged. */
static void destroying_waits_for_acknowledgement_body(struct side *side)
{
	struct destroyer destroyer = { 0 };
	struct ibv_cq *cq;
	struct rc_pair pair;
	pthread_t thread;
	void *context;

	(void)side;
	open_pair(&pair);
	CHECK_EQ(ibv_req_notify_cq(pair.b.recv_cq, 0), 0);
	send_one(&pair, 1, 0);
	rc_received(&pair.b, 1);
	CHECK_EQ(ibv_get_cq_event(pair.b.channel, &cq, &context), 0);
	CHECK_EQ(ibv_destroy_qp(pair.b.qp), 0);
	pair.b.qp = NULL;
	destroyer.cq = cq;
	CHECK_EQ(pthread_create(&thread, NULL, destroy, &destroyer), 0);
	pass_ms(100);
	CHECK(!__atomic_load_n(&destroyer.done, __ATOMIC_ACQUIRE));
	ibv_ack_cq_events(cq, 1);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK_EQ(destroyer.result, 0);
	pair.b.recv_cq =
	        CHECK_OBJECT(ibv_create_cq(pair.b.context, 1, NULL, pair.b.channel, 0));
	rc_pair_close(&pair);
}
ALONE(destroying_waits_for_acknowledgement)

/* Whether completions of a destroyed QP stay is left open; the queue works on in any
 * case. */
static void queue_outlives_its_qp_body(struct side *side)
{
	struct rc_pair pair, other;
	struct ibv_wc wc;
	int count;

	(void)side;
	rc_pair_open(&pair, &rc_default);
	send_one(&pair, 1, 0);
	CHECK_EQ(ibv_destroy_qp(pair.b.qp), 0);
	pair.b.qp = NULL;
	count = ibv_poll_cq(pair.b.recv_cq, 1, &wc);
	CHECK(count == 0 || (count == 1 && wc.wr_id == 1));
	CHECK_EQ(ibv_poll_cq(pair.b.recv_cq, 1, &wc), 0);
	rc_pair_open(&other, &rc_default);
	send_one(&other, 2, 0);
	rc_received(&other.b, 2);
	rc_pair_close(&other);
	rc_pair_close(&pair);
}
ALONE(queue_outlives_its_qp)

static void one_queue_for_both_body(struct side *side)
{
	struct ibv_qp_init_attr init = { .cap = { 8, 8, 1, 1, 0 },
		                         .qp_type = IBV_QPT_RC };
	struct rc_pair pair;
	struct ibv_wc wc;
	struct ibv_qp *own;

	(void)side;
	rc_pair_open(&pair, &rc_default);
	own = pair.a.qp;
	init.send_cq = init.recv_cq = pair.a.send_cq;
	pair.a.qp = CHECK_OBJECT(ibv_create_qp(pair.a.pd, &init));
	pair.a.self.qpn = pair.a.qp->qp_num;
	rc_to_reset(&pair.b);
	rc_connect(&pair.a, &pair.b.self);
	rc_connect(&pair.b, &pair.a.self);
	rc_recv(&pair.a, 1, 0, 64);
	rc_recv(&pair.b, 2, 0, 64);
	rc_do(&pair.b, &(struct rc_op){ .opcode = IBV_WR_SEND, .length = 8 });
	rc_do(&pair.a, &(struct rc_op){ .opcode = IBV_WR_SEND,
	                                .id = 3,
	                                .flags = IBV_SEND_SIGNALED,
	                                .length = 8 });
	wc = rc_next(pair.a.send_cq);
	CHECK(wc.wr_id == 1 && wc.opcode == IBV_WC_RECV);
	wc = rc_next(pair.a.send_cq);
	CHECK(wc.wr_id == 3 && wc.opcode == IBV_WC_SEND);
	CHECK_EQ(ibv_destroy_qp(pair.a.qp), 0);
	pair.a.qp = own;
	rc_pair_close(&pair);
}
ALONE(one_queue_for_both)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(create_arguments),
		cmocka_unit_test(poll_in_batches),
		cmocka_unit_test(unarmed_is_silent),
		cmocka_unit_test(armed_once),
		cmocka_unit_test(earlier_completions_make_no_event),
		cmocka_unit_test(solicited_only),
		cmocka_unit_test(all_outweighs_solicited),
		cmocka_unit_test(errors_count_as_solicited),
		cmocka_unit_test(send_completions_make_events),
		cmocka_unit_test(nonblocking_channel),
		cmocka_unit_test(several_queues_on_a_channel),
		cmocka_unit_test(in_epoll),
		cmocka_unit_test(blocking_wait),
		cmocka_unit_test(busy_objects),
		cmocka_unit_test(destroying_waits_for_acknowledgement),
		cmocka_unit_test(queue_outlives_its_qp),
		cmocka_unit_test(one_queue_for_both),
	};

	return cmocka_run_group_tests(tests, runtime_directory_make,
	                              runtime_directory_remove);
}
