/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The log of a program, libsrdma's lines included: standard error, a line each, as text
 *
 *   2025-03-01T12:00:00.123Z INFO  session#7 client-3: received data/a.iso, 4.0 MiB
 *
 * or as JSON objects; or systemd's journal, with fields. Any thread.
 */
#ifndef PROGRAM_LOGGER_H
#define PROGRAM_LOGGER_H

#include <stdbool.h>

#include "program/json.h"
#include "srdma.h"

/* What a line is about; zero or NULL where there is no such thing. */
struct log_about {
	enum srdma_log_level level;
	uint64_t session;
	const char *peer;
	const char *event;         /* one word, for machines; not in text */
	const struct json *fields; /* more members, not in text */
};

enum log_format {
	LOG_TEXT,
	LOG_JSON,
	LOG_JOURNAL,
};

/* A fault, with a sentence, for a journal that is not there: then it is text. */
int logger_start(enum srdma_log_level level, enum log_format format);

void log_about(const struct log_about *about, const char *format, ...)
        __attribute__((format(printf, 2, 3)));

/* Without a session. */
void log_say(enum srdma_log_level level, const char *format, ...)
        __attribute__((format(printf, 2, 3)));

#endif
