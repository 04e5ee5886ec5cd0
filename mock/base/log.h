/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The mock speaks on standard error only, one line each, and only what MOCKRDMA_LOG
 * asks for: "error" (the default), "warn", "info", "debug", or "none".
 */
#ifndef MOCK_BASE_LOG_H
#define MOCK_BASE_LOG_H

enum mock_log_level {
	MOCK_LOG_NONE,
	MOCK_LOG_ERROR,
	MOCK_LOG_WARN,
	MOCK_LOG_INFO,
	MOCK_LOG_DEBUG
};

extern enum mock_log_level mock_log_level;

void mock_log_print(enum mock_log_level level, const char *fmt, ...)
        __attribute__((format(printf, 2, 3)));

#define mock_log(level, ...)                                \
	do {                                                \
		if ((level) <= mock_log_level)              \
			mock_log_print(level, __VA_ARGS__); \
	} while (0)

#define mock_error(...) mock_log(MOCK_LOG_ERROR, __VA_ARGS__)
#define mock_warn(...)  mock_log(MOCK_LOG_WARN, __VA_ARGS__)
#define mock_info(...)  mock_log(MOCK_LOG_INFO, __VA_ARGS__)
#define mock_debug(...) mock_log(MOCK_LOG_DEBUG, __VA_ARGS__)

#endif
