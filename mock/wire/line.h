/* SPDX-License-Identifier: BSD-2-Clause */
/* A line of text that grows, in room of the caller's; counts on when it is full. */
#ifndef MOCK_WIRE_LINE_H
#define MOCK_WIRE_LINE_H

#include <stdarg.h>
#include <stdio.h>

struct line {
	char *text;
	size_t size;
	int length; /* as snprintf() counts */
};

static inline void __attribute__((format(printf, 2, 3)))
line_add(struct line *line, const char *format, ...)
{
	size_t used =
	        (size_t)line->length < line->size ? (size_t)line->length : line->size;
	va_list args;

	va_start(args, format);
	line->length += vsnprintf(line->text + used, line->size - used, format, args);
	va_end(args);
}

#endif
