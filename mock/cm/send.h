/* SPDX-License-Identifier: BSD-2-Clause */
/* Sending the connection manager's messages. All under its lock. */
#ifndef MOCK_CM_SEND_H
#define MOCK_CM_SEND_H

#include "cm/far.h"

/*
 * Sends a message, once: what is lost is the caller's to send again. -EAGAIN when the
 * peer takes none at the moment, -ESRCH when it died.
 */
int message_send(const struct far *to, const struct mad *message);

/*
 * For what gets no answer, whose sender therefore would not notice: kept until the peer
 * takes it, unless that lasts as long as an answer may.
 */
void message_deliver(const struct far *to, const struct mad *message);

/* The way there: its carrier, unless a test puts itself in between. */
extern int (*message_carrier)(const struct far *to, const struct mad *message);

/* After fork(), in the child. */
void messages_forget(void);

#endif
