/* SPDX-License-Identifier: BSD-2-Clause */
/* --reconnect: when to try once more, and how long to wait before. */
#ifndef CLIENT_RETRY_H
#define CLIENT_RETRY_H

#include "client/command.h"

struct retry {
	uint64_t failures; /* in a row */
	uint64_t began_us; /* this attempt */
};

/* Before each attempt. */
void retry_begin(struct retry *retry);

/*
 * After one that failed: whether there is another. Then the client is closed, to be
 * opened again, and the wait is over. Otherwise nothing happened, and fault_text() is
 * what it was.
 */
bool retry_again(struct retry *retry, struct call *call, const struct command *command,
                 int error);

#endif
