/* SPDX-License-Identifier: BSD-2-Clause */
/* Control frames once a session is established, and those that can come at any time. */
#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>

#include "common/log.h"
#include "session/error.h"
#include "session/session.h"

#define ROUND    64 /* frames handled before others get their turn */
#define PATIENCE 3  /* unanswered probes */

/* What a failure of ours is for the peer, and what the peer's is for us. */
static const struct {
	uint16_t reason;
	int ours;
	int theirs;
} reasons[] = {
	{ FRAME_REFUSED, SRDMA_EREFUSED, SRDMA_EREFUSED },
	{ FRAME_BUSY, SRDMA_ELIMIT, SRDMA_EREFUSED },
	{ FRAME_BUSY, SRDMA_ENOMEM, SRDMA_EREFUSED },
	{ FRAME_MISMATCH, SRDMA_EVERSION, SRDMA_EVERSION },
	{ FRAME_VIOLATION, SRDMA_EPROTOCOL, SRDMA_EPROTOCOL },
	{ FRAME_NO_DEVICE, SRDMA_ENODEVICE, SRDMA_EREFUSED },
	{ FRAME_LATE, SRDMA_ETIMEOUT, SRDMA_ETIMEOUT },
	{ FRAME_ABORTED, SRDMA_ECLOSED, SRDMA_EVANISHED },
	{ FRAME_UNPROVEN, SRDMA_EPROOF, SRDMA_EPROOF },
	{ FRAME_UNSEALED, SRDMA_ESEAL, SRDMA_ESEAL },
	{ FRAME_CERTIFICATE, SRDMA_ECERT, SRDMA_ECERT },
	{ FRAME_FAILED, 0, SRDMA_EVANISHED }, /* whatever else */
};

/* Faults of our own machine are not the peer's business in detail. */
void frames_tell_failure(struct srdma_session *session, int code, const char *text)
{
	struct frame frame = { .type = FRAME_ERROR };
	size_t i = 0;

	if (code == SRDMA_EVANISHED || session->closing.fin_sent || session->closing.done)
		return;
	while (reasons[i].ours && reasons[i].ours != code)
		i++;
	frame.error.reason = reasons[i].reason;
	snprintf(frame.error.text, sizeof(frame.error.text), "%s",
	         reasons[i].ours ? text : srdma_strerror(code));
	control_send(&session->control, &frame, NULL, NULL);
}

static void peer_failed(struct srdma_session *session, const struct frame_error *error)
{
	size_t i = 0;

	while (reasons[i].ours && reasons[i].reason != error->reason)
		i++;
	session_fail(session, fail(reasons[i].theirs, "%s ended the session: %s",
	                           session->name, error->text));
}

static void unexpected(struct srdma_session *session, const struct frame *frame)
{
	session_fail(session, fail(SRDMA_EPROTOCOL, "%s sent %s out of place",
	                           session->name, frame_name(frame->type)));
}

static void open_frame(struct srdma_session *session, const struct frame *frame)
{
	switch (frame->type) {
	case FRAME_GRANT: remote_granted(session, &frame->grant); break;
	case FRAME_REVOKE: remote_revoked(session, frame->id); break;
	case FRAME_REVOKED: memory_revoked(session, frame->id); break;
	case FRAME_REKEY:
	case FRAME_REKEYED: sealing_frame(session, frame); break;
	case FRAME_CLOSE:
	case FRAME_CLOSE_ACK:
	case FRAME_FIN: closing_frame(session, frame); break;
	case FRAME_PING:
		session_send(session, &(struct frame){ .type = FRAME_PONG,
		                                       .count = frame->count });
		break;
	case FRAME_PONG: break;
	default: unexpected(session, frame); break;
	}
}

static void handle(struct srdma_session *session, const struct frame *frame,
                   const uint8_t *raw, size_t length)
{
	if (srdma_log_enabled(SRDMA_LOG_DEBUG)) {
		char text[256];

		frame_describe(frame, text, sizeof(text));
		log_debug("session#%llu: received %s", (unsigned long long)session->id,
		          text);
	}
	session->heard = true;
	if (frame->type == FRAME_ERROR)
		peer_failed(session, &frame->error);
	else if (session->phase < PHASE_OPEN)
		handshake_frame(session, frame, raw, length);
	else
		open_frame(session, frame);
}

static void stream_ended(struct srdma_session *session, int error)
{
	if (error == SRDMA_EPROTOCOL)
		fail(error, "%s violated the protocol: %s", session->name,
		     srdma_detail());
	else if (error == SRDMA_EVANISHED && closing_is_over(session))
		error = fail(SRDMA_ECLOSED, "closed");
	else if (error == SRDMA_EVANISHED && session->phase >= PHASE_OPEN)
		error = fail(SRDMA_EVANISHED, "%s went away without closing the session",
		             session->name);
	session_fail(session, error);
}

void frames_read(struct srdma_session *session)
{
	struct frame frame;
	const uint8_t *raw;
	size_t length;
	int error = control_flush(&session->control);

	if (error == SRDMA_EBLOCKED)
		error = 0;
	for (unsigned i = 0; i < ROUND && !error && !session->failure; i++) {
		if (session->handshake && session->handshake->paused)
			break;
		error = control_next(&session->control, &frame, &raw, &length);
		if (!error)
			handle(session, &frame, raw, length);
		OPENSSL_cleanse(&frame, sizeof(frame));
	}
	if (error && error != SRDMA_EBLOCKED)
		stream_ended(session, error);
	session->more = !error && !session->failure;
	if (session->more)
		session_needs_attention(session);
	session_update_events(session);
}

void frames_probe(struct srdma_session *session)
{
	uint64_t keepalive = session->worker->options.number[SRDMA_OPT_KEEPALIVE];

	data_rest(session);
	if (sealing_is_late(session)) {
		session_fail(session, fail(SRDMA_ETIMEOUT, "%s did not take a new key",
		                           session->name));
		return;
	}
	if (session->heard) {
		session->heard = false;
		session->probes = 0;
		session_set_timer(session, keepalive);
		return;
	}
	if (session->probes == PATIENCE) {
		session_fail(session,
		             fail(SRDMA_ETIMEOUT, "%s has been silent for %llu ms",
		                  session->name,
		                  (unsigned long long)keepalive * (PATIENCE + 1)));
		return;
	}
	session->probes++;
	session_send(session,
	             &(struct frame){ .type = FRAME_PING, .count = session->probes });
	session_set_timer(session, keepalive);
}
