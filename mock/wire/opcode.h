/* SPDX-License-Identifier: BSD-2-Clause */
/* BTH opcodes (IBA 9.2.1, table 38) and what each carries. */
#ifndef MOCK_WIRE_OPCODE_H
#define MOCK_WIRE_OPCODE_H

#include <stdint.h>

enum bth_opcode {
	RC_SEND_ONLY = 0x04,
	RC_SEND_ONLY_IMM = 0x05,
	RC_WRITE_ONLY = 0x0a,
	RC_WRITE_ONLY_IMM = 0x0b,
	RC_READ_REQUEST = 0x0c,
	RC_COMPARE_SWAP = 0x13,
	RC_FETCH_ADD = 0x14,
	BTH_OPCODES = 0x100,
};

enum opcode_mask {
	OP_SEND = 1 << 0,
	OP_WRITE = 1 << 1,
	OP_READ = 1 << 2,
	OP_ATOMIC = 1 << 3,
	OP_IMM = 1 << 4,
	OP_RECV = 1 << 5, /* takes a receive work request */
	OP_RETH = 1 << 6,
};

struct opcode_info {
	const char *name; /* NULL: reserved, or not on this device */
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
