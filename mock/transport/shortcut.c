/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A shorter way for what is sent most: a small SEND of one piece on RC or UD, to a QP of
 * this host. It looks whether everything is as usual, and only then changes anything.
 * What is not goes the long way (requester.c, responder.c), which knows what is to be
 * done.
 */
#include "transport/shortcut.h"

#include "object/ah.h"
#include "object/gid.h"
#include "transport/datagram.h"
#include "transport/post.h"
#include "transport/request.h"
#include "transport/transport.h"
#include "wire/headers.h"

/* What is to be sent: of a work request that was just posted, or of a WQE. */
struct small {
	uint64_t wr_id;
	const void *data;
	uint32_t length, imm;
	unsigned int opcode, flags; /* enum ibv_wr_opcode, ibv_send_flags */
};

/* Whether one piece of our memory may be sent; *data is where it is. */
static inline bool may_read(const struct qp *qp, uint32_t lkey, uint64_t addr,
                            uint32_t length, const void **data)
{
	uint64_t va;

	if (unlikely(!mr_check(peer_self(), lkey, qp->sh->pd, KEY_LOCAL, addr, length,
	                       &va)))
		return false;
	*data = (const void *)(uintptr_t)va;
	return true;
}

/* Many programs leave a QP that only receives in RTR. */
static inline bool is_receiving(const struct qp_shared *to)
{
	enum ibv_qp_state state = atomic_load_explicit(&to->state, memory_order_relaxed);

	return state == IBV_QPS_RTS || (state == IBV_QPS_RTR && to->established);
}

/* The responder's look at a request that is due (IBA 9.7.4); its lock is held. */
static inline bool is_due(const struct qp *from, const struct qp_shared *to)
{
	return is_receiving(to) &&
	       atomic_load_explicit(&to->qpn, memory_order_relaxed) ==
	               from->attr.dest_qp_num &&
	       atomic_load_explicit(&to->epsn, memory_order_relaxed) == from->sq.psn &&
	       to->transport == BTH_RC && to->dest_qpn == from->ex.qp_base.qp_num &&
	       gid_equal(&to->sgid, &from->sh->dgid) &&
	       gid_equal(&to->dgid, &from->sh->sgid);
}

/* The receive for it, if it goes into its first piece. The queue is the caller's alone.
 */
static inline const struct rwqe *receive_for(const struct peer *owner,
                                             struct rq_shared *rq, uint64_t length)
{
	const struct rwqe *wqe = rq_peek(owner, rq);
	uint64_t va;

	if (unlikely(!wqe || !wqe->num_sge || wqe->sge->length < length ||
	             !mr_check(owner, wqe->sge->lkey, rq->pd, IBV_ACCESS_LOCAL_WRITE,
	                       wqe->sge->addr, length, &va)))
		return NULL;
	return wqe;
}

static inline void fill(struct completion *to, const struct small *small,
                        const struct rwqe *receive, const struct qp_shared *qp)
{
	to->status = IBV_WC_SUCCESS;
	to->opcode = 0;
	to->wc_flags = small->opcode == IBV_WR_SEND_WITH_IMM ? IBV_WC_WITH_IMM : 0;
	to->flags = CQE_RECV | CQE_INLINE |
	            (small->flags & IBV_SEND_SOLICITED ? CQE_SOLICITED : 0);
	to->wr_id = receive->wr_id;
	to->byte_len = small->length;
	to->imm = small->imm;
	to->qp_num = qp->qpn;
	to->src_qp = qp->dest_qpn;
	to->qp = qp->handle;
	to->place_va = receive->sge->addr;
	to->place_lkey = receive->sge->lkey;
	to->vendor_err = 0;
}

/* The receive queue and the completion queue are ours meanwhile. */
static inline bool deliver(const struct peer *owner, struct qp_shared *qp,
                           struct rq_shared *rq, const struct small *small)
{
	const struct rwqe *receive = receive_for(owner, rq, small->length);
	struct cq_shared *cq = peer_ptr(owner, qp->recv_cq);
	struct cqe *entry = receive ? cq_reserve(owner, cq) : NULL;

	if (unlikely(!entry))
		return false;
	fill(&entry->c, small, receive, qp);
	copy_small(entry->inline_data, small->data, small->length);
	rq_consume(rq); /* first: who dies between the two takes it with him */
	cq_commit(owner, cq, qp->recv_cq, entry);
	return true;
}

/* The same with a queue that QPs share, unless it has a limit that may be reached now. */
static inline bool deliver_shared(const struct peer *owner, struct qp_shared *qp,
                                  struct rq_shared *rq, const struct small *small)
{
	bool done;

	if (!owner_lock_try(&rq->lock))
		return false;
	done = !atomic_load_explicit(&rq->limit, memory_order_relaxed) &&
	       deliver(owner, qp, rq, small);
	owner_unlock(&rq->lock);
	return done;
}

/* Runs the responder of a request that is as it should be. */
static inline bool respond(const struct qp *qp, const struct small *small)
{
	struct qp_shared *to = qp->remote;
	struct rq_shared *rq;
	bool done = false;

	if (unlikely(!owner_lock_try(&to->lock)))
		return false;
	if (likely(is_due(qp, to))) {
		rq = peer_ptr(qp->peer, to->rq);
		done = to->rq_is_shared ? deliver_shared(qp->peer, to, rq, small)
		                        : deliver(qp->peer, to, rq, small);
	}
	if (likely(done)) {
		to->psn_nak_sent = 0;
		psn_advance(to);
		count_executed(to, OP_RECV, small->length);
	}
	owner_unlock(&to->lock);
	return done;
}

static inline bool is_send(unsigned int opcode)
{
	return opcode == IBV_WR_SEND || opcode == IBV_WR_SEND_WITH_IMM;
}

/* Whether it could go this way, for all that only we know. */
static inline bool is_usual(const struct qp *qp, unsigned int opcode)
{
	return qp->remote && !qp->sq.long_way && is_send(opcode) && !qp->sq.started;
}

/* The WQE at sq.next is done with. */
static inline void sent_small(struct qp *qp, const struct small *small)
{
	qp->sq.psn = (qp->sq.psn + 1) & PSN_MASK;
	qp->sq.next++;
	count_requester(qp->sh, COUNT_SENDS, 1);
	count_requester(qp->sh, COUNT_OUT_BYTES, small->length);
	if ((small->flags & IBV_SEND_SIGNALED) || qp->sq_sig_all)
		completer_sent(qp, small->wr_id, small->length);
}

static inline bool send_small(struct qp *qp, const struct small *small)
{
	if (unlikely(!peer_alive(qp->peer) || !respond(qp, small)))
		return false;
	qp->sq.probe = false;
	sent_small(qp, small);
	return true;
}

/* What a receiver of datagrams looks at; its lock is held. Flows are for the long way. */
static inline bool takes_datagram(const struct qp_shared *to, uint32_t qpn, uint32_t qkey)
{
	enum ibv_qp_state state = atomic_load_explicit(&to->state, memory_order_relaxed);

	return (state == IBV_QPS_RTS || state == IBV_QPS_RTR) &&
	       to->transport == BTH_UD && !to->rq_is_shared && !to->has_flows &&
	       to->qkey == qkey &&
	       atomic_load_explicit(&to->qpn, memory_order_relaxed) == qpn;
}

/* As deliver(), with the header that the owner's poll puts in front. */
static inline bool deliver_datagram(const struct qp *from, struct qp_shared *qp,
                                    const struct small *small, const struct ah *ah)
{
	const struct peer *owner = from->peer;
	struct rq_shared *rq = peer_ptr(owner, qp->rq);
	const struct rwqe *receive = receive_for(owner, rq, GRH_LENGTH + small->length);
	struct cq_shared *cq = peer_ptr(owner, qp->recv_cq);
	struct cqe *entry = receive ? cq_reserve(owner, cq) : NULL;
	uint8_t *header;

	if (unlikely(!entry))
		return false;
	fill(&entry->c, small, receive, qp);
	entry->c.src_qp = from->ex.qp_base.qp_num;
	entry->c.wc_flags |= IBV_WC_GRH;
	entry->c.flags |= CQE_HEADER | (gid_is_mapped(ah->av.dgid.raw) ? CQE_IPV4 : 0);
	entry->c.wqe = atomic_load_explicit(&rq->consumed, memory_order_relaxed);
	header = rq_behind(owner, rq, entry->c.wqe);
	memcpy(header, ah->header, GRH_LENGTH);
	grh_set_length(header,
	               (uint16_t)datagram_ip_payload(
	                       small->length, small->opcode == IBV_WR_SEND_WITH_IMM));
	copy_small(entry->inline_data, small->data, small->length);
	rq_consume(rq); /* as in deliver() */
	cq_commit(owner, cq, qp->recv_cq, entry);
	return true;
}

static inline bool respond_datagram(const struct qp *qp, const struct small *small,
                                    const struct ibv_send_wr *wr, const struct ah *ah)
{
	struct qp_shared *to = qp->remote;
	uint32_t qkey = datagram_qkey(qp, wr->wr.ud.remote_qkey);
	bool done;

	if (unlikely(!owner_lock_try(&to->lock)))
		return false;
	done = takes_datagram(to, wr->wr.ud.remote_qpn & QPN_MASK, qkey) &&
	       deliver_datagram(qp, to, small, ah);
	if (likely(done)) {
		psn_advance(to);
		count_executed(to, OP_RECV | OP_UNACKED, small->length);
	}
	owner_unlock(&to->lock);
	return done;
}

/* One piece that fits, of a queue where nothing waits. */
static inline bool gather(const struct qp *qp, const struct ibv_send_wr *wr,
                          struct small *small)
{
	struct ibv_sge sge;

	if (qp->sq.next != qp->sq.posted || qp->sq.wait != SQ_RUNS ||
	    qp_state(qp) != IBV_QPS_RTS || wr->num_sge != 1 || !wr->sg_list ||
	    !post_has_room(&qp->sq))
		return false;
	sge_copy(&sge, wr->sg_list);
	if (sge.length > CQE_INLINE_MAX || !sge.length)
		return false;
	*small = (struct small){
		.wr_id = wr->wr_id,
		.data = (const void *)(uintptr_t)sge.addr,
		.length = sge.length,
		.imm = wr->imm_data,
		.opcode = wr->opcode,
		.flags = wr->send_flags,
	};
	if (small->flags & IBV_SEND_INLINE)
		return sge.length <= qp->sq.max_inline;
	return may_read(qp, sge.lkey, sge.addr, sge.length, &small->data);
}

/* A destination other than the last is looked up on the long way. */
static __attribute__((noinline, flatten)) bool post_datagram(struct qp *qp,
                                                             const struct ibv_send_wr *wr)
{
	const struct ah *ah = wr->wr.ud.ah ? to_ah(wr->wr.ud.ah) : NULL;
	struct small small;

	if (!is_send(wr->opcode) || !ah || !qp->remote || qp->link != &link_local ||
	    ah->av.link != qp->link || ah->av.multicast || !gather(qp, wr, &small))
		return false;
	if (unlikely(!peer_alive(qp->peer) || !respond_datagram(qp, &small, wr, ah)))
		return false;
	count_requester(qp->sh, COUNT_UNACKED, 1);
	sent_small(qp, &small);
	qp->sq.posted++;
	return true;
}

__attribute__((flatten)) bool shortcut_post(struct qp *qp, const struct ibv_send_wr *wr)
{
	struct small small;

	if (!is_usual(qp, wr->opcode)) /* costs what most is sent with nothing more */
		return qp->sq.datagrams && post_datagram(qp, wr);
	if (!gather(qp, wr, &small) || unlikely(!send_small(qp, &small)))
		return false;
	qp->sq.posted++;
	return true;
}

__attribute__((flatten)) bool shortcut_send(struct qp *qp)
{
	const struct wqe *wqe = sq_at(&qp->sq, qp->sq.next);
	struct small small = { wqe->wr_id, wqe->sge,    wqe->length,
		               wqe->imm,   wqe->opcode, wqe->flags };

	if (!is_usual(qp, wqe->opcode) || wqe->length > CQE_INLINE_MAX)
		return false;
	if (!(wqe->flags & IBV_SEND_INLINE) && wqe->num_sge &&
	    (wqe->num_sge != 1 ||
	     !may_read(qp, wqe->sge->lkey, wqe->sge->addr, wqe->length, &small.data)))
		return false;
	return send_small(qp, &small);
}
