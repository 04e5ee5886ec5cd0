/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The requester of the unreliable transports (IBA 9.8.2.1): what is sent is done,
 * whatever becomes of it.
 */
#include "transport/transport.h"

#include "object/device.h"

static const enum bth_opcode uc_opcode_of[] = {
	[IBV_WR_RDMA_WRITE] = BTH_UC | RC_WRITE_ONLY,
	[IBV_WR_RDMA_WRITE_WITH_IMM] = BTH_UC | RC_WRITE_ONLY_IMM,
	[IBV_WR_SEND] = BTH_UC | RC_SEND_ONLY,
	[IBV_WR_SEND_WITH_IMM] = BTH_UC | RC_SEND_ONLY_IMM,
};

static void packet_fill(const struct qp *qp, const struct wqe *wqe, struct packet *packet)
{
	packet->psn = wqe->psn;
	packet->dest_qpn = qp->attr.dest_qp_num;
	packet->solicited = wqe->flags & IBV_SEND_SOLICITED;
	packet->sgid = &qp->sh->sgid;
	packet->dgid = &qp->sh->dgid;
	packet->va = wqe->remote_addr;
	packet->rkey = wqe->rkey;
	packet->imm = wqe->imm;
	packet->length = wqe->length;
}

void unacked_step(struct qp *qp)
{
	struct wqe *wqe = sq_at(&qp->sq, qp->sq.next);
	struct iovec iov[DEVICE_MAX_SGE];
	struct packet packet = { .opcode = uc_opcode_of[wqe->opcode], .iov = iov };
	struct reply reply;
	enum ibv_wc_status status = IBV_WC_LOC_LEN_ERR;

	packet.mask = opcode_info[packet.opcode].mask;
	if (wqe->length <= DEVICE_MAX_MSG)
		status = requester_list(qp, wqe, packet.mask, iov, &packet.iovs);
	if (unlikely(status != IBV_WC_SUCCESS)) {
		completer_fail(qp, wqe, status);
		return;
	}
	requester_number(qp, wqe);
	packet_fill(qp, wqe, &packet);
	qp->link->send(qp, &packet, &reply);
	completer_done(qp, wqe);
}
