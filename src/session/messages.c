/* SPDX-License-Identifier: BSD-2-Clause */
/* Messages that come in, and the credits that bound them. */
#include <arpa/inet.h>

#include "common/log.h"
#include "session/data.h"
#include "session/error.h"

/*
 * Credits
 */

uint16_t messages_take_owed(struct srdma_session *session)
{
	struct data *data = &session->data;
	unsigned owed = data->owed;

	data->owed = 0;
	data->uncredited -= owed;
	return (uint16_t)owed;
}

/*
 * At half of the window a message of their own carries them: late enough to be few, early
 * enough that a steady sender is not held up.
 */
void messages_return_credits(struct srdma_session *session)
{
	struct data *data = &session->data;
	int error;

	if (data->owed < (data->window + 1) / 2 || data->frozen || data->broken ||
	    session->failure || session->phase < PHASE_OPEN)
		return;
	error = data_send_own(
	        session, (struct message_head){ MESSAGE_CREDIT, (uint16_t)data->owed },
	        NULL, 0);
	if (!error)
		messages_take_owed(session);
}

static bool take_credits(struct srdma_session *session, uint16_t credits)
{
	struct data *data = &session->data;

	if (credits > data->peer_window - data->credits)
		return false;
	data->credits += credits;
	if (credits && data->blocked)
		session_needs_attention(session);
	return true;
}

/*
 * A buffer's way back
 */

/* What is posted to a failed queue pair comes straight back: its own buffers have served.
 */
static void repost(struct srdma_session *session, struct srdma_message *message)
{
	int error;

	list_remove(&message->node);
	message->session = NULL;
	if ((session->data.broken || session->failure) && !message->pool->srq)
		return;
	error = pool_post(message);
	if (error)
		session_fail(session, error);
}

void srdma_message_release(struct srdma_message *message)
{
	struct srdma_session *session = message->session;

	if (!session)
		return;
	repost(session, message);
	session->data.owed++;
	messages_return_credits(session);
}

void srdma_message_keep(struct srdma_message *message)
{
	message->kept = true;
}

const void *srdma_message_data(const struct srdma_message *message)
{
	return message->data;
}

size_t srdma_message_length(const struct srdma_message *message)
{
	return message->length;
}

void messages_free(struct srdma_session *session)
{
	struct data *data = &session->data;

	list_splice(&data->held, &data->inbox);
	while (!list_empty(&data->held)) {
		struct srdma_message *message =
		        container_of(data->held.next, struct srdma_message, node);

		list_remove(&message->node);
		if (pool_post(message))
			log_error("session#%llu: %s", (unsigned long long)session->id,
			          srdma_detail());
	}
}

/*
 * Arrival
 */

/* The callback may keep the message, release it, or free the session and all it has. */
static void hand_over(struct srdma_session *session, struct srdma_message *message)
{
	list_append(&session->data.held, &message->node);
	session->handlers->on_message(session, message, session->user);
	if (message->session == session && !message->kept)
		srdma_message_release(message);
}

static void deliver(struct srdma_session *session, struct srdma_message *message)
{
	if (session->established && session->handlers->on_message)
		hand_over(session, message);
	else
		list_append(&session->data.inbox, &message->node);
}

void data_deliver(struct srdma_session *session)
{
	struct list *inbox = &session->data.inbox;

	while (!session->freed && session->handlers->on_message && !list_empty(inbox)) {
		struct srdma_message *message =
		        container_of(inbox->next, struct srdma_message, node);

		list_remove(&message->node);
		hand_over(session, message);
	}
}

int srdma_recv(struct srdma_session *session, struct srdma_message **out)
{
	struct list *inbox = &session->data.inbox;
	struct srdma_message *message;

	if (list_empty(inbox) || !session->established) {
		if (session->failure)
			return session_check_open(session);
		return fail(SRDMA_EBLOCKED, "no message from %s yet", session->name);
	}
	message = container_of(inbox->next, struct srdma_message, node);
	list_remove(&message->node);
	list_append(&session->data.held, &message->node);
	message->kept = true;
	*out = message;
	return 0;
}

static int take_data(struct srdma_session *session, struct srdma_message *message)
{
	struct data *data = &session->data;

	if (!(session->attested & SRDMA_ATTESTED_PROOF_RECEIVED))
		return fail(SRDMA_EPROTOCOL, "%s sent data before its proof",
		            session->name);
	if (data->uncredited == data->window)
		return fail(SRDMA_EPROTOCOL,
		            "%s sent more messages than it had credits for",
		            session->name);
	data->uncredited++;
	session->stats.messages_received++;
	session->stats.bytes_received += message->length;
	session->worker->stats.messages_received++;
	session->worker->stats.bytes_received += message->length;
	deliver(session, message);
	return 0;
}

static int take_message(struct srdma_session *session, struct srdma_message *message,
                        const struct ibv_wc *wc)
{
	struct message_head head;

	if (wc->opcode != IBV_WC_RECV || !(wc->wc_flags & IBV_WC_WITH_IMM) ||
	    !message_parse(ntohl(wc->imm_data), &head))
		return fail(SRDMA_EPROTOCOL, "%s sent a message without a valid head",
		            session->name);
	message->length = wc->byte_len;
	session->data.received++;
	if (!take_credits(session, head.credits))
		return fail(SRDMA_EPROTOCOL, "%s gave back credits that were not taken",
		            session->name);
	if (head.type == MESSAGE_DATA)
		return take_data(session, message);
	if (head.type == MESSAGE_PROOF)
		handshake_proof(session, message->data, message->length);
	else if (message->length || !head.credits)
		return fail(SRDMA_EPROTOCOL, "%s sent a malformed CREDIT", session->name);
	repost(session, message);
	return 0;
}

void messages_received(struct srdma_session *session, struct srdma_message *message,
                       const struct ibv_wc *wc)
{
	int error = 0;

	message->session = session;
	list_init(&message->node);
	session->heard = true;
	/* A flushed or failed receive, or one of a session that has failed: nobody's
	 * message. */
	if (wc->status != IBV_WC_SUCCESS || (session->failure && !session->established)) {
		repost(session, message);
		return;
	}
	error = take_message(session, message, wc);
	if (error) {
		repost(session, message);
		session_fail(session, error);
	} else if (!session->failure && session->phase == PHASE_CLOSING) {
		session_needs_attention(session);
	}
}
