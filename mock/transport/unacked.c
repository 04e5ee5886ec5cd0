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

/* By the link that its address handle was made for. */
static bool send_datagram(struct qp *qp, struct wqe *wqe, struct packet *packet,
                          struct reply *reply)
{
	const struct wqe_datagram *to = sq_datagram(&qp->sq, wqe);
	const struct link_ops *link = to->av.link;
	struct datagram datagram;

	/* IBA 9.6.1.2: anyone would drop one of which only the address or only the number
	 * is a group's. */
	if (unlikely(to->av.multicast != (to->qpn == GROUP_QPN)))
		return true;

	datagram_fill(qp, wqe, packet, &datagram);
	if (link->packets)
		return wire_send_datagram(qp, packet);
	if (unlikely(qp->link != link)) {
		if (qp->link)
			qp->link->unbind(qp);
		qp->link = link;
	}
	link->send(qp, packet, reply);
	if (unlikely(to->av.multicast))
		wire_send_to_group(qp, packet);
	return true;
}

static bool send_message(struct qp *qp, struct wqe *wqe, struct packet *packet)
{
	struct reply reply;

	packet->psn = wqe->psn;
	packet->solicited = wqe->flags & IBV_SEND_SOLICITED;
	packet->imm = wqe->imm;
	packet->length = wqe->length;
	if (qp->sq.datagrams)
		return send_datagram(qp, wqe, packet, &reply);
	connection_fill(qp, wqe, packet);
	qp->link->send(qp, packet, &reply);
	return true;
}

static bool unacked_step(struct qp *qp)
{
	struct wqe *wqe = sq_at(&qp->sq, qp->sq.next);
	const enum bth_opcode *opcodes = qp->sq.datagrams ? ud_opcode_of : uc_opcode_of;
	struct iovec iov[DEVICE_MAX_SGE];
	struct packet packet = { .opcode = opcodes[wqe->opcode], .iov = iov };
	enum ibv_wc_status status = IBV_WC_LOC_LEN_ERR;

	packet.mask = opcode_info[packet.opcode].mask;
	if (!packet.mask) {
		window_step(qp, wqe);
		return true;
	}
	if (wqe->length <= qp->sq.max_message)
		status = requester_list(qp, wqe, packet.mask, iov, &packet.iovs);
	if (unlikely(status != IBV_WC_SUCCESS)) {
		completer_fail(qp, wqe, status);
		return true;
	}
	requester_number(qp, wqe);
	if (!send_message(qp, wqe, &packet))
		return false;
	count_request(qp, &packet);
	count_requester(qp->sh, COUNT_UNACKED, 1);
	completer_done(qp, wqe);
	return true;
}

bool apart_step(struct qp *qp)
{
	if (!qp->wire)
		return unacked_step(qp);
	wire_run(qp);
	return false;
}
