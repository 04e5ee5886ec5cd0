/* SPDX-License-Identifier: BSD-2-Clause */
#include "client/scratch.h"

#include <string.h>

#include "common/clock.h"

struct question {
	struct exchange exchange;
	enum app_type wanted;
	struct app_message answer;
};

static void on_answer(struct exchange *exchange, const struct app_message *message)
{
	struct question *question = container_of(exchange, struct question, exchange);

	question->answer = *message;
	exchange->done = true;
}

static int ask(struct client *client, struct app_message *request,
               struct question *question)
{
	int error;

	question->exchange.answer = on_answer;
	error = client_ask(client, &question->exchange, request);
	if (!error && question->answer.type != question->wanted)
		error = fault(FAULT_PROTOCOL, "the server answered %s, not %s",
		              app_type_name(question->answer.type),
		              app_type_name(question->wanted));
	return error;
}

/* The grant comes over TLS, the answer over the queue pair: either may be first. */
static int wait_for_grant(struct client *client, struct srdma_remote **out)
{
	uint64_t deadline = clock_us() + client->options.timeout_ms * 1000;
	int error = 0;

	while (!error) {
		*out = srdma_remote_find(client->session, APP_TAG_SCRATCH);
		if (*out)
			return 0;
		if (clock_us() > deadline)
			return fault(FAULT_TIMEOUT,
			             "the server has not granted its region");
		error = client_pause(client, 1);
	}
	return error;
}

int scratch_get(struct client *client, struct srdma_remote **out)
{
	struct app_message request = { .type = APP_SCRATCH };
	struct question question = { .wanted = APP_SCRATCH_READY };
	int error = ask(client, &request, &question);

	return error ? error : wait_for_grant(client, out);
}

struct move {
	struct channel_op op;
	bool done;
	int status;
};

static void on_moved(struct channel_op *op, const struct srdma_completion *completion)
{
	struct move *move = container_of(op, struct move, op);

	move->done = true;
	move->status = completion->status;
}

static int move(struct client *client, struct srdma_remote *remote, bool write,
                struct srdma_buffer *buffer, uint64_t offset, uint64_t length)
{
	struct move move = { .op.done = on_moved };
	int error = write ? srdma_write(client->session, buffer, 0, remote, offset,
	                                length, &move.op)
	                  : srdma_read(client->session, buffer, 0, remote, offset, length,
	                               &move.op);

	if (error)
		return fault_srdma(error);
	error = client_wait(client, &move.done);
	/* The device has the memory until then: a session that is cut lets go of it. */
	if (!move.done)
		srdma_session_abort(client->session, "the client gave up");
	while (!move.done && !client->closed && srdma_worker_run(client->worker, -1) >= 0)
		;
	return error || !move.status ? error : fault_srdma_text(move.status, NULL);
}

int scratch_move(struct client *client, struct srdma_remote *remote, bool write,
                 void *memory, uint64_t offset, uint64_t length, uint64_t *us)
{
	struct srdma_buffer *buffer;
	uint64_t start, size = srdma_remote_length(remote);
	int error;

	if (offset > size || length > size - offset)
		return fault(
		        FAULT_RANGE,
		        "the scratch region has %llu bytes: offset and length go past "
		        "its end",
		        (unsigned long long)size);
	if (!length)
		return fault(FAULT_RANGE, "there is nothing to move: the length is 0");
	error = srdma_buffer_register(client->session, memory, length, &buffer);
	if (error)
		return fault_srdma(error);
	start = clock_us();
	error = move(client, remote, write, buffer, offset, length);
	*us = clock_us() - start;
	srdma_buffer_unregister(buffer);
	return error;
}

int scratch_compare(struct client *client, const void *memory, uint64_t offset,
                    uint64_t length)
{
	struct app_message request = { .type = APP_DIGEST, .range = { offset, length } };
	struct question question = { .wanted = APP_DIGEST_IS };
	uint8_t ours[SHA256_BYTES];
	int error = sha256_of(memory, length, ours);

	if (!error)
		error = ask(client, &request, &question);
	if (!error && memcmp(ours, question.answer.digest, sizeof(ours)) != 0)
		error = fault(FAULT_MISMATCH,
		              "the server's memory does not hold what is here");
	return error;
}
