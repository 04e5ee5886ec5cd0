// SPDX-License-Identifier: BSD-2-Clause
#include "entropy.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

enum {
	NUMBER_BITS = 24,
	OFTEN = 35 /* 6.3.5, step 1 */,
	MARKOV_LENGTH = 128,
	LONGEST = 16
};

#define Z_99 2.5758293035489008

struct entropy_bits entropy_bits_of(const uint32_t *number, size_t count)
{
	struct entropy_bits bits = { .count = count * NUMBER_BITS };

	bits.bit = CHECK_OBJECT(malloc(bits.count));
	for (size_t i = 0; i < bits.count; i++)
		bits.bit[i] =
		        number[i / NUMBER_BITS] >> (NUMBER_BITS - 1 - i % NUMBER_BITS) &
		        1;
	return bits;
}

static double upper(double p, size_t samples)
{
	return fmin(1, p + Z_99 * sqrt(p * (1 - p) / (double)(samples - 1)));
}

/* Overlapping rows of bytes, sorted, so that the same ones lie together. */
struct rows {
	uint8_t *byte;
	size_t length;
};

static int compare_rows(const void *a, const void *b, void *arg)
{
	const struct rows *rows = arg;

	return memcmp(rows->byte + *(const uint32_t *)a,
	              rows->byte + *(const uint32_t *)b, rows->length);
}

static size_t longest_run(struct rows *rows, const uint32_t *at, size_t count)
{
	size_t run = 1, longest = 1;

	for (size_t i = 1; i < count; i++) {
		run = compare_rows(&at[i - 1], &at[i], rows) ? 1 : run + 1;
		if (run > longest)
			longest = run;
	}
	return longest;
}

/* How often the most common row of so many bytes is there. */
static size_t most_common(const struct entropy_bits *bits, size_t length)
{
	size_t bytes = bits->count / 8, count = bytes - length + 1, longest;
	struct rows rows = { CHECK_OBJECT(calloc(1, bytes)), length };
	uint32_t *at = CHECK_OBJECT(calloc(count, sizeof(*at)));

	for (size_t i = 0; i < bytes * 8; i++)
		rows.byte[i / 8] = (uint8_t)(rows.byte[i / 8] << 1 | bits->bit[i]);
	for (size_t i = 0; i < count; i++)
		at[i] = (uint32_t)i;
	qsort_r(at, count, sizeof(*at), compare_rows, &rows);
	longest = longest_run(&rows, at, count);
	free(rows.byte);
	free(at);
	return longest;
}

double entropy_most_common(const struct entropy_bits *bits)
{
	size_t bytes = bits->count / 8;

	return -log2(upper((double)most_common(bits, 1) / (double)bytes, bytes)) / 8;
}

double entropy_t_tuple(const struct entropy_bits *bits)
{
	size_t bytes = bits->count / 8, often;
	double likeliest = 0;

	/* What repeats itself for longer than that was found out long before. */
	for (size_t t = 1; t <= LONGEST && (often = most_common(bits, t)) >= OFTEN; t++) {
		double p = (double)often / (double)(bytes - t + 1);

		likeliest = fmax(likeliest, pow(p, 1.0 / (double)t));
	}
	return -log2(upper(likeliest, bytes)) / 8;
}

/* Of bits a value comes again after two, when they are alike, or after three. */
double entropy_collision(const struct entropy_bits *bits)
{
	double sum = 0, squares = 0, found = 0, mean, deviation, unlike;

	for (size_t i = 0; i + 2 < bits->count;) {
		unsigned int steps = bits->bit[i] == bits->bit[i + 1] ? 2 : 3;

		sum += steps;
		squares += steps * steps;
		found++;
		i += steps;
	}
	mean = sum / found;
	deviation = sqrt(fmax(0, (squares - found * mean * mean) / (found - 1)));
	/* 2pq, of the mean 2 + 2pq; it is half at most. */
	unlike = fmin(.5, fmax(0, mean - Z_99 * deviation / sqrt(found) - 2));
	return -log2(.5 + sqrt(.25 - unlike / 2));
}

/* The likeliest row of 128 bits is one of six: those that stay and those that alternate.
 */
double entropy_markov(const struct entropy_bits *bits)
{
	double of[2] = { 0 }, pair[2][2] = { { 0 } }, p[2][2], first[2], best;

	for (size_t i = 0; i + 1 < bits->count; i++) {
		of[bits->bit[i]]++;
		pair[bits->bit[i]][bits->bit[i + 1]]++;
	}
	for (int a = 0; a < 2; a++) {
		first[a] = log2(of[a] / (of[0] + of[1]));
		for (int b = 0; b < 2; b++)
			p[a][b] = log2(of[a] ? pair[a][b] / of[a] : 0);
	}
	best = -INFINITY;
	for (int a = 0; a < 2; a++) {
		double there = p[a][!a], back = p[!a][a];
		int steps = MARKOV_LENGTH - 1, half = steps / 2;

		best = fmax(best, first[a] + steps * p[a][a]);
		best = fmax(best, first[a] + (half + 1) * there + half * back);
		best = fmax(best, first[a] + there + (steps - 1) * p[!a][!a]);
	}
	return fmin(1, -best / MARKOV_LENGTH);
}

double entropy_least(const uint32_t *number, size_t count)
{
	struct entropy_bits bits = entropy_bits_of(number, count);
	double least = fmin(fmin(entropy_most_common(&bits), entropy_t_tuple(&bits)),
	                    fmin(entropy_collision(&bits), entropy_markov(&bits)));

	free(bits.bit);
	return least;
}
