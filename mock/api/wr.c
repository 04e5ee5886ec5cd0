/* SPDX-License-Identifier: BSD-2-Clause */
/* ibv_wr_post(3): the send operations of a QP made with IBV_QP_INIT_ATTR_SEND_OPS_FLAGS.
 */
#include <infiniband/verbs.h>
#include "api/api.h"
#include "api/tables.h"
#include "transport/transport.h"

static struct qp *of(struct ibv_qp_ex *ex)
{
	return container_of(ex, struct qp, ex);
}

static struct wqe *add(struct ibv_qp_ex *ex, enum ibv_wr_opcode opcode)
{
	builder_add(of(ex), opcode);
	return of(ex)->builder.wqe;
}

static struct wqe *add_remote(struct ibv_qp_ex *ex, enum ibv_wr_opcode opcode,
                              uint32_t rkey, uint64_t addr)
{
	struct wqe *wqe = add(ex, opcode);

	if (wqe) {
		wqe->rkey = rkey;
		wqe->remote_addr = addr;
	}
	return wqe;
}

static void wr_start(struct ibv_qp_ex *ex)
{
	builder_start(of(ex));
}

static int wr_complete(struct ibv_qp_ex *ex)
{
	return verbs_result(builder_complete(of(ex)));
}

static void wr_abort(struct ibv_qp_ex *ex)
{
	builder_abort(of(ex));
}

static void wr_send(struct ibv_qp_ex *ex)
{
	add(ex, IBV_WR_SEND);
}

static void wr_send_imm(struct ibv_qp_ex *ex, __be32 imm)
{
	struct wqe *wqe = add(ex, IBV_WR_SEND_WITH_IMM);

	if (wqe)
		wqe->imm = imm;
}

static void wr_rdma_write(struct ibv_qp_ex *ex, uint32_t rkey, uint64_t addr)
{
	add_remote(ex, IBV_WR_RDMA_WRITE, rkey, addr);
}

static void wr_rdma_write_imm(struct ibv_qp_ex *ex, uint32_t rkey, uint64_t addr,
                              __be32 imm)
{
	struct wqe *wqe = add_remote(ex, IBV_WR_RDMA_WRITE_WITH_IMM, rkey, addr);

	if (wqe)
		wqe->imm = imm;
}

static void wr_rdma_read(struct ibv_qp_ex *ex, uint32_t rkey, uint64_t addr)
{
	add_remote(ex, IBV_WR_RDMA_READ, rkey, addr);
}

static void wr_atomic_cmp_swp(struct ibv_qp_ex *ex, uint32_t rkey, uint64_t addr,
                              uint64_t compare, uint64_t swap)
{
	struct wqe *wqe = add_remote(ex, IBV_WR_ATOMIC_CMP_AND_SWP, rkey, addr);

	if (wqe) {
		wqe->compare_add = compare;
		wqe->swap = swap;
	}
}

static void wr_atomic_fetch_add(struct ibv_qp_ex *ex, uint32_t rkey, uint64_t addr,
                                uint64_t value)
{
	struct wqe *wqe = add_remote(ex, IBV_WR_ATOMIC_FETCH_AND_ADD, rkey, addr);

	if (wqe)
		wqe->compare_add = value;
}

/* The value goes with it: no data is set. */
static void wr_atomic_write(struct ibv_qp_ex *ex, uint32_t rkey, uint64_t addr,
                            const void *value)
{
	struct ibv_data_buf buf = { (void *)(uintptr_t)value, sizeof(uint64_t) };

	add_remote(ex, IBV_WR_ATOMIC_WRITE, rkey, addr);
	builder_inline(of(ex), 1, &buf);
}

static void wr_set_sge(struct ibv_qp_ex *ex, uint32_t lkey, uint64_t addr,
                       uint32_t length)
{
	struct ibv_sge sge = { addr, length, lkey };

	builder_sges(of(ex), 1, &sge);
}

static void wr_set_sge_list(struct ibv_qp_ex *ex, size_t count,
                            const struct ibv_sge *list)
{
	builder_sges(of(ex), count, list);
}

static void wr_set_inline_data(struct ibv_qp_ex *ex, void *addr, size_t length)
{
	struct ibv_data_buf buf = { addr, length };

	builder_inline(of(ex), 1, &buf);
}

static void wr_set_inline_data_list(struct ibv_qp_ex *ex, size_t count,
                                    const struct ibv_data_buf *list)
{
	builder_inline(of(ex), count, list);
}

static void wr_set_ud_addr(struct ibv_qp_ex *ex, struct ibv_ah *ah, uint32_t qpn,
                           uint32_t qkey)
{
	builder_destination(of(ex), ah, qpn, qkey);
}

static void wr_set_xrc_srqn(struct ibv_qp_ex *ex, uint32_t srqn)
{
	builder_srqn(of(ex), srqn);
}

static void wr_bind_mw(struct ibv_qp_ex *ex, struct ibv_mw *mw, uint32_t rkey,
                       const struct ibv_mw_bind_info *info)
{
	builder_bind(of(ex), mw, rkey, info);
}

static void wr_local_inv(struct ibv_qp_ex *ex, uint32_t rkey)
{
	add_remote(ex, IBV_WR_LOCAL_INV, rkey, 0);
}

static void wr_send_inv(struct ibv_qp_ex *ex, uint32_t rkey)
{
	struct wqe *wqe = add(ex, IBV_WR_SEND_WITH_INV);

	if (wqe)
		wqe->imm = rkey;
}

/* Not announced: ibv_create_qp_ex() refuses a QP that is to have it. */
static void wr_send_tso(struct ibv_qp_ex *ex, void *hdr, uint16_t size, uint16_t mss)
{
	(void)hdr, (void)size, (void)mss;
	builder_refuse(of(ex));
}

void wr_table_fill(struct qp *qp)
{
	struct ibv_qp_ex *ex = &qp->ex;

	ex->wr_start = wr_start;
	ex->wr_complete = wr_complete;
	ex->wr_abort = wr_abort;
	ex->wr_send = wr_send;
	ex->wr_send_imm = wr_send_imm;
	ex->wr_rdma_write = wr_rdma_write;
	ex->wr_rdma_write_imm = wr_rdma_write_imm;
	ex->wr_rdma_read = wr_rdma_read;
	ex->wr_atomic_cmp_swp = wr_atomic_cmp_swp;
	ex->wr_atomic_fetch_add = wr_atomic_fetch_add;
	ex->wr_bind_mw = wr_bind_mw;
	ex->wr_local_inv = wr_local_inv;
	ex->wr_send_inv = wr_send_inv;
	ex->wr_send_tso = wr_send_tso;
	ex->wr_atomic_write = wr_atomic_write;
	ex->wr_set_ud_addr = wr_set_ud_addr;
	ex->wr_set_xrc_srqn = wr_set_xrc_srqn;
	ex->wr_set_sge = wr_set_sge;
	ex->wr_set_sge_list = wr_set_sge_list;
	ex->wr_set_inline_data = wr_set_inline_data;
	ex->wr_set_inline_data_list = wr_set_inline_data_list;
}

MOCK_API struct ibv_qp_ex *ibv_qp_to_qp_ex(struct ibv_qp *qp)
{
	return qp && to_qp(qp)->ex.wr_start ? &to_qp(qp)->ex : NULL;
}
