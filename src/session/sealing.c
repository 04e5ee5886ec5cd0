/* SPDX-License-Identifier: BSD-2-Clause */
#include "session/sealing.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "session/error.h"
#include "session/session.h"

static const uint64_t *limits_of(const struct srdma_session *session)
{
	return session->worker->options.number;
}

bool sealing_is_on(const struct srdma_session *session)
{
	return session->protection && session->protection->sealed;
}

/*
 * Keys
 */

static int start(struct srdma_session *session, const uint8_t exporter[SEAL_SECRET],
                 bool sealing, struct seal *seal)
{
	enum frame_role sender = session->client == sealing ? ROLE_CLIENT : ROLE_SERVER;
	uint8_t secret[SEAL_SECRET];
	int error = seal_first_secret(exporter, sender, secret);

	if (!error)
		error = seal_init(seal, session->protection->bit, sealing, secret);
	OPENSSL_cleanse(secret, sizeof(secret));
	return error;
}

int sealing_start(struct srdma_session *session)
{
	struct sealing *sealing = &session->sealing;
	uint8_t transcript[TRANSCRIPT_HASH], exporter[SEAL_SECRET];
	int error;

	if (!sealing_is_on(session))
		return 0;
	error = transcript_hash(&session->handshake->transcript, transcript);
	if (!error)
		error = tls_export(session->control.tls, SEAL_LABEL, transcript,
		                   sizeof(transcript), exporter, sizeof(exporter));
	if (!error)
		error = start(session, exporter, true, &sealing->out);
	if (!error)
		error = start(session, exporter, false, &sealing->in);
	OPENSSL_cleanse(exporter, sizeof(exporter));
	sealing->since_us = clock_us();
	return error;
}

void sealing_end(struct srdma_session *session)
{
	seal_clear(&session->sealing.out);
	seal_clear(&session->sealing.in);
	OPENSSL_cleanse(&session->sealing, sizeof(session->sealing));
}

/*
 * Changing the key that we seal with
 */

static bool has_done(const struct srdma_session *session, unsigned times)
{
	const struct seal *seal = &session->sealing.out;
	const uint64_t *limits = limits_of(session);

	return seal->number - seal->first >= times * limits[SRDMA_OPT_REKEY_MESSAGES] ||
	       seal->bytes >= times * limits[SRDMA_OPT_REKEY_BYTES];
}

static bool is_due(const struct srdma_session *session)
{
	uint64_t age = clock_us() - session->sealing.since_us;

	return has_done(session, 1) ||
	       age >= limits_of(session)[SRDMA_OPT_REKEY_TIME] * 1000;
}

bool sealing_is_held(const struct srdma_session *session)
{
	return session->sealing.asked && has_done(session, 2);
}

bool sealing_is_late(const struct srdma_session *session)
{
	const struct sealing *sealing = &session->sealing;

	return sealing->asked &&
	       clock_us() - sealing->asked_us >=
	               limits_of(session)[SRDMA_OPT_STEP_TIMEOUT] * 1000;
}

static void ask(struct srdma_session *session)
{
	struct sealing *sealing = &session->sealing;
	struct frame frame = { .type = FRAME_REKEY,
		               .rekey.number = sealing->out.key + 1 };

	if (RAND_bytes(sealing->out_fresh, FRAME_FRESH) != 1) {
		session_fail(session, fail(SRDMA_ERANDOM,
		                           "the random generator failed: no new key"));
		return;
	}
	memcpy(frame.rekey.fresh, sealing->out_fresh, FRAME_FRESH);
	sealing->asked = true;
	sealing->asked_us = clock_us();
	session_send(session, &frame);
	OPENSSL_cleanse(&frame, sizeof(frame));
}

static int take_rekeyed(struct srdma_session *session, uint32_t number)
{
	struct sealing *sealing = &session->sealing;
	int error;

	if (!sealing->asked || number != sealing->out.key + 1)
		return fail(SRDMA_EPROTOCOL, "%s sent REKEYED out of place",
		            session->name);
	error = seal_advance(&sealing->out, sealing->out_fresh);
	OPENSSL_cleanse(sealing->out_fresh, FRAME_FRESH);
	sealing->asked = false;
	sealing->since_us = clock_us();
	log_debug("session#%llu: sealing under key %u", (unsigned long long)session->id,
	          sealing->out.key);
	return error;
}

/*
 * Changing the key that we open with
 */

static void confirm(struct srdma_session *session, uint32_t number)
{
	session_send(session, &(struct frame){ .type = FRAME_REKEYED, .id = number });
}

static int take_rekey(struct srdma_session *session, const struct frame_rekey *rekey)
{
	struct sealing *sealing = &session->sealing;

	if (!sealing_is_on(session) || sealing->in_waiting == 2 ||
	    rekey->number != sealing->in.key + 1 + sealing->in_waiting)
		return fail(SRDMA_EPROTOCOL, "%s sent REKEY out of place", session->name);
	memcpy(sealing->in_fresh[sealing->in_waiting], rekey->fresh, FRAME_FRESH);
	if (!sealing->in_waiting++)
		confirm(session, rekey->number);
	return 0;
}

/* The first message under the next key is here. */
static int advance(struct srdma_session *session)
{
	struct sealing *sealing = &session->sealing;
	int error = seal_advance(&sealing->in, sealing->in_fresh[0]);

	memcpy(sealing->in_fresh[0], sealing->in_fresh[1], FRAME_FRESH);
	OPENSSL_cleanse(sealing->in_fresh[1], FRAME_FRESH);
	if (--sealing->in_waiting)
		confirm(session, sealing->in.key + 1);
	return error;
}

void sealing_frame(struct srdma_session *session, const struct frame *frame)
{
	int error = frame->type == FRAME_REKEY ? take_rekey(session, &frame->rekey)
	                                       : take_rekeyed(session, frame->id);

	if (error)
		session_fail(session, error);
	else if (frame->type == FRAME_REKEYED)
		data_unblocked(session);
}

/*
 * Messages
 */

int sealing_close(struct srdma_session *session, const struct message *message,
                  uint8_t *out, uint32_t *word)
{
	struct sealing *sealing = &session->sealing;
	struct message_head head = message->head;
	int error;

	head.epoch = (uint8_t)sealing->out.key;
	*word = message_encode(head);
	error = seal_close(&sealing->out, *word, message->prefix, message->prefix_length,
	                   message->data, message->length, out);
	if (!error && !sealing->asked && is_due(session))
		ask(session);
	return error;
}

static int open_next(struct srdma_session *session, struct message_head head,
                     const uint8_t *sealed, size_t length, uint8_t *out)
{
	struct sealing *sealing = &session->sealing;
	int error = 0;

	if (!sealing->in.cipher)
		return SRDMA_ESEAL;
	if (sealing->in_waiting && head.epoch == (uint8_t)(sealing->in.key + 1))
		error = advance(session);
	if (!error && head.epoch != (uint8_t)sealing->in.key)
		error = SRDMA_ESEAL;
	if (!error)
		error = seal_open(&sealing->in, message_encode(head), sealed, length,
		                  out);
	return error;
}

int sealing_open(struct srdma_session *session, struct message_head head,
                 const uint8_t *sealed, size_t length, uint8_t *out)
{
	int error = session->sealing.broken
	                    ? SRDMA_ESEAL
	                    : open_next(session, head, sealed, length, out);

	if (!error)
		return 0;
	session->sealing.broken = true;
	if (error != SRDMA_ESEAL)
		return error;
	return fail(
	        error,
	        "seal broken: a message from %s was altered, repeated, left out or put "
	        "in another's place on its way: do not trust the network in between",
	        session->name);
}
