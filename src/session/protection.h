/* SPDX-License-Identifier: BSD-2-Clause */
/* How messages on the queue pair are protected: negotiated in HELLO, bound into the
 * proof and the keys. */
#ifndef SESSION_PROTECTION_H
#define SESSION_PROTECTION_H

#include <stdbool.h>
#include <stdint.h>

/* A client's hint beside its offer: AES is slow where it runs. */
#define PROTECTION_AVOID_AES 0x100u

struct protection {
	uint32_t bit; /* enum srdma_protection */
	const char *name;
	bool sealed;
};

/* Whether this processor has no instructions for AES. */
bool protection_aes_is_slow(void);

/*
 * A server's choice among what a client offers and its own options allow: sealed rather
 * than not, and AES unless it is slow for either. NULL: nothing in common.
 */
const struct protection *protection_choose(uint32_t offered, uint32_t allowed,
                                           bool aes_is_slow);

/* What a server chose, to be one of what was offered; NULL if it is not. */
const struct protection *protection_chosen(uint32_t chosen, uint32_t offered);

#endif
