/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * *cm*: librdmacm resolves and carries the connection; the queue pair stays ours, and
 * starts from the PSNs of TLS. The starting PSNs in the connection manager's messages,
 * which cross the wire in clear, are decoys. A token from TLS, in the private data, tells
 * the server whose a connection is.
 *
 * What the connection manager says of a connection's end is not listened to: anyone on
 * the network can say it. TLS does that.
 */
#ifndef SESSION_CM_H
#define SESSION_CM_H

#include "session/session.h"

struct cm;

/* A server: draw a token and wait for a connection on the port. */
int cm_expect(struct srdma_session *session, uint16_t *port);

/* A client: connect to the port and with the token that the server's ENDPOINT named. */
int cm_connect(struct srdma_session *session);

/* Forget a session; its connection, if any, ends. */
void cm_release(struct srdma_session *session);
void cm_free(struct cm *cm);

#endif
