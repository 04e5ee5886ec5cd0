/* SPDX-License-Identifier: BSD-2-Clause */
/* What a command has to say: a sentence for people, or one JSON object. */
#ifndef CLIENT_REPORT_H
#define CLIENT_REPORT_H

#include "client/client.h"
#include "program/json.h"

struct report {
	const char *command;
	bool as_json;
	struct json
	        json; /* members that commands add; nothing is printed without --json */
};

void report_begin(struct report *report, const char *command, bool as_json);

/* A line on standard output, unless --json. */
void report_say(const struct report *report, const char *format, ...)
        __attribute__((format(printf, 2, 3)));

/*
 * The end. With `error` its sentence goes to standard error, and with --json into the
 * object too. `client` may be NULL: there was no session. Returns the exit status.
 */
int report_end(struct report *report, const struct client *client, int error);

/* Bytes, time and rate as members. */
void report_amount(struct report *report, uint64_t bytes, uint64_t us);

#endif
