/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The connection manager's messages, decoded (IBA 12.6, tables 99 to 110, and 12.11):
 * what the MADs of a REQ, REP, RTU, REJ, DREQ, DREP, SIDR_REQ and SIDR_REP carry, and for
 * requests the addresses of the RDMA IP CM private-data header (IBA annex A11). Values
 * are in the host's byte order, GIDs and addresses as on the wire.
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
	MESSAGE_SIDR_REQ,
	MESSAGE_SIDR_REP,
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

/* Of a SIDR_REP (IBA table 124); those that are used here. */
enum sidr_status {
	SIDR_VALID = 0,
	SIDR_NOT_SUPPORTED = 1, /* nobody listens */
	SIDR_REJECTED = 2,
	SIDR_NO_QP = 3,
};

/* What is left for the consumer: in a REQ, 36 of 92 bytes are the RDMA IP CM header, in a
 * SIDR_REQ 36 of 216. */
enum {
	PRIVATE_REQ = 56,
	PRIVATE_REP = 196,
	PRIVATE_REJ = 148,
	PRIVATE_SIDR_REQ = 180,
	PRIVATE_SIDR_REP = 136,
	PRIVATE_MAX = PRIVATE_REP,
};

enum { COUNT_MAX_3BIT = 7 };

/* Enhanced connection establishment (IBA annex A20): what the consumers say of it. */
struct message_ece {
	uint32_t vendor_id;
	uint32_t options;
};

/* Who asks for what. */
struct message_route {
	uint64_t service_id;   /* RDMA IP CM: port space << 16 | port */
	uint8_t ip_version;    /* 4 or 6 */
	uint8_t source_ip[16]; /* IPv4: the last four bytes */
	uint8_t destination_ip[16];
	uint16_t source_port;
};

struct message_req {
	struct message_route route;
	union ibv_gid source_gid;
	union ibv_gid destination_gid;
	uint32_t qpn;
	uint32_t psn;    /* with which the receiver's send queue starts */
	uint8_t qp_type; /* enum ibv_qp_type that is to answer */
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

/* A service's queue pair for datagrams is asked for, once. */
struct message_sidr_req {
	struct message_route route;
	uint8_t traffic_class;
	uint8_t private_data[PRIVATE_SIDR_REQ];
};

struct message_sidr_rep {
	uint32_t status; /* enum sidr_status */
	uint32_t qpn;
	uint32_t qkey;
	uint8_t private_data[PRIVATE_SIDR_REP];
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
		struct message_sidr_req sidr_req;
		struct message_sidr_rep sidr_rep;
	};
};

_Static_assert(sizeof(struct message) <= INBOX_BODY_MAX, "a message fits an inbox");

#endif
