/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Between data.c (operations: what goes out, what ends), messages.c (what comes in),
 * staged.c (one-sided access by messages) and slab.c (room for messages to send).
 */
#ifndef SESSION_DATA_H
#define SESSION_DATA_H

#include "session/message.h"
#include "session/session.h"

/*
 * Seal or copy a message, and post it: all it points to is free afterwards. Credits that
 * it gives back are given back. SRDMA_EBLOCKED when the slab is full.
 */
int data_send(struct srdma_session *session, const struct message *message,
              const struct op *op);

/* One of our own making; SRDMA_EBLOCKED when the queue is full, too. */
int data_send_own(struct srdma_session *session, const struct message *message);

/* Requests (data_send_own()) for which there is room and credit now. */
unsigned data_requests(const struct srdma_session *session);

/* on_writable is owed; SRDMA_EBLOCKED. */
int data_block(struct srdma_session *session);

/* The end of an operation: the caller learns of it. */
void data_finish(struct srdma_session *session, const struct op *op, int status);

/* The QP does not work any more; TLS gets a moment to say why. */
void data_break(struct srdma_session *session, int code);

/* A buffer came back: with a message, or (NULL) unused. */
void messages_received(struct srdma_session *session, struct srdma_message *message,
                       const struct arrival *arrival);

/* A message that gives this many credits back is on its way. */
void messages_credits_told(struct srdma_session *session, uint16_t credits);

/* Give credits back by a message of their own, if it is time. */
void messages_return_credits(struct srdma_session *session);

/* Give all messages that the session has back to the device. */
void messages_free(struct srdma_session *session);

/* WRITE or READ of the peer: keeps the message until it is answered. SRDMA_EPROTOCOL. */
int staged_request(struct srdma_session *session, struct srdma_message *message,
                   enum message_type type);

/* Where an answer of so many bytes is to go: the caller's memory; NULL: nowhere. */
uint8_t *staged_destination(const struct srdma_session *session, enum message_type type,
                            size_t length);

/* WRITTEN or READ_DATA, the bytes in their place. SRDMA_EPROTOCOL. */
int staged_answered(struct srdma_session *session, enum message_type type, size_t length);

/* The slab. SRDMA_ENOMEM. */
int slab_create(struct srdma_session *session);
void slab_free(struct srdma_session *session);
/* Slots that are free; without end while there is no slab. */
unsigned slab_room(const struct data *data);
/* The next one, and that it is in use now, until its operation ends. */
uint8_t *slab_slot(struct data *data);
void slab_take(struct data *data);

#endif
