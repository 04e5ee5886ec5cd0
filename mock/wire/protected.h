/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Protected packets: RoCE v2 packets between two devices of ours that share keys
 * (docs/protocol.md). What follows the UDP header:
 *
 *    0                   1                   2                   3
 *    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *   +-----+---------+-+-+---+-------+-------------------------------+
 *   |1 1 0|operation|S|M|pad| tver  |             P_Key             |
 *   +-----+---------+-+-+---+-------+-------------------------------+
 *   |F|B|  reserved |               destination QP                  |   BTH
 *   +-+-+-----------+-----------------------------------------------+
 *   |A|  reserved   |                     PSN                       |
 *   +-+-------------+-----------------------------------------------+
 *   |                                                               |
 *   |                     packet number, 64 bits                    |
 *   +---------------------------------------------------------------+
 *   |  encrypted: the operation's own headers, payload, padding     |
 *   +---------------------------------------------------------------+
 *   |  tag, 16 bytes                                                |
 *   +---------------------------------------------------------------+
 *   |  ICRC                                                         |
 *   +---------------------------------------------------------------+
 *
 * The three bits in front of the operation say "manufacturer specific" (IBA 9.2.1, table
 * 38) in place of the transport, which is the queue pair's own: no other device takes
 * such a packet for RoCE, and we take no other for this.
 *
 * A pure codec: it knows nothing of keys.
 */
#ifndef MOCK_WIRE_PROTECTED_H
#define MOCK_WIRE_PROTECTED_H

#include "wire/roce.h"

enum {
	BTH_LENGTH = 12,
	PROTECTED_NUMBER = 8,
	PROTECTED_TAG = 16,
	PROTECTED_MORE = PROTECTED_NUMBER + PROTECTED_TAG, /* than in clear */
	PROTECTED_NONCE = 12,
	BTH_PROTECTED = 0xc0, /* in place of enum bth_transport */
};

struct protected_packet {
	uint8_t authenticated[BTH_LENGTH]; /* the associated data */
	uint8_t operation;                 /* enum bth_opcode, of RC */
	uint32_t dest_qpn, psn;
	uint64_t number;
	const uint8_t *sealed; /* where it lies */
	size_t length;         /* of that, without tag */
	const uint8_t *tag;
};

static inline bool opcode_is_protected(uint8_t opcode)
{
	return (opcode & BTH_TRANSPORT) == BTH_PROTECTED;
}

/* data and length: from the BTH on, without ICRC. ROCE_OPCODE: it is none. */
enum roce_error protected_decode(const void *data, size_t length,
                                 struct protected_packet *packet);

/* BTH and packet number of what is in clear the packet that begins with that BTH. Returns
 * how many bytes, or 0 when there is no room. */
size_t protected_encode(const uint8_t bth[BTH_LENGTH], uint64_t number, void *room,
                        size_t size);
/* What is authenticated of a BTH: the octet that switches may change counts as 0xff, as
 * it does for ICRC (annex A17.3.1.2). */
void protected_associated(const uint8_t bth[BTH_LENGTH], uint8_t associated[BTH_LENGTH]);
/* The nonce: iv XOR number, as RFC 8446, 5.3 has it. */
void protected_nonce(const uint8_t iv[PROTECTED_NONCE], uint64_t number,
                     uint8_t nonce[PROTECTED_NONCE]);
/* The BTH as it was in clear. */
void protected_restore(const uint8_t bth[BTH_LENGTH], uint8_t transport,
                       uint8_t clear[BTH_LENGTH]);

/* One line about it, for people; always ends in 0. Returns as snprintf(). */
int protected_print(const struct protected_packet *packet, char *text, size_t size);

#endif
