/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ibv_wr_start() to ibv_wr_complete(): WQEs are built in place, under the requester's
 * lock, and count only when complete. The first error spoils the whole batch, as the
 * manual page says.
 */
#include <errno.h>
#include "transport/datagram.h"
#include "transport/post.h"
#include "transport/transport.h"

void builder_start(struct qp *qp)
{
	owner_lock(&qp->sq.lock);
	qp->builder.posted = qp->sq.posted;
	qp->builder.wqe = NULL;
	qp->builder.err = post_may_send(qp) ? 0 : -EINVAL;
}

static void spoil(struct qp *qp, int err)
{
	qp->builder.wqe = NULL;
	if (!qp->builder.err)
		qp->builder.err = err;
}

void builder_refuse(struct qp *qp)
{
	spoil(qp, -EINVAL);
}

void builder_add(struct qp *qp, enum ibv_wr_opcode opcode)
{
	struct wqe *wqe;

	if (qp->builder.err)
		return;
	if (!post_has_operation(&qp->sq, opcode)) {
		spoil(qp, -EINVAL);
		return;
	}
	if (!post_has_room(&qp->sq)) {
		spoil(qp, -ENOMEM);
		return;
	}
	wqe = sq_at(&qp->sq, qp->sq.posted++);
	wqe->wr_id = qp->ex.wr_id;
	wqe->opcode = opcode;
	wqe->flags = qp->ex.wr_flags & ~IBV_SEND_INLINE;
	wqe->num_sge = 0;
	wqe->length = 0;
	wqe->imm = 0;
	if (qp->sq.datagrams)
		sq_datagram(&qp->sq, wqe)->av.link = NULL;
	if (qp->sq.xrc)
		sq_xrc(&qp->sq, wqe)->srqn = 0; /* nobody's */
	qp->builder.wqe = wqe;
}

void builder_destination(struct qp *qp, const struct ibv_ah *ah, uint32_t qpn,
                         uint32_t qkey)
{
	struct wqe *wqe = qp->builder.wqe;

	if (wqe && (!qp->sq.datagrams || datagram_set(&qp->sq, wqe, ah, qpn, qkey)))
		spoil(qp, -EINVAL);
}

void builder_bind(struct qp *qp, const struct ibv_mw *mw, uint32_t rkey,
                  const struct ibv_mw_bind_info *info)
{
	builder_add(qp, IBV_WR_BIND_MW);
	if (qp->builder.wqe &&
	    window_put_bind(qp->builder.wqe, IBV_MW_TYPE_2, mw, rkey, info))
		spoil(qp, -EINVAL);
}

void builder_srqn(struct qp *qp, uint32_t srqn)
{
	struct wqe *wqe = qp->builder.wqe;

	if (wqe && !qp->sq.xrc)
		spoil(qp, -EINVAL);
	else if (wqe)
		sq_xrc(&qp->sq, wqe)->srqn = srqn;
}

void builder_sges(struct qp *qp, size_t count, const struct ibv_sge *sge)
{
	struct wqe *wqe = qp->builder.wqe;

	if (!wqe)
		return;
	/* A request has its data one way; that of an ATOMIC WRITE came with it. */
	if (count > qp->sq.max_sge || (wqe->flags & IBV_SEND_INLINE)) {
		spoil(qp, -EINVAL);
		return;
	}
	for (size_t i = 0; i < count; i++) {
		if (!sge[i].length)
			continue;
		sge_copy(&wqe->sge[wqe->num_sge++], &sge[i]);
		wqe->length += sge[i].length;
	}
}

void builder_inline(struct qp *qp, size_t count, const struct ibv_data_buf *buf)
{
	struct wqe *wqe = qp->builder.wqe;

	if (!wqe)
		return;
	wqe->flags |= IBV_SEND_INLINE;
	for (size_t i = 0; i < count; i++) {
		if (buf[i].length &&
		    post_inline(&qp->sq, wqe, buf[i].addr, buf[i].length)) {
			spoil(qp, -EINVAL);
			return;
		}
	}
}

/* A datagram that was not told where to go goes nowhere. */
static bool lacks_destination(const struct qp *qp)
{
	for (uint32_t i = qp->builder.posted; i != qp->sq.posted; i++)
		if (!sq_datagram(&qp->sq, sq_at(&qp->sq, i))->av.link)
			return true;
	return false;
}

int builder_complete(struct qp *qp)
{
	int err = qp->builder.err;

	if (!err && qp->sq.datagrams && lacks_destination(qp))
		err = -EINVAL;
	if (err)
		qp->sq.posted = qp->builder.posted;
	requester_run(qp);
	owner_unlock(&qp->sq.lock);
	return err;
}

void builder_abort(struct qp *qp)
{
	qp->sq.posted = qp->builder.posted;
	owner_unlock(&qp->sq.lock);
}
