/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The log of a process: one sink, set once at start (srdma_log_to()). Never give it a
 * key, a PSN or a memory key.
 */
#ifndef COMMON_LOG_H
#define COMMON_LOG_H

#include "srdma.h"

/* Formats nothing when the level is off. */
#define log_at(level, ...)                                  \
	do {                                                \
		if (srdma_log_enabled(level))               \
			srdma_log_line(level, __VA_ARGS__); \
	} while (0)

#define log_error(...) log_at(SRDMA_LOG_ERROR, __VA_ARGS__)
#define log_warn(...)  log_at(SRDMA_LOG_WARN, __VA_ARGS__)
#define log_info(...)  log_at(SRDMA_LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_at(SRDMA_LOG_DEBUG, __VA_ARGS__)

bool srdma_log_enabled(enum srdma_log_level level);

/* One line, at most 1023 bytes; control characters become '?'. */
void srdma_log_line(enum srdma_log_level level, const char *format, ...)
        __attribute__((format(printf, 2, 3)));

#endif
