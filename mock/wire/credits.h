/* SPDX-License-Identifier: BSD-2-Clause */
/* End-to-end flow control credits, as an AETH has them (IBA 9.7.7.2, table 46). */
#ifndef MOCK_WIRE_CREDITS_H
#define MOCK_WIRE_CREDITS_H

#include <stdint.h>

enum { CREDITS_NONE_GIVEN = 31 }; /* the code that says nothing about credits */

/* 0 to 30: 0, 1, 2, 3, 4, 6, 8, 12, … each double the one before the last. */
static inline uint32_t credits_of(unsigned int code)
{
	if (code < 2)
		return code;
	return code % 2 ? 3u << (code / 2 - 1) : 2u << (code / 2 - 1);
}

/* The code for at most so many. */
static inline uint8_t credits_code(uint32_t credits)
{
	unsigned int code = 0;

	while (code + 1 < CREDITS_NONE_GIVEN && credits_of(code + 1) <= credits)
		code++;
	return (uint8_t)code;
}

#endif
