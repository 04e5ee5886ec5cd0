/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A request to an XRC target says which shared receive queue it is for. That queue's
 * process is the one whose memory is meant, by keys of the queue's protection domain
 * (IBA A14.4); it need not be the process that made the target.
 */
#include "transport/xrc.h"

#include <string.h>
#include "host/registry.h"
#include "object/srq_shared.h"
#include "transport/target.h"
#include "transport/transport.h"

void xrc_fill(const struct qp *qp, struct wqe *wqe, struct packet *packet)
{
	packet->opcode |= BTH_XRC;
	packet->mask |= OP_XRCETH;
	packet->srqn = (uint32_t)sq_xrc(&qp->sq, wqe)->srqn;
}

/* The SRQ with its lane held, so that it stays. */
static struct srq_shared *find(uint32_t srqn, uint32_t qpn, struct peer **owner,
                               struct owner_lock **lane)
{
	struct host_place place;
	struct srq_shared *srq;

	if (registry_srqn_find(srqn, &place) ||
	    peer_get(place.slot, place.generation, owner))
		return NULL;
	srq = peer_ptr(*owner, place.off);
	*lane = &srq->lane[qpn % SRQ_LANES];
	owner_lock(*lane); /* a holder that died in here left nothing to mend */
	if (atomic_load(&srq->number) == srqn)
		return srq;
	owner_unlock(*lane);
	peer_put(*owner);
	return NULL;
}

enum outcome xrc_enter(struct request *req, struct xrc_visit *visit)
{
	uint64_t domain = target_of(req->owner, req->qp)->domain;
	struct srq_shared *srq;
	struct peer *owner;

	srq = find(req->packet->srqn, req->packet->dest_qpn, &owner, &visit->lane);
	if (!srq)
		return RESP_INVALID;
	if (srq->domain != domain) {
		owner_unlock(visit->lane);
		peer_put(owner);
		return RESP_INVALID;
	}
	visit->qp = req->qp;
	visit->home = req->owner;
	memcpy(&visit->view, req->qp, sizeof(visit->view));
	visit->view.rq = srq->rq;
	visit->view.recv_cq = srq->cq;
	visit->view.pd = srq->pd;
	visit->view.handle = srq->handle;
	req->owner = owner;
	req->qp = &visit->view;
	return RESP_DONE;
}

void xrc_leave(struct request *req, struct xrc_visit *visit)
{
	struct qp_shared *qp = visit->qp;

	qp->psn_nak_sent = visit->view.psn_nak_sent;
	for (size_t i = 0; i < ARRAY_SIZE(qp->responder); i++)
		atomic_store_explicit(&qp->responder[i], visit->view.responder[i],
		                      memory_order_relaxed);
	owner_unlock(visit->lane);
	peer_put(req->owner);
	req->owner = visit->home;
	req->qp = visit->qp;
}
