/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * RoCE v2 packets (IBA annex A17): what follows the UDP header.
 *
 *    0                   1                   2                   3
 *    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *   +---------------+-+-+---+-------+-------------------------------+
 *   |    opcode     |S|M|pad| tver  |             P_Key             |
 *   +---------------+-+-+---+-------+-------------------------------+
 *   |F|B|  reserved |               destination QP                  |   BTH
 *   +-+-+-----------+-----------------------------------------------+
 *   |A|  reserved   |                     PSN                       |
 *   +-+-------------+-----------------------------------------------+
 *   |  the opcode's own headers: XRCETH, DETH, RETH, AtomicETH,     |
 *   |  AETH, AtomicAckETH, ImmDt, IETH                              |
 *   +---------------------------------------------------------------+
 *   |  payload, padded to 4 bytes                                   |
 *   +---------------------------------------------------------------+
 *   |  ICRC, least significant byte first                           |
 *   +---------------------------------------------------------------+
 *
 * A pure codec: no sockets, no locks, no memory of its own.
 */
#ifndef MOCK_WIRE_ROCE_H
#define MOCK_WIRE_ROCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "wire/opcode.h"

#define ROCE_PORT        4791
#define ROCE_HEADERS_MAX 64 /* BTH and the longest headers after it */

/* What a packet says. Which members count, its opcode's mask tells. */
struct roce {
	uint8_t opcode;
	bool solicited, migrated, fecn, becn, ack_request;
	uint16_t pkey;
	uint32_t dest_qpn, psn;
	uint32_t xrc_srq;          /* XRCETH */
	uint32_t qkey, source_qpn; /* DETH */
	uint64_t va;               /* RETH, AtomicETH */
	uint32_t rkey;
	uint32_t dma_length;
	uint64_t swap_add, compare;
	uint8_t syndrome; /* AETH */
	uint32_t msn;
	uint64_t original;       /* AtomicAckETH */
	uint32_t immediate;      /* as a number */
	uint32_t invalidate_key; /* IETH */
	const uint8_t *payload;
	size_t length; /* of the payload, padding left out; bytes */
};

enum roce_error {
	ROCE_OK,
	ROCE_TRUNCATED, /* shorter than its headers and ICRC */
	ROCE_OPCODE,    /* reserved */
	ROCE_VERSION,   /* transport version other than 0 */
	ROCE_PADDING,   /* more than there is payload, or of a packet without payload */
};

const char *roce_error_name(enum roce_error error);

/* data and length: the UDP payload, ICRC included but not checked. The payload is left
 * where it is. */
enum roce_error roce_decode(const void *data, size_t length, struct roce *packet);

/*
 * BTH and headers into room; how many bytes, or 0 when there is no room or the opcode is
 * reserved. Payload and padding (roce_padding() zeros) and ICRC follow.
 */
size_t roce_encode(const struct roce *packet, void *room, size_t size);

static inline unsigned int roce_padding(size_t length)
{
	return -length & 3;
}

/* One line about it, for people; always ends in 0. Returns as snprintf(). */
int roce_print(const struct roce *packet, char *text, size_t size);

#endif
