/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef MOCK_BASE_MIX_H
#define MOCK_BASE_MIX_H

#include <stdint.h>

/* What SplitMix64 steps by, and what it makes of its state: Steele, Lea, Flood, "Fast
 * splittable pseudorandom number generators". Each bit depends on all of x. */
#define MIX_STEP UINT64_C(0x9e3779b97f4a7c15)

static inline uint64_t mix64(uint64_t x)
{
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

#endif
