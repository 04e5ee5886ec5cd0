// SPDX-License-Identifier: BSD-2-Clause
/* Any verb from any thread: objects come and go in all of them while all use one device.
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/check.h"
#include "lib/rcop.h"

enum { THREADS = 4, ROUNDS = 40, SIZE = 4096 };

/* One connected pair that all use, and a place of its own for each thread. */
struct common {
	struct rc_pair pair;
	pthread_barrier_t start;
	unsigned int sent; /* completions that the shared pair owes */
	unsigned int taken;
};

static void device_calls(struct ibv_context *context)
{
	struct ibv_device_attr_ex device;
	struct ibv_port_attr port;
	struct ibv_gid_entry gid;
	union ibv_gid raw;
	__be16 pkey;

	CHECK_EQ(ibv_query_device_ex(context, NULL, &device), 0);
	CHECK_EQ(ibv_query_port(context, RC_PORT, &port), 0);
	CHECK_EQ(ibv_query_gid(context, RC_PORT, 0, &raw), 0);
	CHECK_EQ(ibv_query_gid_ex(context, RC_PORT, 0, &gid, 0), 0);
	CHECK_EQ(ibv_query_pkey(context, RC_PORT, 0, &pkey), 0);
}

static void memory_calls(struct ibv_pd *pd, uint8_t *memory)
{
	struct ibv_alloc_dm_attr attr = { .length = SIZE };
	struct ibv_mr *mr = CHECK_OBJECT(
	        ibv_reg_mr(pd, memory, SIZE, RC_ALL_ACCESS | IBV_ACCESS_ON_DEMAND));
	struct ibv_mr *null = CHECK_OBJECT(ibv_alloc_null_mr(pd));
	struct ibv_dm *dm = CHECK_OBJECT(ibv_alloc_dm(pd->context, &attr));
	struct ibv_mr *in_dm = CHECK_OBJECT(
	        ibv_reg_dm_mr(pd, dm, 0, SIZE, RC_ALL_ACCESS | IBV_ACCESS_ZERO_BASED));
	struct ibv_sge sge = { (uintptr_t)memory, SIZE, mr->lkey };

	CHECK_EQ(ibv_advise_mr(pd, IBV_ADVISE_MR_ADVICE_PREFETCH_WRITE, 0, &sge, 1), 0);
	CHECK_EQ(ibv_rereg_mr(mr, IBV_REREG_MR_CHANGE_TRANSLATION, NULL, memory, SIZE / 2,
	                      0),
	         0);
	CHECK_EQ(ibv_memcpy_to_dm(dm, 8, memory, 8), 0);
	CHECK_EQ(ibv_dereg_mr(in_dm), 0);
	CHECK_EQ(ibv_free_dm(dm), 0);
	CHECK_EQ(ibv_dereg_mr(null), 0);
	CHECK_EQ(ibv_dereg_mr(mr), 0);
}

/* Queue pairs with all that they take. */
static void queue_calls(struct ibv_pd *pd)
{
	struct ibv_srq_init_attr srq_init = { .attr = { 8, 1, 0 } };
	struct rc_config config = rc_default;
	struct rc_pair pair;
	struct ibv_srq *srq = CHECK_OBJECT(ibv_create_srq(pd, &srq_init));
	struct ibv_srq_attr attr;

	config.channel = true;
	config.shared_receive = true;
	rc_pair_open(&pair, &config);
	CHECK_EQ(ibv_req_notify_cq(pair.b.recv_cq, 0), 0);
	rc_recv(&pair.b, 1, 0, 64);
	rc_do(&pair.a, &(struct rc_op){ .opcode = IBV_WR_SEND,
	                                .id = 2,
	                                .flags = IBV_SEND_SIGNALED,
	                                .length = 8 });
	rc_sent(&pair.a, 2);
	rc_received(&pair.b, 1);
	rc_pair_close(&pair);
	CHECK_EQ(ibv_query_srq(srq, &attr), 0);
	CHECK_EQ(ibv_destroy_srq(srq), 0);
}

/* Takes whatever completions there are, its own or another thread's. */
static void take(struct common *common)
{
	struct ibv_wc wc[4];
	int count = ibv_poll_cq(common->pair.a.send_cq, 4, wc);

	CHECK(count >= 0);
	for (int i = 0; i < count; i++)
		CHECK_EQ(wc[i].status, IBV_WC_SUCCESS);
	__atomic_fetch_add(&common->taken, (unsigned int)count, __ATOMIC_RELAXED);
}

/* A window on a region of its own, in the domain and on the queue that all share. */
static void window_calls(struct common *common, uint8_t *memory)
{
	struct rc_end *end = &common->pair.a;
	struct ibv_mr *mr = CHECK_OBJECT(
	        ibv_reg_mr(end->pd, memory, SIZE, RC_ALL_ACCESS | IBV_ACCESS_MW_BIND));
	struct ibv_mw *mw = CHECK_OBJECT(ibv_alloc_mw(end->pd, IBV_MW_TYPE_1));
	struct ibv_mw_bind bind = { 1,
		                    IBV_SEND_SIGNALED,
		                    { mr, (uintptr_t)memory, SIZE,
		                      IBV_ACCESS_REMOTE_WRITE } };
	int err;

	while ((err = ibv_bind_mw(end->qp, mw, &bind)) == ENOMEM)
		take(common);
	CHECK_EQ(err, 0);
	__atomic_fetch_add(&common->sent, 1, __ATOMIC_RELAXED);
	CHECK_EQ(ibv_dereg_mr(mr), EBUSY);
	CHECK_EQ(ibv_dealloc_mw(mw), 0);
	CHECK_EQ(ibv_dereg_mr(mr), 0);
}

static void shared_queue_calls(struct common *common)
{
	struct rc_end *end = &common->pair.a;
	struct ibv_qp_attr attr = { .qp_access_flags = RC_ALL_ACCESS };
	struct ibv_qp_init_attr init;
	int err;

	while ((err = rc_post(end, &(struct rc_op){ .opcode = IBV_WR_RDMA_WRITE,
	                                            .flags = IBV_SEND_SIGNALED,
	                                            .length = 64 })) == ENOMEM)
		take(common);
	CHECK_EQ(err, 0);
	__atomic_fetch_add(&common->sent, 1, __ATOMIC_RELAXED);
	CHECK_EQ(ibv_modify_qp(end->qp, &attr, IBV_QP_ACCESS_FLAGS), 0);
	CHECK_EQ(ibv_query_qp(end->qp, &attr, IBV_QP_STATE, &init), 0);
	CHECK_EQ(attr.qp_state, IBV_QPS_RTS);
	take(common);
}

static void *live(void *argument)
{
	struct common *common = argument;
	struct ibv_context *context = common->pair.a.context;
	uint8_t *memory = CHECK_OBJECT(calloc(1, SIZE));

	pthread_barrier_wait(&common->start);
	for (int i = 0; i < ROUNDS; i++) {
		struct ibv_pd *pd = CHECK_OBJECT(ibv_alloc_pd(context));
		struct ibv_parent_domain_init_attr attr = { .pd = pd };
		struct ibv_pd *parent =
		        CHECK_OBJECT(ibv_alloc_parent_domain(context, &attr));

		device_calls(context);
		memory_calls(parent, memory);
		memory_calls(common->pair.a.pd, memory);
		window_calls(common, memory);
		shared_queue_calls(common);
		if (i % 8 == 0)
			queue_calls(pd);
		CHECK_EQ(ibv_dealloc_pd(parent), 0);
		CHECK_EQ(ibv_dealloc_pd(pd), 0);
	}
	free(memory);
	return NULL;
}

static void everything_at_once_body(struct side *side)
{
	pthread_t threads[THREADS];
	struct common common = { 0 };

	(void)side;
	rc_pair_open(&common.pair, &rc_default);
	pthread_barrier_init(&common.start, NULL, THREADS);
	for (int i = 0; i < THREADS; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, live, &common), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	while (common.taken < common.sent)
		take(&common);
	CHECK_EQ(common.taken, common.sent);
	rc_expect_nothing(common.pair.a.send_cq, 1);
	pthread_barrier_destroy(&common.start);
	rc_pair_close(&common.pair);
}
ALONE(everything_at_once)

/*
 * An event says by its handle which queue it is about. By the time the engine looks there
 * may be another queue with that handle, or one in the making.
 */
static void looked_at_while_made_body(struct side *side)
{
	struct ibv_srq_init_attr init = { .attr = { .max_wr = 4, .max_sge = 1 } };
	struct ibv_srq_attr limit = { .srq_limit = 2 };
	struct ibv_context *context = rc_open_device();
	struct ibv_pd *pd = CHECK_OBJECT(ibv_alloc_pd(context));

	(void)side;
	for (int i = 0; i < 2000; i++) {
		struct ibv_srq *srq = CHECK_OBJECT(ibv_create_srq(pd, &init));

		CHECK_EQ(ibv_modify_srq(srq, &limit, IBV_SRQ_LIMIT), 0);
		CHECK_EQ(ibv_destroy_srq(srq), 0);
	}
	CHECK_EQ(ibv_dealloc_pd(pd), 0);
	CHECK_EQ(ibv_close_device(context), 0);
}
ALONE(looked_at_while_made)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(everything_at_once),
		cmocka_unit_test(looked_at_while_made),
	};

	return cmocka_run_group_tests(tests, runtime_directory_make,
	                              runtime_directory_remove);
}
