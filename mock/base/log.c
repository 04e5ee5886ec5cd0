// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "base/log.h"
#include "base/util.h"

enum mock_log_level mock_log_level = MOCK_LOG_ERROR;

/* One write(2) each, so that lines of several threads and processes do not mix. */
void mock_log_print(enum mock_log_level level, const char *fmt, ...)
{
	static const char *const prefix[] = {
		[MOCK_LOG_NONE] = "mockrdma: ",
		[MOCK_LOG_ERROR] = "mockrdma: ",
		[MOCK_LOG_WARN] = "mockrdma: warning: ",
		[MOCK_LOG_INFO] = "mockrdma: info: ",
		[MOCK_LOG_DEBUG] = "mockrdma: debug: ",
	};
	int saved = errno;
	char line[1024];
	size_t length;
	va_list args;

	length = (size_t)snprintf(line, sizeof(line), "%s", prefix[level]);
	va_start(args, fmt);
	vsnprintf(line + length, sizeof(line) - length, fmt, args);
	va_end(args);
	while (length < sizeof(line) - 1 && line[length])
		length++;
	line[length++] = '\n';
	/* Where nobody listens there is nowhere to say so. */
	(void)!write(STDERR_FILENO, line, length);
	errno = saved;
}
