/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Strangers: connections whose peers have not proved yet who they are, because the TLS
 * handshake with both certificates is not through. They are no sessions as far as the
 * limit of those goes: each worker has a limit of its own for them, so that no lock is
 * needed, and when one more comes an older one gives way.
 *
 * Which one, resists floods. There are two queues, each by age: the silent, of whom no
 * whole ClientHello has come, and the answered, who have our ServerHello. Whichever would
 * have more than its half gives up its oldest. So silent connections, which cost nothing
 * to make, never push out a peer in the middle of its handshake; and whole ClientHellos,
 * each of which costs a key exchange and a signature here, never one whose ClientHello is
 * on its way. A peer whose answer has arrived and waits for us is not silent: who is to
 * go is heard once more before.
 */
#ifndef SESSION_STRANGERS_H
#define SESSION_STRANGERS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/list.h"

struct srdma_session;
struct srdma_worker;

/* Embedded in what a session has only for its handshake. */
struct stranger_place {
	struct list node; /* of one queue, or of none */
	bool answered;
};

/* Of a worker; its thread only. */
struct strangers {
	struct list silent, answered; /* the oldest first */
	unsigned silent_count, answered_count;
	uint64_t closed;  /* for newer ones */
	uint64_t told;    /* of these, in the log */
	uint64_t line_at; /* clock_us() of the last line; 0: none */
};

void strangers_init(struct strangers *strangers);
unsigned strangers_count(const struct strangers *strangers);

/* One more comes: where the limit is reached, another's session fails with
 * SRDMA_ECROWDED. Calls back, as those who are heard may come through. */
void strangers_make_room(struct srdma_worker *worker);

/* It is one from now on: among the silent. */
void strangers_join(struct srdma_session *session);
/* Its ClientHello was answered. Also for who is answered already, or no stranger. */
void strangers_answered(struct srdma_session *session);
/* It proved who it is, or failed. Also for who is none, or has left. */
void strangers_leave(struct srdma_session *session);

#endif
