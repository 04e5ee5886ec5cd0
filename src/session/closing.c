/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The end in order. TLS may overtake the queue pair, so each side says how many messages
 * it sent on that, and the other goes on only when it has them all:
 *
 *   the side that closes              the other
 *     (own operations end)
 *     CLOSE n                 ->
 *                                     (n messages received, own operations end)
 *                             <-      CLOSE_ACK m
 *     (m messages received)
 *     FIN                     ->      done: closes the channel
 *     (end of the channel) done
 *
 * Both may send CLOSE at once; then both acknowledge and both send FIN.
 */
#include "session/error.h"
#include "session/session.h"

static void start(struct srdma_session *session)
{
	session->phase = PHASE_CLOSING;
	session_set_timer(session,
	                  session->worker->options.number[SRDMA_OPT_CLOSE_TIMEOUT]);
	session_needs_attention(session);
}

void closing_begin(struct srdma_session *session)
{
	if (session->phase != PHASE_OPEN)
		return;
	session->closing.local = true;
	start(session);
}

bool closing_is_over(const struct srdma_session *session)
{
	return session->closing.fin_sent;
}

static int take_total(struct srdma_session *session, uint64_t total)
{
	struct closing *closing = &session->closing;
	bool known = closing->peer || closing->ack_received;

	if (total < session->data.received || (known && total != closing->peer_total))
		return fail(SRDMA_EPROTOCOL, "%s miscounted its messages", session->name);
	closing->peer_total = total;
	return 0;
}

static int take_close(struct srdma_session *session, uint64_t total)
{
	struct closing *closing = &session->closing;
	int error;

	if (closing->peer)
		return fail(SRDMA_EPROTOCOL, "%s sent CLOSE twice", session->name);
	error = take_total(session, total);
	if (error)
		return error;
	closing->peer = true;
	if (session->phase == PHASE_OPEN)
		start(session);
	if (session->handlers->on_closing)
		session->handlers->on_closing(session, session->user);
	return 0;
}

static int take_ack(struct srdma_session *session, uint64_t total)
{
	struct closing *closing = &session->closing;
	int error;

	if (!closing->sent || closing->ack_received)
		return fail(SRDMA_EPROTOCOL, "%s sent CLOSE_ACK out of place",
		            session->name);
	error = take_total(session, total);
	if (!error)
		closing->ack_received = true;
	return error;
}

static int take_fin(struct srdma_session *session)
{
	if (!session->closing.ack_sent)
		return fail(SRDMA_EPROTOCOL, "%s sent FIN out of place", session->name);
	session->closing.done = true;
	session_fail(session, fail(SRDMA_ECLOSED, "closed"));
	return 0;
}

void closing_frame(struct srdma_session *session, const struct frame *frame)
{
	int error;

	if (frame->type == FRAME_CLOSE)
		error = take_close(session, frame->count);
	else if (frame->type == FRAME_CLOSE_ACK)
		error = take_ack(session, frame->count);
	else
		error = take_fin(session);
	if (error)
		session_fail(session, error);
	else
		session_needs_attention(session);
}

static void tell_total(struct srdma_session *session, enum frame_type type)
{
	session_send(session,
	             &(struct frame){ .type = type, .count = session->data.sent });
}

void closing_advance(struct srdma_session *session)
{
	struct closing *closing = &session->closing;
	bool all = session->data.received == closing->peer_total;

	if (data_in_flight(session) || staged_is_busy(session))
		return;
	if (closing->local && !closing->sent && !closing->peer) {
		closing->sent = true;
		tell_total(session, FRAME_CLOSE);
	}
	if (closing->peer && !closing->ack_sent && all) {
		closing->ack_sent = true;
		tell_total(session, FRAME_CLOSE_ACK);
	}
	if (closing->ack_received && !closing->fin_sent && all &&
	    (!closing->peer || closing->ack_sent)) {
		session_send(session, &(struct frame){ .type = FRAME_FIN });
		closing->fin_sent = true;
		if (!session->failure)
			tls_close_notify(session->control.tls);
	}
}
