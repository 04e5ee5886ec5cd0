/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Work requests that change a memory window (IBA 10.6.7, 10.8.3.3): they stand in the
 * send queue in their order, and send nothing.
 */
#include "transport/transport.h"

#include <errno.h>
#include "base/util.h"
#include "object/mw.h"
#include "transport/post.h"

/* A WQE's fields, for want of others, carry what a bind asks for. */
static void to_wqe(struct wqe *wqe, uint32_t rkey, const struct ibv_mw_bind_info *info)
{
	wqe->rkey = rkey;
	wqe->remote_addr = info->addr;
	wqe->compare_add = info->length;
	wqe->swap = (uint64_t)(info->mw_access_flags & MW_RIGHTS) << 32 |
	            (info->mr ? info->mr->lkey : 0);
}

static struct mw_bind from_wqe(const struct wqe *wqe)
{
	return (struct mw_bind){
		.rkey = wqe->rkey,
		.lkey = (uint32_t)wqe->swap,
		.access = wqe->swap >> 32,
		.addr = wqe->remote_addr,
		.length = wqe->compare_add,
	};
}

int window_put_bind(struct wqe *wqe, enum ibv_mw_type type, const struct ibv_mw *mw,
                    uint32_t rkey, const struct ibv_mw_bind_info *info)
{
	/* Adapters take IBV_ACCESS_LOCAL_WRITE, which means nothing for a window. */
	const unsigned int known = MW_RIGHTS | IBV_ACCESS_LOCAL_WRITE;

	if (!mw || mw->type != type || (info->mw_access_flags & ~known) ||
	    (mw->rkey ^ rkey) >> 8)
		return -EINVAL;
	to_wqe(wqe, rkey, info);
	return 0;
}

static int bind(struct qp *qp, const struct wqe *wqe)
{
	const struct mw_bind asked = from_wqe(wqe);
	bool stale = false;
	int err = mw_bind(qp->sh->pd, qp_base(qp)->qp_num, &asked, &stale);

	if (stale)
		transport_settle_responders(qp->sh->pd);
	return err;
}

/* Only requests on this QP use its windows of type 2. */
static int invalidate(struct qp *qp, const struct wqe *wqe)
{
	int err = mw_invalidate(peer_self(), qp->sh->pd, qp_base(qp)->qp_num, wqe->rkey);

	if (!err)
		responder_settle(qp->sh);
	return err;
}

COLD void window_step(struct qp *qp, struct wqe *wqe)
{
	int err = wqe->opcode == IBV_WR_BIND_MW ? bind(qp, wqe) : invalidate(qp, wqe);

	if (err)
		completer_fail(qp, wqe, IBV_WC_MW_BIND_ERR);
	else
		completer_done(qp, wqe);
}

/*
 * Without a lock, since the caller may hold a requester's: the list only grows, and what
 * is on it stays.
 */
void transport_settle_responders(uint32_t pd)
{
	seg_off off =
	        atomic_load_explicit(&segment_head()->qp_list, memory_order_acquire);

	while (off) {
		struct qp_shared *sh = segment_ptr(off);

		if (atomic_load(&sh->qpn) &&
		    __atomic_load_n(&sh->pd, __ATOMIC_RELAXED) == pd)
			responder_settle(sh);
		off = sh->next;
	}
	srq_settle_all();
}

/* Type 1 has no other way than this into a send queue. */
static int put_type_1(struct qp *qp, const struct ibv_mw *mw, uint32_t rkey,
                      const struct ibv_mw_bind *bind)
{
	struct wqe *wqe;

	if (!post_may_send(qp) || !post_has_operation(&qp->sq, IBV_WR_BIND_MW))
		return -EINVAL;
	if (!post_has_room(&qp->sq))
		return -ENOMEM;
	wqe = sq_at(&qp->sq, qp->sq.posted);
	if (window_put_bind(wqe, IBV_MW_TYPE_1, mw, rkey, &bind->bind_info))
		return -EINVAL;
	wqe->wr_id = bind->wr_id;
	wqe->opcode = IBV_WR_BIND_MW;
	wqe->flags = bind->send_flags & ~IBV_SEND_INLINE;
	wqe->num_sge = 0;
	wqe->length = 0;
	qp->sq.posted++;
	return 0;
}

int transport_bind_mw(struct qp *qp, struct ibv_mw *mw, const struct ibv_mw_bind *bind)
{
	uint32_t rkey = ibv_inc_rkey(mw->rkey);
	int err;

	owner_lock(&qp->sq.lock);
	err = put_type_1(qp, mw, rkey, bind);
	if (!err)
		mw->rkey = rkey;
	requester_run(qp);
	owner_unlock(&qp->sq.lock);
	return err;
}
