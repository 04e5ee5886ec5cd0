/* SPDX-License-Identifier: BSD-2-Clause */
/* Percentiles (nearest rank) of samples, which are sorted on the way. */
#ifndef CLIENT_LATENCY_H
#define CLIENT_LATENCY_H

#include <stddef.h>
#include <stdint.h>

struct latency {
	uint64_t min, p50, p90, p99, max;
	double mean;
};

/* `count` is at least 1; the unit of the samples is that of the result. */
void latency_of(uint64_t *samples, size_t count, struct latency *out);

#endif
