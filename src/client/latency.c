/* SPDX-License-Identifier: BSD-2-Clause */
#include "client/latency.h"

#include <stdlib.h>

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* The smallest sample that at least so many percent do not exceed. */
static uint64_t percentile(const uint64_t *sorted, size_t count, unsigned percent)
{
	size_t rank = (count * percent + 99) / 100;

	return sorted[rank ? rank - 1 : 0];
}

void latency_of(uint64_t *samples, size_t count, struct latency *out)
{
	double sum = 0;

	qsort(samples, count, sizeof(*samples), compare);
	for (size_t i = 0; i < count; i++)
		sum += (double)samples[i];
	*out = (struct latency){
		.min = samples[0],
		.p50 = percentile(samples, count, 50),
		.p90 = percentile(samples, count, 90),
		.p99 = percentile(samples, count, 99),
		.max = samples[count - 1],
		.mean = sum / (double)count,
	};
}
