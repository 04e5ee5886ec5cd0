/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SESSION_LINGER_H
#define SESSION_LINGER_H

#include "session/worker.h"

/*
 * Close a socket in a way that lets the peer read our last words: with bytes unread,
 * close() would reset the connection and take them away. Takes `fd` over; bounded in
 * time, bytes and number.
 */
void linger_start(struct srdma_worker *worker, int fd);
/* Wait for them, a moment: what a program says last, as it ends. */
void linger_finish(struct srdma_worker *worker);
void linger_end_all(struct srdma_worker *worker);

#endif
