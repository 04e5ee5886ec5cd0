/* SPDX-License-Identifier: BSD-2-Clause */
/* BTH opcodes (IBA 9.2.1, table 38) and what each carries. */
#ifndef MOCK_WIRE_OPCODE_H
#define MOCK_WIRE_OPCODE_H

#include <stdint.h>

/* The top three bits say which transport. */
enum bth_transport {
	BTH_RC = 0x00,
	BTH_UC = 0x20,
	BTH_UD = 0x60,
	BTH_CNP = 0x80,
	BTH_XRC = 0xa0,
	BTH_NONE = 0xe0,      /* a manufacturer's: no QP of ours takes such */
	BTH_TRANSPORT = 0xe0, /* the bits that say so */
};

/* The other five say which operation; RC's opcodes are these. */
enum bth_opcode {
	RC_SEND_FIRST = 0x00,
	RC_SEND_MIDDLE = 0x01,
	RC_SEND_LAST = 0x02,
	RC_SEND_LAST_IMM = 0x03,
	RC_SEND_ONLY = 0x04,
	RC_SEND_ONLY_IMM = 0x05,
	RC_WRITE_FIRST = 0x06,
	RC_WRITE_MIDDLE = 0x07,
	RC_WRITE_LAST = 0x08,
	RC_WRITE_LAST_IMM = 0x09,
	RC_WRITE_ONLY = 0x0a,
	RC_WRITE_ONLY_IMM = 0x0b,
	RC_READ_REQUEST = 0x0c,
	RC_READ_RESPONSE_FIRST = 0x0d,
	RC_READ_RESPONSE_MIDDLE = 0x0e,
	RC_READ_RESPONSE_LAST = 0x0f,
	RC_READ_RESPONSE_ONLY = 0x10,
	RC_ACKNOWLEDGE = 0x11,
	RC_ATOMIC_ACKNOWLEDGE = 0x12,
	RC_COMPARE_SWAP = 0x13,
	RC_FETCH_ADD = 0x14,
	RC_SEND_LAST_INVALIDATE = 0x16,
	RC_SEND_ONLY_INVALIDATE = 0x17,
	RC_ATOMIC_WRITE = 0x1d, /* annex A19.4.2 */
	UD_SEND_ONLY = BTH_UD | RC_SEND_ONLY,
	UD_SEND_ONLY_IMM = BTH_UD | RC_SEND_ONLY_IMM,
	NO_PACKET = 0xff, /* reserved by its manufacturer: of requests that send none */
	BTH_OPCODES = 0x100,
};

enum opcode_mask {
	/* what it does */
	OP_SEND = 1 << 0,
	OP_WRITE = 1 << 1,
	OP_READ = 1 << 2,
	OP_ATOMIC = 1 << 3,
	OP_RESPONSE = 1 << 4,
	OP_RECV = 1 << 5, /* takes a receive work request */
	/* where in its message it stands */
	OP_FIRST = 1 << 6,
	OP_LAST = 1 << 7, /* FIRST and LAST: the only packet */
	/* the headers after the BTH, in this order on the wire */
	OP_XRCETH = 1 << 8,
	OP_DETH = 1 << 9,
	OP_RETH = 1 << 10,
	OP_ATOMICETH = 1 << 11,
	OP_AETH = 1 << 12,
	OP_ATOMICACKETH = 1 << 13,
	OP_IMM = 1 << 14,
	OP_IETH = 1 << 15,
	OP_PAYLOAD = 1 << 16,
	/* what comes of it */
	OP_UNACKED = 1 << 17, /* never answered: UC, UD */
	/* what it does, once more */
	OP_ATOMIC_WRITE = 1 << 18,
	/* answered by more than an acknowledgement: those that are under way are limited
	 * (IBA 9.7.4.1.3, annex A19.4.2) */
	OP_ANSWERED = OP_READ | OP_ATOMIC | OP_ATOMIC_WRITE,
};

struct opcode_info {
	const char *name; /* NULL: reserved */
	unsigned int mask;
};

extern const struct opcode_info opcode_info[BTH_OPCODES];

/* AETH syndrome: the top three bits say what it is (IBA 9.7.5.2.1, table 44). */
enum aeth_kind {
	AETH_ACK = 0x00,
	AETH_RNR_NAK = 0x20,
	AETH_NAK = 0x60,
	AETH_KIND_MASK = 0xe0
};

enum aeth_nak {
	NAK_PSN_SEQUENCE = AETH_NAK | 0,
	NAK_INVALID_REQUEST = AETH_NAK | 1,
	NAK_REMOTE_ACCESS = AETH_NAK | 2,
	NAK_REMOTE_OPERATION = AETH_NAK | 3,
};

/* Microseconds of an RNR NAK's timer code, 0 to 31 (IBA 9.7.5.2.8, table 45). */
extern const uint32_t rnr_timer_us[32];

#endif
