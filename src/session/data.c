/* SPDX-License-Identifier: BSD-2-Clause */
/* Operations on the queue pair: how they start, and how each ends exactly once. */
#include "session/data.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "session/error.h"

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
	data->ring = data->depth + ENDPOINT_SPARE_SENDS;
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

static int post(struct srdma_session *session, struct ibv_send_wr *wr,
                const struct op *op)
{
	struct data *data = &session->data;
	struct ibv_send_wr *bad;
	int error;

	wr->wr_id = ENDPOINT_SEND_ID(data->posted);
	error = ibv_post_send(session->endpoint.qp, wr, &bad);
	if (error) {
		error = fail(SRDMA_ESYSTEM, "cannot post to the queue pair of %s: %s",
		             session->name, errno_text(error));
		session_fail(session, error);
		return error;
	}
	data->ops[data->posted % data->ring] = *op;
	data->posted++;
	data->callers += op->kind != 0;
	return 0;
}

int data_block(struct srdma_session *session)
{
	session->data.blocked = true;
	session->stats.blocked++;
	return fail(SRDMA_EBLOCKED, "%s cannot take more now", session->name);
}

/*
 * Where a message is put together: on the stack when it goes inline, else in the slab.
 * What goes inline in clear stays where it is.
 */
static int assemble(struct srdma_session *session, const struct message *message,
                    bool sealed, uint8_t *to, struct ibv_sge *sge, uint32_t *word)
{
	size_t length = message->prefix_length + message->length;

	*word = message_encode(message->head);
	sge->length = (uint32_t)length;
	sge->addr = (uintptr_t)to;
	if (sealed) {
		sge->length += SEAL_TAG;
		return sealing_close(session, message, to, word);
	}
	if (sge->lkey)
		memcpy(to, message->data, length);
	else
		sge->addr = (uintptr_t)message->data;
	return 0;
}

int data_send(struct srdma_session *session, const struct message *message,
              const struct op *op)
{
	struct data *data = &session->data;
	bool sealed = sealing_is_on(session) && message->head.type != MESSAGE_PROOF;
	size_t size = message->prefix_length + message->length + (sealed ? SEAL_TAG : 0);
	uint8_t small[INLINE_MOST];
	bool is_inline = size <= session->endpoint.inline_max && size <= sizeof(small);
	struct ibv_sge sge = { 0 };
	struct ibv_send_wr wr = {
		.sg_list = &sge,
		.num_sge = size ? 1 : 0,
		.opcode = IBV_WR_SEND_WITH_IMM,
		.send_flags = is_inline && size ? IBV_SEND_INLINE : 0,
	};
	struct op with_slab = *op;
	uint32_t word;
	int error = 0;

	if (!is_inline && !data->slab)
		error = slab_create(session);
	if (error)
		return error;
	if (!is_inline && !slab_room(data))
		return data_block(session);
	with_slab.slab = !is_inline;
	if (with_slab.slab)
		sge.lkey = data->slab->lkey;
	error = assemble(session, message, sealed, is_inline ? small : slab_slot(data),
	                 &sge, &word);
	if (error) {
		session_fail(session, error);
		return error;
	}
	wr.imm_data = htonl(word);
	error = post(session, &wr, &with_slab);
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

int data_post(struct srdma_session *session, struct ibv_send_wr *wr,
              struct srdma_buffer *buffer, size_t offset, size_t length,
              const struct op *op)
{
	struct op with_buffer = *op;
	struct ibv_sge sge;
	int error;

	if (session->data.callers >= session->data.depth)
		return data_block(session);
	memory_use(buffer, offset, length, &sge);
	wr->sg_list = &sge;
	wr->num_sge = length ? 1 : 0;
	with_buffer.buffer = buffer;
	with_buffer.bytes = length;
	error = post(session, wr, &with_buffer);
	if (error)
		memory_unuse(buffer);
	return error;
}

/* In clear: the device takes it from where it is. */
static int send_in_place(struct srdma_session *session, struct srdma_buffer *buffer,
                         size_t offset, size_t length, const struct op *op)
{
	struct data *data = &session->data;
	struct message_head head = { .type = MESSAGE_DATA,
		                     .credits = (uint16_t)data->owed };
	struct ibv_send_wr wr = {
		.opcode = IBV_WR_SEND_WITH_IMM,
		.imm_data = htonl(message_encode(head)),
	};
	int error = data_post(session, &wr, buffer, offset, length, op);

	if (error)
		return error;
	data->sent++;
	data->credits--;
	messages_credits_told(session, head.credits);
	return 0;
}

/* Sealed from where it is, into the slab. */
static int send_sealed(struct srdma_session *session, struct srdma_buffer *buffer,
                       size_t offset, size_t length, const struct op *op)
{
	struct op with_buffer = *op;
	struct ibv_sge range;
	int error;

	memory_use(buffer, offset, length, &range);
	with_buffer.buffer = buffer;
	with_buffer.bytes = length;
	error = send_data(session, (const void *)(uintptr_t)range.addr, length,
	                  &with_buffer);
	if (error)
		memory_unuse(buffer);
	return error;
}

int srdma_send_buffer(struct srdma_session *session, struct srdma_buffer *buffer,
                      size_t offset, size_t length, void *op)
{
	const struct op send = { .user = op, .kind = SRDMA_OP_SEND };
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

static void send_completed(struct srdma_session *session, const struct ibv_wc *wc)
{
	struct data *data = &session->data;

	if (data->completed == data->posted ||
	    wc->wr_id != ENDPOINT_SEND_ID(data->completed)) {
		session_fail(session,
		             fail(SRDMA_EINTERNAL, "a completion out of order on %s",
		                  adapter_name(session->endpoint.adapter)));
		return;
	}
	complete(session, 0);
	if (!session->failure)
		data_unblocked(session);
}

void data_unblocked(struct srdma_session *session)
{
	staged_advance(session);
	messages_return_credits(session);
	if (session->data.blocked || session->phase == PHASE_CLOSING)
		session_needs_attention(session);
}

/* IBA 11.6.2: what the device says of a failed work request, as a sentence. */
static int failed_sentence(const struct srdma_session *session, enum ibv_wc_status status)
{
	const char *name = session->name;

	switch (status) {
	case IBV_WC_RETRY_EXC_ERR:
		return fail(SRDMA_ENETWORK,
		            "the queue pair of %s does not answer: it is gone, or "
		            "packets do not "
		            "get through",
		            name);
	case IBV_WC_RNR_RETRY_EXC_ERR:
		return fail(SRDMA_ENETWORK, "%s provides no receive buffers", name);
	case IBV_WC_REM_ACCESS_ERR:
		return fail(SRDMA_ENETWORK,
		            "the device of %s refused an access: it does not grant that "
		            "memory, or "
		            "took it back",
		            name);
	case IBV_WC_REM_INV_REQ_ERR:
	case IBV_WC_REM_OP_ERR:
		return fail(SRDMA_ENETWORK, "the device of %s refused an operation (%s)",
		            name, ibv_wc_status_str(status));
	case IBV_WC_LOC_LEN_ERR:
		return fail(SRDMA_EPROTOCOL, "%s sent a message larger than agreed",
		            name);
	case IBV_WC_WR_FLUSH_ERR:
		return fail(SRDMA_ENETWORK, "the queue pair to %s failed", name);
	default:
		return fail(SRDMA_ENETWORK, "the queue pair to %s failed: %s", name,
		            ibv_wc_status_str(status));
	}
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

void data_broke(struct endpoint *endpoint, const char *why)
{
	struct srdma_session *session =
	        container_of(endpoint, struct srdma_session, endpoint);

	data_break(session, fail(SRDMA_ENETWORK, "the queue pair to %s failed: %s",
	                         session->name, why));
}

void data_completed(struct endpoint *endpoint, const struct ibv_wc *wc)
{
	struct srdma_session *session =
	        container_of(endpoint, struct srdma_session, endpoint);

	if (wc->status != IBV_WC_SUCCESS)
		data_break(session, failed_sentence(session, wc->status));
	if (!ENDPOINT_IS_SEND(wc->wr_id))
		messages_received(session, (struct srdma_message *)(uintptr_t)wc->wr_id,
		                  wc);
	else if (wc->status == IBV_WC_SUCCESS)
		send_completed(session, wc);
	/* Failed sends stay on the ring: they end with the session, and with its reason.
	 */
}

void data_end(struct srdma_session *session)
{
	while (data_in_flight(session))
		complete(session, session->failure);
	staged_end(session);
	free(session->data.ops);
	session->data.ops = NULL;
	slab_free(&session->data);
	free(session->data.broken_reason);
	session->data.broken_reason = NULL;
}

void data_free(struct srdma_session *session)
{
	messages_free(session);
}
