/* SPDX-License-Identifier: BSD-2-Clause */
/* What a requester and a responder say to each other, decoded; how it travels is the
 * link's. */
#ifndef MOCK_LINK_PACKET_H
#define MOCK_LINK_PACKET_H

#include <infiniband/verbs.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>
#include "wire/opcode.h"

/* What only a datagram says: its DETH, and what its receiver sees of the IP header. */
struct datagram {
	uint32_t qkey, src_qpn;
	uint32_t flow_label;
	uint8_t traffic_class, hop_limit;
};

/* A request. For READ and atomics the vector says where the response goes, else where the
 * payload is. */
struct packet {
	enum bth_opcode opcode;
	unsigned int mask; /* enum opcode_mask: what the opcode is */
	uint32_t psn;
	uint32_t dest_qpn;
	bool solicited;
	const union ibv_gid *sgid, *dgid;
	uint64_t va; /* RETH, AtomicETH */
	uint32_t rkey;
	uint32_t imm; /* big endian; with OP_IETH the key to invalidate, in the host's
	                 order */
	uint64_t swap_add, compare;
	uint64_t length; /* of payload or response, bytes */
	const struct iovec
	        *iov; /* in the memory of the process that calls the responder */
	unsigned int iovs;
	unsigned int rd_atomics;         /* READs and atomics outstanding with this one */
	uint32_t srqn;                   /* XRCETH */
	const struct datagram *datagram; /* of OP_DETH */
};

/* The answer: an AETH, or nothing at all. */
struct reply {
	bool sent; /* false: the request was dropped, or the answer went elsewhere */
	uint8_t syndrome; /* enum aeth_kind with its value */
	uint32_t psn;
	uint32_t dest_qpn;
	uint64_t original; /* AtomicAckETH */
};

#endif
