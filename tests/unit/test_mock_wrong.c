// SPDX-License-Identifier: BSD-2-Clause
/*
 * Wrong arguments: each call answers EINVAL in the way of its manual page, nothing
 * crashes, and what was there still works.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/check.h"
#include "lib/rcop.h"

static void expect_working(struct rc_pair *pair)
{
	rc_recv(&pair->b, 1, 0, 64);
	rc_do(&pair->a, &(struct rc_op){ .opcode = IBV_WR_SEND,
	                                 .id = 2,
	                                 .flags = IBV_SEND_SIGNALED,
	                                 .length = 16 });
	rc_sent(&pair->a, 2);
	rc_received(&pair->b, 1);
}

static void nothing_at_all_body(struct side *side)
{
	struct ibv_async_event event;
	struct ibv_cq *cq;
	void *context;

	(void)side;
	ibv_free_device_list(NULL);
	CHECK(!ibv_get_device_name(NULL));
	CHECK_FAILS(ibv_open_device(NULL), EINVAL);
	CHECK_FAILS(ibv_close_device(NULL), EINVAL);
	CHECK_FAILS(ibv_alloc_pd(NULL), EINVAL);
	CHECK_EQ(ibv_dealloc_pd(NULL), EINVAL);
	CHECK_EQ(ibv_dereg_mr(NULL), EINVAL);
	CHECK_EQ(ibv_rereg_mr(NULL, 4, NULL, NULL, 0, 0), IBV_REREG_MR_ERR_INPUT);
	CHECK_FAILS(ibv_create_comp_channel(NULL), EINVAL);
	CHECK_EQ(ibv_destroy_comp_channel(NULL), EINVAL);
	CHECK_FAILS(ibv_create_cq(NULL, 1, NULL, NULL, 0), EINVAL);
	CHECK_EQ(ibv_resize_cq(NULL, 1), EINVAL);
	CHECK_EQ(ibv_destroy_cq(NULL), EINVAL);
	CHECK_FAILS(ibv_get_cq_event(NULL, &cq, &context), EINVAL);
	ibv_ack_cq_events(NULL, 1);
	CHECK_FAILS(ibv_get_async_event(NULL, &event), EINVAL);
	ibv_ack_async_event(NULL);
	CHECK_FAILS(ibv_create_srq(NULL, NULL), EINVAL);
	CHECK_EQ(ibv_modify_srq(NULL, NULL, 0), EINVAL);
	CHECK_EQ(ibv_query_srq(NULL, NULL), EINVAL);
	CHECK_EQ(ibv_destroy_srq(NULL), EINVAL);
	CHECK_FAILS(ibv_create_qp(NULL, NULL), EINVAL);
	CHECK_EQ(ibv_modify_qp(NULL, NULL, 0), EINVAL);
	CHECK_EQ(ibv_query_qp(NULL, NULL, 0, NULL), EINVAL);
	CHECK_EQ(ibv_destroy_qp(NULL), EINVAL);
	CHECK(!ibv_qp_to_qp_ex(NULL));
	CHECK_FAILS(ibv_create_ah(NULL, NULL), EINVAL);
	CHECK_EQ(ibv_destroy_ah(NULL), EINVAL);
	CHECK_EQ(ibv_attach_mcast(NULL, NULL, 0), EINVAL);
	CHECK_EQ(ibv_detach_mcast(NULL, NULL, 0), EINVAL);
}
ALONE(nothing_at_all)

/* Nowhere to put the answer, or none of what is asked for. */
static void nothing_but_the_object_body(struct side *side)
{
	struct rc_config config = rc_default;
	struct ibv_qp_init_attr_ex init = { .comp_mask = IBV_QP_INIT_ATTR_PD };
	struct ibv_qp_attr attr;
	struct ibv_ah_attr path;
	struct rc_pair pair;
	struct ibv_wc wc;
	uint8_t mac[6];

	(void)side;
	config.channel = true;
	rc_pair_open(&pair, &config);
	struct rc_end *end = &pair.a;

	CHECK_EQ(ibv_query_device(end->context, NULL), EINVAL);
	CHECK_FAILS(ibv_query_gid(end->context, RC_PORT, 0, NULL), EINVAL);
	CHECK_EQ(ibv_query_gid_ex(end->context, RC_PORT, 0, NULL, 0), EINVAL);
	CHECK_FAILS(ibv_query_pkey(end->context, RC_PORT, 0, NULL), EINVAL);
	CHECK_FAILS(ibv_get_async_event(end->context, NULL), EINVAL);
	CHECK_FAILS(ibv_get_cq_event(end->channel, NULL, NULL), EINVAL);
	CHECK_EQ(ibv_query_rt_values_ex(end->context, NULL), EINVAL);
	CHECK_FAILS(ibv_create_srq(end->pd, NULL), EINVAL);
	CHECK_FAILS(ibv_create_qp(end->pd, NULL), EINVAL);
	init.qp_type = IBV_QPT_RC;
	CHECK_FAILS(ibv_create_qp_ex(end->context, &init), EINVAL);
	CHECK_EQ(ibv_modify_qp(end->qp, NULL, IBV_QP_STATE), EINVAL);
	CHECK_EQ(ibv_query_qp(end->qp, &attr, 0, NULL), EINVAL);
	CHECK_FAILS(ibv_create_ah(end->pd, NULL), EINVAL);
	CHECK_FAILS(ibv_create_ah_from_wc(end->pd, NULL, NULL, RC_PORT), EINVAL);
	CHECK_FAILS(ibv_init_ah_from_wc(end->context, RC_PORT, &wc, NULL, &path), EINVAL);
	CHECK_FAILS(ibv_resolve_eth_l2_from_gid(end->context, NULL, mac, NULL), EINVAL);
	CHECK_EQ(ibv_attach_mcast(end->qp, NULL, 0), EINVAL);
	CHECK_FAILS(ibv_alloc_parent_domain(end->context, NULL), EINVAL);
	CHECK_FAILS(ibv_alloc_dm(end->context, NULL), EINVAL);
	CHECK_FAILS(ibv_reg_dm_mr(end->pd, NULL, 0, 8, IBV_ACCESS_ZERO_BASED), EINVAL);
	CHECK(ibv_poll_cq(end->send_cq, 1, NULL) < 0);
	CHECK(ibv_poll_cq(end->send_cq, -1, &wc) < 0);
	CHECK_EQ(ibv_poll_cq(end->send_cq, 0, NULL), 0);
	expect_working(&pair);
	rc_pair_close(&pair);
}
ALONE(nothing_but_the_object)

static void requests_body(struct side *side)
{
	struct ibv_send_wr send = { .opcode = IBV_WR_SEND, .num_sge = 1 }, *bad;
	struct ibv_recv_wr receive = { .num_sge = 1 }, *bad_receive;
	struct rc_pair pair;

	(void)side;
	rc_pair_open(&pair, &rc_default);
	/* A list that is not there, one that is too long, one of less than none. */
	for (int i = 0; i < 3; i++) {
		static const int counts[] = { 1, 1 << 20, -1 };

		send.num_sge = receive.num_sge = counts[i];
		bad = NULL;
		bad_receive = NULL;
		CHECK_EQ(ibv_post_send(pair.a.qp, &send, &bad), EINVAL);
		CHECK_EQ(ibv_post_recv(pair.b.qp, &receive, &bad_receive), EINVAL);
		CHECK(bad == &send && bad_receive == &receive);
		CHECK_EQ(ibv_post_send(pair.a.qp, &send, NULL), EINVAL);
		CHECK_EQ(ibv_post_recv(pair.b.qp, &receive, NULL), EINVAL);
	}
	send.num_sge = 0;
	for (unsigned int i = IBV_WR_TSO; i < 40; i++) {
		send.opcode = (enum ibv_wr_opcode)i;
		if (send.opcode != IBV_WR_ATOMIC_WRITE)
			CHECK_EQ(ibv_post_send(pair.a.qp, &send, &bad), EINVAL);
	}
	send.opcode = (enum ibv_wr_opcode) - 1;
	CHECK_EQ(ibv_post_send(pair.a.qp, &send, &bad), EINVAL);
	CHECK_EQ(ibv_post_send(pair.a.qp, NULL, &bad), 0); /* no request at all */
	rc_expect_nothing(pair.a.send_cq, 1);
	expect_working(&pair);
	rc_pair_close(&pair);
}
ALONE(requests)

/* An operation that a QP was not made for spoils its batch, and only that. */
static void spoiled_batches_body(struct side *side)
{
	struct rc_config config = rc_default;
	struct rc_pair pair;
	struct ibv_qp_ex *qp;

	(void)side;
	config.extended = true;
	rc_pair_open(&pair, &config);
	qp = pair.a.qpx;
	for (int i = 0; i < 5; i++) {
		ibv_wr_start(qp);
		qp->wr_id = 9;
		qp->wr_flags = IBV_SEND_SIGNALED;
		ibv_wr_rdma_write(qp, pair.a.peer.rkey, pair.a.peer.buffer);
		ibv_wr_set_sge(qp, pair.a.mr->lkey, (uintptr_t)pair.a.buffer, 8);
		switch (i) {
		case 0: ibv_wr_send_tso(qp, pair.a.buffer, 14, 100); break;
		case 1: ibv_wr_set_xrc_srqn(qp, 1); break;
		case 2: ibv_wr_set_ud_addr(qp, NULL, 1, 1); break;
		case 3:
			ibv_wr_bind_mw(qp, NULL, 1, &(struct ibv_mw_bind_info){ 0 });
			break;
		default: ibv_wr_set_sge_list(qp, 1000, NULL);
		}
		ibv_wr_send(qp); /* what follows changes nothing */
		CHECK_EQ(ibv_wr_complete(qp), EINVAL);
	}
	rc_expect_nothing(pair.a.send_cq, 1);
	expect_working(&pair);
	rc_pair_close(&pair);
}
ALONE(spoiled_batches)

/* Any mask and any values: an answer, and either nothing or all of it is done. */
static void modify_masks_body(struct side *side)
{
	struct ibv_qp_attr attr, before, after;
	struct ibv_qp_init_attr init;
	struct rc_pair pair;

	(void)side;
	rc_pair_open(&pair, &rc_default);
	CHECK_EQ(ibv_query_qp(pair.a.qp, &before, 0, &init), 0);
	for (unsigned int bit = 0; bit < 31; bit++) {
		memset(&attr, 0xff, sizeof(attr));
		CHECK_EQ(ibv_modify_qp(pair.a.qp, &attr, 1 << bit), EINVAL);
		CHECK_EQ(ibv_modify_qp(pair.a.qp, &attr, 1 << bit | IBV_QP_STATE),
		         EINVAL);
	}
	CHECK_EQ(ibv_modify_qp(pair.a.qp, &attr, -1), EINVAL);
	CHECK_EQ(ibv_query_qp(pair.a.qp, &after, 0, &init), 0);
	CHECK_EQ(after.qp_state, before.qp_state);
	CHECK_EQ(after.qp_access_flags, before.qp_access_flags);
	CHECK_EQ(after.dest_qp_num, before.dest_qp_num);
	CHECK_EQ(after.path_mtu, before.path_mtu);
	CHECK_EQ(after.rq_psn, before.rq_psn);
	CHECK_EQ(after.sq_psn, before.sq_psn);
	CHECK_EQ(after.max_rd_atomic, before.max_rd_atomic);
	CHECK_EQ(after.max_dest_rd_atomic, before.max_dest_rd_atomic);
	CHECK_EQ(after.min_rnr_timer, before.min_rnr_timer);
	CHECK_EQ(after.timeout, before.timeout);
	CHECK_EQ(after.retry_cnt, before.retry_cnt);
	CHECK_EQ(after.rnr_retry, before.rnr_retry);
	CHECK_BYTES(&after.ah_attr.grh.dgid, &before.ah_attr.grh.dgid, 16);
	expect_working(&pair);
	rc_pair_close(&pair);
}
ALONE(modify_masks)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_at_all),
		cmocka_unit_test(nothing_but_the_object),
		cmocka_unit_test(requests),
		cmocka_unit_test(spoiled_batches),
		cmocka_unit_test(modify_masks),
	};

	return cmocka_run_group_tests(tests, runtime_directory_make,
	                              runtime_directory_remove);
}
