// SPDX-License-Identifier: BSD-2-Clause
/*
 * What an attacker would have to guess is drawn, not counted: PSNs of libsrdma, and QP
 * numbers and keys of the device, by the estimators of lib/entropy.h. Counters, as some
 * devices have them, are the control that must fail.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lib/check.h"
#include "lib/entropy.h"
#include "lib/rc.h"
#include "session/psn.h"

enum { NUMBERS = 4096 };

/* Bits of min-entropy of a bit. What is drawn at random gives 0.76 and more with so many
 * numbers, since the estimators take the far end of their confidence. */
#define DRAWN 0.7

static uint32_t number[NUMBERS];

static void check_drawn(void)
{
	double least = entropy_least(number, NUMBERS);

	if (least < DRAWN)
		check_failed(__FILE__, __LINE__, "%.3f bits of a bit", least);
}

static void psns_are_drawn(void **state)
{
	(void)state;
	for (int i = 0; i < NUMBERS; i++) {
		CHECK_EQ(psn_draw(&number[i]), 0);
		CHECK(number[i] != 0 && number[i] <= PSN_MASK);
	}
	check_drawn();
}

static void qp_numbers_are_drawn(void **state)
{
	struct ibv_context *context = rc_open_device();
	struct ibv_pd *pd = CHECK_OBJECT(ibv_alloc_pd(context));
	struct ibv_cq *cq = CHECK_OBJECT(ibv_create_cq(context, 1, NULL, NULL, 0));
	struct ibv_qp_init_attr attr = { .send_cq = cq,
		                         .recv_cq = cq,
		                         .cap = { 1, 1, 1, 1, 0 },
		                         .qp_type = IBV_QPT_RC };

	(void)state;
	for (int i = 0; i < NUMBERS; i++) {
		struct ibv_qp *qp = CHECK_OBJECT(ibv_create_qp(pd, &attr));

		number[i] = qp->qp_num;
		CHECK_EQ(ibv_destroy_qp(qp), 0);
	}
	check_drawn();
	CHECK_EQ(ibv_destroy_cq(cq), 0);
	CHECK_EQ(ibv_dealloc_pd(pd), 0);
	CHECK_EQ(ibv_close_device(context), 0);
}

/* The low byte is the consumer's to choose (IBA 10.6.3.3): the index above it has to be
 * drawn. */
static void keys_are_drawn(void **state)
{
	static uint8_t memory[64];
	struct ibv_context *context = rc_open_device();
	struct ibv_pd *pd = CHECK_OBJECT(ibv_alloc_pd(context));

	(void)state;
	for (int i = 0; i < NUMBERS; i++) {
		struct ibv_mr *mr = CHECK_OBJECT(
		        ibv_reg_mr(pd, memory, sizeof(memory), RC_ALL_ACCESS));

		number[i] = mr->rkey >> 8;
		CHECK_EQ(ibv_dereg_mr(mr), 0);
	}
	check_drawn();
	CHECK_EQ(ibv_dealloc_pd(pd), 0);
	CHECK_EQ(ibv_close_device(context), 0);
}

static void check_counter(uint32_t from, uint32_t step)
{
	for (uint32_t i = 0; i < NUMBERS; i++)
		number[i] = (from + i * step) & PSN_MASK;
	CHECK(entropy_least(number, NUMBERS) < DRAWN);
}

static void counters_are_seen(void **state)
{
	(void)state;
	check_counter(0, 0);
	check_counter(17, 1);
	check_counter(0x123456, 1);
	check_counter(0x1000, 0x100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(psns_are_drawn),
		cmocka_unit_test(qp_numbers_are_drawn),
		cmocka_unit_test(keys_are_drawn),
		cmocka_unit_test(counters_are_seen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
