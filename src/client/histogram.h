/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How often which values came, to a thirtieth: memory of a fixed size for any number of
 * them, and whole to be sent to another process.
 */
#ifndef CLIENT_HISTOGRAM_H
#define CLIENT_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_BUCKETS 1312

struct histogram {
	uint64_t count, sum, least, most;
	uint64_t bucket[HISTOGRAM_BUCKETS];
};

/* From 0 on; values from 2^45 on count as that. */
void histogram_add(struct histogram *histogram, uint64_t value);
void histogram_join(struct histogram *to, const struct histogram *more);

/* The value that this part (0 to 1) does not exceed; 0 when there is none. */
uint64_t histogram_at(const struct histogram *histogram, double part);

/* How many do not exceed it, as far as buckets tell. */
uint64_t histogram_below(const struct histogram *histogram, uint64_t value);

#endif
