// SPDX-License-Identifier: BSD-2-Clause
/*
 * variants: plain asan cov
 *
 * What fails for lack of memory says ENOMEM and changes nothing: no use counts, no
 * object. (valgrind has an allocator of its own.)
 */
#include <dlfcn.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <cmocka.h>

#include "lib/check.h"
#include "lib/rcop.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define HAS_OWN_ALLOCATOR 1
#else
#define HAS_OWN_ALLOCATOR 0
#endif

/* --- calloc() fails when it is told to
 * -------------------------------------------------- */

static __thread unsigned int fail_in; /* calls from now; 0: never */
static __thread bool failed;
static unsigned int failures;

#if !HAS_OWN_ALLOCATOR
static char early[4096]; /* what dlsym() itself allocates */
static size_t early_used;

__attribute__((visibility("default"))) void *calloc(size_t nmemb, size_t size)
{
	static void *(*real)(size_t, size_t);
	static bool looking;

	if (!real && looking) {
		early_used += (nmemb * size + 15) / 16 * 16;
		return early_used <= sizeof(early) ? early + early_used - nmemb * size
		                                   : NULL;
	}
	if (!real) {
		looking = true;
		real = (void *(*)(size_t, size_t))dlsym(RTLD_NEXT, "calloc");
		looking = false;
	}
	if (fail_in && !--fail_in) {
		failed = true;
		failures++;
		errno = ENOMEM;
		return NULL;
	}
	return real(nmemb, size);
}
#endif

/*
 * Tries again and again, each time with another allocation that fails, until it works
 * without any that did: so each that it makes has failed once.
 */
#define DESPITE_FAILURES(object, make)               \
	do {                                         \
		for (unsigned int in_ = 1;; in_++) { \
			CHECK(in_ < 1000);           \
			failed = false;              \
			errno = 0;                   \
			fail_in = in_;               \
			(object) = (make);           \
			fail_in = 0;                 \
			if (!failed)                 \
				break;               \
			CHECK(!(object));            \
			CHECK_EQ(errno, ENOMEM);     \
		}                                    \
		CHECK(object);                       \
	} while (0)

/* Not all that opening a device allocates is needed: it may do without. */
static struct ibv_context *open_despite_failures(struct ibv_device *device)
{
	for (unsigned int in = 1;; in++) {
		struct ibv_context *context;

		CHECK(in < 1000);
		failed = false;
		fail_in = in;
		errno = 0;
		context = ibv_open_device(device);
		fail_in = 0;
		if (!failed)
			return CHECK_OBJECT(context);
		if (context)
			CHECK_EQ(ibv_close_device(context), 0);
		else
			CHECK_EQ(errno, ENOMEM);
	}
}

static void every_allocation_body(struct side *side)
{
	struct ibv_device **list;
	struct ibv_context *context;
	struct ibv_pd *pd, *parent;
	struct ibv_comp_channel *channel;
	struct ibv_cq *cq;
	struct ibv_srq *srq;
	struct ibv_mr *mr, *dm_mr;
	struct ibv_mw *mw;
	struct ibv_qp *qp;
	struct ibv_td *td;
	struct ibv_dm *dm;
	static char memory[64];

	(void)side;
	DESPITE_FAILURES(list, ibv_get_device_list(NULL));
	context = open_despite_failures(list[0]);
	ibv_free_device_list(list);
	DESPITE_FAILURES(pd, ibv_alloc_pd(context));
	DESPITE_FAILURES(td, ibv_alloc_td(context, &(struct ibv_td_init_attr){ 0 }));
	struct ibv_parent_domain_init_attr domain = { .pd = pd, .td = td };
	struct ibv_alloc_dm_attr device = { .length = 64 };
	struct ibv_srq_init_attr receives = { .attr = { 4, 1, 0 } };

	DESPITE_FAILURES(parent, ibv_alloc_parent_domain(context, &domain));
	DESPITE_FAILURES(channel, ibv_create_comp_channel(context));
	DESPITE_FAILURES(cq, ibv_create_cq(context, 4, NULL, channel, 0));
	DESPITE_FAILURES(srq, ibv_create_srq(pd, &receives));
	DESPITE_FAILURES(mr, ibv_reg_mr(parent, memory, sizeof(memory), 0));
	DESPITE_FAILURES(mw, ibv_alloc_mw(parent, IBV_MW_TYPE_2));
	DESPITE_FAILURES(dm, ibv_alloc_dm(context, &device));
	DESPITE_FAILURES(dm_mr, ibv_reg_dm_mr(parent, dm, 0, 64, IBV_ACCESS_ZERO_BASED));
	struct ibv_qp_init_attr init = { .send_cq = cq,
		                         .recv_cq = cq,
		                         .srq = srq,
		                         .cap = { 4, 0, 1, 0, 0 },
		                         .qp_type = IBV_QPT_RC };

	DESPITE_FAILURES(qp, ibv_create_qp(parent, &init));
	CHECK_EQ(ibv_destroy_qp(qp), 0);
	CHECK_EQ(ibv_dereg_mr(dm_mr), 0);
	CHECK_EQ(ibv_free_dm(dm), 0);
	CHECK_EQ(ibv_dealloc_mw(mw), 0);
	CHECK_EQ(ibv_dereg_mr(mr), 0);
	CHECK_EQ(ibv_destroy_srq(srq), 0);
	CHECK_EQ(ibv_destroy_cq(cq), 0);
	CHECK_EQ(ibv_destroy_comp_channel(channel), 0);
	CHECK_EQ(ibv_dealloc_pd(parent), 0);
	CHECK_EQ(ibv_dealloc_td(td), 0);
	CHECK_EQ(ibv_dealloc_pd(pd), 0);
	CHECK_EQ(ibv_close_device(context), 0);
	CHECK(HAS_OWN_ALLOCATOR || failures > 10);
}
ALONE(every_allocation)

/* --- the memory that is shared with peers is used up
 * ------------------------------------- */

static struct ibv_qp *large_qp(struct rc_end *end)
{
	struct ibv_qp_init_attr init = { .send_cq = end->send_cq,
		                         .recv_cq = end->recv_cq,
		                         .cap = { 1, 8192, 1, 1, 0 },
		                         .qp_type = IBV_QPT_RC };

	return ibv_create_qp(end->pd, &init);
}

static void shared_memory_body(struct side *side)
{
	enum { MOST = 4096 };
	static struct ibv_qp *qps[MOST];
	struct ibv_srq_init_attr receives = { .attr = { 32768, 1, 0 } };
	struct rc_pair pair;
	int count = 0, cqe;

	(void)side;
	CHECK_CALL(setenv("MOCKRDMA_SEGMENT", "16M", 1));
	rc_pair_open(&pair, &rc_default);
	cqe = pair.a.send_cq->cqe;
	errno = 0;
	while ((qps[count] = large_qp(&pair.a)))
		CHECK(++count < MOST);
	CHECK_EQ(errno, ENOMEM);
	CHECK(count > 4);
	CHECK_FAILS(ibv_create_cq(pair.a.context, 1 << 16, NULL, NULL, 0), ENOMEM);
	CHECK_FAILS(ibv_create_srq(pair.a.pd, &receives), ENOMEM);
	CHECK_EQ(ibv_resize_cq(pair.a.send_cq, 1 << 16), ENOMEM);
	CHECK_EQ(pair.a.send_cq->cqe, cqe);
	/* What there was still works, and what is given back can be had again. */
	rc_do(&pair.a, &(struct rc_op){ .opcode = IBV_WR_RDMA_WRITE,
	                                .id = 1,
	                                .flags = IBV_SEND_SIGNALED,
	                                .length = 64 });
	rc_sent(&pair.a, 1);
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(ibv_destroy_qp(qps[count - 1]), 0);
		qps[count - 1] = CHECK_OBJECT(large_qp(&pair.a));
		CHECK_FAILS(large_qp(&pair.a), ENOMEM);
	}
	while (count)
		CHECK_EQ(ibv_destroy_qp(qps[--count]), 0);
	rc_pair_close(&pair);
}
ALONE(shared_memory)

/* --- the files that hold it may not grow --------------------------------------------
 */

enum { CQ_MOST = 64, CQ_ENTRIES = 16384, FILE_LIMIT = 16 << 20 };

static void limit_files(rlim_t to)
{
	struct rlimit limit;

	CHECK_CALL(getrlimit(RLIMIT_FSIZE, &limit));
	limit.rlim_cur = to == RLIM_INFINITY ? limit.rlim_max : to;
	CHECK_CALL(setrlimit(RLIMIT_FSIZE, &limit));
}

static void send_and_receive(struct rc_pair *pair, uint64_t id)
{
	rc_recv(&pair->b, id, 0, 64);
	rc_do(&pair->a, &(struct rc_op){ .opcode = IBV_WR_SEND,
	                                 .id = id,
	                                 .flags = IBV_SEND_SIGNALED,
	                                 .length = 64 });
	rc_sent(&pair->a, id);
	rc_received(&pair->b, id);
}

static unsigned int fill(struct ibv_context *context, struct ibv_cq *cqs[CQ_MOST])
{
	unsigned int made = 0;

	while (made < CQ_MOST &&
	       (cqs[made] = ibv_create_cq(context, CQ_ENTRIES, NULL, NULL, 0)))
		made++;
	return made;
}

/* What there is goes on, and what is given back can be had again. */
static void files_may_not_grow_body(struct side *side)
{
	struct ibv_cq *cqs[CQ_MOST];
	struct rc_pair pair;
	unsigned int made;

	(void)side;
	rc_pair_open(&pair, &rc_default);
	limit_files(FILE_LIMIT);
	made = fill(pair.a.context, cqs);
	CHECK(made > 1 && made < CQ_MOST);
	CHECK_EQ(errno, ENOMEM);
	CHECK_EQ(ibv_resize_cq(cqs[0], 16 * CQ_ENTRIES), ENOMEM);
	CHECK_EQ(cqs[0]->cqe, CQ_ENTRIES);
	send_and_receive(&pair, 1);
	for (unsigned int i = 0; i < made; i++)
		CHECK_EQ(ibv_destroy_cq(cqs[i]), 0);
	CHECK_EQ(fill(pair.a.context, cqs), made);
	limit_files(RLIM_INFINITY);
	CHECK_EQ(ibv_resize_cq(cqs[0], 16 * CQ_ENTRIES), 0);
	send_and_receive(&pair, 2);
	for (unsigned int i = 0; i < made; i++)
		CHECK_EQ(ibv_destroy_cq(cqs[i]), 0);
	rc_pair_close(&pair); /* nothing is in use that should not be */
}
ALONE(files_may_not_grow)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_allocation),
		cmocka_unit_test(shared_memory),
		cmocka_unit_test(files_may_not_grow),
	};

	return cmocka_run_group_tests(tests, runtime_directory_make,
	                              runtime_directory_remove);
}
