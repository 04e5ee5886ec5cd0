/* SPDX-License-Identifier: BSD-2-Clause */
/* What put and get have in common: watching one transfer to its end. */
#ifndef CLIENT_FILES_H
#define CLIENT_FILES_H

#include "client/command.h"
#include "client/progress.h"
#include "program/transfer.h"

struct moving {
	struct transfer *transfer; /* NULL when it is gone */
	struct progress progress;
	bool finished;
	bool gone;
	bool released;
	int result;
	char text[FAULT_TEXT];
	uint64_t bytes;
	uint64_t resumed;
	uint64_t us;
	char sha256[SHA256_TEXT];
};

extern const struct transfer_events moving_events; /* user: the struct moving */

/* NULL when memory runs out. */
struct moving *moving_new(void);

/* The caller has no more use for it; it lives as long as its transfer does. */
void moving_release(struct moving *moving);

/* A fault of the session, in a sentence that says what it means for the file. */
int moving_broke(int error, const char *target);

/* To its end; when that is because we give up, the server is told. 0 or its fault. */
int moving_wait(struct client *client, struct moving *moving);

void moving_report(const struct call *call, const struct moving *moving, const char *verb,
                   const char *from, const char *to);

/* What follows the last slash. */
const char *base_name(const char *path);

#endif
