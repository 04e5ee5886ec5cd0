/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What has come of files whose session broke, for a while, until their clients come back
 * and go on. A client finds only its own, by a name that it drew. Any thread.
 */
#ifndef SERVER_PARKING_H
#define SERVER_PARKING_H

#include <pthread.h>

#include "common/list.h"
#include "program/app.h"
#include "program/partial.h"

#define PARKED_OF_CLIENT 8  /* then its oldest one goes */
#define PARKED_IN_ALL    64 /* then no more are kept */

/* Zeroed: nothing is kept. */
struct parking {
	pthread_mutex_t lock;
	struct list files; /* the oldest first */
	unsigned count;
	uint64_t keep_us;
};

/* What a file is known by. */
struct parked_key {
	const char *owner; /* the client's account */
	const char *path;
	const uint8_t *token;
	uint64_t size;
	bool replace;
};

void parking_init(struct parking *parking, uint64_t keep_ms);

/* No receiver is left. May block on the disk. */
void parking_clear(struct parking *parking);

/* Those whose time is up go. May block on the disk. */
void parking_sweep(struct parking *parking);

/*
 * What there is of this file, or nothing, into an empty *partial, which has a keeper from
 * now on. -FAULT_MEMORY. May block on the disk.
 */
int parking_leave(struct parking *parking, const struct parked_key *key,
                  struct partial *partial);

#endif
