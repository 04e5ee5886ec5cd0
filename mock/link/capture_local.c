// SPDX-License-Identifier: BSD-2-Clause
/*
 * A message between QPs of one host is one packet of any length, with one PSN. In a
 * capture it is cut at the path MTU, and the PSNs go on accordingly.
 */
#include "link/capture.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <string.h>

#include "base/util.h"
#include "link/packet.h"
#include "object/qp.h"
#include "wire/roce.h"

enum {
	FLOWS = 1024,
	MTU_MOST = 4096,
	HOPS = 64,
	SOURCE_PORTS = 0xc000, /* as packets on a network have it (annex A17.3.2) */
	PKEY = 0xffff,
};

/* What the PSNs of a sender became. Of two with the same place the later one has it. */
struct flow {
	uint32_t qpn;
	uint32_t psn; /* the QP's, of its last request */
	uint32_t wire_psn, packets;
	uint32_t msn;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct flow flows[FLOWS];

/* The opcodes of a message that takes several packets, by that of one that does not. */
static const struct {
	uint8_t only, first, middle, last;
} cuts[] = {
	{ RC_SEND_ONLY, RC_SEND_FIRST, RC_SEND_MIDDLE, RC_SEND_LAST },
	{ RC_SEND_ONLY_IMM, RC_SEND_FIRST, RC_SEND_MIDDLE, RC_SEND_LAST_IMM },
	{ RC_SEND_ONLY_INVALIDATE, RC_SEND_FIRST, RC_SEND_MIDDLE,
	  RC_SEND_LAST_INVALIDATE },
	{ RC_WRITE_ONLY, RC_WRITE_FIRST, RC_WRITE_MIDDLE, RC_WRITE_LAST },
	{ RC_WRITE_ONLY_IMM, RC_WRITE_FIRST, RC_WRITE_MIDDLE, RC_WRITE_LAST_IMM },
	{ RC_READ_RESPONSE_ONLY, RC_READ_RESPONSE_FIRST, RC_READ_RESPONSE_MIDDLE,
	  RC_READ_RESPONSE_LAST },
};

static uint8_t opcode_of_cut(uint8_t only, bool first, bool last)
{
	uint8_t transport = only & BTH_TRANSPORT,
	        operation = only & (uint8_t)~BTH_TRANSPORT;

	for (unsigned int i = 0; i < ARRAY_SIZE(cuts) && !(first && last); i++) {
		if (cuts[i].only != operation)
			continue;
		operation = first ? cuts[i].first : last ? cuts[i].last : cuts[i].middle;
		break;
	}
	return transport | operation;
}

static struct flow *flow_of(uint32_t qpn)
{
	struct flow *flow = &flows[qpn % FLOWS];

	if (flow->qpn != qpn)
		*flow = (struct flow){ .qpn = qpn, .psn = UINT32_MAX };
	return flow;
}

/* The PSN of a request's first packet; the same when it is sent again. */
static uint32_t wire_psn(struct flow *flow, uint32_t psn, uint32_t packets)
{
	if (flow->psn == psn)
		return flow->wire_psn;
	flow->wire_psn = ((flow->psn + 1) & PSN_MASK) == psn
	                         ? (flow->wire_psn + flow->packets) & PSN_MASK
	                         : psn;
	flow->psn = psn;
	flow->packets = packets;
	return flow->wire_psn;
}

/* Bytes of a list from an offset on. */
static void gather(const struct packet *from, uint64_t offset, uint8_t *to, size_t length)
{
	for (unsigned int i = 0; i < from->iovs && length; i++) {
		const struct iovec *piece = &from->iov[i];
		size_t take;

		if (offset >= piece->iov_len) {
			offset -= piece->iov_len;
			continue;
		}
		take = min_u64(piece->iov_len - offset, length);
		memcpy(to, (const char *)piece->iov_base + offset, take);
		to += take;
		length -= take;
		offset = 0;
	}
}

struct sender {
	struct capture_way way;
	const struct packet *data; /* what a payload is of; NULL: none has any */
	uint64_t length;
	uint32_t mtu;
};

static void write_one(const struct sender *sender, struct roce *roce, uint64_t offset)
{
	static const uint8_t zeros[4];
	static uint8_t payload[MTU_MOST];
	uint8_t header[ROCE_HEADERS_MAX];
	struct iovec parts[3] = { { header, 0 } };

	if (roce->length)
		gather(sender->data, offset, payload, roce->length);
	parts[0].iov_len = roce_encode(roce, header, sizeof(header));
	parts[1] = (struct iovec){ payload, roce->length };
	parts[2] = (struct iovec){ (void *)zeros, roce_padding(roce->length) };
	capture_sealed(&sender->way, parts, ARRAY_SIZE(parts));
}

static uint32_t packets_for(uint64_t length, uint32_t mtu)
{
	return length > mtu ? (uint32_t)((length + mtu - 1) / mtu) : 1;
}

/* A message of as many packets as it takes. */
static void write_message(const struct sender *sender, struct roce roce)
{
	uint32_t count = packets_for(sender->length, sender->mtu), psn = roce.psn;
	uint8_t only = roce.opcode;
	bool asks = roce.ack_request;

	for (uint32_t i = 0; i < count; i++) {
		uint64_t offset = (uint64_t)i * sender->mtu;

		roce.opcode = opcode_of_cut(only, i == 0, i + 1 == count);
		roce.psn = (psn + i) & PSN_MASK;
		roce.ack_request = asks && i + 1 == count;
		roce.length = min_u64(sender->length - offset, sender->mtu);
		write_one(sender, &roce, offset);
	}
}

static struct sender sender_of(const struct qp *qp, const struct packet *request,
                               const struct net_path *path, bool back)
{
	const union ibv_gid *here = request->sgid, *there = request->dgid;
	uint32_t qpn = back ? request->dest_qpn : qp->ex.qp_base.qp_num;

	return (struct sender){
		.way = { .from = back ? there : here,
		         .to = back ? here : there,
		         .path = path,
		         .source_port = (uint16_t)(SOURCE_PORTS | qpn) },
		.data = request,
		.mtu = request->mask & OP_DETH ? MTU_MOST : 128u << qp->attr.path_mtu,
	};
}

static void write_request(const struct qp *qp, const struct packet *request,
                          const struct net_path *path, uint32_t psn)
{
	struct sender sender = sender_of(qp, request, path, false);
	struct roce roce = {
		.opcode = (uint8_t)request->opcode,
		.solicited = request->solicited,
		.ack_request = !(request->mask & OP_UNACKED),
		.migrated = true,
		.pkey = PKEY,
		.dest_qpn = request->dest_qpn,
		.psn = psn,
		.xrc_srq = request->srqn,
		.va = request->va,
		.rkey = request->rkey,
		.dma_length = (uint32_t)request->length,
		.swap_add = request->swap_add,
		.compare = request->compare,
		.immediate = ntohl(request->imm),
		.invalidate_key = request->imm,
	};

	if (request->mask & OP_DETH) {
		roce.qkey = request->datagram->qkey;
		roce.source_qpn = request->datagram->src_qpn;
	}
	if (request->mask & OP_PAYLOAD)
		sender.length = request->length;
	write_message(&sender, roce);
}

static void write_answer(const struct qp *qp, const struct packet *request,
                         const struct net_path *path, const struct reply *reply,
                         struct roce roce)
{
	struct sender sender = sender_of(qp, request, path, true);
	bool is_ack = (reply->syndrome & AETH_KIND_MASK) == AETH_ACK;
	uint8_t operation = RC_ACKNOWLEDGE;

	if (is_ack && request->mask & OP_READ) {
		operation = RC_READ_RESPONSE_ONLY;
		sender.length = request->length;
	} else if (is_ack && request->mask & OP_ATOMIC) {
		operation = RC_ATOMIC_ACKNOWLEDGE;
	} else if (is_ack && request->mask & OP_ATOMIC_WRITE) {
		operation = RC_READ_RESPONSE_ONLY; /* of nothing */
	}
	roce.opcode = (request->opcode & BTH_TRANSPORT) | operation;
	write_message(&sender, roce);
}

/* Whose acknowledgement it is, and what it says; all but READ's is of the last packet. */
static void answer(const struct qp *qp, const struct packet *request,
                   const struct net_path *path, const struct reply *reply,
                   struct flow *flow, uint32_t psn, uint32_t packets)
{
	bool is_ack = (reply->syndrome & AETH_KIND_MASK) == AETH_ACK;
	bool at_end = is_ack && !(request->mask & OP_READ);
	struct roce roce = {
		.migrated = true,
		.pkey = PKEY,
		.dest_qpn = qp->ex.qp_base.qp_num,
		.psn = (psn + (at_end ? packets - 1 : 0)) & PSN_MASK,
		.syndrome = reply->syndrome,
		.original = reply->original,
	};

	flow->msn += is_ack;
	roce.msn = flow->msn & PSN_MASK;
	write_answer(qp, request, path, reply, roce);
}

void capture_exchange(const struct qp *qp, const struct packet *request,
                      const struct reply *reply)
{
	struct net_path path = { .hop_limit = HOPS };
	uint32_t mtu = request->mask & OP_DETH ? MTU_MOST : 128u << qp->attr.path_mtu;
	uint32_t packets = packets_for(request->length, mtu), psn;
	struct flow *flow;

	if (request->mask & OP_DETH) {
		path.traffic_class = request->datagram->traffic_class;
		path.flow_label = request->datagram->flow_label;
		path.hop_limit = request->datagram->hop_limit;
	}
	pthread_mutex_lock(&lock);
	flow = flow_of(qp->ex.qp_base.qp_num);
	psn = wire_psn(flow, request->psn, packets);
	write_request(qp, request, &path, psn);
	if (reply->sent && !(request->mask & OP_UNACKED))
		answer(qp, request, &path, reply, flow, psn, packets);
	pthread_mutex_unlock(&lock);
}
