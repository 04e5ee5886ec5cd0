/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The connection manager's messages (IBA 12.6, tables 99 to 110, and 12.11): management
 * datagrams of 256 bytes, and in requests the RDMA IP CM private-data header (annex A11).
 *
 *    0                   1                   2                   3
 *    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *   +---------------+---------------+---------------+-+-------------+
 *   | base version  |   class: 7    | class version |R|   method    |
 *   +---------------+---------------+---------------+-+-------------+
 *   |            status             |        class specific         |
 *   +-------------------------------+-------------------------------+
 *   |                    transaction id, 8 bytes                    |
 *   +-------------------------------+-------------------------------+
 *   |         attribute id          |           reserved            |
 *   +-------------------------------+-------------------------------+
 *   |        attribute modifier: ECE options in a REQ or REP        |
 *   +---------------------------------------------------------------+
 *   |         what the attribute says, and private data, 232 bytes  |
 *   +---------------------------------------------------------------+
 *
 *   RDMA IP CM, in front of the consumer's private data of a REQ or SIDR_REQ:
 *   +---------------+-------+-------+-------------------------------+
 *   |  version: 0   | 4 / 6 | zero  |          source port          |
 *   +---------------+-------+-------+-------------------------------+
 *   |                  source IP address, 16 bytes                  |
 *   |                destination IP address, 16 bytes               |
 *   +---------------------------------------------------------------+
 *
 * Numbers are in the host's byte order; GIDs, GUIDs and IP addresses as on the wire.
 */
#ifndef MOCK_WIRE_MAD_H
#define MOCK_WIRE_MAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	MAD_SIZE = 256,
	MAD_QPN = 1,           /* IBA 13.4: the general services' queue pair */
	MAD_PKEY = 0xffff,     /* the default partition */
	MAD_LID_NONE = 0xffff, /* the permissive LID: RoCE has no others */
};
#define MAD_QKEY UINT32_C(0x80010000)

/* In the order of the attributes, REQ being 0x10. */
enum mad_kind {
	MAD_REQ,
	MAD_MRA,
	MAD_REJ,
	MAD_REP,
	MAD_RTU,
	MAD_DREQ,
	MAD_DREP,
	MAD_SIDR_REQ,
	MAD_SIDR_REP,
	MAD_KINDS,
};

/* Of a REJ (IBA table 106); those that are used here. */
enum reject_reason {
	REJECT_NO_RESOURCES = 3,
	REJECT_TIMEOUT = 4,
	REJECT_INVALID_COMM_ID = 6,
	REJECT_INVALID_SERVICE_ID = 8,
	REJECT_INVALID_TRANSPORT = 9,
	REJECT_STALE_CONNECTION = 10,
	REJECT_INVALID_PATH_MTU = 26,
	REJECT_CONSUMER = 28,
	REJECT_VENDOR_OPTION = 35, /* what rdma_reject_ece(3) says */
};

/* Which message an MRA or a REJ is about. */
enum mad_about {
	MAD_ABOUT_REQ,
	MAD_ABOUT_REP,
	MAD_ABOUT_OTHER, /* of an MRA: LAP */
};

/* Of a SIDR_REP (IBA table 124); those that are used here. */
enum sidr_status {
	SIDR_VALID = 0,
	SIDR_NOT_SUPPORTED = 1, /* nobody listens */
	SIDR_REJECTED = 2,
	SIDR_NO_QP = 3,
};

/* Of a REQ (IBA table 99). */
enum mad_transport { MAD_RC, MAD_UC, MAD_RD, MAD_EXTENDED };
enum { MAD_EXTENDED_XRC = 1 };

/* Private data, bytes. In a REQ and a SIDR_REQ less is left for the consumer when they
 * have the RDMA IP CM header. */
enum {
	PRIVATE_IP = 36,
	PRIVATE_REQ_WHOLE = 92,
	PRIVATE_REQ = PRIVATE_REQ_WHOLE - PRIVATE_IP,
	PRIVATE_MRA = 222,
	PRIVATE_REJ = 148,
	PRIVATE_REP = 196,
	PRIVATE_RTU = 224,
	PRIVATE_DREQ = 220,
	PRIVATE_DREP = 224,
	PRIVATE_SIDR_REQ_WHOLE = 216,
	PRIVATE_SIDR_REQ = PRIVATE_SIDR_REQ_WHOLE - PRIVATE_IP,
	PRIVATE_SIDR_REP = 136,
	PRIVATE_MAX = PRIVATE_RTU,
};

/* Enhanced connection establishment: what the consumers say of it. */
struct mad_ece {
	uint32_t vendor_id; /* 24 bits */
	uint32_t options;
};

/* Who asks for what. */
struct mad_route {
	uint64_t service_id;   /* RDMA IP CM: port space << 16 | port */
	uint8_t ip_version;    /* 4 or 6; 0: there is no RDMA IP CM header */
	uint8_t source_ip[16]; /* IPv4: the last four bytes */
	uint8_t destination_ip[16];
	uint16_t source_port;
};

struct mad_path {
	uint16_t local_lid, remote_lid;
	uint8_t local_gid[16], remote_gid[16];
	uint32_t flow_label; /* 20 bits */
	uint8_t rate;        /* 6 bits, as that of an address handle */
	uint8_t traffic_class, hop_limit;
	uint8_t sl; /* 4 bits */
	uint8_t subnet_local;
	uint8_t ack_timeout; /* 4.096 us * 2^n */
};

struct mad_req {
	struct mad_route route;
	uint8_t guid[8];
	uint32_t qkey, qpn;
	uint8_t responder_resources, initiator_depth;
	uint32_t local_eec, remote_eec;
	uint8_t remote_timeout, local_timeout; /* for answers: 4.096 us * 2^n */
	uint8_t transport;                     /* enum mad_transport */
	uint8_t extended_transport;
	uint8_t flow_control, srq, rdc_exists; /* 0 or 1 */
	uint32_t psn; /* with which the receiver's send queue starts */
	uint8_t retry_count, rnr_retry_count;
	uint16_t pkey;
	uint8_t path_mtu; /* as enum ibv_mtu */
	uint8_t max_cm_retries;
	struct mad_path primary, alternate;
	struct mad_ece ece;
	uint8_t private_data[PRIVATE_REQ_WHOLE];
};

struct mad_rep {
	uint32_t qkey, qpn, eec, psn;
	uint8_t responder_resources, initiator_depth;
	uint8_t target_ack_delay, failover;
	uint8_t rnr_retry_count;
	uint8_t flow_control, srq;
	uint8_t guid[8];
	struct mad_ece ece;
	uint8_t private_data[PRIVATE_REP];
};

struct mad_mra {
	uint8_t about;           /* enum mad_about */
	uint8_t service_timeout; /* 4.096 us * 2^n */
	uint8_t private_data[PRIVATE_MRA];
};

struct mad_rej {
	uint8_t about; /* enum mad_about */
	uint8_t info_length;
	uint16_t reason; /* enum reject_reason */
	uint8_t info[72];
	uint8_t private_data[PRIVATE_REJ];
};

/* RTU and DREP. */
struct mad_plain {
	uint8_t private_data[PRIVATE_RTU];
};

struct mad_dreq {
	uint32_t qpn; /* the receiver's */
	uint8_t private_data[PRIVATE_DREQ];
};

/* A service's queue pair for datagrams is asked for, once. */
struct mad_sidr_req {
	struct mad_route route;
	uint16_t pkey;
	uint8_t private_data[PRIVATE_SIDR_REQ_WHOLE];
};

struct mad_sidr_rep {
	uint8_t status; /* enum sidr_status */
	uint8_t info_length;
	uint32_t qpn;
	uint64_t service_id;
	uint32_t qkey;
	struct mad_ece ece;
	uint8_t info[72];
	uint8_t private_data[PRIVATE_SIDR_REP];
};

struct mad {
	uint32_t kind; /* enum mad_kind */
	uint64_t tid;
	uint32_t local_id;  /* the sender's communication id */
	uint32_t remote_id; /* the receiver's; 0 while it is not known */
	union {
		struct mad_req req;
		struct mad_mra mra;
		struct mad_rej rej;
		struct mad_rep rep;
		struct mad_plain rtu, drep;
		struct mad_dreq dreq;
		struct mad_sidr_req sidr_req;
		struct mad_sidr_rep sidr_rep;
	};
};

enum mad_error {
	MAD_OK,
	MAD_LENGTH,    /* not of 256 bytes */
	MAD_CLASS,     /* not the connection manager's, or another version */
	MAD_METHOD,    /* not Send */
	MAD_ATTRIBUTE, /* none of those above */
};

const char *mad_error_name(enum mad_error error);
const char *mad_kind_name(enum mad_kind kind);

enum mad_error mad_decode(const void *data, size_t length, struct mad *mad);
/* A field that is too large for its place is cut off. */
void mad_encode(const struct mad *mad, uint8_t room[MAD_SIZE]);

/* One line about it, for people; always ends in 0. Returns as snprintf(). */
int mad_print(const struct mad *mad, char *text, size_t size);

#endif
