/* SPDX-License-Identifier: BSD-2-Clause */
/* Operations on the endpoint: how they start, and how each ends exactly once. */
#include "session/data.h"

#include <stdlib.h>
#include <string.h>

#include "session/error.h"
#include "session/memory.h"
#include "session/sizes.h"

/* How long the TLS channel has to tell why the QP failed, when the QP shows it first. */
#define BROKEN_GRACE_MS 250

#define INLINE_MOST 256 /* of what devices offer */

unsigned data_in_flight(const struct srdma_session *session)
{
	return (unsigned)(session->data.posted - session->data.completed);
}

int data_open(struct srdma_session *session, const struct frame_hello *peer)
{
	const uint64_t *number = session->worker->options.number;
	struct data *data = &session->data;

	data->depth = (unsigned)number[SRDMA_OPT_SEND_DEPTH];
	data->ring = data->depth + SPARE_SENDS;
	data->window = (unsigned)number[SRDMA_OPT_CREDITS];
	data->peer_window = peer->credits;
	data->credits = peer->credits;
	data->message_max = peer->message_size;
	data->ops = calloc(data->ring, sizeof(*data->ops));
	if (!data->ops)
		return fail(SRDMA_ENOMEM, "out of memory for a session's operations");
	return 0;
}

static unsigned lesser(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/*
 * Posting
 */

/* The operation is under way, or the session fails. */
static int started(struct srdma_session *session, const struct op *op, int error)
{
	struct data *data = &session->data;

	if (error) {
		session_fail(session, error);
		return error;
	}
	data->ops[data->posted % data->ring] = *op;
	data->posted++;
	data->callers += op->kind != 0;
	return 0;
}

static int post(struct srdma_session *session, struct outgoing *outgoing,
                const struct op *op)
{
	struct endpoint *endpoint = session->endpoint;

	outgoing->sequence = session->data.posted;
	return started(session, op, endpoint->transport->send(endpoint, outgoing));
}

int data_block(struct srdma_session *session)
{
	session->data.blocked = true;
	session->stats.blocked++;
	return fail(SRDMA_EBLOCKED, "%s cannot take more now", session->name);
}

/*
 * Where a message is put together: on the stack when it is short, else in the slab. A
 * short one in clear stays where it is.
 */
static int assemble(struct srdma_session *session, const struct message *message,
                    bool sealed, uint8_t *to, struct outgoing *outgoing)
{
	size_t length = message->prefix_length + message->length;

	outgoing->word = message_encode(message->head);
	outgoing->length = (uint32_t)length;
	outgoing->data = to;
	if (sealed) {
		outgoing->length += SEAL_TAG;
		return sealing_close(session, message, to, &outgoing->word);
	}
	if (outgoing->region)
		memcpy(to, message->data, length);
	else
		outgoing->data = message->data;
	return 0;
}

int data_send(struct srdma_session *session, const struct message *message,
              const struct op *op)
{
	struct data *data = &session->data;
	bool sealed = sealing_is_on(session) && message->head.type != MESSAGE_PROOF;
	size_t size = message->prefix_length + message->length + (sealed ? SEAL_TAG : 0);
	uint8_t small[INLINE_MOST];
	bool is_inline = size <= session->endpoint->inline_max && size <= sizeof(small);
	struct outgoing outgoing = { .region = is_inline ? NULL : &data->slab };
	struct op with_slab = *op;
	int error = 0;

	if (!is_inline && !data->slab.handle)
		error = slab_create(session);
	if (error)
		return error;
	if (!is_inline && !slab_room(data))
		return data_block(session);
	with_slab.slab = !is_inline;
	error = assemble(session, message, sealed, is_inline ? small : slab_slot(data),
	                 &outgoing);
	if (error) {
		session_fail(session, error);
		return error;
	}
	error = post(session, &outgoing, &with_slab);
	if (error)
		return error;
	if (with_slab.slab)
		slab_take(data);
	data->sent += message_counts(message->head.type);
	messages_credits_told(session, message->head.credits);
	return 0;
}

int data_send_own(struct srdma_session *session, const struct message *message)
{
	static const struct op own = { 0 };

	if (data_in_flight(session) == session->data.ring || sealing_is_held(session))
		return SRDMA_EBLOCKED;
	return data_send(session, message, &own);
}

int data_send_proof(struct srdma_session *session, const uint8_t *proof, size_t length)
{
	const struct message message = { .head = { .type = MESSAGE_PROOF },
		                         .data = proof,
		                         .length = length };

	return data_send_own(session, &message);
}

/* The entries that are spare in the ring stay for what is not the caller's. */
static unsigned room(const struct srdma_session *session)
{
	const struct data *data = &session->data;
	unsigned in_flight = data_in_flight(session);

	if (data->callers >= data->depth || in_flight >= data->depth ||
	    sealing_is_held(session) || staged_holds_back(session))
		return 0;
	return lesser(data->depth - data->callers, data->depth - in_flight);
}

unsigned data_requests(const struct srdma_session *session)
{
	const struct data *data = &session->data;
	unsigned in_flight = data_in_flight(session);
	unsigned left = in_flight < data->depth ? data->depth - in_flight : 0;

	if (sealing_is_held(session))
		return 0;
	return lesser(lesser(left, data->credits), slab_room(data));
}

bool data_is_writable(const struct srdma_session *session)
{
	return srdma_session_writable(session) > 0;
}

unsigned srdma_session_writable(const struct srdma_session *session)
{
	const struct data *data = &session->data;

	if (session->phase != PHASE_OPEN || session->failure || data->broken)
		return 0;
	return lesser(lesser(room(session), slab_room(data)), data->credits);
}

static int check_message(struct srdma_session *session, size_t length)
{
	int error = session_check_open(session);

	if (error)
		return error;
	if (length > session->data.message_max)
		return fail(SRDMA_EINVAL, "a message of %zu bytes: %s takes at most %zu",
		            length, session->name, session->data.message_max);
	if (!session->data.credits || !room(session))
		return data_block(session);
	return 0;
}

static int send_data(struct srdma_session *session, const void *data, size_t length,
                     const struct op *op)
{
	const struct message message = {
		.head = { .type = MESSAGE_DATA, .credits = (uint16_t)session->data.owed },
		.data = data,
		.length = length,
	};
	int error = data_send(session, &message, op);

	if (!error)
		session->data.credits--;
	return error;
}

int srdma_send(struct srdma_session *session, const void *data, size_t length, void *op)
{
	const struct op copy = { .user = op, .bytes = length, .kind = SRDMA_OP_SEND };
	int error = check_message(session, length);

	return error ? error : send_data(session, data, length, &copy);
}

int data_access(struct srdma_session *session, struct srdma_buffer *buffer, size_t offset,
                uint64_t address, uint64_t key, const struct op *op)
{
	struct endpoint *endpoint = session->endpoint;
	struct op with_buffer = *op;
	struct access access = {
		.sequence = session->data.posted,
		.region = &buffer->region,
		.length = (uint32_t)op->bytes,
		.write = op->kind == SRDMA_OP_WRITE,
		.address = address,
		.key = key,
	};
	int error;

	if (!room(session))
		return data_block(session);
	access.data = memory_use(buffer, offset);
	with_buffer.buffer = buffer;
	error = started(session, &with_buffer,
	                endpoint->transport->access(endpoint, &access));
	if (error)
		memory_unuse(buffer);
	return error;
}

/*
 * Windows take of the spare entries, which callers leave free, so that they have their
 * turn however busy a caller is; the last one stays for a CREDIT.
 */
static int move_window(struct srdma_session *session, struct srdma_grant *grant,
                       const struct exposure *exposure,
                       int (*move)(struct endpoint *, const struct exposure *, uint64_t))
{
	const struct op op = { .user = grant, .window = true };
	struct data *data = &session->data;

	if (data->broken || data_in_flight(session) + 1 >= data->ring)
		return SRDMA_EBLOCKED;
	return started(session, &op, move(session->endpoint, exposure, data->posted));
}

int data_bind(struct srdma_session *session, struct srdma_grant *grant,
              const struct exposure *exposure)
{
	return move_window(session, grant, exposure, session->endpoint->transport->bind);
}

int data_unbind(struct srdma_session *session, struct srdma_grant *grant,
                const struct exposure *exposure)
{
	return move_window(session, grant, exposure,
	                   session->endpoint->transport->unbind);
}

/* In clear: the device takes it from where it is. */
static int send_in_place(struct srdma_session *session, struct srdma_buffer *buffer,
                         size_t offset, size_t length, const struct op *op)
{
	struct data *data = &session->data;
	struct message_head head = { .type = MESSAGE_DATA,
		                     .credits = (uint16_t)data->owed };
	struct outgoing outgoing = {
		.data = memory_use(buffer, offset),
		.region = &buffer->region,
		.length = (uint32_t)length,
		.word = message_encode(head),
	};
	int error = post(session, &outgoing, op);

	if (error) {
		memory_unuse(buffer);
		return error;
	}
	data->sent++;
	data->credits--;
	messages_credits_told(session, head.credits);
	return 0;
}

/* Sealed from where it is, into the slab. */
static int send_sealed(struct srdma_session *session, struct srdma_buffer *buffer,
                       size_t offset, size_t length, const struct op *op)
{
	int error = send_data(session, memory_use(buffer, offset), length, op);

	if (error)
		memory_unuse(buffer);
	return error;
}

int srdma_send_buffer(struct srdma_session *session, struct srdma_buffer *buffer,
                      size_t offset, size_t length, void *op)
{
	const struct op send = {
		.user = op, .buffer = buffer, .bytes = length, .kind = SRDMA_OP_SEND
	};
	int error = check_message(session, length);

	if (!error)
		error = memory_check_range(buffer, offset, length);
	if (error)
		return error;
	return sealing_is_on(session)
	               ? send_sealed(session, buffer, offset, length, &send)
	               : send_in_place(session, buffer, offset, length, &send);
}

/*
 * Ending
 */

static void count(struct srdma_session *session, const struct op *op)
{
	struct srdma_worker_stats *all = &session->worker->stats;
	struct srdma_session_stats *own = &session->stats;

	switch (op->kind) {
	case SRDMA_OP_SEND:
		own->messages_sent++;
		own->bytes_sent += op->bytes;
		all->messages_sent++;
		all->bytes_sent += op->bytes;
		break;
	case SRDMA_OP_WRITE:
		own->writes++;
		own->bytes_written += op->bytes;
		all->bytes_written += op->bytes;
		break;
	case SRDMA_OP_READ:
		own->reads++;
		own->bytes_read += op->bytes;
		all->bytes_read += op->bytes;
		break;
	default: break;
	}
}

void data_finish(struct srdma_session *session, const struct op *op, int status)
{
	struct data *data = &session->data;
	const struct srdma_completion completion = {
		.kind = op->kind, .status = status, .op = op->user, .bytes = op->bytes
	};

	data->callers -= op->kind != 0;
	if (op->slab)
		data->slab_used--;
	if (op->window)
		memory_window_moved(op->user, status);
	if (op->buffer)
		memory_unuse(op->buffer);
	if (!status)
		count(session, op);
	if (op->user && op->kind && session->handlers->on_complete)
		session->handlers->on_complete(session, &completion, session->user);
	/* After the callback: a revoke waits for the completions of its region. */
	if (op->remote && !session->ended)
		remote_unuse(session, op->remote);
}

/* Take the oldest operation off the ring. */
static void complete(struct srdma_session *session, int status)
{
	struct data *data = &session->data;
	struct op op = data->ops[data->completed % data->ring];

	data->completed++;
	if (data->awaited == data->completed)
		data->awaited_status = status;
	data_finish(session, &op, status);
}

static void sent(struct endpoint *endpoint, uint64_t sequence)
{
	struct srdma_session *session = endpoint->owner;
	struct data *data = &session->data;

	if (data->completed == data->posted || sequence != data->completed) {
		session_fail(session,
		             fail(SRDMA_EINTERNAL, "a completion out of order on %s",
		                  endpoint->transport->device(endpoint)));
		return;
	}
	complete(session, 0);
	if (!session->failure)
		data_unblocked(session);
}

void data_unblocked(struct srdma_session *session)
{
	staged_advance(session);
	memory_advance(session);
	messages_return_credits(session);
	if (session->data.blocked || session->phase == PHASE_CLOSING)
		session_needs_attention(session);
}

/*
 * A peer that ends makes our queue pair fail, and says so over TLS, in an order that
 * nobody knows: the better sentence gets its chance.
 */
void data_break(struct srdma_session *session, int code)
{
	struct data *data = &session->data;

	if (data->broken || session->failure)
		return;
	data->broken = true;
	data->broken_code = code;
	data->broken_reason = strdup(srdma_detail());
	session_set_timer(session, BROKEN_GRACE_MS);
}

void data_broke_for_good(struct srdma_session *session)
{
	struct data *data = &session->data;

	session_fail(session, fail(data->broken_code, "%s",
	                           data->broken_reason ? data->broken_reason : ""));
}

static void received(struct endpoint *endpoint, struct srdma_message *message,
                     const struct arrival *arrival)
{
	messages_received(endpoint->owner, message, arrival);
}

static void broke(struct endpoint *endpoint, int code)
{
	data_break(endpoint->owner, code);
}

const struct endpoint_events data_events = { sent, received, broke };

void data_end(struct srdma_session *session)
{
	while (data_in_flight(session))
		complete(session, session->failure);
	staged_end(session);
	free(session->data.ops);
	session->data.ops = NULL;
	slab_free(session);
	free(session->data.broken_reason);
	session->data.broken_reason = NULL;
}

void data_free(struct srdma_session *session)
{
	messages_free(session);
}
