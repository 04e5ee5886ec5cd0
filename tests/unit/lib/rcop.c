// SPDX-License-Identifier: BSD-2-Clause
#include <arpa/inet.h>

#include "check.h"
#include "deadline.h"
#include "rcop.h"

struct ibv_sge rc_sge(const struct rc_end *end, size_t offset, uint32_t length)
{
	return (struct ibv_sge){
		.addr = (uintptr_t)(end->buffer + offset),
		.length = length,
		.lkey = end->mr->lkey,
	};
}

static void set_target(struct ibv_send_wr *wr, const struct rc_op *op, uint64_t remote,
                       uint32_t rkey)
{
	switch (op->opcode) {
	case IBV_WR_ATOMIC_CMP_AND_SWP:
	case IBV_WR_ATOMIC_FETCH_AND_ADD:
		wr->wr.atomic.remote_addr = remote;
		wr->wr.atomic.compare_add = op->compare_add;
		wr->wr.atomic.swap = op->swap;
		wr->wr.atomic.rkey = rkey;
		break;
	default: wr->wr.rdma.remote_addr = remote; wr->wr.rdma.rkey = rkey;
	}
}

static int post_classic(struct rc_end *end, const struct rc_op *op, struct ibv_sge *sges,
                        int count)
{
	struct ibv_send_wr *bad = NULL;
	struct ibv_send_wr wr = {
		.wr_id = op->id,
		.sg_list = sges,
		.num_sge = count,
		.opcode = op->opcode,
		.send_flags = op->flags,
		.imm_data = htonl(op->imm),
		.qp_type = { .xrc = { op->srqn } },
	};
	int err;

	set_target(&wr, op, end->peer.buffer + op->remote,
	           op->rkey ? op->rkey : end->peer.rkey);
	err = ibv_post_send(end->qp, &wr, &bad);
	if (err)
		CHECK(bad == &wr);
	return err;
}

static void start_extended(struct ibv_qp_ex *qpx, const struct rc_op *op, uint64_t remote,
                           uint32_t rkey)
{
	switch (op->opcode) {
	case IBV_WR_SEND: ibv_wr_send(qpx); break;
	case IBV_WR_SEND_WITH_IMM: ibv_wr_send_imm(qpx, htonl(op->imm)); break;
	case IBV_WR_RDMA_WRITE: ibv_wr_rdma_write(qpx, rkey, remote); break;
	case IBV_WR_RDMA_WRITE_WITH_IMM:
		ibv_wr_rdma_write_imm(qpx, rkey, remote, htonl(op->imm));
		break;
	case IBV_WR_RDMA_READ: ibv_wr_rdma_read(qpx, rkey, remote); break;
	case IBV_WR_ATOMIC_CMP_AND_SWP:
		ibv_wr_atomic_cmp_swp(qpx, rkey, remote, op->compare_add, op->swap);
		break;
	case IBV_WR_ATOMIC_FETCH_AND_ADD:
		ibv_wr_atomic_fetch_add(qpx, rkey, remote, op->compare_add);
		break;
	default: check_failed(__FILE__, __LINE__, "no such operation: %d", op->opcode);
	}
}

static void set_data(struct ibv_qp_ex *qpx, const struct rc_op *op, struct ibv_sge *sges,
                     int count)
{
	if (!(op->flags & IBV_SEND_INLINE)) {
		if (count == 1)
			ibv_wr_set_sge(qpx, sges->lkey, sges->addr, sges->length);
		else
			ibv_wr_set_sge_list(qpx, (size_t)count, sges);
		return;
	}
	if (count == 1) {
		ibv_wr_set_inline_data(qpx, (void *)(uintptr_t)sges->addr, sges->length);
		return;
	}
	struct ibv_data_buf pieces[16];

	CHECK(count <= 16);
	for (int i = 0; i < count; i++)
		pieces[i] = (struct ibv_data_buf){ (void *)(uintptr_t)sges[i].addr,
			                           sges[i].length };
	ibv_wr_set_inline_data_list(qpx, (size_t)count, pieces);
}

static int post_extended(struct rc_end *end, const struct rc_op *op, struct ibv_sge *sges,
                         int count)
{
	uint32_t rkey = op->rkey ? op->rkey : end->peer.rkey;
	uint64_t remote = end->peer.buffer + op->remote;
	struct ibv_qp_ex *qpx = end->qpx;

	ibv_wr_start(qpx);
	qpx->wr_id = op->id;
	qpx->wr_flags = op->flags;
	if (op->opcode == IBV_WR_ATOMIC_WRITE) {
		ibv_wr_atomic_write(qpx, rkey, remote, (void *)(uintptr_t)sges->addr);
		return ibv_wr_complete(qpx);
	}
	start_extended(qpx, op, remote, rkey);
	if (end->config.type == IBV_QPT_XRC_SEND)
		ibv_wr_set_xrc_srqn(qpx, op->srqn);
	set_data(qpx, op, sges, count);
	return ibv_wr_complete(qpx);
}

int rc_post(struct rc_end *end, const struct rc_op *op)
{
	struct ibv_sge own = rc_sge(end, op->offset, op->length);
	struct ibv_sge *sges = op->sges ? (struct ibv_sge *)op->sges : &own;
	int count = op->sges ? op->sge_count : op->length ? 1 : 0;

	return end->qpx ? post_extended(end, op, sges, count)
	                : post_classic(end, op, sges, count);
}

int rc_post_recv_sges(struct rc_end *end, uint64_t id, struct ibv_sge *sges, int count)
{
	struct ibv_recv_wr *bad = NULL;
	struct ibv_recv_wr wr = { .wr_id = id, .sg_list = sges, .num_sge = count };
	int err = end->srq ? ibv_post_srq_recv(end->srq, &wr, &bad)
	                   : ibv_post_recv(end->qp, &wr, &bad);

	if (err)
		CHECK(bad == &wr);
	return err;
}

int rc_post_recv(struct rc_end *end, uint64_t id, size_t offset, uint32_t length)
{
	struct ibv_sge sge = rc_sge(end, offset, length);

	return rc_post_recv_sges(end, id, &sge, length ? 1 : 0);
}

void rc_do(struct rc_end *end, const struct rc_op *op)
{
	CHECK_EQ(rc_post(end, op), 0);
}

void rc_recv(struct rc_end *end, uint64_t id, size_t offset, uint32_t length)
{
	CHECK_EQ(rc_post_recv(end, id, offset, length), 0);
}

struct ibv_wc rc_next(struct ibv_cq *cq)
{
	uint64_t deadline = deadline_in(PATIENCE_MS);
	unsigned int calls = 0;
	struct ibv_wc wc;

	for (;;) {
		int count = ibv_poll_cq(cq, 1, &wc);

		CHECK(count >= 0);
		if (count)
			return wc;
		if (deadline_passed(deadline))
			check_failed(__FILE__, __LINE__, "no completion comes");
		wait_a_little(&calls);
	}
}

struct ibv_wc rc_expect(struct ibv_cq *cq, uint64_t id, enum ibv_wc_status status)
{
	struct ibv_wc wc = rc_next(cq);

	if (wc.wr_id != id || wc.status != status)
		check_failed(__FILE__, __LINE__,
		             "request %llu completed with '%s', expected %llu with '%s'",
		             (unsigned long long)wc.wr_id, ibv_wc_status_str(wc.status),
		             (unsigned long long)id, ibv_wc_status_str(status));
	return wc;
}

struct ibv_wc rc_sent(struct rc_end *end, uint64_t id)
{
	struct ibv_wc wc = rc_expect(end->send_cq, id, IBV_WC_SUCCESS);

	CHECK_EQ(wc.qp_num, end->qp->qp_num);
	return wc;
}

struct ibv_wc rc_received(struct rc_end *end, uint64_t id)
{
	struct ibv_wc wc = rc_expect(end->recv_cq, id, IBV_WC_SUCCESS);

	CHECK_EQ(wc.qp_num, end->qp->qp_num);
	return wc;
}

void rc_expect_nothing(struct ibv_cq *cq, unsigned int milliseconds)
{
	uint64_t deadline = deadline_in(milliseconds);
	unsigned int calls = 0;
	struct ibv_wc wc;

	do {
		if (ibv_poll_cq(cq, 1, &wc) != 0)
			check_failed(__FILE__, __LINE__,
			             "request %llu completed with '%s', expected nothing",
			             (unsigned long long)wc.wr_id,
			             ibv_wc_status_str(wc.status));
		wait_a_little(&calls);
	} while (!deadline_passed(deadline));
}

static uint8_t pattern(size_t place, unsigned int seed)
{
	return (uint8_t)((place * 2654435761u + seed * 40503u) >> 11);
}

void rc_fill(uint8_t *bytes, size_t size, unsigned int seed)
{
	for (size_t i = 0; i < size; i++)
		bytes[i] = pattern(i, seed);
}

void rc_expect_filled(const uint8_t *bytes, size_t size, unsigned int seed)
{
	for (size_t i = 0; i < size; i++)
		if (bytes[i] != pattern(i, seed))
			check_failed(__FILE__, __LINE__,
			             "byte %zu of %zu is 0x%02x, not 0x%02x", i, size,
			             bytes[i], pattern(i, seed));
}

/* Over packets, what nothing is heard of may still be on its way. */
void rc_await_filled(const uint8_t *bytes, size_t size, unsigned int seed)
{
	uint64_t deadline = deadline_in(10000);
	unsigned int calls = 0;

	while (__atomic_load_n(&bytes[size - 1], __ATOMIC_ACQUIRE) !=
	               pattern(size - 1, seed) &&
	       !deadline_passed(deadline))
		wait_a_little(&calls);
	rc_expect_filled(bytes, size, seed);
}

void rc_expect_only(const uint8_t *bytes, size_t size, uint8_t value)
{
	for (size_t i = 0; i < size; i++)
		if (bytes[i] != value)
			check_failed(__FILE__, __LINE__,
			             "byte %zu of %zu is 0x%02x, not 0x%02x", i, size,
			             bytes[i], value);
}
