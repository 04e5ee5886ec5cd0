// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "check.h"

static const char *child_name;

void check_in_child(const char *name)
{
	child_name = name;
}

void check_failed(const char *file, int line, const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (child_name) {
		fprintf(stderr, "%s:%d: [%s %d] %s\n", file, line, child_name,
		        (int)getpid(), text);
		fflush(NULL);
		_exit(EXIT_FAILURE);
	}
	print_error("%s\n", text);
	_fail(file, line);
	abort(); /* _fail() does not come back, but is not declared so */
}

void check_equal(const char *file, int line, const char *what, long long actual,
                 long long expected)
{
	if (actual != expected)
		check_failed(file, line, "%s is %lld (0x%llx), not %lld (0x%llx)", what,
		             actual, (unsigned long long)actual, expected,
		             (unsigned long long)expected);
}

long long check_call(const char *file, int line, const char *call, long long result)
{
	if (result == -1)
		check_failed(file, line, "%s: %s", call, strerror(errno));
	return result;
}

void check_fails(const char *file, int line, const char *call, long long result,
                 int error)
{
	int seen = errno;

	if (result != -1 && result != 0)
		check_failed(file, line, "%s did not fail", call);
	if (seen != error)
		check_failed(file, line,
		             "%s answered %lld with errno %d (%s), not %d (%s)", call,
		             result, seen, strerror(seen), error, strerror(error));
}

void check_no_object(const char *file, int line, const char *call)
{
	check_failed(file, line, "%s: no object: %s", call, strerror(errno));
}

void check_bytes(const char *file, int line, const char *what, const void *actual,
                 const void *expected, unsigned long size)
{
	const unsigned char *is = actual;
	const unsigned char *should = expected;

	for (unsigned long i = 0; i < size; i++)
		if (is[i] != should[i])
			check_failed(file, line,
			             "%s: byte %lu of %lu is 0x%02x, not 0x%02x", what, i,
			             size, is[i], should[i]);
}
