/* SPDX-License-Identifier: BSD-2-Clause */
/* What is particular to unreliable datagrams (IBA 9.8.3): a destination for each message,
 * the Q_Key, and the header that the receiver sees. */
#include "transport/datagram.h"

#include <errno.h>
#include <string.h>
#include "base/log.h"
#include "object/ah.h"
#include "object/device.h"
#include "transport/transport.h"
#include "wire/grh.h"

enum {
	QKEY_IS_OURS = 1u << 31, /* IBA 10.2.5: then the QP's own is sent */
	UDP_HEADER = 8,
	BTH_AND_DETH = 12 + 8,
	IMMEDIATE = 4,
	ICRC = 4,
};

int transport_ah_create(struct ibv_pd *pd, const struct ibv_ah_attr *attr, struct ah **ah)
{
	struct ibv_ah_attr loopback;
	const struct link_ops *link;
	int err;

	if (ah_attr_is_loopback(pd, attr)) {
		err = ah_attr_from_loopback(device_of(pd->context), &loopback);
		if (err)
			return err;
		attr = &loopback;
	}

	if (!ah_attr_is_valid(device_of(pd->context), attr))
		return -EINVAL;
	link = link_choose(&attr->grh.dgid);
	if (link)
		return ah_create(pd, attr, link, ah);
	mock_error(
	        "the destination of an address handle is another host, and without UDP "
	        "port 4791 no other is reached");
	return -EHOSTUNREACH;
}

int datagram_set(const struct sq *sq, struct wqe *wqe, const struct ibv_ah *ah,
                 uint32_t qpn, uint32_t qkey)
{
	struct wqe_datagram *datagram = sq_datagram(sq, wqe);

	if (!ah)
		return -EINVAL;
	datagram->av = container_of(ah, struct ah, ibv)->av;
	datagram->qpn = qpn & QPN_MASK;
	datagram->qkey = qkey;
	return 0;
}

void datagram_fill(const struct qp *qp, struct wqe *wqe, struct packet *packet,
                   struct datagram *datagram)
{
	const struct wqe_datagram *from = sq_datagram(&qp->sq, wqe);

	packet->dest_qpn = from->qpn;
	packet->sgid = &from->av.sgid;
	packet->dgid = &from->av.dgid;
	packet->datagram = datagram;
	datagram->qkey = datagram_qkey(qp, from->qkey);
	datagram->src_qpn = qp->ex.qp_base.qp_num;
	datagram->flow_label = from->av.flow_label;
	datagram->traffic_class = from->av.traffic_class;
	datagram->hop_limit = from->av.hop_limit;
}

uint64_t datagram_ip_payload(uint64_t length, bool immediate)
{
	return UDP_HEADER + BTH_AND_DETH + (immediate ? IMMEDIATE : 0) +
	       round_up(length, 4) + ICRC;
}

uint32_t datagram_qkey(const struct qp *qp, uint32_t qkey)
{
	return qkey & QKEY_IS_OURS ? qp->attr.qkey : qkey;
}

static void make_header(const struct packet *packet, uint8_t room[GRH_LENGTH])
{
	struct grh grh = {
		.flow_label = packet->datagram->flow_label,
		.traffic_class = packet->datagram->traffic_class,
		.hop_limit = packet->datagram->hop_limit,
		.length = (uint16_t)datagram_ip_payload(packet->length,
		                                        packet->mask & OP_IMM),
	};

	memcpy(grh.sgid, packet->sgid, sizeof(grh.sgid));
	memcpy(grh.dgid, packet->dgid, sizeof(grh.dgid));
	grh_encode(&grh, room);
}

/* As a SEND of one piece more. */
static enum outcome deliver_with_header(struct request *req)
{
	struct iovec iov[DEVICE_MAX_SGE + 1];
	uint8_t header[GRH_LENGTH];
	struct packet whole = *req->packet;

	make_header(req->packet, header);
	iov[0] = (struct iovec){ header, GRH_LENGTH };
	memcpy(iov + 1, whole.iov, whole.iovs * sizeof(*iov));
	whole.iov = iov;
	whole.iovs++;
	whole.length += GRH_LENGTH;
	req->packet = &whole;
	return deliver_send(req);
}

enum outcome datagram_deliver(struct request *req)
{
	const struct packet *packet = req->packet;
	uint8_t *room = deliver_header_room(req);
	enum outcome outcome;

	if (room) {
		make_header(packet, room);
		return deliver_datagram_inline(req);
	}
	outcome = deliver_with_header(req);
	req->packet = packet;
	return outcome;
}
