/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One-sided access where messages are sealed: the peer's library takes part, not its
 * program. A write goes in WRITE messages, of which the last is answered (WRITTEN); a
 * read is a READ for each piece of what we receive at most, each answered (READ_DATA).
 *
 *      us                                    peer
 *        WRITE, WRITE, … WRITE        ->       checked against the grant, then placed
 *                                     <-       WRITTEN
 *        READ, READ, …                ->       checked against the grant
 *                                     <-       READ_DATA, READ_DATA, …
 *
 * Requests take the peer's credits, as DATA does. Answers take none: whoever asks keeps a
 * receive buffer free for each answer that is to come. They come in the order of the
 * requests, so nothing in them needs to say to which they belong.
 */
#include <stdlib.h>
#include <string.h>

#include "common/cursor.h"
#include "session/data.h"
#include "session/error.h"
#include "session/memory.h"

struct transfer {
	struct op op;
	uint8_t *local; /* the caller's, op.bytes of them */
	uint32_t grant;
	uint64_t offset;
	size_t asked;    /* bytes for which requests were sent */
	size_t answered; /* bytes of a read that are in place */
};

static size_t lesser(size_t a, size_t b)
{
	return a < b ? a : b;
}

static struct transfer *transfer_at(const struct staged *staged, uint64_t n)
{
	return &staged->ring[n % staged->size];
}

static bool is_write(const struct transfer *transfer)
{
	return transfer->op.kind == SRDMA_OP_WRITE;
}

/* The most that a message carries to its receiver. */
static size_t piece_of(const struct srdma_session *session, bool write)
{
	return write ? session->data.message_max
	             : session->worker->options.number[SRDMA_OPT_MESSAGE_SIZE];
}

bool staged_is_busy(const struct srdma_session *session)
{
	return session->staged.begun != session->staged.ended;
}

bool staged_holds_back(const struct srdma_session *session)
{
	return session->staged.unsent_writes > 0;
}

/*
 * Asking
 */

static bool send_request(struct srdma_session *session, struct transfer *transfer,
                         size_t piece, bool answered)
{
	bool write = is_write(transfer);
	uint8_t request[MESSAGE_REQUEST];
	struct writer w = writer_of(request, sizeof(request));
	const struct message message = {
		.head = { .type = write ? MESSAGE_WRITE : MESSAGE_READ,
		          .credits = (uint16_t)session->data.owed },
		.prefix = request,
		.prefix_length = sizeof(request),
		.data = transfer->local + transfer->asked,
		.length = write ? piece : 0,
	};

	put_u32(&w, transfer->grant);
	put_u32(&w, write ? answered : (uint32_t)piece);
	put_u64(&w, transfer->offset + transfer->asked);
	return data_send_own(session, &message) == 0;
}

/* One more message for the oldest transfer that needs one; false: not now. */
static bool ask(struct srdma_session *session)
{
	struct staged *staged = &session->staged;
	struct transfer *transfer = transfer_at(staged, staged->asking);
	bool write = is_write(transfer);
	size_t rest = transfer->op.bytes - transfer->asked;
	size_t piece = lesser(rest, piece_of(session, write));
	bool last = piece == rest, answered = last || !write;

	if (!data_requests(session) ||
	    (answered && staged->answers_due ==
	                         session->worker->options.number[SRDMA_OPT_READ_DEPTH]))
		return false;
	if (!send_request(session, transfer, piece, answered))
		return false;
	session->data.credits--;
	transfer->asked += piece;
	staged->answers_due += answered;
	staged->asking += last;
	staged->unsent_writes -= last && write;
	return true;
}

static int begin(struct srdma_session *session)
{
	struct staged *staged = &session->staged;

	if (staged->ring)
		return 0;
	staged->ring = calloc(session->data.depth, sizeof(*staged->ring));
	if (!staged->ring)
		return fail(SRDMA_ENOMEM, "out of memory for a session's operations");
	staged->size = session->data.depth;
	return 0;
}

int staged_start(struct srdma_session *session, struct srdma_buffer *buffer,
                 size_t offset, uint32_t grant, uint64_t remote_offset,
                 const struct op *op)
{
	struct staged *staged = &session->staged;
	struct transfer *transfer;
	int error;

	if (session->data.callers >= session->data.depth)
		return data_block(session);
	error = begin(session);
	if (error)
		return error;
	transfer = transfer_at(staged, staged->begun++);
	*transfer = (struct transfer){ .op = *op,
		                       .local = memory_use(buffer, offset),
		                       .grant = grant,
		                       .offset = remote_offset };
	transfer->op.buffer = buffer;
	staged->unsent_writes += is_write(transfer);
	session->data.callers++;
	staged_advance(session);
	return 0;
}

static void end_oldest(struct srdma_session *session, int status)
{
	struct staged *staged = &session->staged;
	struct op op = transfer_at(staged, staged->ended)->op;

	staged->ended++;
	if (staged->awaited == staged->ended)
		staged->awaited_status = status;
	data_finish(session, &op, status);
}

void staged_end(struct srdma_session *session)
{
	struct staged *staged = &session->staged;

	while (staged_is_busy(session))
		end_oldest(session, session->failure);
	free(staged->ring);
	staged->ring = NULL;
}

/*
 * Being answered
 */

/* The bytes that the next answer of this type has to have; SIZE_MAX: none is due. */
static size_t due(const struct srdma_session *session, enum message_type type)
{
	const struct staged *staged = &session->staged;
	const struct transfer *transfer;
	bool write = type == MESSAGE_WRITTEN;

	if (!staged->ring || !staged_is_busy(session))
		return SIZE_MAX;
	transfer = transfer_at(staged, staged->ended);
	if (is_write(transfer) != write)
		return SIZE_MAX;
	if (write)
		return transfer->asked == transfer->op.bytes ? 0 : SIZE_MAX;
	if (transfer->answered == transfer->asked)
		return SIZE_MAX;
	return lesser(transfer->op.bytes - transfer->answered, piece_of(session, false));
}

uint8_t *staged_destination(const struct srdma_session *session, enum message_type type,
                            size_t length)
{
	const struct transfer *transfer;

	if (type != MESSAGE_READ_DATA || due(session, type) != length)
		return NULL;
	transfer = transfer_at(&session->staged, session->staged.ended);
	return transfer->local + transfer->answered;
}

int staged_answered(struct srdma_session *session, enum message_type type, size_t length)
{
	struct staged *staged = &session->staged;
	struct transfer *transfer;

	if (due(session, type) != length)
		return fail(SRDMA_EPROTOCOL, "%s answered what was not asked",
		            session->name);
	transfer = transfer_at(staged, staged->ended);
	transfer->answered += length;
	staged->answers_due--;
	if (is_write(transfer) || transfer->answered == transfer->op.bytes)
		end_oldest(session, 0);
	return 0;
}

/*
 * Answering
 */

struct request {
	uint32_t grant;
	uint32_t word;
	uint64_t offset;
	size_t length; /* of the bytes to be placed */
	const uint8_t *bytes;
};

static bool parse(const struct srdma_message *message, struct request *out)
{
	struct reader r = reader_of(message->data, message->length);

	out->grant = get_u32(&r);
	out->word = get_u32(&r);
	out->offset = get_u64(&r);
	out->bytes = r.at;
	out->length = r.left;
	return !r.bad;
}

static int malformed(const struct srdma_session *session)
{
	return fail(SRDMA_EPROTOCOL, "%s sent a malformed request", session->name);
}

/* What it wrote is in place at once; only its answer may have to wait. */
static int place(struct srdma_session *session, const struct request *request)
{
	uint8_t *memory;

	if (!request->length || request->word > 1)
		return malformed(session);
	memory = memory_granted(session, request->grant, request->offset, request->length,
	                        SRDMA_RIGHT_WRITE);
	if (!memory)
		return SRDMA_EPROTOCOL;
	memcpy(memory, request->bytes, request->length);
	return 0;
}

static int check_read(struct srdma_session *session, const struct request *request)
{
	if (request->length || !request->word ||
	    request->word > session->data.message_max)
		return malformed(session);
	return memory_granted(session, request->grant, request->offset, request->word,
	                      SRDMA_RIGHT_READ)
	               ? 0
	               : SRDMA_EPROTOCOL;
}

int staged_request(struct srdma_session *session, struct srdma_message *message,
                   enum message_type type)
{
	bool write = type == MESSAGE_WRITE;
	struct request request;
	int error;

	if (!parse(message, &request))
		return malformed(session);
	error = write ? place(session, &request) : check_read(session, &request);
	if (error)
		return error;
	message->is_read = !write;
	if (write && !request.word)
		srdma_message_release(message);
	else
		list_append(&session->staged.requests, &message->node);
	return 0;
}

static int answer_read(struct srdma_session *session, const struct request *request,
                       struct message *answer)
{
	/* Once more: it may have been taken back since. */
	answer->data = memory_granted(session, request->grant, request->offset,
	                              request->word, SRDMA_RIGHT_READ);
	answer->length = request->word;
	answer->head.type = MESSAGE_READ_DATA;
	return answer->data ? 0 : SRDMA_EPROTOCOL;
}

/* False: not now, or never. The last entry of the queue stays for a CREDIT. */
static bool answer(struct srdma_session *session, struct srdma_message *message)
{
	struct message answer = { .head = { .type = MESSAGE_WRITTEN,
		                            .credits = (uint16_t)session->data.owed } };
	struct request request;
	int error = 0;

	if (data_in_flight(session) + 1 >= session->data.ring ||
	    !slab_room(&session->data))
		return false;
	parse(message, &request);
	if (message->is_read)
		error = answer_read(session, &request, &answer);
	if (error) {
		session_fail(session, error);
		return false;
	}
	if (data_send_own(session, &answer))
		return false;
	srdma_message_release(message);
	return true;
}

void staged_advance(struct srdma_session *session)
{
	struct staged *staged = &session->staged;
	struct list *requests = &staged->requests;

	if (session->data.broken)
		return;
	while (!session->failure && !list_empty(requests) &&
	       answer(session, container_of(requests->next, struct srdma_message, node)))
		;
	while (!session->failure && staged->asking != staged->begun && ask(session))
		;
}
