/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A limit for those who guess PSNs. No network makes a PSN that never was, or one that is
 * far ahead, of honest packets; who gets too many of them in a second takes, until the
 * second is over, only what comes from the UDP port that the last good packet came from.
 * The peer does not notice; whoever guesses has its port to guess as well (RoCEv2, annex
 * A17.3.2: the same for all packets of a queue pair, one of 2^14).
 */
#ifndef MOCK_TRANSPORT_WIRE_GUESS_H
#define MOCK_TRANSPORT_WIRE_GUESS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/util.h"

enum {
	GUESSES_MOST = 1000,     /* in a second */
	GUESS_FAR_PSNS = 1 << 20 /* ahead: 256 MiB under way at a path MTU of 256 */
};

/* Of one direction of a connection; under the lock of what it belongs to. */
struct wire_guesses {
	uint64_t since; /* now_ns() clock: the second began */
	uint32_t count; /* in it */
	uint16_t port;  /* of the last good packet; 0: none yet */
	bool many;      /* in this second, or in one that nobody asked about since */
};

/* A good packet came from there. */
static inline void wire_guess_good(struct wire_guesses *guesses, uint16_t port)
{
	guesses->port = port;
}

/* A packet came that is nowhere near. */
void wire_guess_seen(struct wire_guesses *guesses);

bool wire_guess_is_over(struct wire_guesses *guesses);

/* Whether what comes from there is to be dropped unseen. */
static inline bool wire_guess_likely(struct wire_guesses *guesses, uint16_t port)
{
	return unlikely(guesses->many) && guesses->port && guesses->port != port &&
	       !wire_guess_is_over(guesses);
}

#endif
