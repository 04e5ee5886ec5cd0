/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Messages on the queue pair are SENDs with immediate data:
 *
 *    31    28 27    24 23            16 15                            0
 *   +--------+--------+----------------+-------------------------------+
 *   | 0      | type   | epoch          | credits given back            |
 *   +--------+--------+----------------+-------------------------------+
 *
 * The payload is the message, sealed or in clear. *Epoch* is the number of the key that
 * seals it, modulo 256. A credit is the right to have one DATA, WRITE or READ in flight;
 * CREDIT (empty) gives credits back when no other message is there to carry them.
 *
 * WRITE and READ are one-sided access where messages are sealed, and begin with
 *
 *   +---------------------------------------------------------------+
 *   | id of the grant                                               |
 *   +---------------------------------------------------------------+
 *   | WRITE: 1 if to be answered, else 0; READ: bytes wanted        |
 *   +---------------------------------------------------------------+
 *   | offset in the grant, 8 bytes                                  |
 *   +---------------------------------------------------------------+
 */
#ifndef SESSION_MESSAGE_H
#define SESSION_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes of a sealed message beside what it carries, at most: request and tag. */
#define MESSAGE_REQUEST 16
#define MESSAGE_ROOM    32

enum message_type {
	MESSAGE_DATA = 1,
	MESSAGE_CREDIT = 2,
	MESSAGE_PROOF = 3,
	MESSAGE_WRITE = 4,
	MESSAGE_READ = 5,
	MESSAGE_WRITTEN = 6,   /* answers a WRITE */
	MESSAGE_READ_DATA = 7, /* answers a READ */
};

struct message_head {
	enum message_type type;
	uint16_t credits;
	uint8_t epoch;
};

/* One to be sent: `prefix`, then `data`. */
struct message {
	struct message_head head;
	const void *prefix;
	size_t prefix_length;
	const void *data;
	size_t length;
};

static inline uint32_t message_encode(struct message_head head)
{
	return (uint32_t)head.type << 24 | (uint32_t)head.epoch << 16 | head.credits;
}

/* Whether it asks something of the peer: CLOSE counts these, and they need credits. */
static inline bool message_counts(enum message_type type)
{
	return type == MESSAGE_DATA || type == MESSAGE_PROOF || type == MESSAGE_WRITE ||
	       type == MESSAGE_READ;
}

static inline bool message_parse(uint32_t word, bool sealed, struct message_head *out)
{
	struct message_head head = { (enum message_type)(word >> 24), (uint16_t)word,
		                     (uint8_t)(word >> 16) };
	bool clear = !sealed || head.type == MESSAGE_PROOF;

	if (head.type < MESSAGE_DATA ||
	    head.type > (sealed ? MESSAGE_READ_DATA : MESSAGE_PROOF) ||
	    (clear && head.epoch))
		return false;
	*out = head;
	return true;
}

#endif
