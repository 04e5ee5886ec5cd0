// SPDX-License-Identifier: BSD-2-Clause
/*
 * The limits that the device says it has by default can be reached: messages of 1 GiB,
 * completion queues of 4 M entries, many memory regions.
 */
/* variants: plain */
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

/* --- a message of 1 GiB between two processes ----------------------------------------
 */

enum { PIECE = 2 << 20, PIECES = 512 };

static const size_t GIB = (size_t)PIECE * PIECES;

/*
 * 1 GiB of addresses: the first piece and the last have memory of their own, those
 * between share that of one piece, so that six pieces are all that the test takes.
 */
static uint8_t *gibibyte(unsigned int seed)
{
	int fd = memfd_create("pieces", MFD_CLOEXEC);
	uint8_t *all = mmap(NULL, GIB, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK_CALL(fd);
	CHECK_CALL(ftruncate(fd, 3 * PIECE));
	CHECK(all != MAP_FAILED);
	for (size_t i = 0; i < PIECES; i++) {
		off_t at = i == 0 ? 0 : i == PIECES - 1 ? 2 * PIECE : PIECE;

		CHECK(mmap(all + i * PIECE, PIECE, PROT_READ | PROT_WRITE,
		           MAP_SHARED | MAP_FIXED, fd, at) != MAP_FAILED);
	}
	close(fd);
	rc_fill(all, PIECE, seed);
	rc_fill(all + PIECE, PIECE, seed + 1);
	rc_fill(all + GIB - PIECE, PIECE, seed + 2);
	return all;
}

static void expect_gibibyte(const uint8_t *all, unsigned int seed)
{
	rc_expect_filled(all, PIECE, seed);
	rc_expect_filled(all + PIECE, PIECE, seed + 1);
	rc_expect_filled(all + GIB - PIECE, PIECE, seed + 2);
}

enum { WRITTEN = 10, SENT = 20, READ = 30, NONE = 100 };

struct place {
	uint64_t address;
	uint32_t rkey;
};

static void open_gibibyte(struct side *side, struct rc_end *end, unsigned int seed,
                          struct ibv_mr **mr, uint8_t **all, struct place *peer)
{
	struct ibv_port_attr port;
	struct place own;

	rc_side_open(side, end, &rc_default);
	CHECK_EQ(ibv_query_port(end->context, RC_PORT, &port), 0);
	CHECK(port.max_msg_sz >= GIB);
	*all = gibibyte(seed);
	*mr = CHECK_OBJECT(ibv_reg_mr(end->pd, *all, GIB, RC_ALL_ACCESS));
	own = (struct place){ (uintptr_t)*all, (*mr)->rkey };
	side_put(side, &own, sizeof(own));
	side_get(side, peer, sizeof(*peer));
}

static void requester(struct side *side)
{
	struct ibv_sge sge;
	struct place peer;
	struct rc_end end;
	struct ibv_mr *mr;
	uint8_t *all;

	open_gibibyte(side, &end, WRITTEN, &mr, &all, &peer);
	sge = (struct ibv_sge){ (uintptr_t)all, (uint32_t)GIB, mr->lkey };
	struct rc_op op = { .opcode = IBV_WR_RDMA_WRITE,
		            .id = 1,
		            .flags = IBV_SEND_SIGNALED,
		            .sges = &sge,
		            .sge_count = 1,
		            .remote = peer.address - end.peer.buffer,
		            .rkey = peer.rkey };

	rc_do(&end, &op);
	rc_sent(&end, 1);
	side_meet(side); /* it looks at what was written … */
	side_meet(side); /* … and has filled its own anew */
	op.opcode = IBV_WR_RDMA_READ;
	rc_do(&end, &op);
	CHECK_EQ(rc_sent(&end, 1).byte_len, GIB);
	expect_gibibyte(all, READ);
	op.opcode = IBV_WR_SEND;
	rc_do(&end, &op);
	rc_sent(&end, 1);
	side_meet(side);
	CHECK_EQ(ibv_dereg_mr(mr), 0);
	munmap(all, GIB);
	rc_side_close(side, &end);
}

static void responder(struct side *side)
{
	struct ibv_sge sge;
	struct place peer;
	struct rc_end end;
	struct ibv_mr *mr;
	uint8_t *all;

	open_gibibyte(side, &end, NONE, &mr, &all, &peer);
	sge = (struct ibv_sge){ (uintptr_t)all, (uint32_t)GIB, mr->lkey };
	side_meet(side);
	expect_gibibyte(all, WRITTEN);
	memset(all, 0, PIECE);
	rc_fill(all, PIECE, READ);
	rc_fill(all + PIECE, PIECE, READ + 1);
	rc_fill(all + GIB - PIECE, PIECE, READ + 2);
	CHECK_EQ(rc_post_recv_sges(&end, 2, &sge, 1), 0);
	side_meet(side);
	CHECK_EQ(rc_received(&end, 2).byte_len, GIB);
	expect_gibibyte(all, READ);
	side_meet(side);
	CHECK_EQ(ibv_dereg_mr(mr), 0);
	munmap(all, GIB);
	rc_side_close(side, &end);
}

static void messages_of_1_gib(void **state)
{
	(void)state;
	sides_run(SIDES_PROCESSES, requester, responder, NULL);
}

/* --- a completion queue of 4 M entries -----------------------------------------------
 */

enum { CQES = 4 << 20, DEPTH = 16384, WRITERS = 8 };

static void write_nothing(struct rc_end *end)
{
	struct ibv_send_wr wr = { .opcode = IBV_WR_RDMA_WRITE,
		                  .send_flags = IBV_SEND_SIGNALED };
	struct ibv_send_wr *bad;

	for (uint64_t i = 0; i < DEPTH; i++) {
		wr.wr_id = i;
		CHECK_EQ(ibv_post_send(end->qp, &wr, &bad), 0);
	}
}

/* Each QP's come in their order. */
static void take_all(struct ibv_cq *cq, unsigned int count)
{
	struct ibv_wc wc[256];
	unsigned int taken = 0;
	int got;

	while ((got = ibv_poll_cq(cq, 256, wc)) > 0) {
		for (int i = 0; i < got; i++, taken++) {
			CHECK_EQ(wc[i].status, IBV_WC_SUCCESS);
			CHECK_EQ(wc[i].wr_id, taken % DEPTH);
		}
	}
	CHECK_EQ(got, 0);
	CHECK_EQ(taken, count);
}

static struct ibv_qp *writer(struct rc_end *end, struct ibv_cq *cq)
{
	struct ibv_qp_init_attr init = { .send_cq = cq,
		                         .recv_cq = end->recv_cq,
		                         .cap = { DEPTH, 1, 1, 1, 0 },
		                         .qp_type = IBV_QPT_RC };
	struct ibv_qp *qp = CHECK_OBJECT(ibv_create_qp(end->pd, &init));

	/* Connected to itself. */
	CHECK_EQ(ibv_destroy_qp(end->qp), 0);
	end->qp = qp;
	end->self.qpn = qp->qp_num;
	rc_connect(end, &end->self);
	return qp;
}

/* More wait in it than in one of ordinary length. */
static void long_queue_body(struct side *side)
{
	struct ibv_device_attr device;
	struct rc_end end[WRITERS];
	struct ibv_cq *cq;

	(void)side;
	rc_open(&end[0], &rc_default);
	CHECK_EQ(ibv_query_device(end[0].context, &device), 0);
	CHECK(device.max_cqe >= CQES);
	cq = CHECK_OBJECT(ibv_create_cq(end[0].context, CQES, NULL, NULL, 0));
	CHECK(cq->cqe >= CQES);
	for (int i = 0; i < WRITERS; i++) {
		if (i)
			rc_open_in(&end[i], &rc_default, end[0].context, end[0].pd);
		writer(&end[i], cq);
		write_nothing(&end[i]);
	}
	take_all(cq, WRITERS * DEPTH);
	for (int i = WRITERS - 1; i > 0; i--)
		rc_close_in(&end[i]);
	CHECK_EQ(ibv_destroy_qp(end[0].qp), 0);
	end[0].qp = NULL;
	CHECK_EQ(ibv_destroy_cq(cq), 0);
	rc_close(&end[0]);
}
ALONE(long_queue)

/* --- memory regions -------------------------------------------------------------------
 */

enum { REGIONS = 200000 };

static void many_regions_body(struct side *side)
{
	static struct ibv_mr *mrs[REGIONS];
	struct ibv_device_attr device;
	struct rc_end end;

	(void)side;
	rc_open(&end, &rc_default);
	CHECK_EQ(ibv_query_device(end.context, &device), 0);
	CHECK(device.max_mr >= 16000000);
	CHECK(device.max_qp >= 1 << 20);
	for (int i = 0; i < REGIONS; i++)
		mrs[i] = CHECK_OBJECT(ibv_reg_mr(end.pd, end.buffer, 64, 0));
	for (int i = 0; i < REGIONS; i++)
		CHECK_EQ(ibv_dereg_mr(mrs[i]), 0);
	rc_close(&end);
}
ALONE(many_regions)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages_of_1_gib),
		cmocka_unit_test(long_queue),
		cmocka_unit_test(many_regions),
	};

	return cmocka_run_group_tests(tests, runtime_directory_make,
	                              runtime_directory_remove);
}
