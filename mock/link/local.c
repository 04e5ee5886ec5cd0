/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The local link: both QPs are on this host. The requester maps the peer's segment and
 * runs its responder itself. Of unlimited MTU and synchronous: one message is one packet,
 * answered at once.
 */
#include "host/registry.h"
#include "link/capture.h"
#include "link/link.h"
#include "link/multicast.h"
#include "link/roce.h"
#include "object/group.h"

static void forget_peer(struct qp *qp)
{
	if (qp->peer)
		peer_put(qp->peer);
	qp->peer = NULL;
	qp->remote = NULL;
}

static void local_unbind(struct qp *qp)
{
	forget_peer(qp);
	if (qp->recipients)
		multicast_unbind(qp);
}

static bool is_bound(const struct qp *qp, uint32_t qpn)
{
	return qp->remote &&
	       atomic_load_explicit(&qp->remote->qpn, memory_order_relaxed) == qpn &&
	       peer_alive(qp->peer);
}

/* Finds who has the QP number now. */
static bool local_bind(struct qp *qp, uint32_t qpn)
{
	struct host_place place;

	forget_peer(qp);
	if (registry_qpn_find(qpn, &place) ||
	    peer_get(place.slot, place.generation, &qp->peer))
		return false;
	qp->remote = peer_ptr(qp->peer, place.off);
	return is_bound(qp, qpn);
}

/* A group's number is nobody's, so only there is it to be looked for. Whether the queue
 * pair was found that the packet is for; what is for none is counted. */
static bool reach(struct qp *qp, const struct packet *packet)
{
	bool found = false, taken;

	if (packet->dest_qpn == GROUP_QPN)
		taken = multicast_send(qp, packet) || roce_takes_groups(packet->sgid);
	else
		taken = found = local_bind(qp, packet->dest_qpn);
	if (!taken)
		count_requester(qp->sh, COUNT_SEND_ERR, 1);
	return found;
}

static void local_send(struct qp *qp, const struct packet *packet, struct reply *reply)
{
	reply->sent = false;
	if (unlikely(!is_bound(qp, packet->dest_qpn)) && !reach(qp, packet))
		return;
	link_to_responder(qp->peer, qp->remote, packet, reply);
	/* An answer goes to the QP that the responder is connected to, whoever asked. */
	if (unlikely(reply->sent && reply->dest_qpn != qp->ex.qp_base.qp_num)) {
		reply->sent = false;
		if (!(packet->mask & OP_UNACKED))
			count_requester(qp->sh, COUNT_DROP_ANSWER_QP, 1);
	}
}

/*
 * Without a lock: the queue pair may be another one by now, or none, and its receive
 * queue gone. What is read then is of no queue, but in memory of the segment all the
 * same, and all that it decides is whether to ask now or within a millisecond.
 */
static uint32_t local_credit(struct qp *qp, uint32_t *room)
{
	const struct rq_shared *rq;
	seg_off off;

	/* Of a peer that died meanwhile the credit does not matter. */
	if (!qp->remote)
		return CREDIT_UNKNOWN;
	off = __atomic_load_n(&qp->remote->rq, __ATOMIC_RELAXED);
	if (unlikely(!off)) /* XRC: it depends on the request */
		return CREDIT_UNKNOWN;
	rq = peer_ptr(qp->peer, off);
	*room = __atomic_load_n(&rq->size, __ATOMIC_RELAXED);
	return rq_posted(rq);
}

const struct link_ops link_local = {
	.name = "local",
	.send = local_send,
	.credit = local_credit,
	.unbind = local_unbind,
};

/* The same, for a capture. */
static void captured_send(struct qp *qp, const struct packet *packet, struct reply *reply)
{
	local_send(qp, packet, reply);
	capture_exchange(qp, packet, reply);
}

const struct link_ops link_local_captured = {
	.name = "local",
	.send = captured_send,
	.credit = local_credit,
	.unbind = local_unbind,
};
