/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How hard the next of a row of numbers is to guess: the simplest estimators of NIST SP
 * 800-90B, chapter 6.3. Each answers bits of min-entropy for a bit of the input, at the
 * upper end of a 99 % confidence interval for what the attacker achieves.
 */
#ifndef TESTS_ENTROPY_H
#define TESTS_ENTROPY_H

#include <stddef.h>
#include <stdint.h>

/* 24-bit numbers, most significant bit first, as a string of bits. */
struct entropy_bits {
	uint8_t *bit; /* one in each byte; to be freed */
	size_t count;
};

struct entropy_bits entropy_bits_of(const uint32_t *number, size_t count);

/* 6.3.1, of bytes: the most common value. */
double entropy_most_common(const struct entropy_bits *bits);
/* 6.3.2: how soon one comes again. */
double entropy_collision(const struct entropy_bits *bits);
/* 6.3.3: what the one before tells of the next. */
double entropy_markov(const struct entropy_bits *bits);
/* 6.3.5, of bytes: the most common row of some length, as long as one of them comes
 * often. */
double entropy_t_tuple(const struct entropy_bits *bits);

/* The least of all. */
double entropy_least(const uint32_t *number, size_t count);

#endif
