/* SPDX-License-Identifier: BSD-2-Clause */
/* SHA-256 of a stream. */
#ifndef PROGRAM_SHA256_H
#define PROGRAM_SHA256_H

#include <stddef.h>
#include <stdint.h>

#define SHA256_BYTES 32
#define SHA256_TEXT  65

struct sha256;

/* NULL when memory runs out. */
struct sha256 *sha256_new(void);
void sha256_free(struct sha256 *sha);

/* 0 or -FAULT_INTERNAL. */
int sha256_update(struct sha256 *sha, const void *data, size_t length);
int sha256_finish(struct sha256 *sha, uint8_t digest[SHA256_BYTES]);

/* Of what came so far; more may follow. */
int sha256_so_far(const struct sha256 *sha, uint8_t digest[SHA256_BYTES]);

/* Of one piece of memory. */
int sha256_of(const void *data, size_t length, uint8_t digest[SHA256_BYTES]);

#endif
