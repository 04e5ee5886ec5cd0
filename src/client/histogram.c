/* SPDX-License-Identifier: BSD-2-Clause */
/* Buckets of one value each up to 32, and then 32 for each power of two. */
#include "client/histogram.h"

#include <stddef.h>

enum { SUB_BITS = 5, SUB = 1 << SUB_BITS, BITS = 45 };

_Static_assert(HISTOGRAM_BUCKETS == (BITS - SUB_BITS + 1) * SUB, "one for each");

static size_t bucket_of(uint64_t value)
{
	unsigned int bits;

	if (value < SUB)
		return value;
	if (value >> BITS)
		return HISTOGRAM_BUCKETS - 1;
	bits = 63 - (unsigned int)__builtin_clzll(value) - SUB_BITS;
	return (size_t)(bits + 1) * SUB + (value >> bits & (SUB - 1));
}

/* The greatest value of it. */
static uint64_t end_of(size_t bucket)
{
	size_t bits = bucket / SUB;

	if (!bits)
		return bucket;
	return ((SUB + bucket % SUB + 1) << (bits - 1)) - 1;
}

void histogram_add(struct histogram *histogram, uint64_t value)
{
	histogram->bucket[bucket_of(value)]++;
	histogram->sum += value;
	if (!histogram->count++ || value < histogram->least)
		histogram->least = value;
	if (value > histogram->most)
		histogram->most = value;
}

void histogram_join(struct histogram *to, const struct histogram *more)
{
	if (!more->count)
		return;
	if (!to->count || more->least < to->least)
		to->least = more->least;
	if (more->most > to->most)
		to->most = more->most;
	to->count += more->count;
	to->sum += more->sum;
	for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++)
		to->bucket[i] += more->bucket[i];
}

uint64_t histogram_at(const struct histogram *histogram, double part)
{
	double wanted = part * (double)histogram->count;
	uint64_t seen = 0;

	for (size_t i = 0; i < HISTOGRAM_BUCKETS - 1; i++) {
		seen += histogram->bucket[i];
		if (seen && (double)seen >= wanted)
			return end_of(i) < histogram->most ? end_of(i) : histogram->most;
	}
	return histogram->most;
}

uint64_t histogram_below(const struct histogram *histogram, uint64_t value)
{
	uint64_t seen = 0;

	for (size_t i = 0; i <= bucket_of(value); i++)
		seen += histogram->bucket[i];
	return seen;
}
