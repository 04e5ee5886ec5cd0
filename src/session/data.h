/* SPDX-License-Identifier: BSD-2-Clause */
/* Between data.c (operations: what goes out, what ends) and messages.c (what comes in).
 */
#ifndef SESSION_DATA_H
#define SESSION_DATA_H

#include "session/message.h"
#include "session/session.h"

/* Send a message of our own making; SRDMA_EBLOCKED when the queue is full. */
int data_send_own(struct srdma_session *session, struct message_head head,
                  const void *data, size_t length);

/* The QP does not work any more; TLS gets a moment to say why. */
void data_break(struct srdma_session *session, int code);

void messages_received(struct srdma_session *session, struct srdma_message *message,
                       const struct ibv_wc *wc);

/* Credits to put into the next message, which are then given back. */
uint16_t messages_take_owed(struct srdma_session *session);

/* Give credits back by a message of their own, if it is time. */
void messages_return_credits(struct srdma_session *session);

/* Give all messages that the session has back to the device. */
void messages_free(struct srdma_session *session);

#endif
