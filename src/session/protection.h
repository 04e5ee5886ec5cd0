/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How messages on the queue pair are protected. Negotiated in HELLO, bound into the
 * proof. This version knows "none" only; a seal is a row in the table of protection.c
 * with operations that data.c calls where it hands a message to the queue pair and where
 * it takes one from it.
 */
#ifndef SESSION_PROTECTION_H
#define SESSION_PROTECTION_H

#include <stdint.h>

struct protection {
	uint32_t bit; /* enum srdma_protection */
	const char *name;
};

/* A server's choice among what a client offers and its own options allow; NULL: nothing
 * in common. */
const struct protection *protection_choose(uint32_t offered, uint32_t allowed);

/* What a server chose, to be one of what was offered; NULL if it is not. */
const struct protection *protection_chosen(uint32_t chosen, uint32_t offered);

#endif
