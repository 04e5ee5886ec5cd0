/* SPDX-License-Identifier: BSD-2-Clause */
/* The few macros that every layer of the mock uses. */
#ifndef MOCK_BASE_UTIL_H
#define MOCK_BASE_UTIL_H

#include <stddef.h>
#include <stdint.h>

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

#define CACHE_LINE 64

/* Exported from libmockrdma.so; everything else stays hidden. */
#define MOCK_API __attribute__((visibility("default")))

static inline uint64_t round_up(uint64_t value, uint64_t to)
{
	return (value + to - 1) / to * to;
}

static inline uint64_t min_u64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

#endif
