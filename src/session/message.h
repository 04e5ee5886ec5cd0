/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Messages on the queue pair are SENDs with immediate data:
 *
 *    31    28 27    24 23            16 15                            0
 *   +--------+--------+----------------+-------------------------------+
 *   | 0      | type   | 0              | credits given back            |
 *   +--------+--------+----------------+-------------------------------+
 *
 * The payload is the message. A credit is the right to have one DATA in flight; CREDIT
 * (empty) gives credits back when no DATA is there to carry them.
 */
#ifndef SESSION_MESSAGE_H
#define SESSION_MESSAGE_H

#include <stdbool.h>
#include <stdint.h>

enum message_type {
	MESSAGE_DATA = 1,
	MESSAGE_CREDIT = 2,
	MESSAGE_PROOF = 3,
};

struct message_head {
	enum message_type type;
	uint16_t credits;
};

static inline uint32_t message_encode(struct message_head head)
{
	return (uint32_t)head.type << 24 | head.credits;
}

static inline bool message_parse(uint32_t word, struct message_head *out)
{
	uint32_t type = word >> 24;

	if (word & 0x00ff0000 || type < MESSAGE_DATA || type > MESSAGE_PROOF)
		return false;
	*out = (struct message_head){ (enum message_type)type, (uint16_t)word };
	return true;
}

#endif
