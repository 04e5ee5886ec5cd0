/* SPDX-License-Identifier: BSD-2-Clause */
/* The states ERR and, of the send queue alone, SQE: what is posted is returned with a
 * flush error (IBA 10.3.1.5, 10.3.1.7). */
#include "transport/wire_responder.h"
#include "base/util.h"

void flush_sq(struct qp *qp)
{
	qp->sq.wait = SQ_RUNS;
	qp->sq.armed = false;
	credit_forget(qp);
	qp->sq.started = false;
	timer_cancel(&qp->retry_timer);
	while (qp->sq.next != qp->sq.posted) {
		struct completion entry = {
			.status = IBV_WC_WR_FLUSH_ERR,
			.wr_id = sq_at(&qp->sq, qp->sq.next)->wr_id,
			.qp_num = qp_base(qp)->qp_num,
			.qp = qp_base(qp)->handle,
			.wqe = ++qp->sq.next,
		};

		cq_push(peer_self(), to_cq(qp_base(qp)->send_cq)->off, &entry, NULL);
	}
	if (qp->wire)
		wire_flushed(qp);
}

COLD void flush_to_sqe(struct qp *qp)
{
	responder_lock(peer_self(), qp->sh);
	if (qp_state(qp) != IBV_QPS_ERR)
		atomic_store(&qp->sh->state, IBV_QPS_SQE);
	owner_unlock(&qp->sh->lock);
	flush_sq(qp);
}

COLD void flush_to_error(struct qp *qp)
{
	responder_lock(peer_self(), qp->sh);
	if (qp->sh->wire && qp->sh->state != IBV_QPS_ERR)
		wire_answer_now(qp->sh); /* of what was received before */
	responder_to_error(peer_self(), qp->sh);
	owner_unlock(&qp->sh->lock);
	flush_sq(qp);
}
