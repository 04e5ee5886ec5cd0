/* SPDX-License-Identifier: BSD-2-Clause */
/* Messages that come in, and the credits that bound them. */
#include "common/log.h"
#include "session/data.h"
#include "session/error.h"

/*
 * Credits
 */

void messages_credits_told(struct srdma_session *session, uint16_t credits)
{
	session->data.owed -= credits;
	session->data.uncredited -= credits;
}

/* Who closes, or agreed to, sends nothing more that would need any. */
static bool needs_credits(const struct srdma_session *session)
{
	return session->phase >= PHASE_OPEN && !session->closing.peer &&
	       !session->closing.ack_received;
}

/*
 * At half of the window a message of their own carries them: late enough to be few, early
 * enough that a steady sender is not held up.
 */
void messages_return_credits(struct srdma_session *session)
{
	struct data *data = &session->data;
	const struct message message = { .head = { .type = MESSAGE_CREDIT,
		                                   .credits = (uint16_t)data->owed } };

	if (data->owed >= (data->window + 1) / 2 && !data->broken && !session->failure &&
	    needs_credits(session))
		data_send_own(session, &message);
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
	if ((session->data.broken || session->failure) && !message->pool->shared)
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
	list_splice(&data->held, &session->staged.requests);
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

/* It takes a credit, which the peer must have. */
static int take_credited(struct srdma_session *session)
{
	struct data *data = &session->data;

	if (data->uncredited == data->window)
		return fail(SRDMA_EPROTOCOL,
		            "%s sent more messages than it had credits for",
		            session->name);
	data->uncredited++;
	return 0;
}

static int take_data(struct srdma_session *session, struct srdma_message *message)
{
	int error = take_credited(session);

	if (error)
		return error;
	session->stats.messages_received++;
	session->stats.bytes_received += message->length;
	session->worker->stats.messages_received++;
	session->worker->stats.bytes_received += message->length;
	deliver(session, message);
	return 0;
}

static int take_request(struct srdma_session *session, struct srdma_message *message,
                        enum message_type type)
{
	int error = take_credited(session);

	return error ? error : staged_request(session, message, type);
}

static int take_credit(struct srdma_session *session, struct srdma_message *message,
                       uint16_t credits)
{
	if (message->length || !credits)
		return fail(SRDMA_EPROTOCOL, "%s sent a malformed CREDIT", session->name);
	repost(session, message);
	return 0;
}

/* The buffer first: the caller may free the session when it learns of the end. */
static int take_answer(struct srdma_session *session, struct srdma_message *message,
                       enum message_type type)
{
	size_t length = message->length;
	int error;

	repost(session, message);
	error = staged_answered(session, type, length);
	if (error)
		session_fail(session, error);
	return 0;
}

/* In its own place, but for what the caller asked to have elsewhere. */
static int open_message(struct srdma_session *session, struct srdma_message *message,
                        struct message_head head)
{
	size_t length = message->length < SEAL_TAG ? 0 : message->length - SEAL_TAG;
	uint8_t *to = staged_destination(session, head.type, length);
	int error = sealing_open(session, head, message->data, message->length,
	                         to ? to : message->data);

	message->length = (uint32_t)length;
	return error;
}

static int check_message(const struct srdma_session *session,
                         const struct srdma_message *message, struct message_head head)
{
	size_t most = session->worker->options.number[SRDMA_OPT_MESSAGE_SIZE];

	if (head.type == MESSAGE_WRITE)
		most += MESSAGE_REQUEST;
	if (message->length > most)
		return fail(SRDMA_EPROTOCOL, "%s sent a message larger than agreed",
		            session->name);
	if (head.type != MESSAGE_PROOF &&
	    !(session->attested & SRDMA_ATTESTED_PROOF_RECEIVED))
		return fail(SRDMA_EPROTOCOL, "%s sent data before its proof",
		            session->name);
	return 0;
}

static int take_by_type(struct srdma_session *session, struct srdma_message *message,
                        struct message_head head)
{
	switch (head.type) {
	case MESSAGE_DATA: return take_data(session, message);
	case MESSAGE_WRITE:
	case MESSAGE_READ: return take_request(session, message, head.type);
	case MESSAGE_WRITTEN:
	case MESSAGE_READ_DATA: return take_answer(session, message, head.type);
	case MESSAGE_CREDIT: return take_credit(session, message, head.credits);
	default: break;
	}
	handshake_proof(session, message->data, message->length);
	repost(session, message);
	return 0;
}

static int take_message(struct srdma_session *session, struct srdma_message *message,
                        const struct arrival *arrival)
{
	bool sealed = sealing_is_on(session);
	struct message_head head;
	int error = 0;

	if (!arrival->valid || !message_parse(arrival->word, sealed, &head))
		return fail(sealed ? SRDMA_ESEAL : SRDMA_EPROTOCOL,
		            "%s%s sent a message without a valid head",
		            sealed ? "seal broken: " : "", session->name);
	message->length = arrival->length;
	if (sealed && head.type != MESSAGE_PROOF)
		error = open_message(session, message, head);
	if (!error)
		error = check_message(session, message, head);
	if (error)
		return error;
	if (sealed && head.type == MESSAGE_PROOF &&
	    session->attested & SRDMA_ATTESTED_PROOF_RECEIVED)
		return fail(SRDMA_ESEAL, "seal broken: %s sent a message in clear",
		            session->name);
	session->data.received += message_counts(head.type);
	if (!take_credits(session, head.credits))
		return fail(SRDMA_EPROTOCOL, "%s gave back credits that were not taken",
		            session->name);
	return take_by_type(session, message, head);
}

void messages_received(struct srdma_session *session, struct srdma_message *message,
                       const struct arrival *arrival)
{
	int error = 0;

	message->session = session;
	list_init(&message->node);
	session->heard = true;
	/* A buffer that was not used, or one of a session that has failed: nobody's
	 * message. */
	if (!arrival || session->sealing.broken ||
	    (session->failure && !session->established)) {
		repost(session, message);
		return;
	}
	error = take_message(session, message, arrival);
	if (error) {
		session->sealing.broken |= error == SRDMA_ESEAL;
		repost(session, message);
		session_fail(session, error);
	} else if (!session->failure) {
		staged_advance(session);
		if (session->phase == PHASE_CLOSING)
			session_needs_attention(session);
	}
}
