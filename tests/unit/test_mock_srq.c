// SPDX-License-Identifier: BSD-2-Clause
/* Shared receive queues that change while they are in use: ibv_modify_srq(3), the limit
 * and its event, and ibv_create_srq_ex(3). */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "lib/check.h"
#include "lib/deadline.h"
#include "lib/rcop.h"

enum { DEPTH = 16 };

static void open_pair(struct rc_pair *pair)
{
	struct rc_config config = rc_default;

	config.shared_receive = true;
	config.recv_depth = DEPTH;
	rc_pair_open(pair, &config);
}

static void post(struct rc_end *end, uint64_t from, uint64_t to)
{
	for (uint64_t i = from; i < to; i++)
		rc_recv(end, i, 0, 64);
}

/* Messages that take the receives of these numbers. */
static void send(struct rc_pair *pair, uint64_t from, uint64_t to)
{
	for (uint64_t i = from; i < to; i++) {
		rc_do(&pair->a, &(struct rc_op){ .opcode = IBV_WR_SEND,
		                                 .id = i,
		                                 .length = 8,
		                                 .flags = IBV_SEND_SIGNALED });
		rc_sent(&pair->a, i);
		rc_received(&pair->b, i);
	}
}

static int set_limit(struct ibv_srq *srq, uint32_t limit)
{
	struct ibv_srq_attr attr = { .srq_limit = limit };

	return ibv_modify_srq(srq, &attr, IBV_SRQ_LIMIT);
}

static int resize(struct ibv_srq *srq, uint32_t max_wr)
{
	struct ibv_srq_attr attr = { .max_wr = max_wr };

	return ibv_modify_srq(srq, &attr, IBV_SRQ_MAX_WR);
}

static struct ibv_srq_attr query(struct ibv_srq *srq)
{
	struct ibv_srq_attr attr;

	CHECK_EQ(ibv_query_srq(srq, &attr), 0);
	return attr;
}

static bool event_comes(struct ibv_context *context, int milliseconds)
{
	struct pollfd ready = { .fd = context->async_fd, .events = POLLIN };
	int count = poll(&ready, 1, milliseconds);

	CHECK_CALL(count);
	return count == 1;
}

static void expect_limit_event(struct rc_end *end)
{
	struct ibv_async_event event;

	CHECK(event_comes(end->context, deadline_left_ms(deadline_in(PATIENCE_MS))));
	CHECK_EQ(ibv_get_async_event(end->context, &event), 0);
	CHECK_EQ(event.event_type, IBV_EVENT_SRQ_LIMIT_REACHED);
	CHECK(event.element.srq == end->srq);
	ibv_ack_async_event(&event);
	/* ibv_query_srq(3): it is not armed any more. */
	CHECK_EQ(query(end->srq).srq_limit, 0);
}

static void limit_body(struct side *side)
{
	struct rc_pair pair;

	(void)side;
	open_pair(&pair);
	post(&pair.b, 0, 8);
	CHECK_EQ(set_limit(pair.b.srq, 4), 0);
	CHECK_EQ(query(pair.b.srq).srq_limit, 4);
	send(&pair, 0, 4); /* four are left: that is not below */
	CHECK(!event_comes(pair.b.context, 30));
	send(&pair, 4, 5);
	expect_limit_event(&pair.b);
	send(&pair, 5, 8);
	CHECK(!event_comes(pair.b.context, 30));
	/* Armed again, it comes again. */
	post(&pair.b, 8, 11);
	CHECK_EQ(set_limit(pair.b.srq, 3), 0);
	send(&pair, 8, 9);
	expect_limit_event(&pair.b);
	rc_pair_close(&pair);
}
ALONE(limit)

/* Or it would never come, when nothing is left to be consumed. */
static void limit_reached_before_body(struct side *side)
{
	struct rc_pair pair;

	(void)side;
	open_pair(&pair);
	post(&pair.b, 0, 2);
	CHECK_EQ(set_limit(pair.b.srq, 3), 0);
	expect_limit_event(&pair.b);
	send(&pair, 0, 2);
	CHECK(!event_comes(pair.b.context, 20));
	CHECK_EQ(set_limit(pair.b.srq, 1), 0);
	expect_limit_event(&pair.b);
	rc_pair_close(&pair);
}
ALONE(limit_reached_before)

static void limit_taken_back_body(struct side *side)
{
	struct rc_pair pair;

	(void)side;
	open_pair(&pair);
	post(&pair.b, 0, 4);
	CHECK_EQ(set_limit(pair.b.srq, 3), 0);
	CHECK_EQ(set_limit(pair.b.srq, 0), 0);
	send(&pair, 0, 4);
	CHECK(!event_comes(pair.b.context, 30));
	rc_pair_close(&pair);
}
ALONE(limit_taken_back)

static void untaken_event_goes_with_its_queue_body(struct side *side)
{
	struct ibv_srq_init_attr init = { .attr = { .max_wr = 4, .max_sge = 1 } };
	struct ibv_srq *srq;
	struct rc_end end;

	(void)side;
	rc_open(&end, &rc_default);
	srq = CHECK_OBJECT(ibv_create_srq(end.pd, &init));
	CHECK_EQ(set_limit(srq, 2), 0);
	CHECK(event_comes(end.context, PATIENCE_MS));
	CHECK_EQ(ibv_destroy_srq(srq), 0);
	CHECK(!event_comes(end.context, 20));
	rc_close(&end);
}
ALONE(untaken_event_goes_with_its_queue)

struct destroyer {
	struct ibv_srq *srq;
	_Atomic bool done;
};

static void *destroy(void *argument)
{
	struct destroyer *self = argument;

	CHECK_EQ(ibv_destroy_srq(self->srq), 0);
	atomic_store(&self->done, true);
	return NULL;
}

static void destroying_waits_body(struct side *side)
{
	struct ibv_srq_init_attr init = { .attr = { .max_wr = 4, .max_sge = 1 } };
	struct destroyer destroyer = { 0 };
	struct ibv_async_event event;
	struct rc_end end;
	pthread_t thread;

	(void)side;
	rc_open(&end, &rc_default);
	destroyer.srq = CHECK_OBJECT(ibv_create_srq(end.pd, &init));
	CHECK_EQ(set_limit(destroyer.srq, 2), 0);
	CHECK_EQ(ibv_get_async_event(end.context, &event), 0);
	CHECK_EQ(pthread_create(&thread, NULL, destroy, &destroyer), 0);
	pass_ms(50);
	CHECK(!atomic_load(&destroyer.done));
	ibv_ack_async_event(&event);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	rc_close(&end);
}
ALONE(destroying_waits)

/* ibv_modify_srq(3): if any attribute is invalid, none is modified. */
static void arguments_body(struct side *side)
{
	struct ibv_device_attr device;
	struct ibv_srq_attr attr;
	struct rc_pair pair;
	struct ibv_srq *srq;

	(void)side;
	open_pair(&pair);
	srq = pair.b.srq;
	post(&pair.b, 0, 8);
	CHECK_EQ(set_limit(srq, 2), 0);
	CHECK_EQ(ibv_query_device(pair.b.context, &device), 0);
	CHECK(device.device_cap_flags & IBV_DEVICE_SRQ_RESIZE);
	CHECK_EQ(resize(srq, 0), EINVAL);
	CHECK_EQ(resize(srq, (uint32_t)device.max_srq_wr + 1), EINVAL);
	CHECK_EQ(resize(srq, 7), EINVAL); /* eight are posted */
	CHECK_EQ(set_limit(srq, DEPTH + 1), EINVAL);
	CHECK_EQ(ibv_modify_srq(srq, &attr, 1 << 20), EINVAL);
	attr = (struct ibv_srq_attr){ .max_wr = 2 * DEPTH, .srq_limit = 3 * DEPTH };
	CHECK_EQ(ibv_modify_srq(srq, &attr, IBV_SRQ_MAX_WR | IBV_SRQ_LIMIT), EINVAL);
	attr = (struct ibv_srq_attr){ .max_wr = 1, .srq_limit = 1 };
	CHECK_EQ(ibv_modify_srq(srq, &attr, IBV_SRQ_MAX_WR | IBV_SRQ_LIMIT), EINVAL);
	CHECK_EQ(query(srq).max_wr, DEPTH);
	CHECK_EQ(query(srq).srq_limit, 2);
	CHECK_EQ(ibv_modify_srq(srq, &attr, 0), 0);
	attr = (struct ibv_srq_attr){ .max_wr = 2 * DEPTH, .srq_limit = DEPTH };
	CHECK_EQ(ibv_modify_srq(srq, &attr, IBV_SRQ_MAX_WR | IBV_SRQ_LIMIT), 0);
	CHECK(query(srq).max_wr >= 2 * DEPTH);
	expect_limit_event(&pair.b);
	rc_pair_close(&pair);
}
ALONE(arguments)

static void sizes_body(struct side *side)
{
	struct rc_pair pair;

	(void)side;
	open_pair(&pair);
	post(&pair.b, 0, DEPTH);
	CHECK_EQ(rc_post_recv(&pair.b, 0, 0, 64), ENOMEM);
	send(&pair, 0, 5);
	post(&pair.b, DEPTH, DEPTH + 5); /* the ring goes round */
	CHECK_EQ(resize(pair.b.srq, 100), 0);
	CHECK(query(pair.b.srq).max_wr >= 100);
	post(&pair.b, DEPTH + 5, 100);
	send(&pair, 5, 95);
	CHECK_EQ(resize(pair.b.srq, 5), 0);
	CHECK_EQ(rc_post_recv(&pair.b, 0, 0, 64), ENOMEM);
	send(&pair, 95, 100);
	post(&pair.b, 0, 5);
	CHECK_EQ(rc_post_recv(&pair.b, 0, 0, 64), ENOMEM);
	send(&pair, 0, 5);
	rc_pair_close(&pair);
}
ALONE(sizes)

static void no_memory_body(struct side *side)
{
	struct ibv_srq_init_attr init = { .attr = { .max_wr = 8 } };
	struct ibv_device_attr device;
	struct rc_end end;
	struct ibv_srq *srq;

	(void)side;
	CHECK_CALL(setenv("MOCKRDMA_SEGMENT", "8M", 1));
	rc_open(&end, &rc_default);
	CHECK_EQ(ibv_query_device(end.context, &device), 0);
	init.attr.max_sge = (uint32_t)device.max_srq_sge;
	srq = CHECK_OBJECT(ibv_create_srq(end.pd, &init));
	CHECK_EQ(resize(srq, (uint32_t)device.max_srq_wr), ENOMEM);
	CHECK_EQ(query(srq).max_wr, 8);
	CHECK_EQ(resize(srq, 16), 0);
	CHECK_EQ(ibv_destroy_srq(srq), 0);
	rc_close(&end);
}
ALONE(no_memory)

static void extended_body(struct side *side)
{
	struct ibv_srq_init_attr_ex init = {
		.attr = { .max_wr = 8, .max_sge = 2 },
		.comp_mask = IBV_SRQ_INIT_ATTR_TYPE | IBV_SRQ_INIT_ATTR_PD,
		.srq_type = IBV_SRQT_BASIC,
	};
	struct rc_end end;
	struct ibv_srq *srq;

	(void)side;
	rc_open(&end, &rc_default);
	init.pd = end.pd;
	srq = CHECK_OBJECT(ibv_create_srq_ex(end.context, &init));
	CHECK(query(srq).max_wr >= 8 && query(srq).max_sge >= 2);
	CHECK_EQ(ibv_destroy_srq(srq), 0);
	init.srq_type = IBV_SRQT_TM;
	init.comp_mask |= IBV_SRQ_INIT_ATTR_TM;
	CHECK_FAILS(ibv_create_srq_ex(end.context, &init), EOPNOTSUPP);
	rc_close(&end);
}
ALONE(extended)

/* --- while peers consume from it */

enum { MESSAGES = 2000, WINDOW = 32 };

static void consume(struct side *side)
{
	struct rc_config config = rc_default;
	struct rc_end end;

	config.shared_receive = true;
	rc_side_open(side, &end, &config);
	for (uint64_t i = 0; i < MESSAGES; i++) {
		rc_do(&end, &(struct rc_op){ .opcode = IBV_WR_SEND_WITH_IMM,
		                             .id = i,
		                             .length = 8,
		                             .flags = IBV_SEND_SIGNALED,
		                             .imm = (uint32_t)i });
		rc_sent(&end, i);
	}
	rc_side_close(side, &end);
}

/* Takes messages up to that number, and posts in their place. */
static void take(struct rc_end *end, uint64_t from, uint64_t to, uint64_t *posted)
{
	struct ibv_wc wc;

	for (uint64_t i = from; i < to; i++) {
		for (; *posted < MESSAGES && *posted < i + WINDOW; ++*posted)
			rc_recv(end, *posted, 0, 64);
		wc = rc_received(end, i);
		CHECK_EQ(be32toh(wc.imm_data), i);
	}
}

static void change(struct side *side)
{
	struct rc_config config = rc_default;
	uint64_t posted = 0;
	struct rc_end end;

	config.shared_receive = true;
	config.recv_depth = WINDOW;
	rc_side_open(side, &end, &config);
	for (uint64_t at = 0; at < MESSAGES; at += 100) {
		take(&end, at, at + 100, &posted);
		CHECK_EQ(resize(end.srq, WINDOW << (at / 100 % 4)), 0);
	}
	rc_side_close(side, &end);
}

static void resized_between_processes(void **state)
{
	(void)state;
	sides_run(SIDES_PROCESSES, consume, change, NULL);
}

static void resized_between_threads(void **state)
{
	(void)state;
	sides_run(SIDES_THREADS, consume, change, NULL);
}

/* The peer's request reaches the limit, in the peer's process. */
static void refill_on_event(struct side *side)
{
	struct rc_config config = rc_default;
	struct rc_end end;

	config.shared_receive = true;
	config.cq_depth = MESSAGES;
	config.recv_depth = 2 * WINDOW;
	rc_side_open(side, &end, &config);
	/* None but the event says that there is room: each has to come. */
	for (uint64_t posted = 0; posted < MESSAGES; posted += WINDOW) {
		for (uint64_t i = posted; i < posted + WINDOW && i < MESSAGES; i++)
			rc_recv(&end, i, 0, 64);
		CHECK_EQ(set_limit(end.srq, 4), 0);
		expect_limit_event(&end);
		for (uint64_t i = 0; i < WINDOW && posted + i < MESSAGES; i++)
			if (posted + i + 4 >= WINDOW)
				rc_received(&end, posted + i + 4 - WINDOW);
	}
	rc_side_close(side, &end);
}

static void limit_between_processes(void **state)
{
	(void)state;
	sides_run(SIDES_PROCESSES, consume, refill_on_event, NULL);
}

/* A peer that dies while it consumes spoils neither the queue nor its event. */
static void send_for_ever(struct side *side)
{
	struct rc_end end;

	rc_side_open(side, &end, &rc_default);
	for (uint64_t i = 0;; i++) {
		rc_do(&end, &(struct rc_op){ .opcode = IBV_WR_SEND,
		                             .id = i,
		                             .length = 8,
		                             .flags = IBV_SEND_SIGNALED });
		rc_sent(&end, i);
	}
}

static void survive_victims_body(struct side *side)
{
	struct rc_config config = rc_default;
	struct rc_end end;

	(void)side;
	config.shared_receive = true;
	for (int i = 0; i < 4; i++) {
		struct process victim = process_start("victim", send_for_ever, NULL);
		struct side other = { .name = "survivor", .socket = victim.socket };

		rc_side_open(&other, &end, &config);
		for (int n = 0; n < 100 + 37 * i; n++) {
			rc_recv(&end, 1, 0, 64);
			rc_received(&end, 1);
			CHECK_EQ(resize(end.srq, 64 << (n % 3)), 0);
		}
		CHECK_CALL(kill(victim.pid, SIGKILL));
		CHECK(WIFSIGNALED(process_wait(&victim)));
		CHECK_EQ(resize(end.srq, 1000), 0);
		CHECK_EQ(set_limit(end.srq, 1), 0);
		expect_limit_event(&end);
		rc_close(&end);
	}
}
ALONE(survive_victims)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(limit),
		cmocka_unit_test(limit_reached_before),
		cmocka_unit_test(limit_taken_back),
		cmocka_unit_test(untaken_event_goes_with_its_queue),
		cmocka_unit_test(destroying_waits),
		cmocka_unit_test(arguments),
		cmocka_unit_test(sizes),
		cmocka_unit_test(no_memory),
		cmocka_unit_test(extended),
		cmocka_unit_test(resized_between_processes),
		cmocka_unit_test(resized_between_threads),
		cmocka_unit_test(limit_between_processes),
		cmocka_unit_test(survive_victims),
	};

	return cmocka_run_group_tests(tests, runtime_directory_make,
	                              runtime_directory_remove);
}
