// SPDX-License-Identifier: BSD-2-Clause
/* Memory regions: rights, bounds, keys, and how the three together are enforced. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/check.h"
#include "lib/rcop.h"

/* IBA 10.6.3.1: remote write and remote atomic need local write. */
static bool legal_access(int access)
{
	if (access & (IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_REMOTE_ATOMIC))
		return access & IBV_ACCESS_LOCAL_WRITE;
	return true;
}

static void access_combinations_body(struct side *side)
{
	struct ibv_context *context = rc_open_device();
	struct ibv_pd *pd = CHECK_OBJECT(ibv_alloc_pd(context));
	static char buffer[4096];

	(void)side;
	for (int access = 0; access <= RC_ALL_ACCESS; access++) {
		struct ibv_mr *mr;

		if (access & ~RC_ALL_ACCESS)
			continue;
		if (!legal_access(access)) {
			CHECK_FAILS(ibv_reg_mr(pd, buffer, sizeof(buffer), access),
			            EINVAL);
			continue;
		}
		mr = CHECK_OBJECT(ibv_reg_mr(pd, buffer, sizeof(buffer), access));
		CHECK(mr->addr == buffer && mr->length == sizeof(buffer));
		CHECK(mr->pd == pd && mr->context == context);
		CHECK_EQ(ibv_dereg_mr(mr), 0);
	}
	CHECK_EQ(ibv_dealloc_pd(pd), 0);
	CHECK_EQ(ibv_close_device(context), 0);
}
ALONE(access_combinations)

/* Flags of the optional range are hints: a device that does not know them goes on. */
static void optional_access_body(struct side *side)
{
	struct ibv_context *context = rc_open_device();
	struct ibv_pd *pd = CHECK_OBJECT(ibv_alloc_pd(context));
	static char buffer[64];
	struct ibv_mr *mr = CHECK_OBJECT(
	        ibv_reg_mr(pd, buffer, sizeof(buffer),
	                   IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_RELAXED_ORDERING));

	(void)side;
	CHECK_EQ(ibv_dereg_mr(mr), 0);
	CHECK_FAILS(ibv_reg_mr(pd, buffer, sizeof(buffer), 1 << 15), EINVAL);
	CHECK_EQ(ibv_dealloc_pd(pd), 0);
	CHECK_EQ(ibv_close_device(context), 0);
}
ALONE(optional_access)

/* A range that wraps around the end of the address space is no range. */
static void impossible_range_body(struct side *side)
{
	struct ibv_context *context = rc_open_device();
	struct ibv_pd *pd = CHECK_OBJECT(ibv_alloc_pd(context));

	(void)side;
	errno = 0;
	CHECK(!ibv_reg_mr(pd, (void *)(UINTPTR_MAX - 100), 4096, IBV_ACCESS_LOCAL_WRITE));
	CHECK(errno != 0);
	CHECK_EQ(ibv_dealloc_pd(pd), 0);
	CHECK_EQ(ibv_close_device(context), 0);
}
ALONE(impossible_range)

static void pd_in_use_body(struct side *side)
{
	struct ibv_context *context = rc_open_device();
	struct ibv_pd *pd = CHECK_OBJECT(ibv_alloc_pd(context));
	static char buffer[64];
	struct ibv_mr *mr = CHECK_OBJECT(ibv_reg_mr(pd, buffer, sizeof(buffer), 0));

	(void)side;
	CHECK_EQ(ibv_dealloc_pd(pd), EBUSY);
	CHECK_EQ(ibv_dereg_mr(mr), 0);
	CHECK_EQ(ibv_dealloc_pd(pd), 0);
	CHECK_EQ(ibv_close_device(context), 0);
}
ALONE(pd_in_use)

enum { KEYS = 64 };

/* Neither a counter nor anything else whose next value the last ones tell. */
static void expect_unpredictable(const uint32_t *keys, uint32_t high_bits)
{
	uint32_t set = 0, clear = 0;
	int equal_steps = 0, rising = 0;

	for (int i = 0; i < KEYS; i++) {
		set |= keys[i];
		clear |= ~keys[i];
		for (int j = 0; j < i; j++)
			CHECK(keys[i] != keys[j]);
	}
	for (int i = 2; i < KEYS; i++)
		equal_steps += keys[i] - keys[i - 1] == keys[i - 1] - keys[i - 2];
	for (int i = 1; i < KEYS; i++)
		rising += keys[i] > keys[i - 1];
	/* Each of these bits is the same in 64 fair draws once in 2^63. */
	CHECK_EQ(set & high_bits, high_bits);
	CHECK_EQ(clear & high_bits, high_bits);
	CHECK(equal_steps <= 2);
	/* 63 fair comparisons stay inside by more than 7 standard deviations. */
	CHECK(rising > 3 && rising < 60);
}

static void keys_are_unpredictable_body(struct side *side)
{
	struct ibv_context *context = rc_open_device();
	struct ibv_pd *pd = CHECK_OBJECT(ibv_alloc_pd(context));
	static char buffer[64];
	struct ibv_mr *mrs[KEYS];
	uint32_t keys[KEYS];

	(void)side;
	for (int i = 0; i < KEYS; i++) {
		mrs[i] = CHECK_OBJECT(
		        ibv_reg_mr(pd, buffer, sizeof(buffer), RC_ALL_ACCESS));
		keys[i] = mrs[i]->rkey;
	}
	expect_unpredictable(keys, 0xffff0000);
	for (int i = 0; i < KEYS; i++)
		CHECK_EQ(ibv_dereg_mr(mrs[i]), 0);
	CHECK_EQ(ibv_dealloc_pd(pd), 0);
	CHECK_EQ(ibv_close_device(context), 0);
}
ALONE(keys_are_unpredictable)

/* One after another, so that a device which gives the freed key again is seen. */
static void reused_keys_are_unpredictable_body(struct side *side)
{
	struct ibv_context *context = rc_open_device();
	struct ibv_pd *pd = CHECK_OBJECT(ibv_alloc_pd(context));
	static char buffer[64];
	uint32_t keys[KEYS];

	(void)side;
	for (int i = 0; i < KEYS; i++) {
		struct ibv_mr *mr = CHECK_OBJECT(
		        ibv_reg_mr(pd, buffer, sizeof(buffer), RC_ALL_ACCESS));

		keys[i] = mr->rkey;
		CHECK_EQ(ibv_dereg_mr(mr), 0);
	}
	expect_unpredictable(keys, 0xff000000);
	CHECK_EQ(ibv_dealloc_pd(pd), 0);
	CHECK_EQ(ibv_close_device(context), 0);
}
ALONE(reused_keys_are_unpredictable)

static void qp_numbers_are_unpredictable_body(struct side *side)
{
	struct rc_end end;
	struct ibv_qp *qps[KEYS];
	uint32_t numbers[KEYS];

	(void)side;
	rc_open(&end, &rc_default);
	for (int i = 0; i < KEYS; i++) {
		struct ibv_qp_init_attr attr = {
			.send_cq = end.send_cq,
			.recv_cq = end.recv_cq,
			.cap = { 1, 1, 1, 1, 0 },
			.qp_type = IBV_QPT_RC,
		};

		qps[i] = CHECK_OBJECT(ibv_create_qp(end.pd, &attr));
		numbers[i] = qps[i]->qp_num;
		/* 0 and 1 are the management QPs, 0xffffff is multicast. */
		CHECK(numbers[i] > 1 && numbers[i] < 0xffffff);
	}
	expect_unpredictable(numbers, 0xff0000);
	for (int i = 0; i < KEYS; i++)
		CHECK_EQ(ibv_destroy_qp(qps[i]), 0);
	rc_close(&end);
}
ALONE(qp_numbers_are_unpredictable)

/* --- what a peer may reach ------------------------------------------------------------
 */

static struct ibv_wc write_to(struct rc_pair *pair, uint64_t address, uint32_t rkey,
                              uint32_t length)
{
	rc_do(&pair->a, &(struct rc_op){ .opcode = IBV_WR_RDMA_WRITE,
	                                 .flags = IBV_SEND_SIGNALED,
	                                 .length = length,
	                                 .remote = address - pair->a.peer.buffer,
	                                 .rkey = rkey });
	return rc_next(pair->a.send_cq);
}

/* A connected pair whose a-side writes are tried once; the pair is used up by a refusal.
 */
static void expect_write(uint64_t address, const struct ibv_mr *mr, struct rc_pair *pair,
                         uint32_t length, enum ibv_wc_status status)
{
	struct ibv_wc wc;

	CHECK(mr);
	rc_fill(pair->a.buffer, length, 5);
	wc = write_to(pair, address, mr->rkey, length);
	CHECK_EQ(wc.status, status);
	if (status == IBV_WC_SUCCESS)
		return;
	rc_expect_state(&pair->a, IBV_QPS_ERR);
	rc_to_reset(&pair->a);
	rc_to_reset(&pair->b);
	rc_connect(&pair->a, &pair->b.self);
	rc_connect(&pair->b, &pair->a.self);
}

static void bounds_body(struct side *side)
{
	enum { SIZE = 256, START = 1000 };
	struct rc_pair pair;
	struct ibv_mr *mr;
	uint64_t base;

	(void)side;
	rc_pair_open(&pair, &rc_default);
	mr = CHECK_OBJECT(
	        ibv_reg_mr(pair.b.pd, pair.b.buffer + START, SIZE, RC_ALL_ACCESS));
	base = (uintptr_t)(pair.b.buffer + START);

	expect_write(base, mr, &pair, SIZE, IBV_WC_SUCCESS);
	rc_expect_filled(pair.b.buffer + START, SIZE, 5);
	memset(pair.b.buffer, 0, START + 2 * SIZE);

	expect_write(base - 1, mr, &pair, 1, IBV_WC_REM_ACCESS_ERR);
	expect_write(base - 1, mr, &pair, SIZE, IBV_WC_REM_ACCESS_ERR);
	expect_write(base + SIZE, mr, &pair, 1, IBV_WC_REM_ACCESS_ERR);
	expect_write(base + 1, mr, &pair, SIZE, IBV_WC_REM_ACCESS_ERR);
	expect_write(base, mr, &pair, SIZE + 1, IBV_WC_REM_ACCESS_ERR);
	/* The sum of address and length wraps to a small number. */
	expect_write(UINT64_MAX - 7, mr, &pair, 64, IBV_WC_REM_ACCESS_ERR);
	expect_write(0, mr, &pair, 1, IBV_WC_REM_ACCESS_ERR);
	rc_expect_only(pair.b.buffer, START + 2 * SIZE, 0);

	expect_write(base + SIZE - 1, mr, &pair, 1, IBV_WC_SUCCESS);
	CHECK_EQ(ibv_dereg_mr(mr), 0);
	rc_pair_close(&pair);
}
ALONE(bounds)

/* IBA 9.7.4.1.2: the key of a request without data is not checked. */
static void no_data_needs_no_key_body(struct side *side)
{
	struct rc_pair pair;

	(void)side;
	rc_pair_open(&pair, &rc_default);
	CHECK_EQ(write_to(&pair, 0, 0x12345, 0).status, IBV_WC_SUCCESS);
	rc_do(&pair.a, &(struct rc_op){ .opcode = IBV_WR_RDMA_READ,
	                                .id = 2,
	                                .flags = IBV_SEND_SIGNALED,
	                                .rkey = 0x54321 });
	rc_sent(&pair.a, 2);
	rc_pair_close(&pair);
}
ALONE(no_data_needs_no_key)

static void foreign_keys_body(struct side *side)
{
	struct rc_pair pair;
	struct ibv_pd *other;
	struct ibv_mr *mr;
	uint64_t base;

	(void)side;
	rc_pair_open(&pair, &rc_default);
	base = (uintptr_t)pair.b.buffer;
	other = CHECK_OBJECT(ibv_alloc_pd(pair.b.context));
	mr = CHECK_OBJECT(ibv_reg_mr(other, pair.b.buffer, 64, RC_ALL_ACCESS));
	expect_write(base, mr, &pair, 8, IBV_WC_REM_ACCESS_ERR);
	/* The initiator's own region is of its own PD, even at the right address. */
	expect_write((uintptr_t)pair.a.buffer, pair.a.mr, &pair, 8,
	             IBV_WC_REM_ACCESS_ERR);
	rc_expect_only(pair.b.buffer, 64, 0);
	CHECK_EQ(ibv_dereg_mr(mr), 0);
	CHECK_EQ(ibv_dealloc_pd(other), 0);
	rc_pair_close(&pair);
}
ALONE(foreign_keys)

static void deregistered_key_body(struct side *side)
{
	struct rc_pair pair;
	struct ibv_mr *mr, gone;
	uint64_t base;

	(void)side;
	rc_pair_open(&pair, &rc_default);
	base = (uintptr_t)pair.b.buffer;
	mr = CHECK_OBJECT(ibv_reg_mr(pair.b.pd, pair.b.buffer, 64, RC_ALL_ACCESS));
	gone = *mr;
	expect_write(base, mr, &pair, 8, IBV_WC_SUCCESS);
	CHECK_EQ(ibv_dereg_mr(mr), 0);
	expect_write(base, &gone, &pair, 8, IBV_WC_REM_ACCESS_ERR);
	rc_pair_close(&pair);
}
ALONE(deregistered_key)

/* A key that differs from a valid one in any single bit opens nothing. */
static void near_keys_body(struct side *side)
{
	struct rc_pair pair;

	(void)side;
	rc_pair_open(&pair, &rc_default);
	for (int bit = 0; bit < 32; bit++) {
		struct ibv_mr near = *pair.b.mr;

		near.rkey ^= 1u << bit;
		expect_write((uintptr_t)pair.b.buffer, &near, &pair, 8,
		             IBV_WC_REM_ACCESS_ERR);
	}
	rc_expect_only(pair.b.buffer, 64, 0);
	expect_write((uintptr_t)pair.b.buffer, pair.b.mr, &pair, 8, IBV_WC_SUCCESS);
	rc_pair_close(&pair);
}
ALONE(near_keys)

static void zero_based_body(struct side *side)
{
	struct rc_pair pair;
	struct ibv_mr *mr;

	(void)side;
	rc_pair_open(&pair, &rc_default);
	mr = CHECK_OBJECT(ibv_reg_mr(pair.b.pd, pair.b.buffer + 512, 256,
	                             RC_ALL_ACCESS | IBV_ACCESS_ZERO_BASED));
	expect_write(0, mr, &pair, 256, IBV_WC_SUCCESS);
	rc_expect_filled(pair.b.buffer + 512, 256, 5);
	expect_write(16, mr, &pair, 8, IBV_WC_SUCCESS);
	CHECK_BYTES(pair.b.buffer + 512 + 16, pair.a.buffer, 8);
	expect_write(249, mr, &pair, 8, IBV_WC_REM_ACCESS_ERR);
	expect_write((uintptr_t)pair.b.buffer + 512, mr, &pair, 8, IBV_WC_REM_ACCESS_ERR);
	CHECK_EQ(ibv_dereg_mr(mr), 0);
	rc_pair_close(&pair);
}
ALONE(zero_based)

/* With flags that are not a constant, <infiniband/verbs.h> calls ibv_reg_mr_iova2(). */
static void zero_based_with_computed_flags_body(struct side *side)
{
	volatile int access = RC_ALL_ACCESS | IBV_ACCESS_ZERO_BASED;
	struct rc_pair pair;
	struct ibv_mr *mr;

	(void)side;
	rc_pair_open(&pair, &rc_default);
	mr = CHECK_OBJECT(ibv_reg_mr(pair.b.pd, pair.b.buffer + 512, 256, access));
	expect_write(0, mr, &pair, 256, IBV_WC_SUCCESS);
	rc_expect_filled(pair.b.buffer + 512, 256, 5);
	CHECK_EQ(ibv_dereg_mr(mr), 0);
	rc_pair_close(&pair);
}
ALONE(zero_based_with_computed_flags)

/* What an adapter could not pin is refused when it is registered, unless it is to be
 * paged on demand. */
static void memory_that_is_not_there_body(struct side *side)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	uint8_t *map = mmap(NULL, 3 * page, PROT_READ | PROT_WRITE,
	                    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct rc_pair pair;
	struct ibv_mr *mr;

	(void)side;
	CHECK_EQ(map == MAP_FAILED, false);
	rc_pair_open(&pair, &rc_default);
	CHECK_EQ(munmap(map + page, page), 0);
	CHECK_FAILS(ibv_reg_mr(pair.a.pd, map, 3 * page, RC_ALL_ACCESS), EFAULT);
	mr = CHECK_OBJECT(ibv_reg_mr(pair.a.pd, map, 3 * page,
	                             RC_ALL_ACCESS | IBV_ACCESS_ON_DEMAND));
	CHECK_EQ(ibv_dereg_mr(mr), 0);
	CHECK_EQ(mprotect(map, page, PROT_READ), 0);
	CHECK_FAILS(ibv_reg_mr(pair.a.pd, map, page, IBV_ACCESS_LOCAL_WRITE), EFAULT);
	mr = CHECK_OBJECT(ibv_reg_mr(pair.a.pd, map, page, IBV_ACCESS_REMOTE_READ));
	CHECK_EQ(ibv_dereg_mr(mr), 0);
	rc_pair_close(&pair);
}
ALONE(memory_that_is_not_there)

static void own_virtual_address_body(struct side *side)
{
	const uint64_t iova = UINT64_C(0x123400005678);
	struct rc_pair pair;
	struct ibv_mr *mr;

	(void)side;
	rc_pair_open(&pair, &rc_default);
	mr = CHECK_OBJECT(ibv_reg_mr_iova(pair.b.pd, pair.b.buffer + 512, 256, iova,
	                                  RC_ALL_ACCESS));
	expect_write(iova, mr, &pair, 256, IBV_WC_SUCCESS);
	rc_expect_filled(pair.b.buffer + 512, 256, 5);
	expect_write(iova - 1, mr, &pair, 8, IBV_WC_REM_ACCESS_ERR);
	expect_write(iova + 249, mr, &pair, 8, IBV_WC_REM_ACCESS_ERR);
	expect_write((uintptr_t)pair.b.buffer + 512, mr, &pair, 8, IBV_WC_REM_ACCESS_ERR);
	CHECK_EQ(ibv_dereg_mr(mr), 0);
	rc_pair_close(&pair);
}
ALONE(own_virtual_address)

/* Local use of such a region goes by its own addresses too. */
static void own_virtual_address_locally_body(struct side *side)
{
	const uint64_t iova = UINT64_C(0x7700000000);
	struct rc_pair pair;
	struct ibv_sge from;
	struct ibv_mr *mr;

	(void)side;
	rc_pair_open(&pair, &rc_default);
	mr = CHECK_OBJECT(ibv_reg_mr_iova(pair.a.pd, pair.a.buffer + 128, 64, iova,
	                                  IBV_ACCESS_LOCAL_WRITE));
	rc_fill(pair.a.buffer + 128, 64, 9);
	from = (struct ibv_sge){ .addr = iova, .length = 64, .lkey = mr->lkey };
	rc_do(&pair.a, &(struct rc_op){ .opcode = IBV_WR_RDMA_WRITE,
	                                .id = 1,
	                                .flags = IBV_SEND_SIGNALED,
	                                .sges = &from,
	                                .sge_count = 1 });
	rc_sent(&pair.a, 1);
	rc_expect_filled(pair.b.buffer, 64, 9);
	CHECK_EQ(ibv_dereg_mr(mr), 0);
	rc_pair_close(&pair);
}
ALONE(own_virtual_address_locally)

/* Two regions over the same memory have rights of their own. */
static void overlapping_regions_body(struct side *side)
{
	struct rc_pair pair;
	struct ibv_mr *readable, *writable;
	uint64_t base;

	(void)side;
	rc_pair_open(&pair, &rc_default);
	base = (uintptr_t)pair.b.buffer;
	readable = CHECK_OBJECT(
	        ibv_reg_mr(pair.b.pd, pair.b.buffer, 128, IBV_ACCESS_REMOTE_READ));
	writable = CHECK_OBJECT(
	        ibv_reg_mr(pair.b.pd, pair.b.buffer, 128,
	                   IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE));
	expect_write(base, writable, &pair, 64, IBV_WC_SUCCESS);
	expect_write(base, readable, &pair, 64, IBV_WC_REM_ACCESS_ERR);
	CHECK_EQ(ibv_dereg_mr(readable), 0);
	CHECK_EQ(ibv_dereg_mr(writable), 0);
	rc_pair_close(&pair);
}
ALONE(overlapping_regions)

static void many_regions_body(struct side *side)
{
	enum { COUNT = 3000 };
	struct ibv_context *context = rc_open_device();
	struct ibv_pd *pd = CHECK_OBJECT(ibv_alloc_pd(context));
	static struct ibv_mr *mrs[COUNT];
	static char buffer[COUNT];

	(void)side;
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < COUNT; i++)
			mrs[i] = CHECK_OBJECT(ibv_reg_mr(pd, buffer + i, 1, 0));
		for (int i = 0; i < COUNT; i++)
			CHECK_EQ(ibv_dereg_mr(mrs[i]), 0);
	}
	CHECK_EQ(ibv_dealloc_pd(pd), 0);
	CHECK_EQ(ibv_close_device(context), 0);
}
ALONE(many_regions)

/* Memory that was unmapped under its registration fails the request, not the process. */
static void vanished_memory_target(struct side *side)
{
	struct rc_end end;

	rc_side_open(side, &end, &rc_default);
	munmap(end.buffer, end.config.buffer_size);
	side_meet(side);
	rc_side_close(side, &end);
}

static void vanished_memory_initiator(struct side *side)
{
	struct rc_end end;
	struct ibv_wc wc;

	rc_side_open(side, &end, &rc_default);
	side_meet(side);
	rc_do(&end, &(struct rc_op){ .opcode = IBV_WR_RDMA_WRITE,
	                             .flags = IBV_SEND_SIGNALED,
	                             .length = 64 });
	wc = rc_next(end.send_cq);
	CHECK(wc.status == IBV_WC_REM_OP_ERR || wc.status == IBV_WC_REM_ACCESS_ERR);
	rc_expect_state(&end, IBV_QPS_ERR);
	rc_side_close(side, &end);
}

static void vanished_memory(void **state)
{
	(void)state;
	sides_run(SIDES_PROCESSES, vanished_memory_initiator, vanished_memory_target,
	          NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(access_combinations),
		cmocka_unit_test(optional_access),
		cmocka_unit_test(impossible_range),
		cmocka_unit_test(pd_in_use),
		cmocka_unit_test(keys_are_unpredictable),
		cmocka_unit_test(reused_keys_are_unpredictable),
		cmocka_unit_test(qp_numbers_are_unpredictable),
		cmocka_unit_test(bounds),
		cmocka_unit_test(no_data_needs_no_key),
		cmocka_unit_test(foreign_keys),
		cmocka_unit_test(deregistered_key),
		cmocka_unit_test(near_keys),
		cmocka_unit_test(zero_based),
		cmocka_unit_test(zero_based_with_computed_flags),
		cmocka_unit_test(memory_that_is_not_there),
		cmocka_unit_test(own_virtual_address),
		cmocka_unit_test(own_virtual_address_locally),
		cmocka_unit_test(overlapping_regions),
		cmocka_unit_test(many_regions),
		cmocka_unit_test(vanished_memory),
	};

	return cmocka_run_group_tests(tests, runtime_directory_make,
	                              runtime_directory_remove);
}
