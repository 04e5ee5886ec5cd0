/* SPDX-License-Identifier: BSD-2-Clause */
#include "common/log.h"

#include <stdarg.h>
#include <stdio.h>

static struct {
	srdma_log_fn *sink;
	void *user;
	enum srdma_log_level level;
} process_log;

void srdma_log_to(srdma_log_fn *fn, void *user, enum srdma_log_level level)
{
	process_log.sink = fn;
	process_log.user = user;
	process_log.level = level;
}

bool srdma_log_enabled(enum srdma_log_level level)
{
	return process_log.sink && level <= process_log.level;
}

void srdma_log_line(enum srdma_log_level level, const char *format, ...)
{
	char line[1024];
	va_list args;

	if (!srdma_log_enabled(level))
		return;
	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	for (char *c = line; *c; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			*c = '?';
	process_log.sink(level, line, process_log.user);
}
