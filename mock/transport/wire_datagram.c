/* SPDX-License-Identifier: BSD-2-Clause */
/* Datagrams over the network (IBA 9.8.3.1): one packet each, and nothing comes back.
 * Those that were posted together and go the same way go in one call. */
#include <string.h>
#include "link/roce.h"
#include "object/device.h"
#include "object/gid.h"
#include "object/group.h"
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

static bool add(struct roce_out *out, const struct packet *packet)
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

	return roce_out_add(out, &roce, &payload, 0);
}

static bool is_same_way(const struct av *a, const struct av *b)
{
	return a->link == b->link && !b->multicast && a->flow_label == b->flow_label &&
	       a->traffic_class == b->traffic_class &&
	       !memcmp(&a->sgid, &b->sgid, sizeof(a->sgid)) &&
	       !memcmp(&a->dgid, &b->dgid, sizeof(a->dgid));
}

/* Another of the queue, as the ahead-th behind the first. What cannot go with that is
 * looked at when it is the first itself. */
static bool add_behind(struct qp *qp, const struct wqe_datagram *first, uint32_t ahead,
                       struct roce_out *out)
{
	struct wqe *wqe = sq_at(&qp->sq, qp->sq.next + ahead);
	const struct wqe_datagram *to = sq_datagram(&qp->sq, wqe);
	struct iovec iov[DEVICE_MAX_SGE];
	struct packet packet = { .iov = iov };
	struct datagram datagram;

	if (!is_same_way(&first->av, &to->av) || to->qpn == GROUP_QPN ||
	    unacked_fill(qp, wqe, iov, &packet) != IBV_WC_SUCCESS)
		return false;
	datagram_fill(qp, wqe, &packet, &datagram);
	packet.psn = psn_add(qp->sq.psn, ahead - 1);
	return add(out, &packet);
}

static unsigned int flush(struct qp *qp, struct roce_out *out)
{
	unsigned int count = out->count, taken = roce_out_flush(out);

	qp->sq.blocked = taken < count;
	return taken;
}

unsigned int wire_send_datagrams(struct qp *qp, struct wqe *wqe,
                                 const struct packet *packet)
{
	const struct wqe_datagram *first = sq_datagram(&qp->sq, wqe);
	struct net_path path = path_of(packet);
	uint32_t waiting = qp->sq.posted - qp->sq.next;
	struct roce_out out;

	roce_out_start(&out, &path, NULL);
	add(&out, packet);
	for (uint32_t i = 1; i < waiting && add_behind(qp, first, i, &out); i++)
		;
	return flush(qp, &out);
}

void wire_send_to_group(const struct packet *packet)
{
	struct net_path path = path_of(packet);
	struct roce_out out;

	if (!roce_takes_groups(packet->sgid))
		return;
	roce_out_start(&out, &path, NULL);
	add(&out, packet);
	roce_out_flush(&out); /* what finds no room is lost: members here have it */
}
