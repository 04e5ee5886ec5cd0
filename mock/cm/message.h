/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The connection manager's messages, decoded (IBA 12.6, tables 99 to 110): what the MADs
 * of a REQ, REP, RTU, REJ, DREQ and DREP carry, and for a REQ the addresses of the RDMA
 * IP CM private-data header (IBA annex A11). Values are in the host's byte order, GIDs
 * and addresses as on the wire.
 */
#ifndef MOCK_CM_MESSAGE_H
#define MOCK_CM_MESSAGE_H

#include <infiniband/verbs.h>
#include <stdint.h>
#include "host/segment.h"

enum message_kind {
	MESSAGE_REQ,
	MESSAGE_REP,
	MESSAGE_RTU,
	MESSAGE_REJ,
	MESSAGE_DREQ,
	MESSAGE_DREP,
	MESSAGE_KINDS,
};

/* Of a REJ (IBA table 106); those that are used here. */
enum reject_reason {
	REJECT_NO_RESOURCES = 3,
	REJECT_TIMEOUT = 4,
	REJECT_INVALID_COMM_ID = 6,
	REJECT_INVALID_SERVICE_ID = 8,
	REJECT_STALE_CONNECTION = 10,
	REJECT_CONSUMER = 28,
	REJECT_VENDOR_OPTION = 35, /* what rdma_reject_ece(3) says */
};

/* What is left for the consumer: in a REQ, 36 of 92 bytes are the RDMA IP CM header. */
enum {
	PRIVATE_REQ = 56,
	PRIVATE_REP = 196,
	PRIVATE_REJ = 148,
	PRIVATE_MAX = PRIVATE_REP,
};

enum { COUNT_MAX_3BIT = 7 };

/* Enhanced connection establishment (IBA annex A20): what the consumers say of it. */
struct message_ece {
	uint32_t vendor_id;
	uint32_t options;
};

struct message_req {
	uint64_t service_id;   /* RDMA IP CM: port space << 16 | port */
	uint8_t ip_version;    /* 4 or 6 */
	uint8_t source_ip[16]; /* IPv4: the last four bytes */
	uint8_t destination_ip[16];
	uint16_t source_port;
	union ibv_gid source_gid;
	union ibv_gid destination_gid;
	uint32_t qpn;
	uint32_t psn; /* with which the receiver's send queue starts */
	uint8_t responder_resources;
	uint8_t initiator_depth;
	uint8_t retry_count;
	uint8_t rnr_retry_count;
	uint8_t flow_control;
	uint8_t srq;
	uint8_t ack_timeout;
	uint8_t path_mtu; /* enum ibv_mtu */
	uint8_t traffic_class;
	struct message_ece ece;
	uint8_t private_data[PRIVATE_REQ];
};

struct message_rep {
	uint32_t qpn;
	uint32_t psn;
	uint8_t responder_resources;
	uint8_t initiator_depth;
	uint8_t rnr_retry_count;
	uint8_t flow_control;
	uint8_t srq;
	struct message_ece ece;
	uint8_t private_data[PRIVATE_REP];
};

struct message_rej {
	uint16_t reason; /* enum reject_reason */
	uint8_t private_data[PRIVATE_REJ];
};

struct message_dreq {
	uint32_t qpn; /* the receiver's */
};

struct message {
	uint32_t kind; /* enum message_kind */
	/* The sender, in place of a source address. */
	uint32_t slot;
	uint64_t generation;
	uint32_t local_id;  /* the sender's communication id */
	uint32_t remote_id; /* the receiver's; 0 while it is not known */
	union {
		struct message_req req;
		struct message_rep rep;
		struct message_rej rej;
		struct message_dreq dreq;
	};
};

_Static_assert(sizeof(struct message) <= INBOX_BODY_MAX, "a message fits an inbox");

#endif
