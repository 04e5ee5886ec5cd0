/* SPDX-License-Identifier: BSD-2-Clause */
/* Starting packet sequence numbers: the secret that a queue pair's safety starts from. */
#ifndef SESSION_PSN_H
#define SESSION_PSN_H

#include <stddef.h>
#include <stdint.h>

#define PSN_MASK      0xffffffu
#define PSN_HASH_TEXT 9 /* eight hexadecimal digits and the end */

/*
 * A starting PSN from the cryptographic generator, uniform over 1..2^24-1. SRDMA_ERANDOM
 * when the generator fails: there is no fallback.
 */
int psn_draw(uint32_t *out);

/*
 * A short hash by which people compare the two ends' view of a PSN. `salt` is a secret of
 * the session, and `owner` separates the two directions.
 */
int psn_hash(const uint8_t *salt, size_t salt_length, const char *owner, uint32_t psn,
             char out[PSN_HASH_TEXT]);

#endif
