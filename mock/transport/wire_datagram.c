/* SPDX-License-Identifier: BSD-2-Clause */
/* Datagrams over the network (IBA 9.8.3.1): one packet each, and nothing comes back. */
#include "link/roce.h"
#include "object/gid.h"
#include "transport/datagram.h"
#include "transport/wire.h"

static struct net_path path_of(const struct packet *packet)
{
	return (struct net_path){
		.local = *packet->sgid,
		.remote = *packet->dgid,
		.flow_label = packet->datagram->flow_label,
		.traffic_class = packet->datagram->traffic_class,
		/* Of a group's alone it is the program's to say. */
		.hop_limit =
		        gid_is_multicast(packet->dgid) ? packet->datagram->hop_limit : 0,
	};
}

bool wire_send_datagram(struct qp *qp, const struct packet *packet)
{
	const struct roce roce = {
		.opcode = (uint8_t)packet->opcode,
		.solicited = packet->solicited,
		.pkey = 0xffff,
		.dest_qpn = packet->dest_qpn,
		.psn = packet->psn,
		.qkey = packet->datagram->qkey,
		.source_qpn = packet->datagram->src_qpn,
		.immediate = be32toh(packet->imm),
		.length = packet->length,
	};
	struct roce_payload payload = { packet->iov, packet->iovs, 0 };
	struct net_path path = path_of(packet);
	struct roce_out out;

	roce_out_start(&out, &path);
	roce_out_add(&out, &roce, &payload, 0);
	qp->sq.blocked = !roce_out_flush(&out);
	return !qp->sq.blocked;
}

void wire_send_to_group(struct qp *qp, const struct packet *packet)
{
	if (!roce_is_up() || gid_is_loopback(packet->sgid))
		return;
	wire_send_datagram(qp, packet);
	qp->sq.blocked = false; /* what finds no room is lost: members here have it */
}
