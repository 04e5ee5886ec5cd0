/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Forged answers: acknowledgements, refusals and responses in the responder's name, while
 * the peer waits for the true ones. What carries no seal is believed by any device that
 * takes RoCE as it is.
 */
#ifndef ATTACK_ANSWERS_H
#define ATTACK_ANSWERS_H

#include "forge.h"
#include "victim.h"

typedef void answer_attack(struct victim *victim, struct forger *forger);

answer_attack answers_guessed_ack, answers_known_ack;
/* Of a remote access error, which is final. */
answer_attack answers_guessed_nak, answers_known_nak;
/* That a packet is missing; that there is no receive. */
answer_attack answers_sequence_nak, answers_rnr_nak;
answer_attack answers_guessed_response, answers_known_response;

#endif
