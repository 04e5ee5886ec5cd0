/* SPDX-License-Identifier: BSD-2-Clause */
/* What put and get keep from one session to the next, with --reconnect. */
#ifndef CLIENT_RESUME_H
#define CLIENT_RESUME_H

#include "program/app.h"
#include "program/partial.h"

struct client;

/* Zeroed at first. It must not move between resume_prepare() and the client's end. */
struct resume {
	struct keeper keeper;
	bool able;                /* the server knows of it */
	bool drawn;               /* the token */
	bool once;                /* what is sent cannot be read again */
	uint8_t token[APP_TOKEN]; /* put */
	struct partial partial;   /* get */
	uint64_t size;            /* of the file that it is the beginning of */
	int64_t changed;
};

/* In each session, if --reconnect is given: what the server knows of it, and the token.
 */
int resume_prepare(struct resume *resume, struct client *client);

/*
 * Whether there is a beginning of this file, for *partial. One of another is let go, and
 * *partial, empty, is to be begun; either way it has its keeper.
 */
bool resume_take(struct resume *resume, uint64_t size, int64_t changed,
                 struct partial *partial);

void resume_clear(struct resume *resume);

#endif
