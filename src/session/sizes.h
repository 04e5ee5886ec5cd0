/* SPDX-License-Identifier: BSD-2-Clause */
/* What a session's settings come to, in work requests and bytes. */
#ifndef SESSION_SIZES_H
#define SESSION_SIZES_H

#include "session/message.h"
#include "srdma.h"

#define SPARE_SENDS    4 /* credits and the proof, beside the caller's own */
#define SPARE_RECEIVES 4

/*
 * Receive buffers of a session: for messages that the peer has credit for, some beside
 * them, and where messages are sealed for the answers that it may wait for.
 */
static inline unsigned receives_of(const uint64_t *number, bool sealed)
{
	return (unsigned)(number[SRDMA_OPT_CREDITS] + SPARE_RECEIVES +
	                  (sealed ? number[SRDMA_OPT_READ_DEPTH] : 0));
}

/* Bytes of each, with all that a seal may add, in whole cache lines. */
static inline size_t message_room(const uint64_t *number)
{
	return (number[SRDMA_OPT_MESSAGE_SIZE] + MESSAGE_ROOM + 63) & ~(size_t)63;
}

#endif
