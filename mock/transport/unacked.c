/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The requester of the unreliable transports (IBA 9.8.2.1): what is sent is done,
 * whatever becomes of it.
 */
#include "transport/transport.h"

#include "object/device.h"
#include "object/group.h"
#include "transport/datagram.h"
#include "transport/wire.h"

static const enum bth_opcode uc_opcode_of[] = {
	[IBV_WR_RDMA_WRITE] = BTH_UC | RC_WRITE_ONLY,
	[IBV_WR_RDMA_WRITE_WITH_IMM] = BTH_UC | RC_WRITE_ONLY_IMM,
	[IBV_WR_SEND] = BTH_UC | RC_SEND_ONLY,
	[IBV_WR_SEND_WITH_IMM] = BTH_UC | RC_SEND_ONLY_IMM,
	[IBV_WR_LOCAL_INV] = NO_PACKET,
	[IBV_WR_BIND_MW] = NO_PACKET,
};

static const enum bth_opcode ud_opcode_of[] = {
	[IBV_WR_SEND] = UD_SEND_ONLY,
	[IBV_WR_SEND_WITH_IMM] = UD_SEND_ONLY_IMM,
};

static void connection_fill(const struct qp *qp, const struct wqe *wqe,
                            struct packet *packet)
{
	packet->dest_qpn = qp->attr.dest_qp_num;
	packet->sgid = &qp->sh->sgid;
	packet->dgid = &qp->sh->dgid;
	packet->va = wqe->remote_addr;
	packet->rkey = wqe->rkey;
}

static enum bth_opcode opcode_of(const struct qp *qp, const struct wqe *wqe)
{
	return (qp->sq.datagrams ? ud_opcode_of : uc_opcode_of)[wqe->opcode];
}

static unsigned int mask_of(const struct qp *qp, const struct wqe *wqe)
{
	return opcode_info[opcode_of(qp, wqe)].mask;
}

enum ibv_wc_status unacked_fill(const struct qp *qp, struct wqe *wqe, struct iovec *iov,
                                struct packet *packet)
{
	packet->opcode = opcode_of(qp, wqe);
	packet->mask = opcode_info[packet->opcode].mask;
	packet->solicited = wqe->flags & IBV_SEND_SOLICITED;
	packet->imm = wqe->imm;
	packet->length = wqe->length;
	if (wqe->length > qp->sq.max_message)
		return IBV_WC_LOC_LEN_ERR;
	return requester_list(qp, wqe, packet->mask, iov, &packet->iovs);
}

/* By the link that its address handle was made for. How many went. */
static unsigned int send_datagram(struct qp *qp, struct wqe *wqe, struct packet *packet,
                                  struct reply *reply)
{
	const struct wqe_datagram *to = sq_datagram(&qp->sq, wqe);
	const struct link_ops *link = to->av.link;
	struct datagram datagram;

	/* IBA 9.6.1.2: anyone would drop one of which only the address or only the number
	 * is a group's. */
	if (unlikely(to->av.multicast != (to->qpn == GROUP_QPN))) {
		count_requester(qp->sh, COUNT_SEND_ERR, 1);
		return 1;
	}

	datagram_fill(qp, wqe, packet, &datagram);
	if (link->packets)
		return wire_send_datagrams(qp, wqe, packet);
	if (unlikely(qp->link != link)) {
		if (qp->link)
			qp->link->unbind(qp);
		qp->link = link;
	}
	link->send(qp, packet, reply);
	if (unlikely(to->av.multicast))
		wire_send_to_group(packet);
	return 1;
}

static unsigned int send_messages(struct qp *qp, struct wqe *wqe, struct packet *packet)
{
	struct reply reply;

	packet->psn = wqe->psn;
	if (qp->sq.datagrams)
		return send_datagram(qp, wqe, packet, &reply);
	connection_fill(qp, wqe, packet);
	qp->link->send(qp, packet, &reply);
	return 1;
}

static void finish(struct qp *qp, struct wqe *wqe)
{
	struct packet whole = { .mask = mask_of(qp, wqe), .length = wqe->length };

	requester_number(qp, wqe);
	count_request(qp, &whole);
	count_requester(qp->sh, COUNT_UNACKED, 1);
	completer_done(qp, wqe);
}

static bool unacked_step(struct qp *qp)
{
	uint32_t first = qp->sq.next;
	struct wqe *wqe = sq_at(&qp->sq, first);
	struct iovec iov[DEVICE_MAX_SGE];
	struct packet packet = { .iov = iov };
	enum ibv_wc_status status;
	unsigned int sent;

	if (!mask_of(qp, wqe)) {
		window_step(qp, wqe);
		return true;
	}
	status = unacked_fill(qp, wqe, iov, &packet);
	if (unlikely(status != IBV_WC_SUCCESS)) {
		completer_fail(qp, wqe, status);
		return true;
	}
	requester_number(qp, wqe);
	sent = send_messages(qp, wqe, &packet);
	/* A completion queue that overflows ends it. */
	for (unsigned int i = 0; i < sent && qp->sq.next == first + i; i++)
		finish(qp, sq_at(&qp->sq, first + i));
	return sent;
}

bool apart_step(struct qp *qp)
{
	if (!qp->wire)
		return unacked_step(qp);
	wire_run(qp);
	return false;
}
