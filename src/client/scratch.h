/* SPDX-License-Identifier: BSD-2-Clause */
/* The session's scratch region: memory of the server that this client may use. */
#ifndef CLIENT_SCRATCH_H
#define CLIENT_SCRATCH_H

#include "client/client.h"

/* Asks for it, and waits until it is granted. */
int scratch_get(struct client *client, struct srdma_remote **out);

/*
 * One write or read of `length` bytes between `memory` and the region, and the time it
 * took.
 */
int scratch_move(struct client *client, struct srdma_remote *remote, bool write,
                 void *memory, uint64_t offset, uint64_t length, uint64_t *us);

/* Whether the server's own view of the range is these bytes: FAULT_MISMATCH if not. */
int scratch_compare(struct client *client, const void *memory, uint64_t offset,
                    uint64_t length);

#endif
