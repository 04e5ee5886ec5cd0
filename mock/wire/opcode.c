/* SPDX-License-Identifier: BSD-2-Clause */
#include "wire/opcode.h"

#define ONLY (OP_FIRST | OP_LAST)

/* Messages of one or more packets, as RC, UC and XRC have them. */
#define SENDS(transport, name, more)                                                    \
	[transport |                                                                    \
	        RC_SEND_FIRST] = { name " SEND First",                                  \
		                   OP_SEND | OP_FIRST | OP_RECV | OP_PAYLOAD | more },  \
	        [transport | RC_SEND_MIDDLE] = { name " SEND Middle",                   \
		                                 OP_SEND | OP_PAYLOAD | more },         \
	        [transport | RC_SEND_LAST] = { name " SEND Last",                       \
		                               OP_SEND | OP_LAST | OP_PAYLOAD | more }, \
	        [transport | RC_SEND_LAST_IMM] = { name " SEND Last with Immediate",    \
		                                   OP_SEND | OP_LAST | OP_IMM |         \
		                                           OP_PAYLOAD | more },         \
	        [transport | RC_SEND_ONLY] = { name " SEND Only",                       \
		                               OP_SEND | ONLY | OP_RECV | OP_PAYLOAD |  \
		                                       more },                          \
	        [transport | RC_SEND_ONLY_IMM] = { name " SEND Only with Immediate",    \
		                                   OP_SEND | ONLY | OP_RECV | OP_IMM |  \
		                                           OP_PAYLOAD | more }

#define WRITES(transport, name, more)                                                    \
	[transport |                                                                     \
	        RC_WRITE_FIRST] = { name " WRITE First",                                 \
		                    OP_WRITE | OP_FIRST | OP_RETH | OP_PAYLOAD | more }, \
	        [transport | RC_WRITE_MIDDLE] = { name " WRITE Middle",                  \
		                                  OP_WRITE | OP_PAYLOAD | more },        \
	        [transport | RC_WRITE_LAST] = { name " WRITE Last", OP_WRITE | OP_LAST | \
		                                                            OP_PAYLOAD | \
		                                                            more },      \
	        [transport | RC_WRITE_LAST_IMM] = { name " WRITE Last with Immediate",   \
		                                    OP_WRITE | OP_LAST | OP_RECV |       \
		                                            OP_IMM | OP_PAYLOAD |        \
		                                            more },                      \
	        [transport | RC_WRITE_ONLY] = { name " WRITE Only",                      \
		                                OP_WRITE | ONLY | OP_RETH | OP_PAYLOAD | \
		                                        more },                          \
	        [transport | RC_WRITE_ONLY_IMM] = { name " WRITE Only with Immediate",   \
		                                    OP_WRITE | ONLY | OP_RETH |          \
		                                            OP_RECV | OP_IMM |           \
		                                            OP_PAYLOAD | more }

/* What only a reliable transport has; answers carry no XRCETH. */
#define RELIABLE(transport, name, more)                                                  \
	[transport |                                                                     \
	        RC_READ_REQUEST] = { name " READ Request",                               \
		                     OP_READ | ONLY | OP_RETH | more },                  \
	        [transport | RC_READ_RESPONSE_FIRST] = { name " READ Response First",    \
		                                         OP_RESPONSE | OP_FIRST |        \
		                                                 OP_AETH | OP_PAYLOAD }, \
	        [transport | RC_READ_RESPONSE_MIDDLE] = { name " READ Response Middle",  \
		                                          OP_RESPONSE | OP_PAYLOAD },    \
	        [transport | RC_READ_RESPONSE_LAST] = { name " READ Response Last",      \
		                                        OP_RESPONSE | OP_LAST |          \
		                                                OP_AETH | OP_PAYLOAD },  \
	        [transport | RC_READ_RESPONSE_ONLY] = { name " READ Response Only",      \
		                                        OP_RESPONSE | ONLY | OP_AETH |   \
		                                                OP_PAYLOAD },            \
	        [transport | RC_ACKNOWLEDGE] = { name " Acknowledge",                    \
		                                 OP_RESPONSE | ONLY | OP_AETH },         \
	        [transport | RC_ATOMIC_ACKNOWLEDGE] = { name " ATOMIC Acknowledge",      \
		                                        OP_RESPONSE | ONLY | OP_AETH |   \
		                                                OP_ATOMICACKETH },       \
	        [transport |                                                             \
	                RC_COMPARE_SWAP] = { name " CmpSwap",                            \
		                             OP_ATOMIC | ONLY | OP_ATOMICETH | more },   \
	        [transport | RC_FETCH_ADD] = { name " FetchAdd",                         \
		                               OP_ATOMIC | ONLY | OP_ATOMICETH | more }, \
	        [transport | RC_SEND_LAST_INVALIDATE] = { name                           \
		                                          " SEND Last with Invalidate",  \
		                                          OP_SEND | OP_LAST | OP_IETH |  \
		                                                  OP_PAYLOAD | more },   \
	        [transport | RC_SEND_ONLY_INVALIDATE] = {                                \
		        name " SEND Only with Invalidate",                               \
		        OP_SEND | ONLY | OP_RECV | OP_IETH | OP_PAYLOAD | more           \
	        }

/* clang-format off */
const struct opcode_info opcode_info[BTH_OPCODES] = {
	SENDS(BTH_RC, "RC", 0),
	WRITES(BTH_RC, "RC", 0),
	RELIABLE(BTH_RC, "RC", 0),
	[RC_ATOMIC_WRITE] = { "RC ATOMIC Write", OP_ATOMIC_WRITE | ONLY | OP_RETH | OP_PAYLOAD },
	SENDS(BTH_UC, "UC", OP_UNACKED),
	WRITES(BTH_UC, "UC", OP_UNACKED),
	SENDS(BTH_XRC, "XRC", OP_XRCETH),
	WRITES(BTH_XRC, "XRC", OP_XRCETH),
	RELIABLE(BTH_XRC, "XRC", OP_XRCETH),
	[UD_SEND_ONLY] = { "UD SEND Only", OP_SEND | ONLY | OP_RECV | OP_DETH | OP_PAYLOAD |
	                                           OP_UNACKED },
	[UD_SEND_ONLY_IMM] = { "UD SEND Only with Immediate",
	                       OP_SEND | ONLY | OP_RECV | OP_DETH | OP_IMM | OP_PAYLOAD |
	                               OP_UNACKED },
};
/* clang-format on */

const uint32_t rnr_timer_us[32] = {
	655360, 10,    20,    30,    40,    60,     80,     120,    160,    240,    320,
	480,    640,   960,   1280,  1920,  2560,   3840,   5120,   7680,   10240,  15360,
	20480,  30720, 40960, 61440, 81920, 122880, 163840, 245760, 327680, 491520,
};
