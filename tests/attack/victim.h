/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whom the attacks are made on: queue pairs as a program without protection has them, and
 * sessions of libsrdma: in clear, sealed, and with packets that the device protects.
 */
#ifndef ATTACK_VICTIM_H
#define ATTACK_VICTIM_H

#include <infiniband/verbs.h>
#include <stdbool.h>
#include <stdint.h>

#include "../unit/lib/duo.h"
#include "../unit/lib/rcop.h"

enum victim_kind {
	UNPROTECTED, /* PSN 0, and whatever else is guessed from counters known */
	SECRET_PSN,  /* a session with --data-protection=none */
	SEALED,
	PROTECTED, /* in clear again, and each packet protected by the device */
	VICTIM_KINDS
};

enum { VICTIM_MEMORY = 4096 };

/* The end that is attacked, and its peer. */
struct victim {
	enum victim_kind kind;
	struct rc_pair pair; /* UNPROTECTED */
	struct duo duo;
	struct srdma_buffer *buffer;
	uint8_t *memory; /* that the peer was given the right to write */
	uint64_t va;     /* its address, as the peer has it */
	uint32_t rkey;
	struct srdma_buffer *own; /* the peer's, of the memory below */
	uint8_t *answer;          /* where the peer reads to */
	unsigned received;        /* messages, forged or not */
	unsigned completed;       /* the peer's requests, in success */
	uint64_t put_off;         /* victim_put_off(), when it was opened */
	bool broken;
};

/* A connection in good order, which has carried a message. */
void victim_open(struct victim *victim, enum victim_kind kind);
void victim_close(struct victim *victim);

/* The next PSN that the responder expects: what one on the path reads off the wire. */
uint32_t victim_psn(const struct victim *victim);
uint32_t victim_qpn(const struct victim *victim);

uint32_t victim_peer_qpn(const struct victim *victim);

/* How often requesters of this host were made to wait, or to send again, by an answer. */
uint64_t victim_put_off(void);

/*
 * The peer sends or reads so many bytes, and gets no answer: one on the path has held
 * them back. The PSN of the request, as it was on the wire.
 */
uint32_t victim_ask(struct victim *victim, enum ibv_wr_opcode asked, uint32_t length);
/* The peer closes in order. Of a session that did not end so, `broken` says it. */
void victim_finish(struct victim *victim);

/* The peer sends a message of the length, and the victim takes it. */
void victim_serve(struct victim *victim, const char *text);
/* Takes what has come, and looks whether the connection is still there. */
void victim_look(struct victim *victim);
/* The name of the error that ended the connection, or "". */
const char *victim_end(const struct victim *victim);

#endif
