// SPDX-License-Identifier: BSD-2-Clause
/*
 * Reliable connections over a network that loses, repeats and disorders packets: all
 * operations, of all sizes, at all MTUs. Whatever the network does, each completes once,
 * in order and well, and moves its bytes and no others.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../unit/lib/check.h"
#include "../unit/lib/counter.h"
#include "../unit/lib/protect.h"
#include "../unit/lib/rc.h"
#include "../unit/mock_dir.h"
#include "sim.h"

enum {
	OPS = 24,
	SLOT = 48 * 1024, /* bytes of each buffer that an operation has */
	ROUNDS_MOST = 200000,
	UNTOUCHED = 0xee,
};

struct op {
	enum ibv_wr_opcode opcode;
	uint32_t length, receive; /* its turn among those that take a receive */
	uint64_t add;
	bool fence;
};

struct run {
	struct rc_pair pair;
	struct op op[OPS];
	unsigned int posted, completed, receives, posted_receives, received;
	uint64_t sum; /* of the atomics' adds so far */
};

static uint64_t this_seed;

static uint8_t byte_at(unsigned int op, uint32_t place)
{
	return (uint8_t)(op * 37 + place * 11 + (place >> 8) * 5 + 1);
}

static void fill(uint8_t *to, unsigned int op, uint32_t length)
{
	for (uint32_t i = 0; i < length; i++)
		to[i] = byte_at(op, i);
}

static void expect(const uint8_t *at, unsigned int op, uint32_t length)
{
	for (uint32_t i = 0; i < length; i++)
		if (at[i] != byte_at(op, i))
			check_failed(__FILE__, __LINE__,
			             "seed %llu: operation %u: byte %u of %u is wrong",
			             (unsigned long long)this_seed, op, i, length);
	for (uint32_t i = length; i < SLOT; i++)
		if (at[i] != UNTOUCHED)
			check_failed(__FILE__, __LINE__,
			             "seed %llu: operation %u: byte %u beyond %u was "
			             "written",
			             (unsigned long long)this_seed, op, i, length);
}

static bool takes_receive(enum ibv_wr_opcode opcode)
{
	return opcode == IBV_WR_SEND || opcode == IBV_WR_SEND_WITH_IMM ||
	       opcode == IBV_WR_RDMA_WRITE_WITH_IMM;
}

static bool is_atomic(enum ibv_wr_opcode opcode)
{
	return opcode == IBV_WR_ATOMIC_FETCH_AND_ADD ||
	       opcode == IBV_WR_ATOMIC_CMP_AND_SWP;
}

static bool is_word(enum ibv_wr_opcode opcode)
{
	return is_atomic(opcode) || opcode == IBV_WR_ATOMIC_WRITE;
}

static uint32_t some_length(uint32_t mtu)
{
	switch (sim_random() % 6) {
	case 0: return 0;
	case 1: return (uint32_t)sim_between(1, 64);
	case 2: return mtu * (uint32_t)sim_between(1, 4);
	case 3: return mtu * (uint32_t)sim_between(1, 4) + (uint32_t)sim_between(1, 3);
	case 4: return (uint32_t)sim_between(1, SLOT);
	default: return (uint32_t)sim_between(1, 4 * mtu);
	}
}

static void plan(struct run *run, uint32_t mtu)
{
	static const enum ibv_wr_opcode opcodes[] = {
		IBV_WR_SEND,
		IBV_WR_SEND_WITH_IMM,
		IBV_WR_RDMA_WRITE,
		IBV_WR_RDMA_WRITE_WITH_IMM,
		IBV_WR_RDMA_READ,
		IBV_WR_ATOMIC_FETCH_AND_ADD,
		IBV_WR_ATOMIC_CMP_AND_SWP,
		IBV_WR_ATOMIC_WRITE,
	};

	for (unsigned int i = 0; i < OPS; i++) {
		struct op *op = &run->op[i];

		op->opcode = opcodes[sim_random() % (sizeof(opcodes) / sizeof(*opcodes))];
		op->length = is_word(op->opcode) ? 8 : some_length(mtu);
		if (op->length > SLOT)
			op->length = SLOT;
		op->fence = sim_random() % 8 == 0;
		op->add = sim_random() % 1000;
		op->receive = run->receives;
		run->receives += takes_receive(op->opcode);
	}
}

/* The first half of a buffer is where what the end sends comes from, and what it reads
 * goes; the second is its peer's. Behind both: a counter for the atomics. */
static uint8_t *slot(struct rc_end *end, unsigned int half, unsigned int index)
{
	return end->buffer + ((size_t)half * OPS + index) * SLOT;
}

static uint64_t *counter(struct rc_end *end)
{
	return (uint64_t *)(end->buffer + (size_t)2 * OPS * SLOT);
}

static void prepare(struct run *run)
{
	memset(run->pair.a.buffer, UNTOUCHED, (size_t)2 * OPS * SLOT);
	memset(run->pair.b.buffer, UNTOUCHED, (size_t)2 * OPS * SLOT);
	*counter(&run->pair.b) = 0;
	for (unsigned int i = 0; i < OPS; i++) {
		const struct op *op = &run->op[i];

		if (op->opcode == IBV_WR_RDMA_READ)
			fill(slot(&run->pair.b, 1, i), i, op->length);
		else if (!is_atomic(op->opcode))
			fill(slot(&run->pair.a, 0, i), i, op->length);
	}
}

static void post_one(struct run *run)
{
	unsigned int index = run->posted++;
	const struct op *op = &run->op[index];
	struct rc_end *end = &run->pair.a;
	uint8_t *local = slot(end, 0, index);
	uint32_t first = op->length / 3;
	struct ibv_sge sges[2] = {
		{ (uintptr_t)local, first, end->mr->lkey },
		{ (uintptr_t)local + first, op->length - first, end->mr->lkey },
	};
	struct ibv_send_wr *bad, wr = {
		.wr_id = index,
		.sg_list = sges,
		.num_sge = 2,
		.opcode = op->opcode,
		.send_flags = IBV_SEND_SIGNALED | (op->fence ? IBV_SEND_FENCE : 0),
		.imm_data = index,
	};

	if (is_atomic(op->opcode)) {
		sges[0].length = 8;
		wr.num_sge = 1;
		wr.wr.atomic.remote_addr = end->peer.buffer + (uint64_t)2 * OPS * SLOT;
		wr.wr.atomic.rkey = end->peer.rkey;
		wr.wr.atomic.compare_add =
		        op->opcode == IBV_WR_ATOMIC_FETCH_AND_ADD ? op->add : UINT64_MAX;
		wr.wr.atomic.swap = 1;
	} else {
		wr.wr.rdma.remote_addr =
		        end->peer.buffer + ((uint64_t)OPS + index) * SLOT;
		wr.wr.rdma.rkey = end->peer.rkey;
	}
	CHECK_EQ(ibv_post_send(end->qp, &wr, &bad), 0);
}

static void post_receive(struct run *run)
{
	struct rc_end *end = &run->pair.b;
	unsigned int index = run->posted_receives++;
	uint8_t *place = slot(end, 0, index);
	struct ibv_sge sges[2] = {
		{ (uintptr_t)place, 1000, end->mr->lkey },
		{ (uintptr_t)place + 1000, SLOT - 1000, end->mr->lkey },
	};
	struct ibv_recv_wr *bad, wr = { .wr_id = index, .sg_list = sges, .num_sge = 2 };

	CHECK_EQ(ibv_post_recv(end->qp, &wr, &bad), 0);
}

static void check_sent(struct run *run, const struct ibv_wc *wc)
{
	unsigned int index = run->completed++;
	const struct op *op = &run->op[index];
	uint64_t found;

	if (wc->status != IBV_WC_SUCCESS)
		check_failed(__FILE__, __LINE__, "seed %llu: operation %u: %s",
		             (unsigned long long)this_seed, index,
		             ibv_wc_status_str(wc->status));
	CHECK_EQ(wc->wr_id, index);
	if (op->opcode == IBV_WR_RDMA_READ) {
		expect(slot(&run->pair.a, 0, index), index, op->length);
	} else if (is_atomic(op->opcode)) {
		memcpy(&found, slot(&run->pair.a, 0, index), sizeof(found));
		CHECK_EQ(found, run->sum);
		if (op->opcode == IBV_WR_ATOMIC_FETCH_AND_ADD)
			run->sum += op->add;
	} else if (op->opcode != IBV_WR_SEND && op->opcode != IBV_WR_SEND_WITH_IMM) {
		expect(slot(&run->pair.b, 1, index), index, op->length);
	}
}

/* Which operation took the receive that completes now. */
static unsigned int op_of_receive(const struct run *run, unsigned int receive)
{
	for (unsigned int i = 0; i < OPS; i++)
		if (takes_receive(run->op[i].opcode) && run->op[i].receive == receive)
			return i;
	return OPS;
}

static void check_received(struct run *run, const struct ibv_wc *wc)
{
	unsigned int index = op_of_receive(run, run->received);
	const struct op *op = &run->op[index];

	CHECK_EQ(wc->status, IBV_WC_SUCCESS);
	CHECK_EQ(wc->wr_id, run->received++);
	CHECK_EQ(wc->byte_len, op->length);
	if (op->opcode != IBV_WR_SEND)
		CHECK_EQ(wc->imm_data, index);
	CHECK_EQ(wc->opcode, op->opcode == IBV_WR_RDMA_WRITE_WITH_IMM
	                             ? IBV_WC_RECV_RDMA_WITH_IMM
	                             : IBV_WC_RECV);
	if (op->opcode != IBV_WR_RDMA_WRITE_WITH_IMM)
		expect(slot(&run->pair.b, 0, (unsigned int)wc->wr_id), index, op->length);
}

static void poll_both(struct run *run)
{
	struct ibv_wc wc;

	while (ibv_poll_cq(run->pair.a.send_cq, 1, &wc) == 1)
		check_sent(run, &wc);
	while (ibv_poll_cq(run->pair.b.recv_cq, 1, &wc) == 1)
		check_received(run, &wc);
}

static void act(struct run *run)
{
	if (run->posted < OPS && sim_random() % 4 == 0)
		for (uint64_t n = sim_between(1, 6); n && run->posted < OPS; n--)
			post_one(run);
	if (run->posted_receives < run->receives && sim_random() % 6 == 0)
		post_receive(run);
}

static void drive(struct run *run)
{
	unsigned int rounds = 0;

	while (run->completed < OPS || run->received < run->receives) {
		act(run);
		if (!sim_step() && run->posted == OPS &&
		    run->posted_receives == run->receives)
			check_failed(__FILE__, __LINE__,
			             "seed %llu: nothing is to come, and %u of %u done",
			             (unsigned long long)this_seed, run->completed, OPS);
		poll_both(run);
		if (++rounds > ROUNDS_MOST)
			check_failed(__FILE__, __LINE__,
			             "seed %llu: it does not end: %u of %u done",
			             (unsigned long long)this_seed, run->completed, OPS);
	}
	CHECK_EQ(*counter(&run->pair.b), run->sum);
}

static void one_seed(uint64_t seed, const struct sim_weather *weather,
                     void (*before_rtr)(struct rc_end *end))
{
	struct run run = { 0 };
	struct rc_config config = rc_default;

	this_seed = seed;
	sim_begin(seed, weather);
	config.mtu = (enum ibv_mtu)sim_between(IBV_MTU_256, IBV_MTU_4096);
	config.buffer_size = (size_t)2 * OPS * SLOT + sizeof(uint64_t);
	config.reads_out = config.reads_in = (uint8_t)sim_between(1, 16);
	config.rnr_timer = (uint8_t)sim_between(1, 20);
	config.timeout = (uint8_t)sim_between(12, 20);
	config.before_rtr = before_rtr;
	rc_pair_open(&run.pair, &config);
	plan(&run, 128u << config.mtu);
	prepare(&run);
	drive(&run);
	rc_pair_close(&run.pair);
}

/* How many, and from which on: SIM_SEEDS and SIM_SEED, for longer runs and for one. */
static void seeds_with(const struct sim_weather *weather,
                       void (*before_rtr)(struct rc_end *end))
{
	const char *count = getenv("SIM_SEEDS"), *from = getenv("SIM_SEED");
	uint64_t most = count ? strtoull(count, NULL, 10) : sim_seeds(30);
	uint64_t seed = from ? strtoull(from, NULL, 10) : 1;

	for (uint64_t i = 0; i < most; i++)
		one_seed(seed + i, weather, before_rtr);
}

static void seeds(const struct sim_weather *weather)
{
	seeds_with(weather, NULL);
}

static void fair(void **state)
{
	static const struct sim_weather weather = { .delay_ns = 20000, .batch = 700 };

	(void)state;
	seeds(&weather);
}

static void full(void **state)
{
	static const struct sim_weather weather = { .delay_ns = 20000,
		                                    .batch = 700,
		                                    .full = 300 };

	(void)state;
	seeds(&weather);
}

static void lossy(void **state)
{
	static const struct sim_weather weather = { .delay_ns = 20000,
		                                    .batch = 500,
		                                    .loss = 50 };

	(void)state;
	seeds(&weather);
}

static const struct sim_weather bad = { .delay_ns = 50000,
	                                .batch = 500,
	                                .loss = 60,
	                                .duplicate = 50,
	                                .reorder = 50,
	                                .full = 100 };

static void storm(void **state)
{
	(void)state;
	seeds(&bad);
}

/* The same, and no packet is forged, altered or in clear. Each that the network repeats
 * is found out. */
static void protected_storm(void **state)
{
	struct ibv_context *context = rc_open_device(); /* what is counted stays */
	uint64_t tag = count_of("drop_tag"), plain = count_of("drop_plain");
	uint64_t repeated = count_of("drop_repeated");

	(void)state;
	seeds_with(&bad, rc_protect);
	CHECK_EQ(count_of("drop_tag"), tag);
	CHECK_EQ(count_of("drop_plain"), plain);
	CHECK(count_of("drop_repeated") > repeated);
	CHECK_EQ(ibv_close_device(context), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fair),
		cmocka_unit_test(full),
		cmocka_unit_test(lossy),
		cmocka_unit_test(storm),
		cmocka_unit_test(protected_storm),
	};
	int failed;

	mock_dir_make();
	sim_install();
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	mock_dir_remove();
	return failed;
}
