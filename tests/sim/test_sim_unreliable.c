// SPDX-License-Identifier: BSD-2-Clause
/*
 * Unreliable transports over a network that loses and disorders packets: what arrives is
 * whole, is one of the messages that were sent, and is where it belongs; what lost a
 * packet never arrives. Over a fair network all arrive.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../unit/lib/check.h"
#include "../unit/lib/rc.h"
#include "../unit/lib/ud.h"
#include "../unit/mock_dir.h"
#include "base/util.h"
#include "sim.h"

enum { MESSAGES = 30, SLOT = 6000, SEEDS = 40, LIST_MOST = 6 };

struct run {
	struct rc_pair pair;
	struct ibv_ah *ah;
	unsigned int most; /* bytes of a message */
	unsigned int sent, received;
};

static const struct sim_weather fair_weather = { .delay_ns = 1000, .batch = 700 };
static const struct sim_weather storm_weather = { .delay_ns = 1000,
	                                          .batch = 700,
	                                          .loss = 60,
	                                          .duplicate = 30,
	                                          .reorder = 60,
	                                          .full = 100 };

/* Of message i: its number, its length and bytes that follow from both. */
static uint32_t fill(uint8_t *at, uint32_t index, uint32_t length)
{
	memcpy(at, &index, sizeof(index));
	memcpy(at + 4, &length, sizeof(length));
	for (uint32_t i = 8; i < length; i++)
		at[i] = (uint8_t)(index * 31 + i * 7 + (i >> 8));
	return length;
}

static uint32_t check_message(const uint8_t *at, uint32_t length)
{
	uint8_t expected[SLOT];
	uint32_t index;

	memcpy(&index, at, sizeof(index));
	CHECK(index < MESSAGES);
	fill(expected, index, length);
	CHECK_BYTES(at, expected, length);
	return index;
}

static struct ibv_send_wr request(struct run *run, struct ibv_sge *sge)
{
	struct rc_end *end = &run->pair.a;
	uint32_t length = (uint32_t)sim_between(8, run->most);
	uint8_t *from = end->buffer + (size_t)run->sent * SLOT;

	fill(from, run->sent, length);
	*sge = (struct ibv_sge){ (uintptr_t)from, length, end->mr->lkey };
	return (struct ibv_send_wr){ .wr_id = run->sent,
		                     .sg_list = sge,
		                     .num_sge = 1,
		                     .opcode = IBV_WR_SEND,
		                     .send_flags = IBV_SEND_SIGNALED };
}

static void address(const struct run *run, struct ibv_send_wr *wr)
{
	const struct rc_end *end = &run->pair.a;

	if (run->ah) {
		wr->wr.ud.ah = run->ah;
		wr->wr.ud.remote_qpn = run->pair.b.self.qpn;
		wr->wr.ud.remote_qkey = UD_QKEY;
	} else if (sim_random() % 2) {
		wr->opcode = IBV_WR_RDMA_WRITE_WITH_IMM;
		wr->imm_data = run->sent;
		wr->wr.rdma.rkey = end->peer.rkey;
		wr->wr.rdma.remote_addr =
		        end->peer.buffer + (uint64_t)(MESSAGES + run->sent) * SLOT;
	}
}

/* A list of as many as there are left, or fewer. */
static void send_some(struct run *run)
{
	unsigned int count =
	        (unsigned int)sim_between(1, min_u64(LIST_MOST, MESSAGES - run->sent));
	struct ibv_send_wr *bad, list[LIST_MOST];
	struct ibv_sge sge[LIST_MOST];

	for (unsigned int i = 0; i < count; i++) {
		list[i] = request(run, &sge[i]);
		address(run, &list[i]);
		list[i].next = i + 1 < count ? &list[i + 1] : NULL;
		run->sent++;
	}
	CHECK_EQ(ibv_post_send(run->pair.a.qp, list, &bad), 0);
}

static void post_receives(struct run *run)
{
	struct rc_end *end = &run->pair.b;

	for (uint64_t i = 0; i < MESSAGES; i++) {
		struct ibv_sge sge = { (uintptr_t)end->buffer + i * SLOT, SLOT,
			               end->mr->lkey };
		struct ibv_recv_wr *bad,
		        wr = { .wr_id = i, .sg_list = &sge, .num_sge = 1 };

		CHECK_EQ(ibv_post_recv(end->qp, &wr, &bad), 0);
	}
}

/* In order, as the network may lose and repeat, but these do not repeat for UC. */
static void take(struct run *run, const struct ibv_wc *wc)
{
	const uint8_t *at = run->pair.b.buffer + wc->wr_id * SLOT;
	uint32_t index, header = run->ah ? UD_GRH : 0;

	CHECK_EQ(wc->status, IBV_WC_SUCCESS);
	if (wc->opcode == IBV_WC_RECV_RDMA_WITH_IMM) {
		index = wc->imm_data;
		at = run->pair.b.buffer + (size_t)(MESSAGES + index) * SLOT;
		CHECK_EQ(check_message(at, wc->byte_len), index);
	} else {
		check_message(at + header, wc->byte_len - header);
	}
	run->received++;
}

static void poll_both(struct run *run, unsigned int *completed)
{
	struct ibv_wc wc;

	while (ibv_poll_cq(run->pair.a.send_cq, 1, &wc) == 1) {
		CHECK_EQ(wc.status, IBV_WC_SUCCESS);
		CHECK_EQ(wc.wr_id, (*completed)++);
	}
	while (ibv_poll_cq(run->pair.b.recv_cq, 1, &wc) == 1)
		take(run, &wc);
}

static void drive(struct run *run)
{
	unsigned int completed = 0;

	post_receives(run);
	while (run->sent < MESSAGES || completed < MESSAGES) {
		if (run->sent < MESSAGES)
			send_some(run);
		sim_step();
		poll_both(run, &completed);
	}
	while (sim_step())
		poll_both(run, &completed);
	rc_expect_state(&run->pair.b, IBV_QPS_RTS);
}

static void open_uc(struct run *run)
{
	struct rc_config config = rc_default;

	config.type = IBV_QPT_UC;
	config.mtu = (enum ibv_mtu)sim_between(IBV_MTU_256, IBV_MTU_4096);
	config.buffer_size = (size_t)2 * MESSAGES * SLOT;
	rc_pair_open(&run->pair, &config);
	run->most = SLOT;
}

static void open_ud(struct run *run)
{
	struct rc_config config = ud_default;

	config.buffer_size = (size_t)2 * MESSAGES * SLOT;
	ud_open(&run->pair.a, &config);
	ud_open(&run->pair.b, &config);
	run->ah = ud_handle(&run->pair.a, &run->pair.b.self.gid);
	run->most = 1024;
}

/* How many arrived of those that were sent. */
static unsigned int one_seed(uint64_t seed, void (*open)(struct run *run),
                             const struct sim_weather *weather)
{
	struct run run = { 0 };

	sim_begin(seed, weather);
	open(&run);
	drive(&run);
	if (run.ah)
		CHECK_EQ(ibv_destroy_ah(run.ah), 0);
	rc_pair_close(&run.pair);
	return run.received;
}

static void fair(void (*open)(struct run *run))
{
	for (uint64_t seed = 1; seed <= sim_seeds(SEEDS); seed++)
		CHECK_EQ(one_seed(seed, open, &fair_weather), MESSAGES);
}

/* Some arrive, and some do not. */
static void storm(void (*open)(struct run *run))
{
	unsigned int received = 0;

	for (uint64_t seed = 1; seed <= sim_seeds(SEEDS); seed++)
		received += one_seed(seed, open, &storm_weather);
	CHECK(received > sim_seeds(SEEDS) * MESSAGES / 4 &&
	      received < sim_seeds(SEEDS) * MESSAGES);
}

static void uc_fair(void **state)
{
	(void)state;
	fair(open_uc);
}

static void uc_storm(void **state)
{
	(void)state;
	storm(open_uc);
}

static void ud_fair(void **state)
{
	(void)state;
	fair(open_ud);
}

static void ud_storm(void **state)
{
	(void)state;
	storm(open_ud);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(uc_fair),
		cmocka_unit_test(uc_storm),
		cmocka_unit_test(ud_fair),
		cmocka_unit_test(ud_storm),
	};
	int failed;

	mock_dir_make();
	sim_install();
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	mock_dir_remove();
	return failed;
}
