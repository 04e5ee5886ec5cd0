/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * That the far end of the queue pair is the far end of the TLS channel: each side sends,
 * over the queue pair, a MAC that only the two ends of the channel can make, of
 * everything they agreed on.
 *
 *   transcript  SHA-256 of the frames as they were sent, headers included: HELLO of the
 *               client, of the server, ENDPOINT of the client, of the server
 *   key         TLS exporter, label "EXPORTER-srdma-proof", 32 bytes
 *   proof       HMAC-SHA256(key, role | transcript)
 *   role        "srdma proof client" or "srdma proof server"
 */
#ifndef SESSION_PROOF_H
#define SESSION_PROOF_H

#include <openssl/evp.h>
#include <stdbool.h>
#include <stdint.h>

#include "session/frame.h"

#define PROOF_SIZE  32
#define PROOF_LABEL "EXPORTER-srdma-proof"

#define TRANSCRIPT_HASH 32

/* Frames that the proof covers, kept until all four are there. */
struct transcript {
	uint8_t *frames[2][2]; /* by role - 1; HELLO, ENDPOINT */
	size_t lengths[2][2];
};

/* Keep a HELLO or ENDPOINT of a role. SRDMA_EPROTOCOL if there is one already;
 * SRDMA_ENOMEM. */
int transcript_add(struct transcript *transcript, enum frame_role role,
                   enum frame_type type, const uint8_t *frame, size_t length);

/* SRDMA_EINTERNAL unless all four frames are there. */
int transcript_hash(const struct transcript *transcript, uint8_t digest[TRANSCRIPT_HASH]);

/* Wipe and free. */
void transcript_clear(struct transcript *transcript);

/* The proof that the side of `role` sends. SRDMA_EINTERNAL unless all four frames are
 * there. */
int proof_make(const struct transcript *transcript, const uint8_t key[PROOF_SIZE],
               enum frame_role role, uint8_t out[PROOF_SIZE]);

/* In constant time. */
bool proof_equal(const uint8_t a[PROOF_SIZE], const uint8_t b[PROOF_SIZE]);

#endif
