/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The seal of messages on the queue pair (docs/protocol.md): authenticated encryption,
 * with a key for each direction and the number of the message as its nonce. No I/O, no
 * session, and no allocation once a direction is set up.
 *
 *   exporter   TLS exporter, label SEAL_LABEL, context = transcript hash
 *   secret 0   HKDF-Expand(exporter, "srdma seal client" or "srdma seal server")
 *   secret n+1 HKDF-Extract(salt = secret n, fresh bytes that came over TLS)
 *   key        HKDF-Expand(secret n, "srdma seal key")
 *   iv         HKDF-Expand(secret n, "srdma seal iv")
 *   nonce      iv XOR number of the message in its direction, from 0, never restarted
 *   associated u32 immediate data, u32 length of the plaintext
 *   sealed     ciphertext, tag of 16 bytes
 */
#ifndef SESSION_SEAL_H
#define SESSION_SEAL_H

#include <openssl/evp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "session/frame.h"

#define SEAL_LABEL  "EXPORTER-srdma-seal"
#define SEAL_SECRET 32
#define SEAL_KEY    32
#define SEAL_IV     12
#define SEAL_TAG    16

struct seal_key {
	uint8_t key[SEAL_KEY];
	uint8_t iv[SEAL_IV];
};

/* Known answers are checked for each of these steps (docs/seal-vectors.txt). */
int seal_first_secret(const uint8_t exporter[SEAL_SECRET], enum frame_role sender,
                      uint8_t secret[SEAL_SECRET]);
int seal_next_secret(const uint8_t secret[SEAL_SECRET], const uint8_t fresh[FRAME_FRESH],
                     uint8_t next[SEAL_SECRET]);
int seal_key_of(const uint8_t secret[SEAL_SECRET], struct seal_key *key);
void seal_nonce(const uint8_t iv[SEAL_IV], uint64_t number, uint8_t nonce[SEAL_IV]);

/* One direction of a session, at the one end that seals or at the other that opens. */
struct seal {
	EVP_CIPHER_CTX *cipher; /* has the key; NULL: nothing is sealed */
	bool sealing;
	uint8_t secret[SEAL_SECRET];
	uint8_t iv[SEAL_IV];
	uint64_t number; /* of the next message */
	uint64_t bytes;  /* under this key */
	uint64_t first;  /* number of the first message under this key */
	uint32_t key;    /* number of the key in force */
};

/*
 * `protection` is one sealing bit of enum srdma_protection; `secret` the first of this
 * direction, which is copied. SRDMA_EINTERNAL, SRDMA_ENOMEM.
 */
int seal_init(struct seal *seal, uint32_t protection, bool sealing,
              const uint8_t secret[SEAL_SECRET]);
/* Wipes; also what was never set up, or is clear already. */
void seal_clear(struct seal *seal);

/* The next key: for the next message. */
int seal_advance(struct seal *seal, const uint8_t fresh[FRAME_FRESH]);

/*
 * Seal `prefix` and then `data` into `out`, which has room for both and the tag and
 * overlaps neither; each may be empty. `head` is the immediate data. SRDMA_EINTERNAL.
 */
int seal_close(struct seal *seal, uint32_t head, const void *prefix, size_t prefix_length,
               const void *data, size_t length, uint8_t *out);

/*
 * Open the next message, tag included, to `out`: its own place, or elsewhere.
 * SRDMA_ESEAL: it is not the one that the other end sealed next; `out` is undefined then.
 */
int seal_open(struct seal *seal, uint32_t head, const uint8_t *sealed, size_t length,
              uint8_t *out);

#endif
