// SPDX-License-Identifier: BSD-2-Clause
/* ibv_resize_cq(3): at rest, and while peers put entries in and threads take them out. */
#include <errno.h>
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

static void write_one(struct rc_end *end, uint64_t id)
{
	rc_do(end, &(struct rc_op){ .opcode = IBV_WR_RDMA_WRITE,
	                            .id = id,
	                            .flags = IBV_SEND_SIGNALED,
	                            .length = 8 });
}

/* Opens a pair with small CQs and fills that of `a`'s sends but for the given room. */
static int fill(struct rc_pair *pair, int room)
{
	struct rc_config config = rc_default;
	int filled;

	config.cq_depth = 8;
	rc_pair_open(pair, &config);
	filled = pair->a.send_cq->cqe - room;
	CHECK(filled > 1 && filled < (int)config.send_depth);
	for (int i = 0; i < filled; i++)
		write_one(&pair->a, (uint64_t)i);
	return filled;
}

static void completions_are_kept_body(struct side *side)
{
	struct rc_pair pair;
	int filled, before;

	(void)side;
	filled = fill(&pair, 0);
	before = pair.a.send_cq->cqe;
	CHECK_EQ(ibv_resize_cq(pair.a.send_cq, before + 1), 0);
	CHECK(pair.a.send_cq->cqe > before);
	/* There is room for more than it could hold before, and the order stays. */
	write_one(&pair.a, (uint64_t)filled);
	for (int i = 0; i < filled / 2; i++)
		rc_sent(&pair.a, (uint64_t)i);
	CHECK_EQ(ibv_resize_cq(pair.a.send_cq, 1000), 0);
	CHECK(pair.a.send_cq->cqe >= 1000);
	for (int i = filled / 2; i <= filled; i++)
		rc_sent(&pair.a, (uint64_t)i);
	rc_expect_nothing(pair.a.send_cq, 0);
	for (uint64_t i = 0; i < 40; i++)
		write_one(&pair.a, i);
	for (uint64_t i = 0; i < 40; i++)
		rc_sent(&pair.a, i);
	rc_expect_state(&pair.a, IBV_QPS_RTS);
	rc_pair_close(&pair);
}
ALONE(completions_are_kept)

static void arguments_body(struct side *side)
{
	struct ibv_device_attr device;
	struct rc_pair pair;
	int filled, size;

	(void)side;
	filled = fill(&pair, 1);
	size = pair.a.send_cq->cqe;
	CHECK_EQ(ibv_query_device(pair.a.context, &device), 0);
	CHECK_EQ(ibv_resize_cq(pair.a.send_cq, 0), EINVAL);
	CHECK_EQ(ibv_resize_cq(pair.a.send_cq, -1), EINVAL);
	CHECK_EQ(ibv_resize_cq(pair.a.send_cq, device.max_cqe + 1), EINVAL);
	/* Less than what waits to be polled. */
	CHECK_EQ(ibv_resize_cq(pair.a.send_cq, filled - 1), EINVAL);
	CHECK_EQ(pair.a.send_cq->cqe, size);
	CHECK_EQ(ibv_resize_cq(pair.a.send_cq, filled), 0);
	CHECK(pair.a.send_cq->cqe >= filled);
	for (int i = 0; i < filled; i++)
		rc_sent(&pair.a, (uint64_t)i);
	CHECK_EQ(ibv_resize_cq(pair.a.send_cq, 1), 0);
	CHECK(pair.a.send_cq->cqe >= 1);
	write_one(&pair.a, 77);
	rc_sent(&pair.a, 77);
	rc_pair_close(&pair);
}
ALONE(arguments)

/* Failing for lack of memory changes nothing. */
static void no_memory_body(struct side *side)
{
	struct ibv_device_attr device;
	struct rc_pair pair;
	int filled, size;

	(void)side;
	CHECK_CALL(setenv("MOCKRDMA_SEGMENT", "64M", 1));
	filled = fill(&pair, 0);
	size = pair.a.send_cq->cqe;
	CHECK_EQ(ibv_query_device(pair.a.context, &device), 0);
	CHECK_EQ(ibv_resize_cq(pair.a.send_cq, device.max_cqe), ENOMEM);
	CHECK_EQ(pair.a.send_cq->cqe, size);
	for (int i = 0; i < filled; i++)
		rc_sent(&pair.a, (uint64_t)i);
	write_one(&pair.a, 1);
	rc_sent(&pair.a, 1);
	CHECK_EQ(ibv_resize_cq(pair.a.send_cq, 2 * size), 0);
	rc_pair_close(&pair);
}
ALONE(no_memory)

static void armed_queue_body(struct side *side)
{
	struct rc_config config = rc_default;
	struct rc_pair pair;
	struct ibv_cq *from;
	void *context;

	(void)side;
	config.channel = true;
	config.cq_depth = 4;
	rc_pair_open(&pair, &config);
	CHECK_EQ(ibv_req_notify_cq(pair.a.send_cq, 0), 0);
	CHECK_EQ(ibv_resize_cq(pair.a.send_cq, 100), 0);
	write_one(&pair.a, 1);
	CHECK_EQ(ibv_get_cq_event(pair.a.channel, &from, &context), 0);
	CHECK(from == pair.a.send_cq);
	ibv_ack_cq_events(from, 1);
	rc_sent(&pair.a, 1);
	rc_pair_close(&pair);
}
ALONE(armed_queue)

/* --- while it is in use */

enum { SENDS = 3000, WINDOW = 32, SIZES = 10 };

/* Posts receives for the numbers `*posted` up to WINDOW beyond `taken`. */
static void keep_receives(struct rc_end *end, uint64_t taken, uint64_t *posted)
{
	for (; *posted < SENDS && *posted < taken + WINDOW; ++*posted)
		rc_recv(end, *posted, 0, 64);
}

static void send_all(struct rc_end *end)
{
	uint64_t sent = 0, done = 0;
	struct ibv_wc wc;

	while (done < SENDS) {
		for (; sent < SENDS && sent - done < WINDOW; sent++)
			rc_do(end, &(struct rc_op){ .opcode = IBV_WR_SEND_WITH_IMM,
			                            .id = sent,
			                            .flags = IBV_SEND_SIGNALED,
			                            .length = 8,
			                            .imm = (uint32_t)sent });
		wc = rc_next(end->send_cq);
		CHECK_EQ(wc.status, IBV_WC_SUCCESS);
		CHECK_EQ(wc.wr_id, done++);
	}
}

struct reader {
	struct rc_end *end;
	_Atomic uint64_t taken;
};

static void *read_all(void *argument)
{
	struct reader *reader = argument;
	struct ibv_wc wc;
	uint64_t posted = 0;

	for (uint64_t i = 0; i < SENDS; i++) {
		keep_receives(reader->end, i, &posted);
		wc = rc_next(reader->end->recv_cq);
		CHECK_EQ(wc.status, IBV_WC_SUCCESS);
		CHECK_EQ(wc.wr_id, i);
		CHECK_EQ(be32toh(wc.imm_data), i);
		atomic_store(&reader->taken, i + 1);
	}
	return NULL;
}

/* Each size is set when another part of the messages is there. */
static void receive_and_resize(struct side *side)
{
	struct rc_config config = rc_default;
	struct reader reader = { 0 };
	struct rc_end end;
	pthread_t thread;
	unsigned int calls = 0;

	config.cq_depth = WINDOW;
	rc_side_open(side, &end, &config);
	reader.end = &end;
	CHECK_EQ(pthread_create(&thread, NULL, read_all, &reader), 0);
	for (int i = 1; i <= SIZES; i++) {
		uint64_t due = (uint64_t)i * SENDS / (SIZES + 2);
		int size = WINDOW << i;

		while (atomic_load(&reader.taken) < due)
			wait_a_little(&calls);
		CHECK_EQ(ibv_resize_cq(end.recv_cq, size), 0);
		CHECK(end.recv_cq->cqe >= size);
	}
	CHECK_EQ(pthread_join(thread, NULL), 0);
	rc_side_close(side, &end);
}

static void send_to_resizer(struct side *side)
{
	struct rc_config config = rc_default;
	struct rc_end end;

	config.cq_depth = WINDOW;
	rc_side_open(side, &end, &config);
	send_all(&end);
	rc_side_close(side, &end);
}

static void under_way_between_processes(void **state)
{
	(void)state;
	sides_run(SIDES_PROCESSES, receive_and_resize, send_to_resizer, NULL);
}

static void under_way_between_threads(void **state)
{
	(void)state;
	sides_run(SIDES_THREADS, receive_and_resize, send_to_resizer, NULL);
}

/* A peer that dies while it puts entries in, at whatever instant, spoils no resize. */
enum { VICTIMS = 4 };

static void send_for_ever(struct side *side)
{
	struct rc_end end;

	rc_side_open(side, &end, &rc_default);
	for (uint64_t i = 0;; i++) {
		rc_do(&end, &(struct rc_op){ .opcode = IBV_WR_RDMA_WRITE_WITH_IMM,
		                             .id = i,
		                             .flags = IBV_SEND_SIGNALED,
		                             .length = 8 });
		rc_sent(&end, i);
	}
}

static void take_and_resize(struct rc_end *end, uint64_t messages)
{
	struct ibv_wc wc;
	int size = 256;

	for (uint64_t i = 0; i < messages; i++) {
		wc = rc_next(end->recv_cq);
		CHECK_EQ(wc.status, IBV_WC_SUCCESS);
		rc_recv(end, wc.wr_id, 0, 64);
		if (i % 50 == 49 && size < 64 * 1024)
			CHECK_EQ(ibv_resize_cq(end->recv_cq, size *= 2), 0);
	}
}

static void survive_victims_body(struct side *side)
{
	struct rc_pair pair;
	struct rc_end end;
	struct ibv_wc wc;

	(void)side;
	for (int i = 0; i < VICTIMS; i++) {
		struct process victim = process_start("victim", send_for_ever, NULL);
		struct side other = { .name = "survivor", .socket = victim.socket };

		rc_side_open(&other, &end, &rc_default);
		for (uint64_t id = 0; id < 32; id++)
			rc_recv(&end, id, 0, 64);
		take_and_resize(&end, 100 + 37 * (uint64_t)i);
		CHECK_CALL(kill(victim.pid, SIGKILL));
		CHECK(WIFSIGNALED(process_wait(&victim)));
		while (ibv_poll_cq(end.recv_cq, 1, &wc) == 1)
			;
		CHECK_EQ(ibv_resize_cq(end.recv_cq, 128 * 1024), 0);
		rc_recv(&end, 99, 0, 64); /* it may have taken all others */
		rc_to_error(&end);
		CHECK_EQ(rc_next(end.recv_cq).status, IBV_WC_WR_FLUSH_ERR);
		rc_close(&end);
	}
	rc_pair_open(&pair, &rc_default);
	write_one(&pair.a, 1);
	rc_sent(&pair.a, 1);
	rc_pair_close(&pair);
}
ALONE(survive_victims)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(completions_are_kept),
		cmocka_unit_test(arguments),
		cmocka_unit_test(no_memory),
		cmocka_unit_test(armed_queue),
		cmocka_unit_test(under_way_between_processes),
		cmocka_unit_test(under_way_between_threads),
		cmocka_unit_test(survive_victims),
	};

	return cmocka_run_group_tests(tests, runtime_directory_make,
	                              runtime_directory_remove);
}
