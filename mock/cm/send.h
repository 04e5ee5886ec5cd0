/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef MOCK_CM_SEND_H
#define MOCK_CM_SEND_H

#include "cm/message.h"
#include "host/peer.h"

/*
 * Sends a message, once: what is lost is the caller's to send again. -EAGAIN when the
 * peer takes none at the moment, -ESRCH when it died.
 */
int message_send(struct peer *to, const struct message *message);

/* The way to a process: its inbox, unless a test puts itself in between. */
extern int (*message_carrier)(struct peer *to, const struct message *message);

#endif
