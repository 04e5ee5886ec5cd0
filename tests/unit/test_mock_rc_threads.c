// SPDX-License-Identifier: BSD-2-Clause
/* Any verb from any thread: nothing is lost, nothing done twice, atomics are atomic. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/check.h"
#include "lib/deadline.h"
#include "lib/rcop.h"

enum { THREADS = 4, EACH = 2000 };

/* Each is given the address that is so many bytes behind that of the one before. */
static void run_threads(void *(*function)(void *), void *arguments, size_t size)
{
	pthread_t threads[THREADS];

	for (int i = 0; i < THREADS; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, function,
		                        (char *)arguments + (size_t)i * size),
		         0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
}

/* --- a pair for each
 * ------------------------------------------------------------------------ */

static void *own_pair(void *argument)
{
	struct rc_pair pair;

	(void)argument;
	rc_pair_open(&pair, &rc_default);
	for (uint64_t i = 0; i < EACH; i++) {
		memcpy(pair.a.buffer, &i, sizeof(i));
		rc_recv(&pair.b, i, 64, 64);
		rc_do(&pair.a, &(struct rc_op){ .opcode = IBV_WR_SEND,
		                                .id = i,
		                                .flags = IBV_SEND_SIGNALED,
		                                .length = 8 });
		rc_sent(&pair.a, i);
		rc_received(&pair.b, i);
		CHECK_BYTES(pair.b.buffer + 64, &i, sizeof(i));
	}
	rc_pair_close(&pair);
	return NULL;
}

static void pair_per_thread_body(struct side *side)
{
	(void)side;
	run_threads(own_pair, NULL, 0);
}
ALONE(pair_per_thread)

/* --- one queue pair for all
 * ----------------------------------------------------------------- */

struct shared {
	struct rc_pair pair;
	unsigned int taken; /* completions polled by anyone */
};

static void take_one(struct shared *shared)
{
	struct ibv_wc wc;
	int count = ibv_poll_cq(shared->pair.a.send_cq, 1, &wc);

	CHECK(count >= 0);
	if (!count)
		return;
	CHECK_EQ(wc.status, IBV_WC_SUCCESS);
	CHECK_EQ(wc.opcode, IBV_WC_FETCH_ADD);
	__atomic_fetch_add(&shared->taken, 1, __ATOMIC_RELAXED);
}

static void *add_and_poll(void *argument)
{
	struct shared *shared = argument;
	const struct rc_op add = { .opcode = IBV_WR_ATOMIC_FETCH_AND_ADD,
		                   .flags = IBV_SEND_SIGNALED,
		                   .offset = 8,
		                   .length = 8,
		                   .compare_add = 1 };

	for (int done = 0; done < EACH;) {
		int err = rc_post(&shared->pair.a, &add);

		CHECK(err == 0 || err == ENOMEM);
		done += !err;
		take_one(shared);
	}
	return NULL;
}

static void one_pair_for_all(bool extended)
{
	struct rc_config config = rc_default;
	struct shared shared = { .taken = 0 };
	uint64_t deadline;

	config.extended = extended;
	config.send_depth = 32;
	rc_pair_open(&shared.pair, &config);
	run_threads(add_and_poll, &shared, 0);
	deadline = deadline_in(PATIENCE_MS);
	while (shared.taken < THREADS * EACH) {
		CHECK(!deadline_passed(deadline));
		take_one(&shared);
	}
	rc_expect_nothing(shared.pair.a.send_cq, 5);
	CHECK_EQ(*(uint64_t *)(void *)shared.pair.b.buffer, THREADS * EACH);
	rc_pair_close(&shared.pair);
}

static void one_pair_for_all_threads_body(struct side *side)
{
	(void)side;
	one_pair_for_all(false);
}
ALONE(one_pair_for_all_threads)

static void one_pair_for_all_threads_ex_body(struct side *side)
{
	(void)side;
	one_pair_for_all(true);
}
ALONE(one_pair_for_all_threads_ex)

/* --- one word for all
 * ----------------------------------------------------------------------- */

static uint64_t fetch(struct rc_end *end, struct rc_op op)
{
	op.flags = IBV_SEND_SIGNALED;
	op.length = 8;
	rc_do(end, &op);
	rc_sent(end, 0);
	return *(uint64_t *)(void *)end->buffer;
}

/* Adds by compare-and-swap to the first word and by fetch-and-add to the second. */
static void add_both_ways(struct rc_end *end)
{
	for (int i = 0; i < EACH / 4; i++) {
		uint64_t seen = 0, answer;

		while ((answer = fetch(
		                end, (struct rc_op){ .opcode = IBV_WR_ATOMIC_CMP_AND_SWP,
		                                     .compare_add = seen,
		                                     .swap = seen + 1 })) != seen)
			seen = answer;
		fetch(end, (struct rc_op){ .opcode = IBV_WR_ATOMIC_FETCH_AND_ADD,
		                           .remote = 8,
		                           .compare_add = 1 });
	}
}

static void *adding_thread(void *argument)
{
	add_both_ways(argument);
	return NULL;
}

/* The same memory, registered for this end; and what its peer has to know of it. */
static struct rc_address expose(struct rc_end *end, uint64_t *words, struct ibv_mr **mr)
{
	struct rc_address target = end->self;

	*mr = CHECK_OBJECT(ibv_reg_mr(end->pd, words, 4096, RC_ALL_ACCESS));
	target.buffer = (uintptr_t)words;
	target.rkey = (*mr)->rkey;
	return target;
}

static void adders_elsewhere(struct side *side)
{
	struct rc_end ends[THREADS];

	for (int i = 0; i < THREADS; i++) {
		rc_side_open(side, &ends[i], &rc_default);
		side_get(side, &ends[i].peer, sizeof(ends[i].peer));
	}
	side_meet(side);
	run_threads(adding_thread, ends, sizeof(ends[0]));
	side_meet(side);
	for (int i = 0; i < THREADS; i++)
		rc_side_close(side, &ends[i]);
}

/* Threads of both processes add, each through a QP of its own, to the same two words. */
static void adders_at_home(struct side *side)
{
	struct rc_end *local = CHECK_OBJECT(calloc(THREADS, sizeof(*local)));
	struct rc_pair pairs[THREADS];
	struct rc_end ends[THREADS];
	struct ibv_mr *mrs[2 * THREADS];
	uint64_t *words = CHECK_OBJECT(aligned_alloc(4096, 4096));

	memset(words, 0, 4096);
	for (int i = 0; i < THREADS; i++) {
		struct rc_address target;

		rc_side_open(side, &ends[i], &rc_default);
		target = expose(&ends[i], words, &mrs[i]);
		side_put(side, &target, sizeof(target));
		rc_pair_open(&pairs[i], &rc_default);
		pairs[i].a.peer = expose(&pairs[i].b, words, &mrs[THREADS + i]);
		local[i] = pairs[i].a;
	}
	side_meet(side);
	run_threads(adding_thread, local, sizeof(*local));
	side_meet(side);
	CHECK_EQ(words[0], 2 * THREADS * (EACH / 4));
	CHECK_EQ(words[1], 2 * THREADS * (EACH / 4));
	for (int i = 0; i < 2 * THREADS; i++)
		CHECK_EQ(ibv_dereg_mr(mrs[i]), 0);
	for (int i = 0; i < THREADS; i++) {
		rc_pair_close(&pairs[i]);
		rc_side_close(side, &ends[i]);
	}
	free(words);
	free(local);
}

static void one_word_for_all(void **state)
{
	(void)state;
	sides_run(SIDES_PROCESSES, adders_elsewhere, adders_at_home, NULL);
}

/* --- objects come and go beside traffic
 * ------------------------------------------------------- */

struct churn {
	struct rc_pair *pair;
	bool *stop;
};

static void *make_and_unmake(void *argument)
{
	struct churn *churn = argument;

	while (!__atomic_load_n(churn->stop, __ATOMIC_RELAXED)) {
		struct rc_end end;
		struct ibv_mr *mr = CHECK_OBJECT(ibv_reg_mr(
		        churn->pair->b.pd, churn->pair->b.buffer, 64, RC_ALL_ACCESS));

		rc_open(&end, &rc_default);
		rc_connect(&end, &end.self);
		rc_recv(&end, 1, 0, 64);
		rc_close(&end);
		CHECK_EQ(ibv_dereg_mr(mr), 0);
	}
	return NULL;
}

static void objects_beside_traffic_body(struct side *side)
{
	bool stop = false;
	struct rc_pair pair;
	struct churn churn = { &pair, &stop };
	pthread_t threads[2];

	(void)side;
	rc_pair_open(&pair, &rc_default);
	for (int i = 0; i < 2; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, make_and_unmake, &churn), 0);
	for (uint64_t i = 0; i < EACH; i++) {
		rc_do(&pair.a, &(struct rc_op){ .opcode = i % 2 ? IBV_WR_RDMA_READ
		                                                : IBV_WR_RDMA_WRITE,
		                                .id = i,
		                                .flags = IBV_SEND_SIGNALED,
		                                .length = 4000 });
		rc_sent(&pair.a, i);
	}
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	rc_pair_close(&pair);
}
ALONE(objects_beside_traffic)

/* A region that goes away while it is written to: done or refused, and then no more. */
struct writing {
	struct rc_pair pair;
	bool begun; /* something has been written */
};

static void *write_until_refused(void *argument)
{
	struct writing *writing = argument;
	enum ibv_wc_status status;

	do {
		rc_do(&writing->pair.a, &(struct rc_op){ .opcode = IBV_WR_RDMA_WRITE,
		                                         .flags = IBV_SEND_SIGNALED,
		                                         .length = 8192 });
		status = rc_next(writing->pair.a.send_cq).status;
		__atomic_store_n(&writing->begun, true, __ATOMIC_RELEASE);
	} while (status == IBV_WC_SUCCESS);
	CHECK_EQ(status, IBV_WC_REM_ACCESS_ERR);
	return NULL;
}

static void deregistered_under_traffic_body(struct side *side)
{
	(void)side;
	for (int round = 0; round < 20; round++) {
		struct writing writing = { .begun = false };
		struct rc_end *target = &writing.pair.b;
		pthread_t thread;

		rc_pair_open(&writing.pair, &rc_default);
		memset(writing.pair.a.buffer, 0xaa, 8192);
		CHECK_EQ(pthread_create(&thread, NULL, write_until_refused, &writing), 0);
		while (!__atomic_load_n(&writing.begun, __ATOMIC_ACQUIRE))
			;
		CHECK_EQ(ibv_dereg_mr(target->mr), 0);
		target->mr = NULL;
		/* From here on the memory is the program's alone. */
		memset(target->buffer, 0, 8192);
		pthread_join(thread, NULL);
		rc_expect_only(target->buffer, 8192, 0);
		rc_pair_close(&writing.pair);
	}
}
ALONE(deregistered_under_traffic)

/* The same from another process. */
static void writer(struct side *side)
{
	for (int round = 0; round < 20; round++) {
		struct writing writing = { .begun = false };
		struct rc_end *end = &writing.pair.a;

		rc_side_open(side, end, &rc_default);
		memset(end->buffer, 0xaa, 8192);
		write_until_refused(&writing);
		side_meet(side);
		rc_side_close(side, end);
	}
}

static void deregistering(struct side *side)
{
	for (int round = 0; round < 20; round++) {
		struct rc_end end;
		uint8_t *memory;

		rc_side_open(side, &end, &rc_default);
		memory = end.buffer;
		while (!__atomic_load_n(&memory[8191], __ATOMIC_ACQUIRE))
			;
		CHECK_EQ(ibv_dereg_mr(end.mr), 0);
		end.mr = NULL;
		memset(memory, 0, 8192);
		side_meet(side);
		rc_expect_only(memory, 8192, 0);
		rc_side_close(side, &end);
	}
}

static void deregistered_under_foreign_traffic(void **state)
{
	(void)state;
	sides_run(SIDES_PROCESSES, writer, deregistering, NULL);
}

/* Receives that are posted while the QP goes through ERR and RESET: whichever comes
 * first, the queue is whole afterwards. */
enum { CYCLES = 1000 };

struct poster {
	struct rc_end *end;
	bool stop;
};

enum { CHAIN = 50 };

/* Many at once, so that returning them takes its time. */
static void *post_receives(void *argument)
{
	struct poster *poster = argument;
	struct ibv_recv_wr chain[CHAIN] = { 0 }, *bad;
	struct ibv_wc wc[CHAIN];

	for (int i = 0; i + 1 < CHAIN; i++)
		chain[i].next = &chain[i + 1];
	while (!__atomic_load_n(&poster->stop, __ATOMIC_ACQUIRE)) {
		ibv_post_recv(poster->end->qp, chain, &bad);
		ibv_poll_cq(poster->end->recv_cq, CHAIN, wc);
	}
	return NULL;
}

static void receives_meet_resets_body(struct side *side)
{
	struct poster poster = { 0 };
	struct rc_pair pair;
	pthread_t thread;
	struct ibv_wc wc;

	(void)side;
	rc_pair_open(&pair, &rc_default);
	poster.end = &pair.b;
	CHECK_EQ(pthread_create(&thread, NULL, post_receives, &poster), 0);
	for (int i = 0; i < CYCLES; i++) {
		rc_to_error(&pair.b);
		rc_to_reset(&pair.b);
		rc_to_init(&pair.b);
	}
	__atomic_store_n(&poster.stop, true, __ATOMIC_RELEASE);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	rc_to_reset(&pair.b);
	rc_to_reset(&pair.a);
	CHECK_EQ(ibv_poll_cq(pair.b.recv_cq, 1, &wc), 0);
	rc_connect(&pair.a, &pair.b.self);
	rc_connect(&pair.b, &pair.a.self);
	for (uint64_t i = 0; i < pair.b.config.recv_depth; i++)
		rc_recv(&pair.b, i, 0, 64);
	CHECK_EQ(rc_post_recv(&pair.b, 0, 0, 64), ENOMEM);
	for (uint64_t i = 0; i < pair.b.config.recv_depth; i++) {
		rc_do(&pair.a, &(struct rc_op){ .opcode = IBV_WR_SEND,
		                                .id = i,
		                                .flags = IBV_SEND_SIGNALED,
		                                .length = 8 });
		rc_sent(&pair.a, i);
		rc_received(&pair.b, i);
	}
	rc_pair_close(&pair);
}
ALONE(receives_meet_resets)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pair_per_thread),
		cmocka_unit_test(one_pair_for_all_threads),
		cmocka_unit_test(one_pair_for_all_threads_ex),
		cmocka_unit_test(one_word_for_all),
		cmocka_unit_test(objects_beside_traffic),
		cmocka_unit_test(deregistered_under_traffic),
		cmocka_unit_test(deregistered_under_foreign_traffic),
		cmocka_unit_test(receives_meet_resets),
	};

	return cmocka_run_group_tests(tests, runtime_directory_make,
	                              runtime_directory_remove);
}
