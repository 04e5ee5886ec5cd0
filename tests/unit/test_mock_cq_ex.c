// SPDX-License-Identifier: BSD-2-Clause
/* Extended completion queues: ibv_start_poll() and what is read then, timestamps, and
 * what is refused. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "lib/check.h"
#include "lib/deadline.h"
#include "lib/rcop.h"

enum {
	TIMESTAMPS = IBV_WC_EX_WITH_COMPLETION_TIMESTAMP |
	             IBV_WC_EX_WITH_COMPLETION_TIMESTAMP_WALLCLOCK
};

static void open_pair(struct rc_pair *pair, uint64_t wc_flags, uint32_t cq_flags)
{
	struct rc_config config = rc_default;

	config.extended_cqs = true;
	config.wc_flags = wc_flags;
	config.cq_flags = cq_flags;
	rc_pair_open(pair, &config);
}

static int start(struct ibv_cq_ex *cq)
{
	struct ibv_poll_cq_attr attr = { 0 };

	return ibv_start_poll(cq, &attr);
}

static void start_patiently(struct ibv_cq_ex *cq)
{
	uint64_t end = deadline_in(PATIENCE_MS);
	int err;

	while ((err = start(cq)) == ENOENT)
		CHECK(!deadline_passed(end));
	CHECK_EQ(err, 0);
}

static void send_imm(struct rc_pair *pair, uint64_t id, uint32_t length)
{
	rc_recv(&pair->b, id, 0, 4096);
	rc_do(&pair->a, &(struct rc_op){ .opcode = IBV_WR_SEND_WITH_IMM,
	                                 .id = id,
	                                 .flags = IBV_SEND_SIGNALED,
	                                 .length = length,
	                                 .imm = 0x1000 + (uint32_t)id });
}

static void fields_body(struct side *side)
{
	struct ibv_wc_tm_info tag = { 1, 1 };
	struct rc_pair pair;
	struct ibv_cq_ex *cq;

	(void)side;
	open_pair(&pair, IBV_WC_STANDARD_FLAGS, 0);
	CHECK_EQ(start(pair.b.recv_cqx), ENOENT);
	send_imm(&pair, 7, 24);
	cq = pair.b.recv_cqx;
	start_patiently(cq);
	CHECK_EQ(cq->wr_id, 7);
	CHECK_EQ(cq->status, IBV_WC_SUCCESS);
	CHECK_EQ(ibv_wc_read_opcode(cq), IBV_WC_RECV);
	CHECK_EQ(ibv_wc_read_byte_len(cq), 24);
	CHECK_EQ(ibv_wc_read_wc_flags(cq), IBV_WC_WITH_IMM);
	CHECK_EQ(ibv_wc_read_imm_data(cq), htobe32(0x1007));
	CHECK_EQ(ibv_wc_read_qp_num(cq), pair.b.qp->qp_num);
	CHECK_EQ(ibv_wc_read_src_qp(cq), pair.a.qp->qp_num);
	CHECK_EQ(ibv_wc_read_slid(cq), 0);
	CHECK_EQ(ibv_wc_read_sl(cq), 0);
	CHECK_EQ(ibv_wc_read_dlid_path_bits(cq), 0);
	CHECK_EQ(ibv_wc_read_vendor_err(cq), 0);
	/* Not asked for, and not to be had: nothing, but no crash. */
	CHECK_EQ(ibv_wc_read_completion_ts(cq), 0);
	CHECK_EQ(ibv_wc_read_cvlan(cq), 0);
	CHECK_EQ(ibv_wc_read_flow_tag(cq), 0);
	ibv_wc_read_tm_info(cq, &tag);
	CHECK(!tag.tag && !tag.priv);
	CHECK_EQ(ibv_next_poll(cq), ENOENT);
	ibv_end_poll(cq);
	cq = pair.a.send_cqx;
	start_patiently(cq);
	CHECK_EQ(cq->wr_id, 7);
	CHECK_EQ(ibv_wc_read_opcode(cq), IBV_WC_SEND);
	ibv_end_poll(cq);
	CHECK_EQ(start(cq), ENOENT);
	rc_pair_close(&pair);
}
ALONE(fields)

/* The entry that is current stays what it is while the queue goes on to fill. */
static void batches_body(struct side *side)
{
	struct rc_pair pair;
	struct ibv_cq_ex *cq;
	struct ibv_wc wc;

	(void)side;
	open_pair(&pair, IBV_WC_STANDARD_FLAGS, 0);
	cq = pair.b.recv_cqx;
	for (uint64_t i = 0; i < 5; i++)
		send_imm(&pair, i, 8);
	start_patiently(cq);
	send_imm(&pair, 5, 8);
	for (uint64_t i = 0; i < 6; i++) {
		CHECK_EQ(cq->wr_id, i);
		CHECK_EQ(be32toh(ibv_wc_read_imm_data(cq)), 0x1000 + i);
		CHECK_EQ(ibv_next_poll(cq), i < 5 ? 0 : ENOENT);
	}
	ibv_end_poll(cq);
	/* Ending a batch early leaves the rest; the two ways to poll go together. */
	for (uint64_t i = 0; i < 4; i++)
		send_imm(&pair, 10 + i, 8);
	start_patiently(cq);
	CHECK_EQ(cq->wr_id, 10);
	ibv_end_poll(cq);
	CHECK_EQ(ibv_poll_cq(pair.b.recv_cq, 1, &wc), 1);
	CHECK_EQ(wc.wr_id, 11);
	start_patiently(cq);
	CHECK_EQ(cq->wr_id, 12);
	CHECK_EQ(ibv_next_poll(cq), 0);
	CHECK_EQ(cq->wr_id, 13);
	ibv_end_poll(cq);
	CHECK_EQ(start(cq), ENOENT);
	rc_pair_close(&pair);
}
ALONE(batches)

/* Small payloads lie in the completion until it is taken: their place is checked then. */
static void payload_body(struct side *side)
{
	struct rc_pair pair;

	(void)side;
	open_pair(&pair, IBV_WC_STANDARD_FLAGS, 0);
	rc_fill(pair.a.buffer, 4096, 3);
	send_imm(&pair, 1, 48);
	send_imm(&pair, 2, 2000);
	start_patiently(pair.b.recv_cqx);
	rc_expect_filled(pair.b.buffer, 48, 3);
	CHECK_EQ(ibv_next_poll(pair.b.recv_cqx), 0);
	rc_expect_filled(pair.b.buffer, 2000, 3);
	ibv_end_poll(pair.b.recv_cqx);
	rc_pair_close(&pair);
}
ALONE(payload)

static void errors_body(struct side *side)
{
	struct rc_pair pair;

	(void)side;
	open_pair(&pair, IBV_WC_STANDARD_FLAGS, 0);
	rc_recv(&pair.b, 1, 0, 64);
	rc_recv(&pair.b, 2, 0, 64);
	rc_to_error(&pair.b);
	start_patiently(pair.b.recv_cqx);
	CHECK_EQ(pair.b.recv_cqx->status, IBV_WC_WR_FLUSH_ERR);
	CHECK_EQ(pair.b.recv_cqx->wr_id, 1);
	CHECK_EQ(ibv_next_poll(pair.b.recv_cqx), 0);
	CHECK_EQ(pair.b.recv_cqx->wr_id, 2);
	ibv_end_poll(pair.b.recv_cqx);
	rc_pair_close(&pair);
}
ALONE(errors)

static uint64_t raw_clock(struct ibv_context *context)
{
	struct ibv_values_ex values = { .comp_mask = IBV_VALUES_MASK_RAW_CLOCK };

	CHECK_EQ(ibv_query_rt_values_ex(context, &values), 0);
	CHECK_EQ(values.comp_mask, IBV_VALUES_MASK_RAW_CLOCK);
	return (uint64_t)values.raw_clock.tv_sec * 1000000000 +
	       (uint64_t)values.raw_clock.tv_nsec;
}

static uint64_t wall_clock(void)
{
	struct timespec now;

	CHECK_CALL(clock_gettime(CLOCK_REALTIME, &now));
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

struct stamp {
	uint64_t raw, wall;
};

static struct stamp stamp_of_one(struct rc_pair *pair, uint64_t id)
{
	struct ibv_cq_ex *cq = pair->b.recv_cqx;
	struct stamp stamp;

	start_patiently(cq);
	CHECK_EQ(cq->wr_id, id);
	stamp.raw = ibv_wc_read_completion_ts(cq);
	stamp.wall = ibv_wc_read_completion_wallclock_ns(cq);
	ibv_end_poll(cq);
	return stamp;
}

/* Times are when the entry was put in, not when it was taken out. */
static void timestamps_body(struct side *side)
{
	uint64_t raw[3], wall[2];
	struct ibv_device_attr_ex device;
	struct stamp stamp[2];
	struct rc_pair pair;
	uint64_t ticks;

	(void)side;
	open_pair(&pair, TIMESTAMPS | IBV_WC_STANDARD_FLAGS, 0);
	CHECK_EQ(ibv_query_device_ex(pair.a.context, NULL, &device), 0);
	CHECK(device.completion_timestamp_mask && device.hca_core_clock);
	raw[0] = raw_clock(pair.b.context);
	wall[0] = wall_clock();
	send_imm(&pair, 1, 8);
	raw[1] = raw_clock(pair.b.context);
	send_imm(&pair, 2, 8);
	raw[2] = raw_clock(pair.b.context);
	wall[1] = wall_clock();
	stamp[0] = stamp_of_one(&pair, 1);
	stamp[1] = stamp_of_one(&pair, 2);
	CHECK(raw[0] <= stamp[0].raw && stamp[0].raw <= raw[1]);
	CHECK(raw[1] <= stamp[1].raw && stamp[1].raw <= raw[2]);
	/* What converting between clocks that are read one after the other can be off. */
	CHECK(wall[0] <= stamp[0].wall + 1000000 && stamp[1].wall <= wall[1] + 1000000);
	ticks = stamp[1].raw - stamp[0].raw;
	CHECK_EQ(stamp[1].wall - stamp[0].wall, ticks * 1000000 / device.hca_core_clock);
	rc_pair_close(&pair);
}
ALONE(timestamps)

/* Each of the two flags alone is enough for its own reading. */
static void one_timestamp_alone_body(struct side *side)
{
	static const uint64_t flags[] = { IBV_WC_EX_WITH_COMPLETION_TIMESTAMP,
		                          IBV_WC_EX_WITH_COMPLETION_TIMESTAMP_WALLCLOCK };
	struct stamp stamp;
	struct rc_pair pair;

	(void)side;
	for (int i = 0; i < 2; i++) {
		open_pair(&pair, flags[i], 0);
		send_imm(&pair, 1, 8);
		stamp = stamp_of_one(&pair, 1);
		CHECK(i == 0 ? stamp.raw != 0 : stamp.wall > UINT64_C(1000000000) << 30);
		rc_pair_close(&pair);
	}
}
ALONE(one_timestamp_alone)

static void rt_values_body(struct side *side)
{
	struct ibv_context *context = rc_open_device();
	struct ibv_values_ex values = { .comp_mask = 0 };

	(void)side;
	CHECK_EQ(ibv_query_rt_values_ex(context, &values), 0);
	CHECK_EQ(values.comp_mask, 0);
	values.comp_mask = ~0u; /* what is not known is not marked as queried */
	CHECK_EQ(ibv_query_rt_values_ex(context, &values), 0);
	CHECK_EQ(values.comp_mask, IBV_VALUES_MASK_RAW_CLOCK);
	CHECK_EQ(ibv_close_device(context), 0);
}
ALONE(rt_values)

static void refused_body(struct side *side)
{
	static const uint64_t absent[] = { IBV_WC_EX_WITH_CVLAN, IBV_WC_EX_WITH_FLOW_TAG,
		                           IBV_WC_EX_WITH_TM_INFO, UINT64_C(1) << 40 };
	struct ibv_context *context = rc_open_device();
	struct ibv_cq_init_attr_ex good = { .cqe = 8 }, attr;
	struct ibv_poll_cq_attr poll = { .comp_mask = 1 };
	struct ibv_device_attr device;
	struct ibv_cq_ex *cq;

	(void)side;
	for (size_t i = 0; i < sizeof(absent) / sizeof(absent[0]); i++) {
		attr = good;
		attr.wc_flags = IBV_WC_EX_WITH_BYTE_LEN | absent[i];
		CHECK_FAILS(ibv_create_cq_ex(context, &attr), EOPNOTSUPP);
	}
	attr = good;
	attr.comp_mask = 1u << 30;
	CHECK_FAILS(ibv_create_cq_ex(context, &attr), EOPNOTSUPP);
	attr.comp_mask = IBV_CQ_INIT_ATTR_MASK_FLAGS;
	attr.flags = 1u << 30;
	CHECK_FAILS(ibv_create_cq_ex(context, &attr), EOPNOTSUPP);
	CHECK_EQ(ibv_query_device(context, &device), 0);
	for (int i = 0; i < 3; i++) {
		attr = good;
		attr.cqe = i == 0 ? 0 : i == 1 ? (uint32_t)device.max_cqe + 1 : ~0u;
		CHECK_FAILS(ibv_create_cq_ex(context, &attr), EINVAL);
	}
	attr = good;
	attr.comp_vector = (uint32_t)context->num_comp_vectors;
	CHECK_FAILS(ibv_create_cq_ex(context, &attr), EINVAL);
	/* Flags count only where the mask says that they are there. */
	attr = good;
	attr.flags = 1u << 30;
	cq = CHECK_OBJECT(ibv_create_cq_ex(context, &attr));
	CHECK(cq->cqe >= 8);
	CHECK_EQ(ibv_start_poll(cq, &poll), EINVAL);
	CHECK_EQ(ibv_destroy_cq(ibv_cq_ex_to_cq(cq)), 0);
	CHECK_EQ(ibv_close_device(context), 0);
}
ALONE(refused)

/* ibv_alloc_parent_domain(3): it stays as long as what was made with it. */
static void parent_domain_body(struct side *side)
{
	struct ibv_parent_domain_init_attr init = { 0 };
	struct ibv_cq_init_attr_ex attr = { .cqe = 8,
		                            .comp_mask = IBV_CQ_INIT_ATTR_MASK_PD };
	struct ibv_cq_ex *cq;
	struct ibv_pd *parent;
	struct rc_end end;

	(void)side;
	rc_open(&end, &rc_default);
	CHECK_FAILS(ibv_create_cq_ex(end.context, &attr), EINVAL);
	attr.parent_domain = end.pd;
	CHECK_FAILS(ibv_create_cq_ex(end.context, &attr), EINVAL);
	init.pd = end.pd;
	parent = CHECK_OBJECT(ibv_alloc_parent_domain(end.context, &init));
	attr.parent_domain = parent;
	cq = CHECK_OBJECT(ibv_create_cq_ex(end.context, &attr));
	CHECK_EQ(ibv_dealloc_pd(parent), EBUSY);
	CHECK_EQ(ibv_destroy_cq(ibv_cq_ex_to_cq(cq)), 0);
	CHECK_EQ(ibv_dealloc_pd(parent), 0);
	rc_close(&end);
}
ALONE(parent_domain)

/* Within a batch, what the program does to the queue and its QPs is as at any time; only
 * polling it a second time has no meaning. */
static void within_a_batch_body(struct side *side)
{
	struct rc_pair pair;
	struct ibv_cq_ex *cq;
	struct ibv_wc wc;

	(void)side;
	open_pair(&pair, IBV_WC_STANDARD_FLAGS, 0);
	cq = pair.b.recv_cqx;
	CHECK_EQ(ibv_next_poll(cq), EINVAL); /* none is open */
	CHECK_EQ(ibv_wc_read_byte_len(cq), 0);
	ibv_end_poll(cq);
	for (uint64_t i = 0; i < 3; i++)
		send_imm(&pair, i, 8);
	start_patiently(cq);
	CHECK_EQ(start(cq), EBUSY);
	CHECK_EQ(ibv_poll_cq(pair.b.recv_cq, 1, &wc), -EBUSY);
	CHECK_EQ(ibv_resize_cq(pair.b.recv_cq, 5000), 0);
	CHECK_EQ(cq->wr_id, 0);
	CHECK_EQ(be32toh(ibv_wc_read_imm_data(cq)), 0x1000);
	CHECK_EQ(ibv_next_poll(cq), 0);
	CHECK_EQ(be32toh(ibv_wc_read_imm_data(cq)), 0x1001);
	/* The rest goes with the QP; what is current can still be read. */
	CHECK_EQ(ibv_destroy_qp(pair.b.qp), 0);
	pair.b.qp = NULL;
	CHECK_EQ(be32toh(ibv_wc_read_imm_data(cq)), 0x1001);
	CHECK_EQ(ibv_next_poll(cq), ENOENT);
	ibv_end_poll(cq);
	CHECK_EQ(start(cq), ENOENT);
	rc_pair_close(&pair);
}
ALONE(within_a_batch)

/* One thread posts from within a batch to a QP that another resets. */
struct resetter {
	struct rc_pair *pair;
	_Atomic bool done;
};

static void *reset_a(void *argument)
{
	struct resetter *self = argument;

	rc_to_reset(&self->pair->a);
	atomic_store(&self->done, true);
	return NULL;
}

static void reset_meets_batch_body(struct side *side)
{
	struct resetter resetter = { 0 };
	unsigned int calls = 0;
	struct rc_pair pair;
	pthread_t thread;

	(void)side;
	open_pair(&pair, IBV_WC_STANDARD_FLAGS, 0);
	resetter.pair = &pair;
	send_imm(&pair, 1, 8);
	start_patiently(pair.a.send_cqx);
	CHECK_EQ(pthread_create(&thread, NULL, reset_a, &resetter), 0);
	/* In RESET it waits for the batch to end; posting does not wait for it. */
	while (rc_post(&pair.a, &(struct rc_op){ .opcode = IBV_WR_RDMA_WRITE,
	                                         .length = 8 }) != EINVAL)
		wait_a_little(&calls);
	CHECK(!atomic_load(&resetter.done));
	CHECK_EQ(pair.a.send_cqx->wr_id, 1);
	ibv_end_poll(pair.a.send_cqx);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	rc_pair_close(&pair);
}
ALONE(reset_meets_batch)

/* The device reports no moderation of events, and refuses it. */
static void moderation_body(struct side *side)
{
	struct ibv_modify_cq_attr attr = { .attr_mask = IBV_CQ_ATTR_MODERATE,
		                           .moderate = { .cq_count = 4,
		                                         .cq_period = 10 } };
	struct ibv_device_attr_ex device;
	struct rc_end end;

	(void)side;
	rc_open(&end, &rc_default);
	CHECK_EQ(ibv_query_device_ex(end.context, NULL, &device), 0);
	CHECK_EQ(device.cq_mod_caps.max_cq_count, 0);
	CHECK_EQ(ibv_modify_cq(end.send_cq, &attr), EOPNOTSUPP);
	rc_close(&end);
}
ALONE(moderation)

static void single_threaded_body(struct side *side)
{
	struct rc_pair pair;

	(void)side;
	open_pair(&pair, IBV_WC_STANDARD_FLAGS, IBV_CREATE_CQ_ATTR_SINGLE_THREADED);
	for (uint64_t i = 0; i < 100; i++) {
		send_imm(&pair, i, 8);
		start_patiently(pair.b.recv_cqx);
		CHECK_EQ(pair.b.recv_cqx->wr_id, i);
		ibv_end_poll(pair.b.recv_cqx);
		start_patiently(pair.a.send_cqx);
		ibv_end_poll(pair.a.send_cqx);
	}
	rc_pair_close(&pair);
}
ALONE(single_threaded)

/* ibv_create_cq_ex(3): entries are lost, and nothing else happens. */
static void ignored_overrun_body(struct side *side)
{
	struct rc_config config = rc_default;
	struct rc_pair pair;
	uint64_t taken = 0;
	int capacity;

	(void)side;
	config.extended_cqs = true;
	config.cq_depth = 4;
	config.cq_flags = IBV_CREATE_CQ_ATTR_IGNORE_OVERRUN;
	rc_pair_open(&pair, &config);
	capacity = pair.a.send_cq->cqe;
	CHECK(capacity + 3 <= (int)config.send_depth);
	for (int i = 0; i < capacity + 3; i++)
		rc_do(&pair.a, &(struct rc_op){ .opcode = IBV_WR_RDMA_WRITE,
		                                .id = (uint64_t)i,
		                                .flags = IBV_SEND_SIGNALED,
		                                .length = 8 });
	rc_expect_state(&pair.a, IBV_QPS_RTS);
	while (start(pair.a.send_cqx) == 0) {
		CHECK_EQ(pair.a.send_cqx->status, IBV_WC_SUCCESS);
		taken++;
		ibv_end_poll(pair.a.send_cqx);
	}
	CHECK_EQ(taken, capacity);
	rc_do(&pair.a, &(struct rc_op){ .opcode = IBV_WR_RDMA_WRITE,
	                                .id = 99,
	                                .flags = IBV_SEND_SIGNALED,
	                                .length = 8 });
	rc_sent(&pair.a, 99);
	rc_pair_close(&pair);
}
ALONE(ignored_overrun)

static void channel_body(struct side *side)
{
	struct rc_config config = rc_default;
	struct ibv_cq *from;
	struct rc_pair pair;
	void *context;

	(void)side;
	config.extended_cqs = config.channel = true;
	rc_pair_open(&pair, &config);
	CHECK_EQ(ibv_req_notify_cq(pair.b.recv_cq, 0), 0);
	send_imm(&pair, 1, 8);
	CHECK_EQ(ibv_get_cq_event(pair.b.channel, &from, &context), 0);
	CHECK(from == pair.b.recv_cq);
	ibv_ack_cq_events(from, 1);
	rc_received(&pair.b, 1);
	rc_pair_close(&pair);
}
ALONE(channel)

/* Threads that poll one queue: each completion goes to one, whole. */
enum { POLLERS = 2, MESSAGES = 400 };

struct shared {
	struct rc_pair *pair;
	_Atomic uint32_t taken;
	_Atomic uint8_t seen[MESSAGES];
};

static void *poll_some(void *argument)
{
	struct shared *shared = argument;
	struct ibv_cq_ex *cq = shared->pair->b.recv_cqx;
	uint64_t end = deadline_in(PATIENCE_MS);
	unsigned int calls = 0;

	while (atomic_load(&shared->taken) < MESSAGES) {
		CHECK(!deadline_passed(end));
		if (start(cq)) {
			wait_a_little(&calls);
			continue;
		}
		do {
			CHECK(cq->wr_id < MESSAGES);
			CHECK_EQ(be32toh(ibv_wc_read_imm_data(cq)), 0x1000 + cq->wr_id);
			CHECK_EQ(atomic_fetch_add(&shared->seen[cq->wr_id], 1), 0);
			atomic_fetch_add(&shared->taken, 1);
		} while (!ibv_next_poll(cq));
		ibv_end_poll(cq);
	}
	return NULL;
}

static void many_pollers_body(struct side *side)
{
	struct shared shared = { 0 };
	pthread_t threads[POLLERS];
	struct rc_pair pair;
	struct ibv_wc wc;

	(void)side;
	open_pair(&pair, IBV_WC_STANDARD_FLAGS, 0);
	shared.pair = &pair;
	for (int i = 0; i < POLLERS; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, poll_some, &shared), 0);
	for (uint64_t i = 0; i < MESSAGES; i++) {
		unsigned int calls = 0;

		while (rc_post_recv(&pair.b, i, 0, 4096))
			wait_a_little(&calls);
		rc_do(&pair.a, &(struct rc_op){ .opcode = IBV_WR_SEND_WITH_IMM,
		                                .id = i,
		                                .flags = IBV_SEND_SIGNALED,
		                                .length = 8,
		                                .imm = 0x1000 + (uint32_t)i });
		wc = rc_next(pair.a.send_cq);
		CHECK_EQ(wc.wr_id, i);
	}
	for (int i = 0; i < POLLERS; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
	CHECK_EQ(shared.taken, MESSAGES);
	rc_pair_close(&pair);
}
ALONE(many_pollers)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fields),
		cmocka_unit_test(batches),
		cmocka_unit_test(payload),
		cmocka_unit_test(errors),
		cmocka_unit_test(timestamps),
		cmocka_unit_test(one_timestamp_alone),
		cmocka_unit_test(rt_values),
		cmocka_unit_test(refused),
		cmocka_unit_test(parent_domain),
		cmocka_unit_test(within_a_batch),
		cmocka_unit_test(reset_meets_batch),
		cmocka_unit_test(moderation),
		cmocka_unit_test(single_threaded),
		cmocka_unit_test(ignored_overrun),
		cmocka_unit_test(channel),
		cmocka_unit_test(many_pollers),
	};

	return cmocka_run_group_tests(tests, runtime_directory_make,
	                              runtime_directory_remove);
}
