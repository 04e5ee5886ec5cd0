// SPDX-License-Identifier: BSD-2-Clause
/* Work queues: lists, depths, signalling of all, shared receive queues, sizes up to 16
 * MiB. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/check.h"
#include "lib/deadline.h"
#include "lib/rcop.h"

/* --- lists
 * -------------------------------------------------------------------------------- */

enum { LIST = 5 };

static void make_list(struct rc_end *end, struct ibv_send_wr *list, struct ibv_sge *sges)
{
	for (int i = 0; i < LIST; i++) {
		sges[i] = rc_sge(end, 0, 8);
		list[i] =
		        (struct ibv_send_wr){ .wr_id = (uint64_t)i,
			                      .next = i + 1 < LIST ? &list[i + 1] : NULL,
			                      .sg_list = &sges[i],
			                      .num_sge = 1,
			                      .opcode = IBV_WR_RDMA_WRITE,
			                      .send_flags = IBV_SEND_SIGNALED };
		list[i].wr.rdma.remote_addr = end->peer.buffer + 8 * (uint64_t)i;
		list[i].wr.rdma.rkey = end->peer.rkey;
	}
}

static void whole_list_body(struct side *side)
{
	struct ibv_send_wr list[LIST], *bad = NULL;
	struct ibv_sge sges[LIST];
	struct rc_pair pair;

	(void)side;
	rc_pair_open(&pair, &rc_default);
	make_list(&pair.a, list, sges);
	CHECK_EQ(ibv_post_send(pair.a.qp, list, &bad), 0);
	for (uint64_t i = 0; i < LIST; i++)
		rc_sent(&pair.a, i);
	rc_pair_close(&pair);
}
ALONE(whole_list)

typedef void break_request(struct ibv_send_wr *wr, const struct ibv_qp_cap *cap);

static void too_many_pieces(struct ibv_send_wr *wr, const struct ibv_qp_cap *cap)
{
	wr->num_sge = (int)cap->max_send_sge + 1;
}

static void unknown_operation(struct ibv_send_wr *wr, const struct ibv_qp_cap *cap)
{
	(void)cap;
	wr->opcode = (enum ibv_wr_opcode)99;
}

static void too_much_inline(struct ibv_send_wr *wr, const struct ibv_qp_cap *cap)
{
	wr->send_flags |= IBV_SEND_INLINE;
	wr->sg_list->length = cap->max_inline_data + 1;
}

/* What came before the failing request is done, nothing from it on. */
static void expect_bad(break_request *break_one, int failing)
{
	struct ibv_send_wr list[LIST], *bad = NULL;
	struct ibv_sge sges[LIST];
	struct ibv_qp_init_attr init;
	struct ibv_qp_attr attr;
	struct rc_pair pair;

	rc_pair_open(&pair, &rc_default);
	CHECK_EQ(ibv_query_qp(pair.a.qp, &attr, IBV_QP_CAP, &init), 0);
	memset(pair.a.buffer, 1, 8);
	make_list(&pair.a, list, sges);
	break_one(&list[failing], &init.cap);
	CHECK_EQ(ibv_post_send(pair.a.qp, list, &bad), EINVAL);
	CHECK(bad == &list[failing]);
	for (int i = 0; i < failing; i++)
		rc_sent(&pair.a, (uint64_t)i);
	rc_expect_nothing(pair.a.send_cq, 0);
	rc_expect_only(pair.b.buffer, 8 * (size_t)failing, 1);
	rc_expect_only(pair.b.buffer + 8 * failing, 8 * (size_t)(LIST - failing), 0);
	/* A refusal is no error of the queue pair. */
	rc_expect_state(&pair.a, IBV_QPS_RTS);
	rc_do(&pair.a, &(struct rc_op){ .opcode = IBV_WR_RDMA_WRITE,
	                                .id = 77,
	                                .flags = IBV_SEND_SIGNALED,
	                                .length = 8 });
	rc_sent(&pair.a, 77);
	rc_pair_close(&pair);
}

static void bad_request_in_a_list_body(struct side *side)
{
	(void)side;
	for (int failing = 0; failing < LIST; failing++)
		expect_bad(too_many_pieces, failing);
	expect_bad(unknown_operation, 2);
	expect_bad(too_much_inline, 3);
}
ALONE(bad_request_in_a_list)

static void bad_receive_in_a_list_body(struct side *side)
{
	struct ibv_recv_wr list[3] = { { .wr_id = 1 }, { .wr_id = 2 }, { .wr_id = 3 } };
	struct ibv_recv_wr *bad = NULL;
	struct ibv_qp_init_attr init;
	struct ibv_qp_attr attr;
	struct ibv_sge sges[64];
	struct rc_pair pair;

	(void)side;
	rc_pair_open(&pair, &rc_default);
	CHECK_EQ(ibv_query_qp(pair.b.qp, &attr, IBV_QP_CAP, &init), 0);
	CHECK(init.cap.max_recv_sge < 64);
	for (int i = 0; i < 64; i++)
		sges[i] = rc_sge(&pair.b, 0, 8);
	list[0].next = &list[1];
	list[1].next = &list[2];
	list[1].sg_list = sges;
	list[1].num_sge = (int)init.cap.max_recv_sge + 1;
	CHECK_EQ(ibv_post_recv(pair.b.qp, list, &bad), EINVAL);
	CHECK(bad == &list[1]);
	rc_to_error(&pair.b);
	rc_expect(pair.b.recv_cq, 1, IBV_WC_WR_FLUSH_ERR);
	rc_expect_nothing(pair.b.recv_cq, 0);
	rc_pair_close(&pair);
}
ALONE(bad_receive_in_a_list)

/* --- posting by state
 * --------------------------------------------------------------------- */

/* IBA 10.8.2: sends are refused before RTS, receives only in RESET. */
static void posting_by_state_body(struct side *side)
{
	struct rc_op op = { .opcode = IBV_WR_RDMA_WRITE, .length = 8 };
	struct rc_end end;

	(void)side;
	rc_open(&end, &rc_default);
	CHECK_EQ(rc_post(&end, &op), EINVAL);
	CHECK_EQ(rc_post_recv(&end, 1, 0, 8), EINVAL);
	rc_to_init(&end);
	CHECK_EQ(rc_post(&end, &op), EINVAL);
	CHECK_EQ(rc_post_recv(&end, 2, 0, 8), 0);
	rc_to_rtr(&end, &end.self);
	CHECK_EQ(rc_post(&end, &op), EINVAL);
	CHECK_EQ(rc_post_recv(&end, 3, 0, 8), 0);
	rc_to_rts(&end);
	CHECK_EQ(rc_post(&end, &op), 0);
	rc_to_error(&end);
	rc_expect(end.recv_cq, 2, IBV_WC_WR_FLUSH_ERR);
	rc_expect(end.recv_cq, 3, IBV_WC_WR_FLUSH_ERR);
	rc_expect_nothing(end.recv_cq, 0);
	rc_close(&end);
}
ALONE(posting_by_state)

/* --- depth
 * -------------------------------------------------------------------------------- */

static uint32_t actual_depth(struct rc_end *end, bool receive)
{
	struct ibv_qp_init_attr init;
	struct ibv_qp_attr attr;

	CHECK_EQ(ibv_query_qp(end->qp, &attr, IBV_QP_CAP, &init), 0);
	return receive ? init.cap.max_recv_wr : init.cap.max_send_wr;
}

/* A slot is in use until its completion is polled, or a later one's if it makes none. */
static void send_depth_body(struct side *side)
{
	struct rc_op op = { .opcode = IBV_WR_RDMA_WRITE,
		            .flags = IBV_SEND_SIGNALED,
		            .length = 8 };
	struct rc_config config = rc_default;
	struct rc_pair pair;
	uint32_t depth;

	(void)side;
	config.send_depth = 10;
	rc_pair_open(&pair, &config);
	depth = actual_depth(&pair.a, false);
	for (op.id = 0; op.id < depth; op.id++)
		rc_do(&pair.a, &op);
	CHECK_EQ(rc_post(&pair.a, &op), ENOMEM);
	rc_sent(&pair.a, 0);
	rc_do(&pair.a, &op);
	CHECK_EQ(rc_post(&pair.a, &op), ENOMEM);
	for (uint64_t id = 1; id <= depth; id++)
		rc_sent(&pair.a, id);
	rc_pair_close(&pair);
}
ALONE(send_depth)

static void unsignalled_depth_body(struct side *side)
{
	struct rc_op op = { .opcode = IBV_WR_RDMA_WRITE, .length = 8 };
	struct rc_config config = rc_default;
	struct rc_pair pair;
	uint32_t depth;

	(void)side;
	config.send_depth = 10;
	rc_pair_open(&pair, &config);
	depth = actual_depth(&pair.a, false);
	for (int round = 0; round < 20; round++) {
		for (uint32_t i = 0; i + 1 < depth; i++)
			rc_do(&pair.a, &op);
		op.flags = IBV_SEND_SIGNALED;
		rc_do(&pair.a, &op);
		CHECK_EQ(rc_post(&pair.a, &op), ENOMEM);
		op.flags = 0;
		rc_sent(&pair.a, 0);
	}
	rc_pair_close(&pair);
}
ALONE(unsignalled_depth)

static void receive_depth_body(struct side *side)
{
	struct rc_config config = rc_default;
	struct rc_pair pair;
	uint32_t depth;

	(void)side;
	config.recv_depth = 10;
	rc_pair_open(&pair, &config);
	depth = actual_depth(&pair.b, true);
	for (uint32_t i = 0; i < depth; i++)
		rc_recv(&pair.b, i, 0, 64);
	CHECK_EQ(rc_post_recv(&pair.b, 99, 0, 64), ENOMEM);
	rc_do(&pair.a, &(struct rc_op){ .opcode = IBV_WR_SEND, .length = 8 });
	rc_received(&pair.b, 0);
	rc_recv(&pair.b, depth, 0, 64);
	CHECK_EQ(rc_post_recv(&pair.b, 99, 0, 64), ENOMEM);
	rc_pair_close(&pair);
}
ALONE(receive_depth)

static void srq_depth_body(struct side *side)
{
	struct rc_config config = rc_default;
	struct ibv_srq_attr attr;
	struct rc_pair pair;

	(void)side;
	config.shared_receive = true;
	config.recv_depth = 10;
	rc_pair_open(&pair, &config);
	CHECK_EQ(ibv_query_srq(pair.b.srq, &attr), 0);
	CHECK(attr.max_wr >= 10 && attr.max_sge >= config.recv_sges);
	for (uint32_t i = 0; i < attr.max_wr; i++)
		rc_recv(&pair.b, i, 0, 64);
	CHECK_EQ(rc_post_recv(&pair.b, 99, 0, 64), ENOMEM);
	rc_do(&pair.a, &(struct rc_op){ .opcode = IBV_WR_SEND, .length = 8 });
	rc_received(&pair.b, 0);
	rc_recv(&pair.b, attr.max_wr, 0, 64);
	rc_pair_close(&pair);
}
ALONE(srq_depth)

/* --- signalling of all
 * ---------------------------------------------------------------------- */

static void all_are_signalled_body(struct side *side)
{
	struct rc_config config = rc_default;
	struct rc_pair pair;

	(void)side;
	config.signal_all = true;
	rc_pair_open(&pair, &config);
	for (uint64_t i = 0; i < 10; i++)
		rc_do(&pair.a, &(struct rc_op){ .opcode = IBV_WR_RDMA_WRITE,
		                                .id = i,
		                                .length = 8 });
	for (uint64_t i = 0; i < 10; i++)
		rc_sent(&pair.a, i);
	rc_expect_nothing(pair.a.send_cq, 0);
	rc_pair_close(&pair);
}
ALONE(all_are_signalled)

/* --- one shared receive queue for two connections
 * ------------------------------------------- */

static void send_eight_bytes(struct rc_end *end, uint64_t value)
{
	memcpy(end->buffer, &value, sizeof(value));
	rc_do(end, &(struct rc_op){ .opcode = IBV_WR_SEND,
	                            .flags = IBV_SEND_SIGNALED,
	                            .length = 8 });
	rc_sent(end, 0);
}

/* A second QP that takes its receives from the first end's queue. */
static struct ibv_qp *share_queue(struct rc_end *end, struct rc_end *second_sender)
{
	struct ibv_qp_init_attr init = { .send_cq = end->send_cq,
		                         .recv_cq = end->recv_cq,
		                         .srq = end->srq,
		                         .cap = { 8, 0, 1, 0, 0 },
		                         .qp_type = IBV_QPT_RC };
	struct ibv_qp *first = end->qp,
	              *second = CHECK_OBJECT(ibv_create_qp(end->pd, &init));

	CHECK(second->srq == end->srq);
	end->qp = second;
	end->self.qpn = second->qp_num;
	rc_connect(end, &second_sender->self);
	rc_connect(second_sender, &end->self);
	end->qp = first;
	return second;
}

static void shared_between_connections_body(struct side *side)
{
	struct rc_config config = rc_default;
	struct rc_end other;
	struct rc_pair pair;
	struct ibv_qp *second;

	(void)side;
	rc_open(&other, &config);
	config.shared_receive = true;
	rc_pair_open(&pair, &config);
	second = share_queue(&pair.b, &other);
	for (uint64_t i = 0; i < 8; i++)
		rc_recv(&pair.b, i, 64 * i, 64);
	for (uint64_t i = 0; i < 8; i++) {
		struct rc_end *sender = i % 3 ? &other : &pair.a;
		struct ibv_wc wc;

		send_eight_bytes(sender, 1000 + i);
		wc = rc_expect(pair.b.recv_cq, i, IBV_WC_SUCCESS);
		CHECK_EQ(wc.qp_num, sender->peer.qpn);
		CHECK_EQ(*(uint64_t *)(void *)(pair.b.buffer + 64 * i), 1000 + i);
	}
	CHECK_EQ(ibv_destroy_srq(pair.b.srq), EBUSY);
	CHECK_EQ(ibv_destroy_qp(second), 0);
	rc_close(&other);
	rc_pair_close(&pair);
}
ALONE(shared_between_connections)

/* ibv_post_recv(3) and a QP with a shared queue do not go together. */
static void no_receives_of_its_own_body(struct side *side)
{
	struct rc_config config = rc_default;
	struct ibv_recv_wr wr = { .wr_id = 1 }, *bad = NULL;
	struct rc_pair pair;

	(void)side;
	config.shared_receive = true;
	rc_pair_open(&pair, &config);
	CHECK(ibv_post_recv(pair.b.qp, &wr, &bad) != 0);
	CHECK(bad == &wr);
	rc_pair_close(&pair);
}
ALONE(no_receives_of_its_own)

/* Receives of a shared queue belong to it, not to a QP that fails. */
static void srq_is_not_flushed_body(struct side *side)
{
	struct rc_config config = rc_default;
	struct rc_pair pair;

	(void)side;
	config.shared_receive = true;
	rc_pair_open(&pair, &config);
	rc_recv(&pair.b, 1, 0, 64);
	rc_to_error(&pair.b);
	rc_expect_nothing(pair.b.recv_cq, 20);
	rc_to_error(&pair.a);
	rc_to_reset(&pair.a);
	rc_to_reset(&pair.b);
	rc_connect(&pair.a, &pair.b.self);
	rc_connect(&pair.b, &pair.a.self);
	rc_do(&pair.a, &(struct rc_op){ .opcode = IBV_WR_SEND, .length = 8 });
	rc_received(&pair.b, 1);
	rc_pair_close(&pair);
}
ALONE(srq_is_not_flushed)

/* --- ibv_wr_abort()
 * ------------------------------------------------------------------------- */

static void aborted_requests_vanish_body(struct side *side)
{
	struct rc_config config = rc_default;
	struct rc_pair pair;

	(void)side;
	config.extended = true;
	rc_pair_open(&pair, &config);
	memset(pair.a.buffer, 1, 8);
	ibv_wr_start(pair.a.qpx);
	for (uint64_t i = 0; i < 3; i++) {
		pair.a.qpx->wr_id = i;
		pair.a.qpx->wr_flags = IBV_SEND_SIGNALED;
		ibv_wr_rdma_write(pair.a.qpx, pair.a.peer.rkey, pair.a.peer.buffer);
		ibv_wr_set_sge(pair.a.qpx, pair.a.mr->lkey, (uintptr_t)pair.a.buffer, 8);
	}
	ibv_wr_abort(pair.a.qpx);
	rc_expect_nothing(pair.a.send_cq, 20);
	rc_expect_only(pair.b.buffer, 8, 0);
	rc_do(&pair.a, &(struct rc_op){ .opcode = IBV_WR_RDMA_WRITE,
	                                .id = 9,
	                                .flags = IBV_SEND_SIGNALED,
	                                .length = 8 });
	rc_sent(&pair.a, 9);
	rc_pair_close(&pair);
}
ALONE(aborted_requests_vanish)

/* ibv_wr_post(3): all of a batch is posted or none of it. */
static void batch_beyond_the_depth_body(struct side *side)
{
	struct rc_config config = rc_default;
	struct rc_pair pair;
	uint32_t depth;

	(void)side;
	config.extended = true;
	config.send_depth = 8;
	rc_pair_open(&pair, &config);
	depth = actual_depth(&pair.a, false);
	memset(pair.a.buffer, 1, 8);
	ibv_wr_start(pair.a.qpx);
	for (uint32_t i = 0; i <= depth; i++) {
		pair.a.qpx->wr_id = i;
		pair.a.qpx->wr_flags = IBV_SEND_SIGNALED;
		ibv_wr_rdma_write(pair.a.qpx, pair.a.peer.rkey, pair.a.peer.buffer);
		ibv_wr_set_sge(pair.a.qpx, pair.a.mr->lkey, (uintptr_t)pair.a.buffer, 8);
	}
	CHECK_EQ(ibv_wr_complete(pair.a.qpx), ENOMEM);
	rc_expect_nothing(pair.a.send_cq, 20);
	rc_expect_only(pair.b.buffer, 8, 0);
	rc_pair_close(&pair);
}
ALONE(batch_beyond_the_depth)

/* --- sizes
 * ---------------------------------------------------------------------------------- */

static const uint32_t sizes[] = {
	1,        2,
	7,        8,
	63,       64,
	65,       255,
	256,      1023,
	1024,     1025,
	4095,     4096,
	4097,     65535,
	65536,    65537,
	1u << 20, (1u << 20) + 1,
	1u << 22, (1u << 24) - 1,
	1u << 24,
};

enum { SIZE_COUNT = sizeof(sizes) / sizeof(sizes[0]), AREA = (1 << 24) + 64 };

static struct rc_config size_config(void)
{
	struct rc_config config = rc_default;

	config.buffer_size = 2 * AREA;
	return config;
}

/* SEND into the first area, WRITE into the second, READ back from it. */
static void sizes_initiator(struct side *side)
{
	struct rc_config config = size_config();
	struct rc_end end;

	rc_side_open(side, &end, &config);
	for (unsigned int i = 0; i < SIZE_COUNT; i++) {
		struct rc_op op = { .opcode = IBV_WR_SEND,
			            .id = i,
			            .flags = IBV_SEND_SIGNALED,
			            .length = sizes[i] };

		rc_fill(end.buffer, sizes[i], i);
		side_meet(side);
		rc_do(&end, &op);
		rc_sent(&end, i);
		op.opcode = IBV_WR_RDMA_WRITE;
		op.remote = AREA;
		rc_do(&end, &op);
		rc_sent(&end, i);
		op.opcode = IBV_WR_RDMA_READ;
		op.offset = AREA;
		rc_do(&end, &op);
		rc_sent(&end, i);
		rc_expect_filled(end.buffer + AREA, sizes[i], i);
		side_meet(side);
	}
	rc_side_close(side, &end);
}

static void sizes_target(struct side *side)
{
	struct rc_config config = size_config();
	struct rc_end end;

	rc_side_open(side, &end, &config);
	for (unsigned int i = 0; i < SIZE_COUNT; i++) {
		memset(end.buffer, 0xa5, sizes[i] + 8);
		memset(end.buffer + AREA, 0xa5, sizes[i] + 8);
		rc_recv(&end, i, 0, sizes[i]);
		side_meet(side);
		CHECK_EQ(rc_received(&end, i).byte_len, sizes[i]);
		side_meet(side);
		rc_expect_filled(end.buffer, sizes[i], i);
		rc_expect_only(end.buffer + sizes[i], 8, 0xa5);
		rc_expect_filled(end.buffer + AREA, sizes[i], i);
		rc_expect_only(end.buffer + AREA + sizes[i], 8, 0xa5);
	}
	rc_side_close(side, &end);
}

static void sizes_between_processes(void **state)
{
	(void)state;
	sides_run(SIDES_PROCESSES, sizes_initiator, sizes_target, NULL);
}

static void sizes_between_threads(void **state)
{
	(void)state;
	sides_run(SIDES_THREADS, sizes_initiator, sizes_target, NULL);
}

/* A queue pair connected to itself is a connection like another. */
static void loop_to_itself_body(struct side *side)
{
	struct rc_end end;

	(void)side;
	rc_open(&end, &rc_default);
	rc_connect(&end, &end.self);
	rc_fill(end.buffer, 64, 8);
	rc_recv(&end, 1, 1024, 64);
	rc_do(&end, &(struct rc_op){ .opcode = IBV_WR_SEND,
	                             .id = 2,
	                             .flags = IBV_SEND_SIGNALED,
	                             .length = 64 });
	rc_sent(&end, 2);
	rc_received(&end, 1);
	rc_expect_filled(end.buffer + 1024, 64, 8);
	rc_close(&end);
}
ALONE(loop_to_itself)

/* --- receives longer than their regions
 * -------------------------------------------------------------------- */

/* The messages of a size that travels with its completion, and of one that does not. */
static void expect_end_of_region(uint32_t room, uint32_t length, bool shared,
                                 enum ibv_wc_status receiver)
{
	struct ibv_mr *mr;
	struct rc_config config = rc_default;
	struct rc_pair pair;
	struct ibv_sge sge;

	config.shared_receive = shared;
	rc_pair_open(&pair, &config);
	mr = CHECK_OBJECT(
	        ibv_reg_mr(pair.b.pd, pair.b.buffer, room, IBV_ACCESS_LOCAL_WRITE));
	sge = (struct ibv_sge){ (uintptr_t)pair.b.buffer, 2 * room, mr->lkey };
	rc_fill(pair.a.buffer, length, 3);
	CHECK_EQ(rc_post_recv_sges(&pair.b, 1, &sge, 1), 0);
	rc_do(&pair.a, &(struct rc_op){ .opcode = IBV_WR_SEND,
	                                .id = 2,
	                                .flags = IBV_SEND_SIGNALED,
	                                .length = length });
	rc_expect(pair.b.recv_cq, 1, receiver);
	rc_expect(pair.a.send_cq, 2,
	          receiver == IBV_WC_SUCCESS ? IBV_WC_SUCCESS : IBV_WC_REM_OP_ERR);
	if (receiver == IBV_WC_SUCCESS)
		rc_expect_filled(pair.b.buffer, length, 3);
	CHECK_EQ(ibv_dereg_mr(mr), 0);
	rc_pair_close(&pair);
}

/* What a message does not use of its receive need not be in the region; what it uses
 * does. */
static void receive_beyond_its_region_body(struct side *side)
{
	(void)side;
	for (int shared = 0; shared <= 1; shared++) {
		expect_end_of_region(16, 16, shared, IBV_WC_SUCCESS);
		expect_end_of_region(16, 17, shared, IBV_WC_LOC_PROT_ERR);
		expect_end_of_region(2000, 2000, shared, IBV_WC_SUCCESS);
		expect_end_of_region(2000, 2001, shared, IBV_WC_LOC_PROT_ERR);
	}
}
ALONE(receive_beyond_its_region)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_list),
		cmocka_unit_test(bad_request_in_a_list),
		cmocka_unit_test(bad_receive_in_a_list),
		cmocka_unit_test(posting_by_state),
		cmocka_unit_test(send_depth),
		cmocka_unit_test(unsignalled_depth),
		cmocka_unit_test(receive_depth),
		cmocka_unit_test(srq_depth),
		cmocka_unit_test(all_are_signalled),
		cmocka_unit_test(shared_between_connections),
		cmocka_unit_test(no_receives_of_its_own),
		cmocka_unit_test(srq_is_not_flushed),
		cmocka_unit_test(aborted_requests_vanish),
		cmocka_unit_test(batch_beyond_the_depth),
		cmocka_unit_test(sizes_between_processes),
		cmocka_unit_test(sizes_between_threads),
		cmocka_unit_test(loop_to_itself),
		cmocka_unit_test(receive_beyond_its_region),
	};

	return cmocka_run_group_tests(tests, runtime_directory_make,
	                              runtime_directory_remove);
}
