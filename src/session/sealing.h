/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The two seals of a session, and how their keys change. The side that sends in a
 * direction changes that direction's key:
 *
 *      sender                                  receiver
 *        REKEY n+1, fresh bytes   (TLS)  ->      keeps them
 *                                        <-      REKEYED n+1 (TLS)
 *        messages of epoch n+1    (QP)   ->      the first one: key n is gone
 *
 * TLS may overtake the queue pair: a receiver that has not seen epoch n+1 yet keeps the
 * bytes for n+2, and answers when it has.
 */
#ifndef SESSION_SEALING_H
#define SESSION_SEALING_H

#include "session/message.h"
#include "session/seal.h"

struct srdma_session;

struct sealing {
	struct seal out;
	struct seal in;
	bool broken; /* a message did not open: no other is looked at */
	bool asked;  /* REKEY is sent, and not answered */
	uint8_t out_fresh[FRAME_FRESH];
	uint64_t asked_us;
	uint64_t since_us; /* the key of `out` is in use */
	uint8_t in_fresh[2][FRAME_FRESH];
	unsigned in_waiting; /* of those */
};

/* Both keys, once both endpoints are known. Nothing where messages go in clear. */
int sealing_start(struct srdma_session *session);
/* Wipe all of it. */
void sealing_end(struct srdma_session *session);

bool sealing_is_on(const struct srdma_session *session);

/* The key has done twice what it should, and the peer has not taken the next: wait. */
bool sealing_is_held(const struct srdma_session *session);
/* … for longer than a step may take. */
bool sealing_is_late(const struct srdma_session *session);

/* Seal to `out`; `word` is the immediate data that goes with it. SRDMA_EINTERNAL. */
int sealing_close(struct srdma_session *session, const struct message *message,
                  uint8_t *out, uint32_t *word);

/* Open `length` bytes to `out`. SRDMA_ESEAL. */
int sealing_open(struct srdma_session *session, struct message_head head,
                 const uint8_t *sealed, size_t length, uint8_t *out);

/* REKEY or REKEYED. */
void sealing_frame(struct srdma_session *session, const struct frame *frame);

#endif
