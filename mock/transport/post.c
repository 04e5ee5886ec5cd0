/* SPDX-License-Identifier: BSD-2-Clause */
/* Posting: a work request is copied into its queue, and the requester set to work. */
#include "transport/transport.h"

#include <errno.h>
#include <string.h>
#include "transport/datagram.h"
#include "transport/post.h"
#include "transport/shortcut.h"

bool post_has_operation(const struct sq *sq, unsigned int opcode)
{
	return opcode < 32 && sq->operations >> opcode & 1;
}

/* Before RTS nothing can be posted for sending; in ERR it is, and returned (IBA 10.3.1).
 */
bool post_may_send(const struct qp *qp)
{
	enum ibv_qp_state state = qp_state(qp);

	return state >= IBV_QPS_RTS && state <= IBV_QPS_ERR;
}

int post_inline(const struct sq *sq, struct wqe *wqe, const void *data, size_t length)
{
	if (wqe->length + length > sq->max_inline)
		return -EINVAL;
	memcpy((char *)wqe->sge + wqe->length, data, length);
	wqe->length += length;
	return 0;
}

/* What is read has to land in memory that stays. */
static bool may_be_inline(unsigned int opcode)
{
	return opcode != IBV_WR_RDMA_READ && opcode != IBV_WR_ATOMIC_CMP_AND_SWP &&
	       opcode != IBV_WR_ATOMIC_FETCH_AND_ADD && opcode != IBV_WR_BIND_MW &&
	       opcode != IBV_WR_LOCAL_INV;
}

static int put_data(const struct sq *sq, struct wqe *wqe, const struct ibv_send_wr *wr)
{
	int err = 0;

	wqe->length = 0;
	wqe->num_sge = 0;
	if (unlikely(wr->num_sge && !wr->sg_list))
		return -EINVAL;
	for (int i = 0; i < wr->num_sge && !err; i++) {
		const struct ibv_sge *sge = &wr->sg_list[i];

		if (!sge->length)
			continue;
		if (wr->send_flags & IBV_SEND_INLINE) {
			err = post_inline(sq, wqe, (void *)(uintptr_t)sge->addr,
			                  sge->length);
		} else {
			sge_copy(&wqe->sge[wqe->num_sge++], sge);
			wqe->length += sge->length;
		}
	}
	return err;
}

/* What is neither SEND, plain WRITE nor READ. */
static int put_special(struct wqe *wqe, const struct ibv_send_wr *wr)
{
	switch (wr->opcode) {
	case IBV_WR_ATOMIC_CMP_AND_SWP:
	case IBV_WR_ATOMIC_FETCH_AND_ADD:
		wqe->remote_addr = wr->wr.atomic.remote_addr;
		wqe->rkey = wr->wr.atomic.rkey;
		wqe->compare_add = wr->wr.atomic.compare_add;
		wqe->swap = wr->wr.atomic.swap;
		return 0;
	case IBV_WR_ATOMIC_WRITE:
		wqe->remote_addr = wr->wr.rdma.remote_addr;
		wqe->rkey = wr->wr.rdma.rkey;
		return 0;
	case IBV_WR_LOCAL_INV: wqe->rkey = wr->invalidate_rkey; return 0;
	case IBV_WR_BIND_MW:
		return window_put_bind(wqe, IBV_MW_TYPE_2, wr->bind_mw.mw,
		                       wr->bind_mw.rkey, &wr->bind_mw.bind_info);
	default: return 0; /* the key that a SEND invalidates is where an immediate is */
	}
}

static int put(struct qp *qp, const struct ibv_send_wr *wr)
{
	struct sq *sq = &qp->sq;
	struct wqe *wqe;
	int err;

	if (unlikely(!post_has_operation(sq, wr->opcode) ||
	             (uint32_t)wr->num_sge > sq->max_sge || /* nor negative */
	             ((wr->send_flags & IBV_SEND_INLINE) && !may_be_inline(wr->opcode))))
		return -EINVAL;
	if (unlikely(!post_has_room(sq)))
		return -ENOMEM;
	wqe = sq_at(sq, sq->posted);
	wqe->wr_id = wr->wr_id;
	wqe->opcode = wr->opcode;
	wqe->flags = wr->send_flags;
	wqe->imm = wr->imm_data;
	if (unlikely(wr->opcode >= IBV_WR_ATOMIC_CMP_AND_SWP)) {
		if (put_special(wqe, wr))
			return -EINVAL;
	} else {
		wqe->remote_addr = wr->wr.rdma.remote_addr;
		wqe->rkey = wr->wr.rdma.rkey;
	}
	if (unlikely(sq->xrc))
		sq_xrc(sq, wqe)->srqn = wr->qp_type.xrc.remote_srqn;
	if (unlikely(sq->datagrams)) {
		err = datagram_set(sq, wqe, wr->wr.ud.ah, wr->wr.ud.remote_qpn,
		                   wr->wr.ud.remote_qkey);
		if (err)
			return err;
	}
	err = put_data(sq, wqe, wr);
	if (unlikely(err))
		return err;
	sq->posted++;
	return 0;
}

int transport_post_send(struct qp *qp, struct ibv_send_wr *wr, struct ibv_send_wr **bad)
{
	int err = 0;

	owner_lock(&qp->sq.lock);
	if (unlikely(!post_may_send(qp)))
		err = -EINVAL;
	while (wr && !err) {
		if (!shortcut_post(qp, wr))
			err = put(qp, wr);
		if (!err)
			wr = wr->next;
	}
	if (unlikely(err) && bad)
		*bad = wr;
	if (qp->sq.next != qp->sq.posted)
		requester_run(qp);
	owner_unlock(&qp->sq.lock);
	return err;
}

static int post_receives(struct rq *rq, struct ibv_recv_wr *wr, struct ibv_recv_wr **bad)
{
	int err = 0;

	owner_lock(&rq->lock);
	while (wr && !err) {
		err = rq_post(rq, wr);
		if (!err)
			wr = wr->next;
	}
	owner_unlock(&rq->lock);
	if (unlikely(err) && bad)
		*bad = wr;
	return err;
}

int transport_post_recv(struct qp *qp, struct ibv_recv_wr *wr, struct ibv_recv_wr **bad)
{
	int err;

	if (unlikely(!qp->rq.sh || qp_state(qp) == IBV_QPS_RESET)) {
		if (bad)
			*bad = wr;
		return -EINVAL;
	}
	err = post_receives(&qp->rq, wr, bad);
	atomic_thread_fence(memory_order_seq_cst); /* posted before the look; the state
	                                              before the flush */
	if (unlikely(qp_state(qp) == IBV_QPS_ERR)) {
		responder_lock(peer_self(), qp->sh);
		if (qp_state(qp) == IBV_QPS_ERR) /* still */
			responder_flush(peer_self(), qp->sh);
		owner_unlock(&qp->sh->lock);
	}
	return err;
}

int transport_post_srq_recv(struct srq *srq, struct ibv_recv_wr *wr,
                            struct ibv_recv_wr **bad)
{
	return post_receives(&srq->rq, wr, bad);
}
