/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * MOCKRDMA_MAX_…: what is set is what the device says it has, and what it gives; what is
 * refused changes nothing, and what is given back can be had again. Settings are read
 * once, at the first call.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <infiniband/verbs.h>

#include "mock_dir.h"

enum {
	QPS = 3,
	WRS = 7,
	CQS = 4,
	CQES = 100,
	SRQS = 2,
	SRQ_WRS = 9,
	MRS = 5,
	PDS = 3,
	MWS = 4,
	AHS = 6,
	SGES = 2,
	INLINE = 32,
	READS = 3
};

static struct ibv_context *context;
static struct ibv_pd *pd;
static struct ibv_cq *cq;

static void limit(const char *name, int most)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", most);
	assert_int_equal(setenv(name, text, 1), 0);
}

static int open_device(void **state)
{
	struct ibv_device **list;

	(void)state;
	limit("MOCKRDMA_MAX_QP", QPS);
	limit("MOCKRDMA_MAX_QP_WR", WRS);
	limit("MOCKRDMA_MAX_CQ", CQS);
	limit("MOCKRDMA_MAX_CQE", CQES);
	limit("MOCKRDMA_MAX_SRQ", SRQS);
	limit("MOCKRDMA_MAX_SRQ_WR", SRQ_WRS);
	limit("MOCKRDMA_MAX_MR", MRS);
	limit("MOCKRDMA_MAX_PD", PDS);
	limit("MOCKRDMA_MAX_MW", MWS);
	limit("MOCKRDMA_MAX_AH", AHS);
	limit("MOCKRDMA_MAX_SGE", SGES);
	limit("MOCKRDMA_MAX_INLINE", INLINE);
	limit("MOCKRDMA_MAX_RD_ATOMIC", READS);
	assert_int_equal(setenv("MOCKRDMA_MAX_MSG", "4K", 1), 0);
	list = ibv_get_device_list(NULL);
	context = ibv_open_device(list[0]);
	ibv_free_device_list(list);
	pd = context ? ibv_alloc_pd(context) : NULL;
	cq = context ? ibv_create_cq(context, CQES, NULL, NULL, 0) : NULL;
	return pd && cq ? 0 : -1;
}

static int close_device(void **state)
{
	(void)state;
	assert_int_equal(ibv_destroy_cq(cq), 0);
	assert_int_equal(ibv_dealloc_pd(pd), 0);
	return ibv_close_device(context);
}

static void device_says_so(void **state)
{
	struct ibv_device_attr attr;
	struct ibv_port_attr port;

	(void)state;
	assert_int_equal(ibv_query_device(context, &attr), 0);
	assert_int_equal(attr.max_qp, QPS);
	assert_int_equal(attr.max_qp_wr, WRS);
	assert_int_equal(attr.max_cq, CQS);
	assert_int_equal(attr.max_cqe, CQES);
	assert_int_equal(attr.max_srq, SRQS);
	assert_int_equal(attr.max_srq_wr, SRQ_WRS);
	assert_int_equal(attr.max_mr, MRS);
	assert_int_equal(attr.max_pd, PDS);
	assert_int_equal(attr.max_mw, MWS);
	assert_int_equal(attr.max_ah, AHS);
	assert_int_equal(attr.max_sge, SGES);
	assert_int_equal(attr.max_srq_sge, SGES);
	assert_int_equal(attr.max_qp_rd_atom, READS);
	assert_int_equal(attr.max_qp_init_rd_atom, READS);
	assert_int_equal(ibv_query_port(context, 1, &port), 0);
	assert_int_equal(port.max_msg_sz, 4096);
}

static struct ibv_qp *make_qp_of(struct ibv_qp_cap cap)
{
	struct ibv_qp_init_attr init = {
		.qp_type = IBV_QPT_RC, .send_cq = cq, .recv_cq = cq, .cap = cap
	};

	return ibv_create_qp(pd, &init);
}

static void *make_qp(uint32_t depth)
{
	return make_qp_of((struct ibv_qp_cap){ depth, 1, 1, 1, 0 });
}

static void *make_full_qp(void)
{
	return make_qp(WRS);
}

static int free_qp(void *qp)
{
	return ibv_destroy_qp(qp);
}

static void *make_cq(void)
{
	return ibv_create_cq(context, 1, NULL, NULL, 0);
}

static int free_cq(void *made)
{
	return ibv_destroy_cq(made);
}

static void *make_srq_of(uint32_t depth)
{
	struct ibv_srq_init_attr init = { .attr = { .max_wr = depth, .max_sge = 1 } };

	return ibv_create_srq(pd, &init);
}

static void *make_srq(void)
{
	return make_srq_of(SRQ_WRS);
}

static int free_srq(void *srq)
{
	return ibv_destroy_srq(srq);
}

static void *make_mr(void)
{
	static char memory[64];

	return ibv_reg_mr(pd, memory, sizeof(memory), IBV_ACCESS_LOCAL_WRITE);
}

static int free_mr(void *mr)
{
	return ibv_dereg_mr(mr);
}

static void *make_pd(void)
{
	return ibv_alloc_pd(context);
}

static int free_pd(void *made)
{
	return ibv_dealloc_pd(made);
}

static void *make_mw(void)
{
	return ibv_alloc_mw(pd, IBV_MW_TYPE_1);
}

static int free_mw(void *mw)
{
	return ibv_dealloc_mw(mw);
}

static void *make_ah(void)
{
	struct ibv_gid_entry entry;
	struct ibv_ah_attr attr = { .is_global = 1, .port_num = 1 };

	assert_int_equal(ibv_query_gid_ex(context, 1, 0, &entry, 0), 0);
	attr.grh.dgid = entry.gid;
	attr.grh.sgid_index = (uint8_t)entry.gid_index;
	return ibv_create_ah(pd, &attr);
}

static int free_ah(void *ah)
{
	return ibv_destroy_ah(ah);
}

static void try_limit(int most, void *(*make)(void), int (*give)(void *))
{
	void *made[8];

	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < most; i++) {
			made[i] = make();
			assert_non_null(made[i]);
		}
		errno = 0;
		assert_null(make());
		assert_int_equal(errno, ENOMEM);
		assert_int_equal(give(made[0]), 0);
		made[0] = make();
		assert_non_null(made[0]);
		assert_null(make());
		for (int i = 0; i < most; i++)
			assert_int_equal(give(made[i]), 0);
	}
}

static void no_more_than_that_are_given(void **state)
{
	(void)state;
	try_limit(QPS, make_full_qp, free_qp);
	try_limit(CQS - 1, make_cq, free_cq); /* one is open */
	try_limit(SRQS, make_srq, free_srq);
	try_limit(MRS, make_mr, free_mr);
	try_limit(PDS - 1, make_pd, free_pd);
	try_limit(MWS, make_mw, free_mw);
	try_limit(AHS, make_ah, free_ah);
}

static void no_queue_is_longer(void **state)
{
	(void)state;
	errno = 0;
	assert_null(make_qp(WRS + 1));
	assert_int_equal(errno, EINVAL);
	errno = 0;
	assert_null(ibv_create_cq(context, CQES + 1, NULL, NULL, 0));
	assert_int_equal(errno, EINVAL);
	errno = 0;
	assert_null(make_srq_of(SRQ_WRS + 1));
	assert_int_equal(errno, EINVAL);
}

static void expect_refused(struct ibv_qp_cap cap)
{
	errno = 0;
	assert_null(make_qp_of(cap));
	assert_int_equal(errno, EINVAL);
}

static void no_request_is_larger(void **state)
{
	struct ibv_srq_init_attr srq = { .attr = { .max_wr = 1, .max_sge = SGES + 1 } };
	struct ibv_qp *qp = make_qp_of((struct ibv_qp_cap){ 1, 1, SGES, SGES, INLINE });

	(void)state;
	assert_non_null(qp);
	assert_int_equal(ibv_destroy_qp(qp), 0);
	expect_refused((struct ibv_qp_cap){ 1, 1, SGES + 1, 1, 0 });
	expect_refused((struct ibv_qp_cap){ 1, 1, 1, SGES + 1, 0 });
	expect_refused((struct ibv_qp_cap){ 1, 1, 1, 1, INLINE + 1 });
	errno = 0;
	assert_null(ibv_create_srq(pd, &srq));
	assert_int_equal(errno, EINVAL);
}

static int to_rtr(struct ibv_qp *qp, uint8_t reads)
{
	struct ibv_qp_attr attr = { .qp_state = IBV_QPS_RTR,
		                    .path_mtu = IBV_MTU_1024,
		                    .dest_qp_num = qp->qp_num,
		                    .max_dest_rd_atomic = reads };
	struct ibv_gid_entry entry;

	assert_int_equal(ibv_query_gid_ex(context, 1, 0, &entry, 0), 0);
	attr.ah_attr.is_global = 1;
	attr.ah_attr.port_num = 1;
	attr.ah_attr.grh.dgid = entry.gid;
	attr.ah_attr.grh.sgid_index = (uint8_t)entry.gid_index;
	return ibv_modify_qp(qp, &attr,
	                     IBV_QP_STATE | IBV_QP_AV | IBV_QP_PATH_MTU |
	                             IBV_QP_DEST_QPN | IBV_QP_RQ_PSN |
	                             IBV_QP_MAX_DEST_RD_ATOMIC | IBV_QP_MIN_RNR_TIMER);
}

static int to_rts(struct ibv_qp *qp, uint8_t reads)
{
	struct ibv_qp_attr attr = { .qp_state = IBV_QPS_RTS, .max_rd_atomic = reads };

	return ibv_modify_qp(qp, &attr,
	                     IBV_QP_STATE | IBV_QP_TIMEOUT | IBV_QP_RETRY_CNT |
	                             IBV_QP_RNR_RETRY | IBV_QP_SQ_PSN |
	                             IBV_QP_MAX_QP_RD_ATOMIC);
}

static void no_more_reads_are_under_way(void **state)
{
	struct ibv_qp_attr attr = { .qp_state = IBV_QPS_INIT, .port_num = 1 };
	struct ibv_qp *qp = make_qp(1);

	(void)state;
	assert_non_null(qp);
	assert_int_equal(ibv_modify_qp(qp, &attr,
	                               IBV_QP_STATE | IBV_QP_PKEY_INDEX | IBV_QP_PORT |
	                                       IBV_QP_ACCESS_FLAGS),
	                 0);
	assert_int_equal(to_rtr(qp, READS + 1), EINVAL);
	assert_int_equal(to_rtr(qp, READS), 0);
	assert_int_equal(to_rts(qp, READS + 1), EINVAL);
	assert_int_equal(to_rts(qp, READS), 0);
	assert_int_equal(ibv_destroy_qp(qp), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(device_says_so),
		cmocka_unit_test(no_more_than_that_are_given),
		cmocka_unit_test(no_queue_is_longer),
		cmocka_unit_test(no_request_is_larger),
		cmocka_unit_test(no_more_reads_are_under_way),
	};
	int failed;

	mock_dir_make();
	failed = cmocka_run_group_tests(tests, open_device, close_device);
	mock_dir_remove();
	return failed;
}
