// SPDX-License-Identifier: BSD-2-Clause
/* Answers over a network that are not what was asked for, or do not come. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "../unit/lib/check.h"
#include "../unit/lib/rcop.h"
#include "../unit/mock_dir.h"
#include "sim.h"
#include "wire/opcode.h"

static struct ibv_wc next_completion(struct ibv_cq *cq)
{
	struct ibv_wc wc;

	while (ibv_poll_cq(cq, 1, &wc) != 1)
		CHECK(sim_step());
	return wc;
}

/* Each side in packets of a size of its own. */
static void open_unequal(struct rc_pair *pair)
{
	static const struct sim_weather fair = { .delay_ns = 1000 };
	struct rc_config config = rc_default;

	sim_begin(1, &fair);
	config.mtu = IBV_MTU_512;
	rc_open(&pair->a, &config);
	config.mtu = IBV_MTU_1024;
	rc_open(&pair->b, &config);
	rc_connect(&pair->a, &pair->b.self);
	rc_connect(&pair->b, &pair->a.self);
}

/* IBA 9.9.2.3: responses of another length than the requester can expect. */
static void unequal_path_mtus(void **state)
{
	struct rc_pair pair;

	(void)state;
	open_unequal(&pair);
	rc_do(&pair.a,
	      &(struct rc_op){ .opcode = IBV_WR_RDMA_READ, .id = 1, .length = 2000 });
	rc_do(&pair.a,
	      &(struct rc_op){ .opcode = IBV_WR_RDMA_READ, .id = 2, .length = 8 });
	CHECK_EQ(next_completion(pair.a.send_cq).status, IBV_WC_BAD_RESP_ERR);
	CHECK_EQ(next_completion(pair.a.send_cq).status, IBV_WC_WR_FLUSH_ERR);
	rc_expect_state(&pair.a, IBV_QPS_ERR);
	rc_pair_close(&pair);
	/* What fits both is no mistake. */
	open_unequal(&pair);
	rc_do(&pair.a, &(struct rc_op){ .opcode = IBV_WR_RDMA_READ,
	                                .id = 1,
	                                .flags = IBV_SEND_SIGNALED,
	                                .length = 512 });
	CHECK_EQ(next_completion(pair.a.send_cq).status, IBV_WC_SUCCESS);
	rc_pair_close(&pair);
}

static unsigned int to_lose;

static bool lose_acknowledgement(uint8_t *bth, size_t length)
{
	(void)length;
	return bth[0] == RC_ACKNOWLEDGE && to_lose && to_lose--;
}

/* A program that has received all ends, and says nothing more: its peer has to hear of it
 * though the first acknowledgement was lost. */
static void last_acknowledgement_lost(void **state)
{
	static const struct sim_weather fair = { .delay_ns = 1000 };
	struct rc_pair pair;

	(void)state;
	for (unsigned int lost = 0; lost < 4; lost++) {
		sim_begin(1, &fair);
		to_lose = lost;
		sim_filter = lose_acknowledgement;
		rc_pair_open(&pair, &rc_default);
		rc_recv(&pair.b, 2, 64, 8);
		rc_do(&pair.a, &(struct rc_op){ .opcode = IBV_WR_SEND,
		                                .id = 1,
		                                .flags = IBV_SEND_SIGNALED,
		                                .length = 8 });
		CHECK_EQ(next_completion(pair.b.recv_cq).status, IBV_WC_SUCCESS);
		rc_to_reset(&pair.b);
		CHECK_EQ(next_completion(pair.a.send_cq).status, IBV_WC_SUCCESS);
		rc_pair_close(&pair);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unequal_path_mtus),
		cmocka_unit_test(last_acknowledgement_lost),
	};
	int failed;

	mock_dir_make();
	sim_install();
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	mock_dir_remove();
	return failed;
}
