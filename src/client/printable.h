/* SPDX-License-Identifier: BSD-2-Clause */
/* Text of others on a terminal: control characters must not get there. */
#ifndef CLIENT_PRINTABLE_H
#define CLIENT_PRINTABLE_H

#include <stddef.h>
#include <stdio.h>

static inline void print_printable(FILE *out, const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		unsigned char c = (unsigned char)text[i];

		fputc(c < 0x20 || c == 0x7f ? '?' : c, out);
	}
}

#endif
