/* SPDX-License-Identifier: BSD-2-Clause */
#include "wire/opcode.h"

const struct opcode_info opcode_info[BTH_OPCODES] = {
	[RC_SEND_ONLY] = { "SEND_ONLY", OP_SEND | OP_RECV },
	[RC_SEND_ONLY_IMM] = { "SEND_ONLY_IMM", OP_SEND | OP_RECV | OP_IMM },
	[RC_WRITE_ONLY] = { "WRITE_ONLY", OP_WRITE | OP_RETH },
	[RC_WRITE_ONLY_IMM] = { "WRITE_ONLY_IMM", OP_WRITE | OP_RETH | OP_RECV | OP_IMM },
	[RC_READ_REQUEST] = { "READ_REQUEST", OP_READ | OP_RETH },
	[RC_COMPARE_SWAP] = { "COMPARE_SWAP", OP_ATOMIC },
	[RC_FETCH_ADD] = { "FETCH_ADD", OP_ATOMIC },
};

const uint32_t rnr_timer_us[32] = {
	655360, 10,    20,    30,    40,    60,     80,     120,    160,    240,    320,
	480,    640,   960,   1280,  1920,  2560,   3840,   5120,   7680,   10240,  15360,
	20480,  30720, 40960, 61440, 81920, 122880, 163840, 245760, 327680, 491520,
};
