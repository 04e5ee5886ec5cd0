/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Packets that the device protects one by one (mockrdma.h): a choice in HELLO, by keys
 * that TLS gives. Beside the seal of messages, which needs nothing of the device.
 */
#ifndef SESSION_PACKETS_H
#define SESSION_PACKETS_H

#include <stdint.h>

struct srdma_session;

/* FRAME_PACKETS_… that a client's HELLO offers, or 0. */
uint8_t packets_offer(const struct srdma_session *session);
/* A server's choice, to session->packets. SRDMA_EVERSION: it insists, and there is none.
 */
int packets_choose(struct srdma_session *session, uint8_t offered);
/* What the server chose, likewise; SRDMA_EPROTOCOL when it was not offered. */
int packets_take_choice(struct srdma_session *session, uint8_t chosen);

/* The endpoint gets its keys, if that was the choice. */
int packets_protect(struct srdma_session *session);

#endif
