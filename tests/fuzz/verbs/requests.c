/* SPDX-License-Identifier: BSD-2-Clause */
#include "verbs/world.h"

static void fill_wr(struct world *w, struct ibv_send_wr *wr, struct ibv_sge *list,
                    int most)
{
	uint64_t there = w->shared->peer.arena + word(w) % ARENA;

	*wr = (struct ibv_send_wr){
		.wr_id = byte(w),
		.sg_list = list,
		.num_sge = (int)mostly(w, byte(w) % (most + 1)),
		.opcode = (enum ibv_wr_opcode)mostly(
		        w, byte(w) % (IBV_WR_SEND_WITH_INV + 1)),
		.send_flags = (unsigned int)mostly(w, byte(w) & 0xf),
		.invalidate_rkey = any_key(w),
	};
	if (wr->num_sge > most) /* more than the list has would be read beyond it */
		wr->num_sge = wr->num_sge % 2 ? most : -1;
	wr->qp_type.xrc.remote_srqn = (uint32_t)mostly(w, any_srq_number(w));
	wr->wr.atomic.remote_addr = mostly(w, there & ~UINT64_C(7));
	if (wr->opcode == IBV_WR_ATOMIC_CMP_AND_SWP ||
	    wr->opcode == IBV_WR_ATOMIC_FETCH_AND_ADD)
		wr->wr.atomic.rkey = any_key(w);
	else
		wr->wr.rdma.rkey = any_key(w);
	if (wr->opcode == IBV_WR_BIND_MW) {
		struct ibv_sge part = any_sge(w);

		wr->bind_mw.mw = w->mw[byte(w) % OWN];
		wr->bind_mw.rkey = wr->bind_mw.mw && byte(w) < 230
		                           ? ibv_inc_rkey(wr->bind_mw.mw->rkey)
		                           : word(w);
		wr->bind_mw.bind_info = (struct ibv_mw_bind_info){
			byte(w) < 230 ? any_mr(w) : NULL, part.addr, part.length,
			(unsigned int)mostly(w, byte(w) & 0x2e)
		};
	}
}

/* Inline data is read by the call itself, so it has to be there. */
static void make_readable(struct ibv_send_wr *wr)
{
	if (!(wr->send_flags & IBV_SEND_INLINE))
		return;
	for (int i = 0; i < wr->num_sge; i++) {
		wr->sg_list[i].addr = (uintptr_t)arena;
		wr->sg_list[i].length %= ARENA;
	}
}

void post_send(struct world *w)
{
	struct ibv_qp *qp = any_qp(w);
	struct ibv_sge lists[2][3];
	struct ibv_send_wr wr[2], *bad;
	int count = 1 + byte(w) % 2;

	for (int i = 0; i < count; i++) {
		for (int j = 0; j < 3; j++)
			lists[i][j] = any_sge(w);
		fill_wr(w, &wr[i], lists[i], 3);
		make_readable(&wr[i]);
		if (qp->qp_type == IBV_QPT_UD) {
			wr[i].wr.ud.ah = byte(w) < 240 ? w->shared->ah : NULL;
			wr[i].wr.ud.remote_qpn = (uint32_t)mostly(w, any_qp(w)->qp_num);
			wr[i].wr.ud.remote_qkey = (uint32_t)mostly(w, 1);
		}
		if (i)
			wr[0].next = &wr[1];
	}
	ibv_post_send(qp, wr, &bad);
}

static void build_one(struct world *w, struct ibv_qp_ex *qp)
{
	struct ibv_sge sge = any_sge(w);
	struct ibv_mw *mw = w->mw[byte(w) % OWN];
	struct ibv_mw_bind_info info = { any_mr(w), sge.addr, sge.length,
		                         byte(w) & 0x2e };

	qp->wr_id = byte(w);
	qp->wr_flags = byte(w) & 7;
	switch (byte(w) % 12) {
	case 0: ibv_wr_send(qp); break;
	case 1: ibv_wr_send_imm(qp, word(w)); break;
	case 2: ibv_wr_send_inv(qp, any_key(w)); break;
	case 3: ibv_wr_rdma_write(qp, any_key(w), w->shared->peer.arena); break;
	case 4: ibv_wr_rdma_write_imm(qp, any_key(w), number(w), word(w)); break;
	case 5: ibv_wr_rdma_read(qp, any_key(w), w->shared->peer.arena); break;
	case 6: ibv_wr_atomic_cmp_swp(qp, any_key(w), w->shared->peer.arena, 1, 2); break;
	case 7: ibv_wr_atomic_fetch_add(qp, any_key(w), number(w), 3); break;
	case 8: ibv_wr_local_inv(qp, any_key(w)); break;
	case 9: ibv_wr_bind_mw(qp, mw, mw ? ibv_inc_rkey(mw->rkey) : 0, &info); break;
	case 10: ibv_wr_send_tso(qp, arena, 14, byte(w)); break;
	default: ibv_wr_atomic_write(qp, any_key(w), number(w), arena);
	}
	switch (byte(w) % 5) {
	case 3: ibv_wr_set_xrc_srqn(qp, any_srq_number(w)); break;
	case 0: ibv_wr_set_sge(qp, sge.lkey, sge.addr, sge.length); break;
	case 1: ibv_wr_set_inline_data(qp, arena, number(w) % ARENA); break;
	case 2: ibv_wr_set_ud_addr(qp, w->shared->ah, any_qp(w)->qp_num, 1); break;
	default: break;
	}
}

void build(struct world *w)
{
	struct ibv_qp_ex *qp = ibv_qp_to_qp_ex(any_qp(w));
	int count = byte(w) % 4;

	if (!qp)
		return;
	ibv_wr_start(qp);
	while (count--)
		build_one(w, qp);
	if (byte(w) < 200)
		ibv_wr_complete(qp);
	else
		ibv_wr_abort(qp);
}

void bind_type_1(struct world *w)
{
	struct ibv_mw *mw = w->mw[byte(w) % OWN];
	struct ibv_sge part = any_sge(w);
	struct ibv_mw_bind bind = { byte(w),
		                    byte(w) & 0xf,
		                    { byte(w) < 200 ? any_mr(w) : NULL, part.addr,
		                      part.length,
		                      (unsigned int)mostly(w, byte(w) & 0x2e) } };

	if (mw)
		ibv_bind_mw(any_qp(w), mw, &bind);
}

void post_receive(struct world *w)
{
	struct ibv_sge sge[2] = { any_sge(w), any_sge(w) };
	struct ibv_recv_wr wr = { byte(w), NULL, sge, byte(w) % 4 - 1 }, *bad;
	struct ibv_qp *qp = any_qp(w);

	if (byte(w) % 4)
		ibv_post_recv(qp, &wr, &bad);
	else
		ibv_post_srq_recv(PICK(w->srq, w->shared->srq), &wr, &bad);
}

void look(struct world *w)
{
	struct ibv_cq *cq = any_cq(w);
	struct ibv_sge sge = any_sge(w);
	struct ibv_wc wc[8];
	struct ibv_srq_attr srq;
	void *context;

	switch (byte(w) % 7) {
	case 0: ibv_req_notify_cq(cq, byte(w) % 2); break;
	case 1:
		if (!ibv_get_cq_event(w->shared->channel, &cq, &context))
			ibv_ack_cq_events(cq, 1);
		break;
	case 5: poll_extended(w); break;
	case 2: ibv_query_srq(PICK(w->srq, w->shared->srq), &srq); break;
	case 3:
		ibv_advise_mr(any_pd(w),
		              (enum ibv_advise_mr_advice)mostly(w, byte(w) % 3),
		              (uint32_t)mostly(w, 1), &sge, 1);
		break;
	default: ibv_poll_cq(cq, byte(w) % 9, wc);
	}
}

void look_for_events(struct world *w)
{
	struct ibv_async_event event;

	if (!ibv_get_async_event(w->shared->context, &event))
		ibv_ack_async_event(&event);
}
