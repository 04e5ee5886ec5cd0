/* SPDX-License-Identifier: BSD-2-Clause */
/* The worker's turns with libfabric. */
#ifndef SESSION_FABRIC_POLL_H
#define SESSION_FABRIC_POLL_H

#include "session/worker.h"

/* A worker is made: whether there is such a provider. SRDMA_ENODEVICE, SRDMA_ECONFIG. */
int fabric_start(struct srdma_worker *worker);
void fabric_end(struct srdma_worker *worker);

unsigned fabric_poll(struct srdma_worker *worker);
int fabric_arm(struct srdma_worker *worker);

#endif
