/* SPDX-License-Identifier: BSD-2-Clause */
/* The few macros that every layer of the mock uses. */
#ifndef MOCK_BASE_UTIL_H
#define MOCK_BASE_UTIL_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))
#define ARRAY_SIZE(a)                   (sizeof(a) / sizeof((a)[0]))
#define likely(x)                       __builtin_expect(!!(x), 1)
#define unlikely(x)                     __builtin_expect(!!(x), 0)
/* Of a loop that waits for another core: lets the sibling thread have the execution
 * units. */
static inline void cpu_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

/*
 * What the data path calls when something is out of the ordinary. It is not inlined
 * there, not even into `flatten` functions, which would be ten times as large for it.
 */
#define COLD __attribute__((cold, noinline))

#define CACHE_LINE 64

/* Exported from libmockrdma.so; everything else stays hidden. */
#define MOCK_API __attribute__((visibility("default")))

static inline uint64_t round_up(uint64_t value, uint64_t to)
{
	return (value + to - 1) / to * to;
}

/* memcpy() of mostly a few bytes, without a call for those. */
static inline void copy_small(void *to, const void *from, size_t length)
{
	uint64_t first, last;
	uint32_t low, high;

	if (length - 8 <= 8) { /* two words, which may overlap */
		memcpy(&first, from, 8);
		memcpy(&last, (const char *)from + length - 8, 8);
		memcpy(to, &first, 8);
		memcpy((char *)to + length - 8, &last, 8);
	} else if (length - 4 < 4) {
		memcpy(&low, from, 4);
		memcpy(&high, (const char *)from + length - 4, 4);
		memcpy(to, &low, 4);
		memcpy((char *)to + length - 4, &high, 4);
	} else {
		memcpy(to, from, length);
	}
}

static inline uint64_t min_u64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

#endif
