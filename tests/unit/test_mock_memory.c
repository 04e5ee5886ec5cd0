// SPDX-License-Identifier: BSD-2-Clause
/*
 * Memory beyond plain regions: regions that change, advice, the null region, device
 * memory, parent domains with their allocators.
 */
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/check.h"
#include "lib/rcop.h"

enum { SIZE = 4096 };

static void reconnect(struct rc_pair *pair)
{
	rc_to_reset(&pair->a);
	rc_to_reset(&pair->b);
	rc_connect(&pair->a, &pair->b.self);
	rc_connect(&pair->b, &pair->a.self);
}

/* a's request to address of b's with the key. */
static void access_with(struct rc_pair *pair, enum ibv_wr_opcode opcode, uint32_t rkey,
                        uint64_t address, uint32_t length, enum ibv_wc_status status)
{
	rc_do(&pair->a, &(struct rc_op){ .opcode = opcode,
	                                 .id = 9,
	                                 .flags = IBV_SEND_SIGNALED,
	                                 .length = length,
	                                 .remote = address - pair->a.peer.buffer,
	                                 .rkey = rkey });
	rc_expect(pair->a.send_cq, 9, status);
	if (status != IBV_WC_SUCCESS)
		reconnect(pair);
}

static void expect_write(struct rc_pair *pair, const struct ibv_mr *mr, void *where,
                         enum ibv_wc_status status)
{
	access_with(pair, IBV_WR_RDMA_WRITE, mr->rkey, (uintptr_t)where, 8, status);
}

static void *pages(size_t size, int protection)
{
	void *at = mmap(NULL, size, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(at != MAP_FAILED);
	return at;
}

/* --- ibv_rereg_mr
 * ----------------------------------------------------------------------- */

static void rereg_each_flag_body(struct side *side)
{
	char *first = pages(SIZE, PROT_READ | PROT_WRITE);
	char *second = pages(2 * SIZE, PROT_READ | PROT_WRITE);
	struct rc_pair pair;
	struct ibv_pd *pd;
	struct ibv_mr *mr;

	(void)side;
	rc_pair_open(&pair, &rc_default);
	mr = CHECK_OBJECT(ibv_reg_mr(pair.b.pd, first, SIZE, RC_ALL_ACCESS));
	expect_write(&pair, mr, first, IBV_WC_SUCCESS);

	CHECK_EQ(ibv_rereg_mr(mr, IBV_REREG_MR_CHANGE_TRANSLATION, NULL, second, 2 * SIZE,
	                      0),
	         0);
	CHECK(mr->addr == second && mr->length == 2 * SIZE);
	expect_write(&pair, mr, second + SIZE, IBV_WC_SUCCESS);
	expect_write(&pair, mr, first, IBV_WC_REM_ACCESS_ERR);

	CHECK_EQ(ibv_rereg_mr(mr, IBV_REREG_MR_CHANGE_ACCESS, NULL, NULL, 0,
	                      IBV_ACCESS_REMOTE_READ),
	         0);
	expect_write(&pair, mr, second, IBV_WC_REM_ACCESS_ERR);
	access_with(&pair, IBV_WR_RDMA_READ, mr->rkey, (uintptr_t)second, 8,
	            IBV_WC_SUCCESS);

	pd = CHECK_OBJECT(ibv_alloc_pd(pair.b.context));
	CHECK_EQ(ibv_rereg_mr(mr, IBV_REREG_MR_CHANGE_PD | IBV_REREG_MR_CHANGE_ACCESS, pd,
	                      NULL, 0, RC_ALL_ACCESS),
	         0);
	CHECK(mr->pd == pd);
	CHECK_EQ(ibv_dealloc_pd(pd), EBUSY);
	expect_write(&pair, mr, second, IBV_WC_REM_ACCESS_ERR);
	CHECK_EQ(ibv_rereg_mr(mr, IBV_REREG_MR_CHANGE_PD, pair.b.pd, NULL, 0, 0), 0);
	CHECK_EQ(ibv_dealloc_pd(pd), 0);
	expect_write(&pair, mr, second, IBV_WC_SUCCESS);
	CHECK_EQ(ibv_dereg_mr(mr), 0);
	rc_pair_close(&pair);
}
ALONE(rereg_each_flag)

static void expect_refusal(struct ibv_mr *mr, int flags, struct ibv_pd *pd, void *addr,
                           size_t length, int access, int error)
{
	struct ibv_mr before = *mr;

	errno = 0;
	CHECK_EQ(ibv_rereg_mr(mr, flags, pd, addr, length, access),
	         IBV_REREG_MR_ERR_INPUT);
	CHECK_EQ(errno, error);
	CHECK(mr->pd == before.pd && mr->addr == before.addr &&
	      mr->length == before.length && mr->lkey == before.lkey &&
	      mr->rkey == before.rkey);
}

static void rereg_failures_change_nothing_body(struct side *side)
{
	const int translation = IBV_REREG_MR_CHANGE_TRANSLATION;
	char *memory = pages(SIZE, PROT_READ | PROT_WRITE);
	char *reserved = pages(SIZE, PROT_READ);
	struct rc_pair pair;
	struct ibv_mr *mr;
	struct ibv_mw *mw;

	(void)side;
	rc_pair_open(&pair, &rc_default);
	mr = CHECK_OBJECT(
	        ibv_reg_mr(pair.b.pd, memory, SIZE, RC_ALL_ACCESS | IBV_ACCESS_MW_BIND));
	expect_refusal(mr, 0, NULL, NULL, 0, 0, EINVAL);
	expect_refusal(mr, 8, NULL, NULL, 0, 0, EINVAL);
	expect_refusal(mr, translation, NULL, NULL, SIZE, 0, EINVAL);
	expect_refusal(mr, translation, NULL, memory, 0, 0, EINVAL);
	expect_refusal(mr, translation, NULL, memory, SIZE_MAX, 0, EINVAL);
	expect_refusal(mr, translation, NULL, (void *)8, SIZE, 0, EFAULT);
	expect_refusal(mr, translation, NULL, reserved, SIZE, 0, EFAULT);
	expect_refusal(mr, translation, NULL, memory, SIZE, RC_ALL_ACCESS, EINVAL);
	expect_refusal(mr, IBV_REREG_MR_CHANGE_ACCESS, NULL, NULL, 0,
	               IBV_ACCESS_REMOTE_WRITE, EINVAL);
	expect_refusal(mr, IBV_REREG_MR_CHANGE_ACCESS, NULL, NULL, 0, 1 << 19, EINVAL);
	expect_refusal(mr, IBV_REREG_MR_CHANGE_PD, NULL, NULL, 0, 0, EINVAL);
	expect_refusal(mr, IBV_REREG_MR_CHANGE_PD, pair.a.pd, NULL, 0, 0, EINVAL);
	mw = CHECK_OBJECT(ibv_alloc_mw(pair.b.pd, IBV_MW_TYPE_1));
	CHECK_EQ(ibv_bind_mw(pair.b.qp, mw,
	                     &(struct ibv_mw_bind){
	                             .bind_info = { mr, (uintptr_t)memory, 8, 0 } }),
	         0);
	expect_refusal(mr, translation, NULL, memory, 8, 0, EBUSY);
	CHECK_EQ(ibv_dealloc_mw(mw), 0);
	expect_write(&pair, mr, memory + SIZE - 8, IBV_WC_SUCCESS);
	CHECK_EQ(ibv_dereg_mr(mr), 0);
	rc_pair_close(&pair);
}
ALONE(rereg_failures_change_nothing)

/* --- flags
 * ------------------------------------------------------------------------------ */

static void flags_body(struct side *side)
{
	static char memory[SIZE];
	struct rc_end end;
	struct ibv_mr *mr;

	(void)side;
	rc_open(&end, &rc_default);
	mr = CHECK_OBJECT(ibv_reg_mr(end.pd, memory, SIZE,
	                             RC_ALL_ACCESS | IBV_ACCESS_RELAXED_ORDERING));
	CHECK_EQ(ibv_dereg_mr(mr), 0);
	mr = CHECK_OBJECT(ibv_reg_mr(end.pd, memory, SIZE,
	                             IBV_ACCESS_ON_DEMAND | IBV_ACCESS_HUGETLB));
	CHECK_EQ(ibv_dereg_mr(mr), 0);
	/* A flush to memory, or to memory that persists: rdma-core 45 on. */
	CHECK_FAILS(ibv_reg_mr(end.pd, memory, SIZE, 1 << 8), EOPNOTSUPP);
	CHECK_FAILS(ibv_reg_mr(end.pd, memory, SIZE, 1 << 9), EOPNOTSUPP);
	CHECK_FAILS(ibv_reg_mr(end.pd, memory, SIZE, 1 << 10), EINVAL);
	CHECK_FAILS(ibv_reg_mr(NULL, memory, SIZE, 0), EINVAL);
	rc_close(&end);
}
ALONE(flags)

/* --- ibv_reg_mr_ex, of rdma-core 59, and ibv_alloc_buf, of 64 -------------------------
 */

/* As its header has it, which may be installed or not. */
struct region {
	size_t length;
	int access;
	uint64_t comp_mask;
	uint64_t iova;
	void *addr;
	int fd;
	uint64_t fd_offset;
	void *dmah;
	void *buf;
};

static struct ibv_mr *reg_mr_ex(struct ibv_pd *pd, struct region *region)
{
	struct ibv_mr *(*call)(struct ibv_pd *, struct region *) =
	        (struct ibv_mr * (*)(struct ibv_pd *, struct region *))
	                dlsym(RTLD_DEFAULT, "ibv_reg_mr_ex");

	CHECK(call);
	return call(pd, region);
}

static void reg_ex_body(struct side *side)
{
	struct region attr = { .length = 64, .access = RC_ALL_ACCESS };
	struct rc_pair pair;
	struct ibv_mr *mr;

	(void)side;
	rc_pair_open(&pair, &rc_default);
	attr.addr = pair.b.buffer;
	attr.comp_mask = 2;
	mr = CHECK_OBJECT(reg_mr_ex(pair.b.pd, &attr));
	expect_write(&pair, mr, pair.b.buffer, IBV_WC_SUCCESS);
	CHECK_EQ(ibv_dereg_mr(mr), 0);
	attr.comp_mask = 1 | 2;
	attr.iova = 4096;
	mr = CHECK_OBJECT(reg_mr_ex(pair.b.pd, &attr));
	expect_write(&pair, mr, (void *)4096, IBV_WC_SUCCESS);
	CHECK_EQ(ibv_dereg_mr(mr), 0);
	attr.comp_mask = 1;
	CHECK_FAILS(reg_mr_ex(pair.b.pd, &attr), EINVAL);
	attr.comp_mask = 1 | 4 | 8;
	CHECK_FAILS(reg_mr_ex(pair.b.pd, &attr), EOPNOTSUPP);
	attr.comp_mask = 2 | 4;
	CHECK_FAILS(reg_mr_ex(pair.b.pd, &attr), EINVAL);
	CHECK_FAILS(reg_mr_ex(pair.b.pd, NULL), EINVAL);
	CHECK_FAILS(reg_mr_ex(NULL, &attr), EINVAL);
	rc_pair_close(&pair);
}
ALONE(reg_ex)

struct buffer_calls {
	void *(*alloc)(struct ibv_pd *, size_t, void **);
	void (*free)(void *);
	struct ibv_mr *(*reg)(struct ibv_pd *, void *, void *, size_t, int);
	int (*export)(void *);
};

static void buffer_calls(struct buffer_calls *call)
{
	*(void **)&call->alloc = CHECK_OBJECT(dlsym(RTLD_DEFAULT, "ibv_alloc_buf"));
	*(void **)&call->free = CHECK_OBJECT(dlsym(RTLD_DEFAULT, "ibv_free_buf"));
	*(void **)&call->reg = CHECK_OBJECT(dlsym(RTLD_DEFAULT, "ibv_reg_buf_mr"));
	*(void **)&call->export =
	        CHECK_OBJECT(dlsym(RTLD_DEFAULT, "ibv_export_buf_dmabuf_fd"));
}

static void buffer_body(struct side *side)
{
	enum { BYTES = 5000 };
	struct region attr = { .length = 64, .access = RC_ALL_ACCESS };
	struct buffer_calls call;
	struct rc_pair pair;
	struct ibv_mr *mr;
	struct ibv_pd *pd;
	char *memory;
	void *buf;

	(void)side;
	buffer_calls(&call);
	rc_pair_open(&pair, &rc_default);
	CHECK_FAILS(call.alloc(pair.b.pd, 0, &buf), EINVAL);
	CHECK_FAILS(call.alloc(pair.b.pd, SIZE_MAX, &buf), ENOMEM);
	pd = CHECK_OBJECT(ibv_alloc_pd(pair.b.context));
	memory = CHECK_OBJECT(call.alloc(pd, BYTES, &buf));
	CHECK_EQ((uintptr_t)memory % (uintptr_t)sysconf(_SC_PAGESIZE), 0);
	CHECK_EQ(ibv_dealloc_pd(pd), EBUSY);
	CHECK_FAILS(call.export(buf), ENODATA);
	/* Of another domain, and beyond either end. */
	CHECK_FAILS(call.reg(pair.b.pd, buf, memory, BYTES, 0), EINVAL);
	CHECK_FAILS(call.reg(pd, buf, memory - 1, BYTES, 0), EINVAL);
	CHECK_FAILS(call.reg(pd, buf, memory + 1, BYTES, 0), EINVAL);
	CHECK_FAILS(call.reg(pd, NULL, memory, BYTES, 0), EINVAL);
	mr = CHECK_OBJECT(call.reg(pd, buf, memory + 1, BYTES - 1, 0));
	CHECK_EQ(ibv_dereg_mr(mr), 0);
	call.free(buf);
	CHECK_EQ(ibv_dealloc_pd(pd), 0);

	memory = CHECK_OBJECT(call.alloc(pair.b.pd, BYTES, &buf));
	attr.addr = memory + 4096;
	attr.buf = buf;
	attr.comp_mask = 2 | 32;
	mr = CHECK_OBJECT(reg_mr_ex(pair.b.pd, &attr));
	expect_write(&pair, mr, memory + 4096, IBV_WC_SUCCESS);
	CHECK_EQ(ibv_dereg_mr(mr), 0);
	attr.comp_mask = 32;
	CHECK_FAILS(reg_mr_ex(pair.b.pd, &attr), EINVAL);
	call.free(buf);
	rc_pair_close(&pair);
}
ALONE(buffer)

/* --- ibv_advise_mr
 * ---------------------------------------------------------------------- */

static bool is_there(void *page)
{
	unsigned char there;

	CHECK_CALL(mincore(page, SIZE, &there));
	return there & 1;
}

static int advise(struct ibv_pd *pd, enum ibv_advise_mr_advice advice, uint32_t lkey,
                  void *addr, uint32_t length)
{
	struct ibv_sge sge = { (uintptr_t)addr, length, lkey };

	return ibv_advise_mr(pd, advice, IBV_ADVISE_MR_FLAG_FLUSH, &sge, 1);
}

static void advice_body(struct side *side)
{
	const enum ibv_advise_mr_advice read = IBV_ADVISE_MR_ADVICE_PREFETCH,
	                                write = IBV_ADVISE_MR_ADVICE_PREFETCH_WRITE;
	char *memory = pages(4 * SIZE, PROT_READ | PROT_WRITE);
	struct ibv_mr *mr, *readable, *plain;
	struct rc_pair pair;

	(void)side;
	rc_pair_open(&pair, &rc_default);
	mr = CHECK_OBJECT(ibv_reg_mr(pair.a.pd, memory, 4 * SIZE,
	                             IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_ON_DEMAND));
	readable = CHECK_OBJECT(
	        ibv_reg_mr(pair.a.pd, memory, 4 * SIZE, IBV_ACCESS_ON_DEMAND));
	plain = CHECK_OBJECT(ibv_reg_mr(pair.a.pd, pair.a.buffer, 64, 0));
	CHECK(!is_there(memory) && !is_there(memory + SIZE));
	CHECK_EQ(advise(pair.a.pd, write, mr->lkey, memory + SIZE, SIZE), 0);
	CHECK(!is_there(memory) && is_there(memory + SIZE) &&
	      !is_there(memory + 2 * SIZE));
	CHECK_EQ(advise(pair.a.pd, read, readable->lkey, memory, 8), 0);
	CHECK_EQ(advise(pair.a.pd, IBV_ADVISE_MR_ADVICE_PREFETCH_NO_FAULT, mr->lkey,
	                memory + 3 * SIZE, SIZE),
	         0);
	CHECK(!is_there(memory + 3 * SIZE));
	CHECK_EQ(advise(pair.a.pd, write, readable->lkey, memory, 8), EPERM);
	CHECK_EQ(advise(pair.b.pd, read, mr->lkey, memory, 8), EPERM);
	CHECK_EQ(advise(pair.a.pd, read, mr->lkey ^ 1, memory, 8), EFAULT);
	CHECK_EQ(advise(pair.a.pd, read, mr->lkey, memory + SIZE, 4 * SIZE), EFAULT);
	CHECK_EQ(advise(pair.a.pd, read, plain->lkey, pair.a.buffer, 8), EINVAL);
	CHECK_EQ(advise(pair.a.pd, (enum ibv_advise_mr_advice)9, mr->lkey, memory, 8),
	         EOPNOTSUPP);
	CHECK_EQ(ibv_advise_mr(pair.a.pd, read, 2, &(struct ibv_sge){ 0 }, 1), EINVAL);
	CHECK_EQ(ibv_advise_mr(pair.a.pd, read, 0, NULL, 1), EINVAL);
	CHECK_EQ(ibv_advise_mr(pair.a.pd, read, 0, &(struct ibv_sge){ 0 }, 0), EINVAL);
	CHECK_EQ(ibv_dereg_mr(plain), 0);
	CHECK_EQ(ibv_dereg_mr(readable), 0);
	CHECK_EQ(ibv_dereg_mr(mr), 0);
	rc_pair_close(&pair);
}
ALONE(advice)

/* --- the null region
 * -------------------------------------------------------------------- */

static void null_region_body(struct side *side)
{
	struct ibv_sge list[3];
	struct rc_pair pair;
	struct ibv_mr *null;

	(void)side;
	rc_pair_open(&pair, &rc_default);
	null = CHECK_OBJECT(ibv_alloc_null_mr(pair.a.pd));
	/* What a device skips in the middle of a message. */
	list[0] = (struct ibv_sge){ (uintptr_t)pair.a.buffer, 1000, pair.a.mr->lkey };
	list[1] = (struct ibv_sge){ 0, 2000, null->lkey };
	list[2] = (struct ibv_sge){ (uintptr_t)pair.a.buffer + 1000, 1000,
		                    pair.a.mr->lkey };
	rc_fill(pair.b.buffer, 4000, 3);
	rc_do(&pair.a, &(struct rc_op){ .opcode = IBV_WR_RDMA_READ,
	                                .id = 1,
	                                .flags = IBV_SEND_SIGNALED,
	                                .sges = list,
	                                .sge_count = 3 });
	rc_sent(&pair.a, 1);
	CHECK_BYTES(pair.a.buffer, pair.b.buffer, 1000);
	CHECK_BYTES(pair.a.buffer + 1000, pair.b.buffer + 3000, 1000);
	/* Zeros, after something else was written to it, and wherever it is. */
	list[1].addr = UINT64_MAX - 5;
	rc_do(&pair.a, &(struct rc_op){ .opcode = IBV_WR_RDMA_WRITE,
	                                .id = 2,
	                                .flags = IBV_SEND_SIGNALED,
	                                .sges = list,
	                                .sge_count = 3 });
	rc_sent(&pair.a, 2);
	rc_expect_only(pair.b.buffer + 1000, 2000, 0);
	CHECK_BYTES(pair.b.buffer + 3000, pair.a.buffer + 1000, 1000);
	/* Received by nobody: small enough for the completion, and too large. */
	for (uint32_t length = 16; length <= 2000; length += 1984) {
		rc_post_recv_sges(&pair.a, 3, &list[1], 1);
		rc_do(&pair.b,
		      &(struct rc_op){ .opcode = IBV_WR_SEND, .length = length });
		CHECK_EQ(rc_received(&pair.a, 3).byte_len, length);
	}
	CHECK_EQ(ibv_rereg_mr(null, IBV_REREG_MR_CHANGE_ACCESS, NULL, NULL, 0, 0),
	         IBV_REREG_MR_ERR_INPUT);
	rc_do(&pair.b, &(struct rc_op){ .opcode = IBV_WR_RDMA_WRITE,
	                                .id = 4,
	                                .length = 8,
	                                .rkey = null->lkey });
	rc_expect(pair.b.send_cq, 4, IBV_WC_REM_ACCESS_ERR);
	CHECK_EQ(ibv_dereg_mr(null), 0);
	rc_pair_close(&pair);
}
ALONE(null_region)

/* --- device memory
 * ---------------------------------------------------------------------- */

static void device_memory_body(struct side *side)
{
	struct ibv_alloc_dm_attr attr = { .length = SIZE, .log_align_req = 12 };
	struct ibv_device_attr_ex device;
	char here[64] = "in the device", back[64];
	struct rc_pair pair;
	struct ibv_mr *mr;
	struct ibv_dm *dm;

	(void)side;
	rc_pair_open(&pair, &rc_default);
	CHECK_EQ(ibv_query_device_ex(pair.a.context, NULL, &device), 0);
	CHECK_EQ(device.max_dm_size, 1 << 20); /* as set by main() */
	dm = CHECK_OBJECT(ibv_alloc_dm(pair.b.context, &attr));
	CHECK_EQ(ibv_memcpy_from_dm(back, dm, SIZE - 64, 64), 0);
	rc_expect_only((uint8_t *)back, 64, 0);
	CHECK_EQ(ibv_memcpy_to_dm(dm, 100, here, 64), 0);
	CHECK_EQ(ibv_memcpy_from_dm(back, dm, 100, 64), 0);
	CHECK_BYTES(back, here, 64);
	CHECK_EQ(ibv_memcpy_to_dm(dm, SIZE - 60, here, 64), EINVAL);
	CHECK_EQ(ibv_memcpy_to_dm(dm, 101, here, 64), EINVAL); /* four by four bytes */
	CHECK_EQ(ibv_memcpy_from_dm(back, dm, 100, 63), EINVAL);
	CHECK_EQ(ibv_memcpy_from_dm(back, dm, UINT64_MAX - 3, 64), EINVAL);

	CHECK_FAILS(ibv_reg_dm_mr(pair.b.pd, dm, 0, SIZE, RC_ALL_ACCESS), EINVAL);
	CHECK_FAILS(ibv_reg_dm_mr(pair.b.pd, dm, 1, SIZE,
	                          RC_ALL_ACCESS | IBV_ACCESS_ZERO_BASED),
	            EINVAL);
	mr = CHECK_OBJECT(ibv_reg_dm_mr(pair.b.pd, dm, 64, SIZE - 64,
	                                RC_ALL_ACCESS | IBV_ACCESS_ZERO_BASED));
	CHECK_EQ(ibv_free_dm(dm), EBUSY);
	access_with(&pair, IBV_WR_RDMA_READ, mr->rkey, 36, 64, IBV_WC_SUCCESS);
	CHECK_BYTES(pair.a.buffer, here, 64);
	access_with(&pair, IBV_WR_ATOMIC_FETCH_AND_ADD, mr->rkey, 0, 8, IBV_WC_SUCCESS);
	access_with(&pair, IBV_WR_RDMA_READ, mr->rkey, SIZE - 64, 8,
	            IBV_WC_REM_ACCESS_ERR);
	CHECK_EQ(ibv_rereg_mr(mr, IBV_REREG_MR_CHANGE_ACCESS, NULL, NULL, 0, 0),
	         IBV_REREG_MR_ERR_INPUT);
	CHECK_EQ(ibv_dereg_mr(mr), 0);
	CHECK_EQ(ibv_free_dm(dm), 0);
	rc_pair_close(&pair);
}
ALONE(device_memory)

/* What there is not is refused, and nothing of what there is is lost by it. */
static void device_memory_ends_body(struct side *side)
{
	struct ibv_alloc_dm_attr attr = { .length = 1 << 20 };
	struct rc_end end;
	struct ibv_dm *dm;

	(void)side;
	rc_open(&end, &rc_default);
	for (int i = 0; i < 3; i++) {
		dm = CHECK_OBJECT(ibv_alloc_dm(end.context, &attr));
		CHECK_FAILS(ibv_alloc_dm(end.context,
		                         &(struct ibv_alloc_dm_attr){ .length = 1 }),
		            ENOMEM);
		CHECK_EQ(ibv_free_dm(dm), 0);
	}
	CHECK_FAILS(ibv_alloc_dm(end.context, &(struct ibv_alloc_dm_attr){ 0 }), EINVAL);
	CHECK_FAILS(
	        ibv_alloc_dm(end.context, &(struct ibv_alloc_dm_attr){ SIZE_MAX, 0, 0 }),
	        ENOMEM);
	CHECK_FAILS(ibv_alloc_dm(end.context, &(struct ibv_alloc_dm_attr){ 1, 64, 0 }),
	            EINVAL);
	CHECK_FAILS(ibv_alloc_dm(end.context, &(struct ibv_alloc_dm_attr){ 1, 0, 1 }),
	            EINVAL);
	CHECK_FAILS(ibv_alloc_dm(end.context, NULL), EINVAL);
	rc_close(&end);
}
ALONE(device_memory_ends)

/* --- parent domains
 * --------------------------------------------------------------------- */

struct allocations {
	const struct ibv_pd *pd;
	unsigned int made, freed;
	bool defer, fail;
};

static void *my_alloc(struct ibv_pd *pd, void *context, size_t size, size_t alignment,
                      uint64_t type)
{
	struct allocations *seen = context;
	void *memory = NULL;

	(void)type;
	CHECK(pd == seen->pd && size && alignment && !(alignment & (alignment - 1)));
	if (seen->defer)
		return IBV_ALLOCATOR_USE_DEFAULT;
	if (seen->fail)
		return NULL;
	CHECK_EQ(posix_memalign(&memory, alignment, size), 0);
	CHECK(memory);
	seen->made++;
	return memset(memory, 0, size);
}

static void my_free(struct ibv_pd *pd, void *context, void *memory, uint64_t type)
{
	struct allocations *seen = context;

	(void)type;
	CHECK(pd == seen->pd);
	seen->freed++;
	free(memory);
}

static struct ibv_qp *qp_in(struct ibv_pd *pd, struct rc_end *end)
{
	struct ibv_qp_init_attr init = { .send_cq = end->send_cq,
		                         .recv_cq = end->recv_cq,
		                         .cap = { 4, 4, 1, 1, 0 },
		                         .qp_type = IBV_QPT_RC };

	return ibv_create_qp(pd, &init);
}

static void parent_domain_body(struct side *side)
{
	struct allocations seen = { 0 };
	struct ibv_parent_domain_init_attr attr = { .alloc = my_alloc,
		                                    .free = my_free,
		                                    .pd_context = &seen };
	struct ibv_pd *parent;
	struct rc_pair pair;
	struct ibv_td *td;
	struct ibv_mr *mr;
	struct ibv_qp *qp;

	(void)side;
	rc_pair_open(&pair, &rc_default);
	td = CHECK_OBJECT(ibv_alloc_td(pair.b.context, &(struct ibv_td_init_attr){ 0 }));
	CHECK_FAILS(ibv_alloc_td(pair.b.context, &(struct ibv_td_init_attr){ 1 }),
	            EINVAL);
	CHECK_FAILS(ibv_alloc_parent_domain(pair.b.context, &attr), EINVAL);
	attr.pd = pair.b.pd;
	attr.td = td;
	attr.comp_mask = 4;
	CHECK_FAILS(ibv_alloc_parent_domain(pair.b.context, &attr), EINVAL);
	attr.comp_mask = IBV_PARENT_DOMAIN_INIT_ATTR_ALLOCATORS |
	                 IBV_PARENT_DOMAIN_INIT_ATTR_PD_CONTEXT;
	parent = CHECK_OBJECT(ibv_alloc_parent_domain(pair.b.context, &attr));
	seen.pd = parent;
	CHECK_EQ(ibv_dealloc_td(td), EBUSY);
	CHECK_EQ(ibv_dealloc_pd(pair.b.pd), EBUSY);

	/* Its regions are the domain's: a QP made with the domain reaches them. */
	mr = CHECK_OBJECT(ibv_reg_mr(parent, pair.b.buffer, 64, RC_ALL_ACCESS));
	expect_write(&pair, mr, pair.b.buffer, IBV_WC_SUCCESS);
	CHECK_EQ(ibv_dealloc_pd(parent), EBUSY);
	CHECK_EQ(ibv_dereg_mr(mr), 0);

	qp = CHECK_OBJECT(qp_in(parent, &pair.b));
	CHECK(qp->pd == parent && seen.made >= 1);
	CHECK_EQ(ibv_dealloc_pd(parent), EBUSY);
	CHECK_EQ(ibv_destroy_qp(qp), 0);
	CHECK_EQ(seen.freed, seen.made);
	seen.defer = true;
	qp = CHECK_OBJECT(qp_in(parent, &pair.b));
	CHECK_EQ(ibv_destroy_qp(qp), 0);
	CHECK_EQ(seen.freed, seen.made);
	seen.defer = false;
	seen.fail = true;
	CHECK_FAILS(qp_in(parent, &pair.b), ENOMEM);
	CHECK_EQ(ibv_dealloc_pd(parent), 0);
	CHECK_EQ(ibv_dealloc_td(td), 0);
	rc_pair_close(&pair);
}
ALONE(parent_domain)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rereg_each_flag),
		cmocka_unit_test(rereg_failures_change_nothing),
		cmocka_unit_test(flags),
		cmocka_unit_test(reg_ex),
		cmocka_unit_test(buffer),
		cmocka_unit_test(advice),
		cmocka_unit_test(null_region),
		cmocka_unit_test(device_memory),
		cmocka_unit_test(device_memory_ends),
		cmocka_unit_test(parent_domain),
	};

	setenv("MOCKRDMA_DM", "1M", 1);
	return cmocka_run_group_tests(tests, runtime_directory_make,
	                              runtime_directory_remove);
}
