// SPDX-License-Identifier: BSD-2-Clause
/* Memory windows of both types (IBA 10.6.7), posted in both ways. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/check.h"
#include "lib/rcop.h"

enum {
	START = 512, /* of the window in b's buffer */
	SIZE = 256,
	REMOTE = IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_REMOTE_READ |
	         IBV_ACCESS_REMOTE_ATOMIC,
};

/* b's buffer, as a region that windows may be bound to, and a window of b's. */
struct fixture {
	struct rc_pair pair;
	struct ibv_mr *region;
	struct ibv_mw *mw;
};

static void open_with(struct fixture *f, enum ibv_mw_type type, bool extended,
                      int region_access)
{
	struct rc_config config = rc_default;

	config.extended = extended;
	rc_pair_open(&f->pair, &config);
	f->region = CHECK_OBJECT(ibv_reg_mr(f->pair.b.pd, f->pair.b.buffer,
	                                    f->pair.b.config.buffer_size, region_access));
	f->mw = CHECK_OBJECT(ibv_alloc_mw(f->pair.b.pd, type));
	CHECK(f->mw->type == type && f->mw->pd == f->pair.b.pd);
}

static void open_fixture(struct fixture *f, enum ibv_mw_type type, bool extended)
{
	open_with(f, type, extended, RC_ALL_ACCESS | IBV_ACCESS_MW_BIND);
}

static void close_fixture(struct fixture *f)
{
	CHECK_EQ(ibv_dealloc_mw(f->mw), 0);
	CHECK_EQ(ibv_dereg_mr(f->region), 0);
	rc_pair_close(&f->pair);
}

/* What the operations here bind, where a test says nothing else. */
static struct ibv_mw_bind_info part_of(const struct fixture *f)
{
	return (struct ibv_mw_bind_info){
		.mr = f->region,
		.addr = (uintptr_t)f->pair.b.buffer + START,
		.length = SIZE,
		.mw_access_flags = REMOTE,
	};
}

static int post_type_2(struct rc_end *end, struct ibv_mw *mw, uint32_t rkey,
                       struct ibv_mw_bind_info info)
{
	struct ibv_send_wr wr = {
		.wr_id = 7,
		.opcode = IBV_WR_BIND_MW,
		.send_flags = IBV_SEND_SIGNALED,
		.bind_mw = { .mw = mw, .rkey = rkey, .bind_info = info },
	};
	struct ibv_send_wr *bad;

	if (!end->qpx)
		return ibv_post_send(end->qp, &wr, &bad);
	ibv_wr_start(end->qpx);
	end->qpx->wr_id = wr.wr_id;
	end->qpx->wr_flags = wr.send_flags;
	ibv_wr_bind_mw(end->qpx, mw, rkey, &info);
	return ibv_wr_complete(end->qpx);
}

static int post_type_1(struct rc_end *end, struct ibv_mw *mw,
                       struct ibv_mw_bind_info info)
{
	struct ibv_mw_bind bind = { 7, IBV_SEND_SIGNALED, info };

	return ibv_bind_mw(end->qp, mw, &bind);
}

/* Binds in the way of its type; the key is then in mw->rkey. */
static void bind_window(struct rc_end *end, struct ibv_mw *mw,
                        struct ibv_mw_bind_info info, enum ibv_wc_status status)
{
	uint32_t rkey = ibv_inc_rkey(mw->rkey);
	struct ibv_wc wc;

	if (mw->type == IBV_MW_TYPE_1) {
		CHECK_EQ(post_type_1(end, mw, info), 0);
		CHECK_EQ(mw->rkey, rkey);
	} else {
		CHECK_EQ(post_type_2(end, mw, rkey, info), 0);
		mw->rkey = rkey;
	}
	wc = rc_expect(end->send_cq, 7, status);
	if (status == IBV_WC_SUCCESS)
		CHECK_EQ(wc.opcode, IBV_WC_BIND_MW);
	else
		rc_expect_state(end, IBV_QPS_ERR);
}

static void reconnect(struct rc_pair *pair)
{
	rc_to_reset(&pair->a);
	rc_to_reset(&pair->b);
	rc_connect(&pair->a, &pair->b.self);
	rc_connect(&pair->b, &pair->a.self);
}

/* a's request to b's memory with that key. A refusal ends the connection: another begins.
 */
static void access_with(struct fixture *f, enum ibv_wr_opcode opcode, uint32_t rkey,
                        uint64_t address, uint32_t length, enum ibv_wc_status status)
{
	struct rc_pair *pair = &f->pair;

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

static void write_with(struct fixture *f, uint32_t rkey, enum ibv_wc_status status)
{
	uint8_t *there = f->pair.b.buffer + START;

	memset(there, 0, SIZE);
	rc_fill(f->pair.a.buffer, SIZE, rkey);
	access_with(f, IBV_WR_RDMA_WRITE, rkey, (uintptr_t)there, SIZE, status);
	if (status == IBV_WC_SUCCESS)
		rc_expect_filled(there, SIZE, rkey);
	else
		rc_expect_only(there, SIZE, 0);
}

static void invalidate_locally(struct rc_end *end, uint32_t rkey,
                               enum ibv_wc_status status)
{
	struct ibv_send_wr wr = { .wr_id = 8,
		                  .opcode = IBV_WR_LOCAL_INV,
		                  .send_flags = IBV_SEND_SIGNALED,
		                  .invalidate_rkey = rkey };
	struct ibv_send_wr *bad;
	struct ibv_wc wc;

	if (end->qpx) {
		ibv_wr_start(end->qpx);
		end->qpx->wr_id = wr.wr_id;
		end->qpx->wr_flags = wr.send_flags;
		ibv_wr_local_inv(end->qpx, rkey);
		CHECK_EQ(ibv_wr_complete(end->qpx), 0);
	} else {
		CHECK_EQ(ibv_post_send(end->qp, &wr, &bad), 0);
	}
	wc = rc_expect(end->send_cq, 8, status);
	if (status == IBV_WC_SUCCESS)
		CHECK_EQ(wc.opcode, IBV_WC_LOCAL_INV);
}

static void send_and_invalidate(struct rc_end *end, uint32_t rkey)
{
	struct ibv_sge sge = rc_sge(end, 0, 16);
	struct ibv_send_wr wr = { .wr_id = 5,
		                  .sg_list = &sge,
		                  .num_sge = 1,
		                  .opcode = IBV_WR_SEND_WITH_INV,
		                  .send_flags = IBV_SEND_SIGNALED,
		                  .invalidate_rkey = rkey };
	struct ibv_send_wr *bad;

	if (!end->qpx) {
		CHECK_EQ(ibv_post_send(end->qp, &wr, &bad), 0);
		return;
	}
	ibv_wr_start(end->qpx);
	end->qpx->wr_id = wr.wr_id;
	end->qpx->wr_flags = wr.send_flags;
	ibv_wr_send_inv(end->qpx, rkey);
	ibv_wr_set_sge(end->qpx, sge.lkey, sge.addr, sge.length);
	CHECK_EQ(ibv_wr_complete(end->qpx), 0);
}

static void announced_body(struct side *side)
{
	struct ibv_device_attr device;
	struct rc_end end;

	(void)side;
	rc_open(&end, &rc_default);
	CHECK_EQ(ibv_query_device(end.context, &device), 0);
	CHECK(device.max_mw > 0);
	CHECK(device.device_cap_flags & IBV_DEVICE_MEM_WINDOW);
	CHECK(device.device_cap_flags & IBV_DEVICE_MEM_WINDOW_TYPE_2B);
	CHECK(!(device.device_cap_flags & IBV_DEVICE_MEM_WINDOW_TYPE_2A));
	CHECK_FAILS(ibv_alloc_mw(end.pd, (enum ibv_mw_type)0), EINVAL);
	CHECK_FAILS(ibv_alloc_mw(end.pd, (enum ibv_mw_type)3), EINVAL);
	rc_close(&end);
}
ALONE(announced)

static void life_of_type_1_body(struct side *side)
{
	struct ibv_mw_bind_info info;
	struct fixture f;
	uint32_t first;

	(void)side;
	open_fixture(&f, IBV_MW_TYPE_1, false);
	info = part_of(&f);
	write_with(&f, f.mw->rkey, IBV_WC_REM_ACCESS_ERR);
	bind_window(&f.pair.b, f.mw, info, IBV_WC_SUCCESS);
	first = f.mw->rkey;
	write_with(&f, first, IBV_WC_SUCCESS);
	CHECK_EQ(ibv_dereg_mr(f.region), EBUSY);
	/* Bound again, the old key is over; a right that means nothing here is passed
	 * over. */
	info.mw_access_flags |= IBV_ACCESS_LOCAL_WRITE;
	bind_window(&f.pair.b, f.mw, info, IBV_WC_SUCCESS);
	write_with(&f, first, IBV_WC_REM_ACCESS_ERR);
	write_with(&f, f.mw->rkey, IBV_WC_SUCCESS);
	/* No length unbinds. */
	bind_window(&f.pair.b, f.mw, (struct ibv_mw_bind_info){ 0 }, IBV_WC_SUCCESS);
	write_with(&f, f.mw->rkey, IBV_WC_REM_ACCESS_ERR);
	close_fixture(&f);
}
ALONE(life_of_type_1)

static void live_as_type_2(bool extended)
{
	struct ibv_mw_bind_info info;
	struct fixture f;
	struct ibv_wc wc;

	open_fixture(&f, IBV_MW_TYPE_2, extended);
	info = part_of(&f);
	bind_window(&f.pair.b, f.mw, info, IBV_WC_SUCCESS);
	write_with(&f, f.mw->rkey, IBV_WC_SUCCESS);
	CHECK_EQ(ibv_dereg_mr(f.region), EBUSY);
	invalidate_locally(&f.pair.b, f.mw->rkey, IBV_WC_SUCCESS);
	write_with(&f, f.mw->rkey, IBV_WC_REM_ACCESS_ERR);

	bind_window(&f.pair.b, f.mw, info, IBV_WC_SUCCESS);
	write_with(&f, f.mw->rkey, IBV_WC_SUCCESS);
	rc_recv(&f.pair.b, 3, 0, 64);
	rc_fill(f.pair.a.buffer, 16, 3);
	send_and_invalidate(&f.pair.a, f.mw->rkey);
	CHECK_EQ(rc_sent(&f.pair.a, 5).opcode, IBV_WC_SEND);
	wc = rc_received(&f.pair.b, 3);
	CHECK_EQ(wc.opcode, IBV_WC_RECV);
	CHECK_EQ(wc.wc_flags, IBV_WC_WITH_INV);
	CHECK_EQ(wc.invalidated_rkey, f.mw->rkey);
	CHECK_EQ(wc.byte_len, 16);
	rc_expect_filled(f.pair.b.buffer, 16, 3);
	write_with(&f, f.mw->rkey, IBV_WC_REM_ACCESS_ERR);

	/* It is free for another bind, and does not hold the region. */
	CHECK_EQ(ibv_dereg_mr(f.region), 0);
	f.region = CHECK_OBJECT(ibv_reg_mr(f.pair.b.pd, f.pair.b.buffer, START + SIZE,
	                                   RC_ALL_ACCESS | IBV_ACCESS_MW_BIND));
	info.mr = f.region;
	bind_window(&f.pair.b, f.mw, info, IBV_WC_SUCCESS);
	write_with(&f, f.mw->rkey, IBV_WC_SUCCESS);
	close_fixture(&f);
}

static void life_of_type_2_body(struct side *side)
{
	(void)side;
	live_as_type_2(false);
	live_as_type_2(true);
}
ALONE(life_of_type_2)

/* Deallocating is the end of it, bound or not. */
static void deallocation_unbinds_body(struct side *side)
{
	static const enum ibv_mw_type types[] = { IBV_MW_TYPE_1, IBV_MW_TYPE_2 };

	(void)side;
	for (int i = 0; i < 2; i++) {
		struct fixture f;
		uint32_t rkey;

		open_fixture(&f, types[i], false);
		bind_window(&f.pair.b, f.mw, part_of(&f), IBV_WC_SUCCESS);
		rkey = f.mw->rkey;
		CHECK_EQ(ibv_dealloc_mw(f.mw), 0);
		write_with(&f, rkey, IBV_WC_REM_ACCESS_ERR);
		f.mw = CHECK_OBJECT(ibv_alloc_mw(f.pair.b.pd, types[i]));
		close_fixture(&f);
	}
}
ALONE(deallocation_unbinds)

static void bounds_and_rights_body(struct side *side)
{
	struct ibv_mw_bind_info info;
	struct fixture f;
	uint64_t base;

	(void)side;
	open_fixture(&f, IBV_MW_TYPE_1, false);
	base = (uintptr_t)f.pair.b.buffer + START;
	info = part_of(&f);
	bind_window(&f.pair.b, f.mw, info, IBV_WC_SUCCESS);
	access_with(&f, IBV_WR_RDMA_WRITE, f.mw->rkey, base + SIZE - 1, 1,
	            IBV_WC_SUCCESS);
	access_with(&f, IBV_WR_RDMA_READ, f.mw->rkey, base, SIZE, IBV_WC_SUCCESS);
	access_with(&f, IBV_WR_ATOMIC_FETCH_AND_ADD, f.mw->rkey, base, 8, IBV_WC_SUCCESS);
	access_with(&f, IBV_WR_RDMA_WRITE, f.mw->rkey, base - 1, 1,
	            IBV_WC_REM_ACCESS_ERR);
	access_with(&f, IBV_WR_RDMA_WRITE, f.mw->rkey, base + 1, SIZE,
	            IBV_WC_REM_ACCESS_ERR);
	access_with(&f, IBV_WR_RDMA_WRITE, f.mw->rkey, UINT64_MAX - 3, 8,
	            IBV_WC_REM_ACCESS_ERR);
	info.mw_access_flags = IBV_ACCESS_REMOTE_READ;
	bind_window(&f.pair.b, f.mw, info, IBV_WC_SUCCESS);
	access_with(&f, IBV_WR_RDMA_READ, f.mw->rkey, base, SIZE, IBV_WC_SUCCESS);
	write_with(&f, f.mw->rkey, IBV_WC_REM_ACCESS_ERR);
	access_with(&f, IBV_WR_ATOMIC_FETCH_AND_ADD, f.mw->rkey, base, 8,
	            IBV_WC_REM_ACCESS_ERR);
	/* Zero-based: offsets in the window. */
	info.mw_access_flags = IBV_ACCESS_REMOTE_READ | IBV_ACCESS_ZERO_BASED;
	bind_window(&f.pair.b, f.mw, info, IBV_WC_SUCCESS);
	rc_fill(f.pair.b.buffer + START, SIZE, 77);
	access_with(&f, IBV_WR_RDMA_READ, f.mw->rkey, 0, SIZE, IBV_WC_SUCCESS);
	rc_expect_filled(f.pair.a.buffer, SIZE, 77);
	access_with(&f, IBV_WR_RDMA_READ, f.mw->rkey, base, 1, IBV_WC_REM_ACCESS_ERR);
	close_fixture(&f);
}
ALONE(bounds_and_rights)

/* An R_Key of a window is no L_Key (IBA 10.6.7.2). */
static void no_local_key_body(struct side *side)
{
	struct ibv_sge sge;
	struct fixture f;

	(void)side;
	open_fixture(&f, IBV_MW_TYPE_1, false);
	bind_window(&f.pair.b, f.mw, part_of(&f), IBV_WC_SUCCESS);
	sge = (struct ibv_sge){ (uintptr_t)f.pair.b.buffer + START, 8, f.mw->rkey };
	rc_do(&f.pair.b, &(struct rc_op){ .opcode = IBV_WR_RDMA_WRITE,
	                                  .id = 1,
	                                  .sges = &sge,
	                                  .sge_count = 1 });
	rc_expect(f.pair.b.send_cq, 1, IBV_WC_LOC_PROT_ERR);
	reconnect(&f.pair);
	rc_post_recv_sges(&f.pair.b, 2, &sge, 1);
	rc_do(&f.pair.a, &(struct rc_op){ .opcode = IBV_WR_SEND, .id = 3, .length = 8 });
	rc_expect(f.pair.b.recv_cq, 2, IBV_WC_LOC_PROT_ERR);
	close_fixture(&f);
}
ALONE(no_local_key)

/* Each ends the connection with a bind error, and binds nothing. */
static void bind_errors_body(struct side *side)
{
	static const enum ibv_mw_type types[] = { IBV_MW_TYPE_1, IBV_MW_TYPE_2 };

	(void)side;
	for (int i = 0; i < 2; i++) {
		struct ibv_mw_bind_info info;
		struct ibv_mr *other;
		struct fixture f;

		open_fixture(&f, types[i], false);
		info = part_of(&f);
		info.addr = (uintptr_t)f.pair.b.buffer - 1;
		bind_window(&f.pair.b, f.mw, info, IBV_WC_MW_BIND_ERR);
		reconnect(&f.pair);
		info = part_of(&f);
		info.length = f.pair.b.config.buffer_size;
		bind_window(&f.pair.b, f.mw, info, IBV_WC_MW_BIND_ERR);
		reconnect(&f.pair);
		/* A region that may not be bound to, and one that may not be written. */
		info = part_of(&f);
		info.mr = f.pair.b.mr;
		bind_window(&f.pair.b, f.mw, info, IBV_WC_MW_BIND_ERR);
		reconnect(&f.pair);
		other = CHECK_OBJECT(
		        ibv_reg_mr(f.pair.b.pd, f.pair.b.buffer, START + SIZE,
		                   IBV_ACCESS_REMOTE_READ | IBV_ACCESS_MW_BIND));
		info.mr = other;
		bind_window(&f.pair.b, f.mw, info, IBV_WC_MW_BIND_ERR);
		reconnect(&f.pair);
		info.mw_access_flags = IBV_ACCESS_REMOTE_READ;
		bind_window(&f.pair.b, f.mw, info, IBV_WC_SUCCESS);
		CHECK_EQ(ibv_dereg_mr(other), EBUSY);
		CHECK_EQ(ibv_dealloc_mw(f.mw), 0);
		CHECK_EQ(ibv_dereg_mr(other), 0);
		f.mw = CHECK_OBJECT(ibv_alloc_mw(f.pair.b.pd, types[i]));
		close_fixture(&f);
	}
}
ALONE(bind_errors)

/* What type 2 asks for besides. */
static void type_2_errors_body(struct side *side)
{
	struct ibv_mw_bind_info info;
	struct fixture f;

	(void)side;
	open_fixture(&f, IBV_MW_TYPE_2, false);
	info = part_of(&f);
	info.length = 0;
	bind_window(&f.pair.b, f.mw, info, IBV_WC_MW_BIND_ERR);
	reconnect(&f.pair);
	info = part_of(&f);
	bind_window(&f.pair.b, f.mw, info, IBV_WC_SUCCESS);
	/* Bound already: it has to be invalidated first. */
	bind_window(&f.pair.b, f.mw, info, IBV_WC_MW_BIND_ERR);
	reconnect(&f.pair);
	invalidate_locally(&f.pair.b, f.mw->rkey, IBV_WC_MW_BIND_ERR); /* never bound */
	reconnect(&f.pair);
	invalidate_locally(&f.pair.b, f.region->rkey, IBV_WC_MW_BIND_ERR);
	close_fixture(&f);
}
ALONE(type_2_errors)

/* Type 2B belongs to the QP that bound it. */
static void other_queue_pair_body(struct side *side)
{
	struct rc_end more[2];
	struct fixture f;

	(void)side;
	open_fixture(&f, IBV_MW_TYPE_2, false);
	bind_window(&f.pair.b, f.mw, part_of(&f), IBV_WC_SUCCESS);
	write_with(&f, f.mw->rkey, IBV_WC_SUCCESS);
	rc_open(&more[0], &rc_default);
	more[1] = f.pair.b;
	more[1].qp = CHECK_OBJECT(ibv_create_qp(
	        f.pair.b.pd, &(struct ibv_qp_init_attr){ .send_cq = f.pair.b.send_cq,
	                                                 .recv_cq = f.pair.b.recv_cq,
	                                                 .cap = { 4, 4, 1, 1, 0 },
	                                                 .qp_type = IBV_QPT_RC }));
	more[1].self.qpn = more[1].qp->qp_num;
	rc_to_init(&more[0]);
	rc_to_init(&more[1]);
	rc_connect(&more[0], &more[1].self);
	rc_connect(&more[1], &more[0].self);
	rc_do(&more[0], &(struct rc_op){ .opcode = IBV_WR_RDMA_WRITE,
	                                 .id = 1,
	                                 .length = 8,
	                                 .remote = START,
	                                 .rkey = f.mw->rkey });
	rc_expect(more[0].send_cq, 1, IBV_WC_REM_ACCESS_ERR);
	CHECK_EQ(ibv_destroy_qp(more[1].qp), 0);
	rc_close(&more[0]);
	/* The right one has not noticed. */
	write_with(&f, f.mw->rkey, IBV_WC_SUCCESS);
	close_fixture(&f);
}
ALONE(other_queue_pair)

/* A key that is not to be invalidated ends the connection on both sides. */
static void wrong_invalidation_body(struct side *side)
{
	struct fixture f;

	(void)side;
	open_fixture(&f, IBV_MW_TYPE_2, false);
	rc_recv(&f.pair.b, 3, 0, 64);
	send_and_invalidate(&f.pair.a, f.region->rkey);
	rc_expect(f.pair.a.send_cq, 5, IBV_WC_REM_ACCESS_ERR);
	rc_expect(f.pair.b.recv_cq, 3, IBV_WC_REM_INV_REQ_ERR);
	rc_expect_state(&f.pair.b, IBV_QPS_ERR);
	reconnect(&f.pair);
	write_with(&f, f.region->rkey, IBV_WC_SUCCESS);
	close_fixture(&f);
}
ALONE(wrong_invalidation)

/* Refused on posting: nothing is queued. */
static void posting_errors_body(struct side *side)
{
	struct ibv_mw_bind_info info;
	struct ibv_mw *other;
	struct fixture f;

	(void)side;
	open_fixture(&f, IBV_MW_TYPE_2, false);
	info = part_of(&f);
	CHECK_EQ(post_type_1(&f.pair.b, f.mw, info), EINVAL);
	CHECK_EQ(post_type_2(&f.pair.b, f.mw, f.mw->rkey ^ 0x100, info), EINVAL);
	CHECK_EQ(post_type_2(&f.pair.b, NULL, f.mw->rkey, info), EINVAL);
	info.mw_access_flags = IBV_ACCESS_MW_BIND;
	CHECK_EQ(post_type_2(&f.pair.b, f.mw, f.mw->rkey, info), EINVAL);
	info.mw_access_flags = 1 << 25;
	CHECK_EQ(post_type_2(&f.pair.b, f.mw, f.mw->rkey, info), EINVAL);
	other = CHECK_OBJECT(ibv_alloc_mw(f.pair.b.pd, IBV_MW_TYPE_1));
	CHECK_EQ(post_type_2(&f.pair.b, other, other->rkey, part_of(&f)), EINVAL);
	CHECK_EQ(ibv_dealloc_mw(other), 0);
	rc_expect_nothing(f.pair.b.send_cq, 1);
	rc_expect_state(&f.pair.b, IBV_QPS_RTS);
	CHECK_EQ(ibv_dealloc_pd(f.pair.b.pd), EBUSY);
	close_fixture(&f);
}
ALONE(posting_errors)

/* --- a window that comes and goes while a peer writes --------------------------------
 */

struct offer {
	uint64_t address;
	uint64_t rkey; /* no padding: all of it is sent */
};

enum { ROUNDS = 200 };

/*
 * After an invalidation has completed, nothing is written any more: the owner then has
 * the memory for itself, and says so by changing it.
 */
static void owner_body(struct side *side)
{
	struct rc_config config = rc_default;
	struct ibv_mr *region;
	struct ibv_mw *mw;
	struct rc_end end;
	struct offer offer;

	config.extended = true;
	rc_side_open(side, &end, &config);
	region = CHECK_OBJECT(
	        ibv_reg_mr(end.pd, end.buffer, 4096, RC_ALL_ACCESS | IBV_ACCESS_MW_BIND));
	mw = CHECK_OBJECT(ibv_alloc_mw(end.pd, IBV_MW_TYPE_2));
	for (int i = 0; i < ROUNDS; i++) {
		struct ibv_mw_bind_info info = { region, (uintptr_t)end.buffer, 4096,
			                         REMOTE };

		bind_window(&end, mw, info, IBV_WC_SUCCESS);
		offer = (struct offer){ (uintptr_t)end.buffer, mw->rkey };
		rc_recv(&end, 1, 8192, 64);
		side_put(side, &offer, sizeof(offer));
		CHECK_EQ(rc_received(&end, 1).invalidated_rkey, mw->rkey);
		rc_expect_filled(end.buffer, 4096, i);
	}
	CHECK_EQ(ibv_dealloc_mw(mw), 0);
	CHECK_EQ(ibv_dereg_mr(region), 0);
	rc_side_close(side, &end);
}

static void writer_body(struct side *side)
{
	struct rc_config config = rc_default;
	struct offer offer;
	struct rc_end end;

	config.extended = true;
	rc_side_open(side, &end, &config);
	for (int i = 0; i < ROUNDS; i++) {
		side_get(side, &offer, sizeof(offer));
		rc_fill(end.buffer, 4096, i);
		rc_do(&end, &(struct rc_op){ .opcode = IBV_WR_RDMA_WRITE,
		                             .length = 4096,
		                             .remote = offer.address - end.peer.buffer,
		                             .rkey = (uint32_t)offer.rkey });
		send_and_invalidate(&end, (uint32_t)offer.rkey);
		rc_sent(&end, 5);
	}
	rc_side_close(side, &end);
}

static void between_two_sides(void **state)
{
	(void)state;
	sides_run(SIDES_PROCESSES, owner_body, writer_body, NULL);
	sides_run(SIDES_THREADS, owner_body, writer_body, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(announced),
		cmocka_unit_test(life_of_type_1),
		cmocka_unit_test(life_of_type_2),
		cmocka_unit_test(deallocation_unbinds),
		cmocka_unit_test(bounds_and_rights),
		cmocka_unit_test(no_local_key),
		cmocka_unit_test(bind_errors),
		cmocka_unit_test(type_2_errors),
		cmocka_unit_test(other_queue_pair),
		cmocka_unit_test(wrong_invalidation),
		cmocka_unit_test(posting_errors),
		cmocka_unit_test(between_two_sides),
	};

	return cmocka_run_group_tests(tests, runtime_directory_make,
	                              runtime_directory_remove);
}
