/* SPDX-License-Identifier: BSD-2-Clause */
/* Operations on the queue pair: how they start, and how each ends exactly once. */
#include "session/data.h"

#include <arpa/inet.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "common/log.h"
#include "session/device.h"
#include "session/error.h"

/* How long the TLS channel has to tell why the QP failed, when the QP shows it first. */
#define BROKEN_GRACE_MS 250

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

/*
 * The slab: registered copies of messages that are too large to go inline. In slots that
 * come free in the order in which they were taken.
 */

static unsigned lesser(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

static int create_slab(struct srdma_session *session)
{
	struct data *data = &session->data;
	unsigned slots = lesser(data->depth, data->peer_window) + 1;
	size_t size = slots * data->message_max;

	data->slab_memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
	                         MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (data->slab_memory == MAP_FAILED) {
		data->slab_memory = NULL;
		return fail(SRDMA_ENOMEM, "out of memory for messages to send");
	}
	data->slab_slots = slots;
	madvise(data->slab_memory, size, MADV_DONTFORK);
	data->slab = device_reg_mr(session->endpoint.pd, data->slab_memory, size, 0);
	if (data->slab)
		return 0;
	munmap(data->slab_memory, size);
	data->slab_memory = NULL;
	return fail(SRDMA_ENOMEM, "cannot register memory for messages to send");
}

static void free_slab(struct data *data)
{
	device_dereg_mr(data->slab);
	if (data->slab_memory)
		munmap(data->slab_memory, data->slab_slots * data->message_max);
	data->slab = NULL;
	data->slab_memory = NULL;
}

void data_rest(struct srdma_session *session)
{
	struct data *data = &session->data;

	if (!data->slab_busy && !data->slab_used)
		free_slab(data);
	data->slab_busy = false;
}

static void fill_slot(struct data *data, const void *from, size_t length,
                      struct ibv_sge *sge)
{
	uint8_t *slot = data->slab_memory + data->slab_next * data->message_max;

	memcpy(slot, from, length);
	*sge = (struct ibv_sge){ (uintptr_t)slot, (uint32_t)length, data->slab->lkey };
}

static void take_slot(struct data *data)
{
	data->slab_busy = true;
	data->slab_next = (data->slab_next + 1) % data->slab_slots;
	data->slab_used++;
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
	if (wr->opcode == IBV_WR_SEND_WITH_IMM)
		data->sent++;
	return 0;
}

static int block(struct srdma_session *session)
{
	session->data.blocked = true;
	session->stats.blocked++;
	return fail(SRDMA_EBLOCKED, "%s cannot take more now", session->name);
}

/* Small ones go inline, others by a copy in the slab: either way `from` is free
 * afterwards. */
static int send_copy(struct srdma_session *session, struct message_head head,
                     const void *from, size_t length, const struct op *op)
{
	struct data *data = &session->data;
	bool is_inline = length <= session->endpoint.inline_max;
	struct ibv_sge sge = { (uintptr_t)from, (uint32_t)length, 0 };
	struct ibv_send_wr wr = {
		.sg_list = &sge,
		.num_sge = length ? 1 : 0,
		.opcode = IBV_WR_SEND_WITH_IMM,
		.send_flags = is_inline && length ? IBV_SEND_INLINE : 0,
		.imm_data = htonl(message_encode(head)),
	};
	struct op with_slab = *op;
	int error;

	if (is_inline)
		return post(session, &wr, op);
	if (!data->slab) {
		error = create_slab(session);
		if (error)
			return error;
	}
	if (data->slab_used == data->slab_slots)
		return block(session);
	fill_slot(data, from, length, &sge);
	with_slab.slab = true;
	error = post(session, &wr, &with_slab);
	if (!error)
		take_slot(data);
	return error;
}

int data_send_own(struct srdma_session *session, struct message_head head,
                  const void *data, size_t length)
{
	static const struct op own = { 0 };

	if (data_in_flight(session) == session->data.ring)
		return SRDMA_EBLOCKED;
	return send_copy(session, head, data, length, &own);
}

int data_send_proof(struct srdma_session *session, const uint8_t *proof, size_t length)
{
	return data_send_own(session, (struct message_head){ MESSAGE_PROOF, 0 }, proof,
	                     length);
}

bool data_is_writable(const struct srdma_session *session)
{
	return srdma_session_writable(session) > 0;
}

unsigned srdma_session_writable(const struct srdma_session *session)
{
	const struct data *data = &session->data;
	unsigned room = data->depth - data->callers;

	if (session->phase != PHASE_OPEN || session->failure || data->broken)
		return 0;
	if (data->slab)
		room = lesser(room, data->slab_slots - data->slab_used);
	return lesser(room, data->credits);
}

static int check_message(struct srdma_session *session, size_t length)
{
	int error = session_check_open(session);

	if (error)
		return error;
	if (length > session->data.message_max)
		return fail(SRDMA_EINVAL, "a message of %zu bytes: %s takes at most %zu",
		            length, session->name, session->data.message_max);
	if (!session->data.credits || session->data.callers >= session->data.depth)
		return block(session);
	return 0;
}

static void sent(struct srdma_session *session)
{
	session->data.credits--;
}

int srdma_send(struct srdma_session *session, const void *data, size_t length, void *op)
{
	const struct op copy = { .user = op, .bytes = length, .kind = SRDMA_OP_SEND };
	int error = check_message(session, length);

	if (error)
		return error;
	error = send_copy(session,
	                  (struct message_head){ MESSAGE_DATA, session->data.owed }, data,
	                  length, &copy);
	if (!error) {
		messages_take_owed(session);
		sent(session);
	}
	return error;
}

int data_post(struct srdma_session *session, struct ibv_send_wr *wr,
              struct srdma_buffer *buffer, size_t offset, size_t length,
              const struct op *op)
{
	struct op with_buffer = *op;
	struct ibv_sge sge;
	int error;

	if (session->data.callers >= session->data.depth)
		return block(session);
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

int srdma_send_buffer(struct srdma_session *session, struct srdma_buffer *buffer,
                      size_t offset, size_t length, void *op)
{
	const struct op send = { .user = op, .kind = SRDMA_OP_SEND };
	struct message_head head = { MESSAGE_DATA, (uint16_t)session->data.owed };
	struct ibv_send_wr wr = {
		.opcode = IBV_WR_SEND_WITH_IMM,
		.imm_data = htonl(message_encode(head)),
	};
	int error = check_message(session, length);

	if (!error)
		error = memory_check_range(buffer, offset, length);
	if (!error)
		error = data_post(session, &wr, buffer, offset, length, &send);
	if (!error) {
		messages_take_owed(session);
		sent(session);
	}
	return error;
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

static void finish(struct srdma_session *session, const struct op *op, int status)
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
	finish(session, &op, status);
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
	if (session->failure)
		return;
	messages_return_credits(session);
	if (data->blocked || session->phase == PHASE_CLOSING)
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
	free(session->data.ops);
	session->data.ops = NULL;
	free_slab(&session->data);
	free(session->data.broken_reason);
	session->data.broken_reason = NULL;
}

void data_free(struct srdma_session *session)
{
	messages_free(session);
}
