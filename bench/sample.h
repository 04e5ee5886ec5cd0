/* SPDX-License-Identifier: BSD-2-Clause */
/* What the programs of the benchmark share: time, medians, and a processor of their own.
 */
#ifndef BENCH_SAMPLE_H
#define BENCH_SAMPLE_H

#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static _Noreturn inline void die(const char *what)
{
	perror(what);
	exit(EXIT_FAILURE);
}

static inline uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* The n-th of those that this process may use, if there are so many. */
static inline void pin_to_cpu(int n)
{
	cpu_set_t allowed, one;

	CPU_ZERO(&one);
	if (sched_getaffinity(0, sizeof(allowed), &allowed) || CPU_COUNT(&allowed) <= n)
		return;
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &allowed) || n-- > 0)
			continue;
		CPU_SET(cpu, &one);
		sched_setaffinity(0, sizeof(one), &one);
		return;
	}
}

static inline uint64_t *new_samples(size_t count)
{
	uint64_t *samples = calloc(count, sizeof(*samples));

	if (!samples)
		die("calloc");
	return samples;
}

static inline int compare_samples(const void *left, const void *right)
{
	uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;

	return a < b ? -1 : a > b;
}

/* Sorts them, too. */
static inline double median_us(uint64_t *samples, size_t count)
{
	qsort(samples, count, sizeof(*samples), compare_samples);
	return (double)samples[count / 2] / 1000;
}

#endif
