/* SPDX-License-Identifier: BSD-2-Clause */
#include "program/channel.h"

#include <stdlib.h>
#include <string.h>

#include "program/transfer.h"

#define SMALL_MESSAGE 512

struct waiting {
	struct list node;
	size_t length;
	unsigned char data[];
};

void channel_init(struct channel *channel, struct srdma_session *session,
                  struct jobs *pool)
{
	channel->session = session;
	channel->pool = pool;
	list_init(&channel->outbox);
	list_init(&channel->transfers);
}

bool channel_is_blocked(const struct channel *channel)
{
	return !list_empty(&channel->outbox);
}

static int enqueue(struct channel *channel, const void *data, size_t length)
{
	struct waiting *waiting = malloc(sizeof(*waiting) + length);

	if (!waiting)
		return fault(FAULT_MEMORY, "out of memory for a message");
	waiting->length = length;
	memcpy(waiting->data, data, length);
	list_append(&channel->outbox, &waiting->node);
	return 0;
}

static int send_bytes(struct channel *channel, const void *data, size_t length)
{
	int error = SRDMA_EBLOCKED;

	if (!channel_is_blocked(channel))
		error = srdma_send(channel->session, data, length, NULL);
	if (error == SRDMA_EBLOCKED)
		return enqueue(channel, data, length);
	return error < 0 ? fault_srdma(error) : 0;
}

static int send_large(struct channel *channel, const struct app_message *message,
                      size_t most)
{
	void *data = malloc(most);
	size_t length;
	int error;

	if (!data)
		return fault(FAULT_MEMORY, "out of memory for a message");
	length = app_encode(message, data, most);
	if (length)
		error = send_bytes(channel, data, length);
	else
		error = fault(FAULT_TOO_LARGE,
		              "a %s message does not fit into the %zu bytes that the "
		              "peer takes",
		              app_type_name(message->type), most);
	free(data);
	return error;
}

int channel_send(struct channel *channel, const struct app_message *message)
{
	unsigned char small[SMALL_MESSAGE];
	size_t most, length;

	if (!channel->session)
		return fault(FAULT_CLOSED, "the session is closed");
	most = srdma_session_max_message(channel->session);
	length = app_encode(message, small, most < sizeof(small) ? most : sizeof(small));
	return length ? send_bytes(channel, small, length)
	              : send_large(channel, message, most);
}

int channel_send_fail(struct channel *channel, uint32_t id, int code, const char *text)
{
	struct app_message message = { .type = APP_FAIL, .id = id };
	size_t length = strlen(text);

	message.fail.fault = (uint16_t)abs(code);
	if (abs(code) > FAULT_FORBIDDEN)
		message.fail.fault = FAULT_IO;
	message.fail.text.at = text;
	message.fail.text.length = length < APP_TEXT_MAX ? length : APP_TEXT_MAX;
	return channel_send(channel, &message);
}

static void flush(struct channel *channel)
{
	list_for_each_safe (node, &channel->outbox) {
		struct waiting *waiting = container_of(node, struct waiting, node);
		int error = srdma_send(channel->session, waiting->data, waiting->length,
		                       NULL);

		/* After any other error on_closed follows, which empties the rest. */
		if (error == SRDMA_EBLOCKED)
			return;
		list_remove(node);
		free(waiting);
	}
}

void channel_on_writable(struct channel *channel)
{
	flush(channel);
	channel_on_grant(channel);
}

/* Transfers know themselves whether they can go on. One may free itself meanwhile. */
void channel_on_grant(struct channel *channel)
{
	list_for_each_safe (node, &channel->transfers) {
		struct transfer *transfer = container_of(node, struct transfer, node);

		transfer->ops->advance(transfer);
	}
}

void channel_on_complete(const struct srdma_completion *completion)
{
	struct channel_op *op = completion->op;

	op->done(op, completion);
}

void channel_on_revoke(struct channel *channel, struct srdma_remote *remote)
{
	list_for_each_safe (node, &channel->transfers) {
		struct transfer *transfer = container_of(node, struct transfer, node);

		transfer->ops->revoked(transfer, remote);
	}
}

void channel_on_released(struct channel *channel, uint64_t tag)
{
	list_for_each_safe (node, &channel->transfers) {
		struct transfer *transfer = container_of(node, struct transfer, node);

		if (APP_TAG_TRANSFER(transfer->id) == tag)
			transfer->ops->released(transfer);
	}
}

int channel_on_message(struct channel *channel, const struct app_message *message,
                       bool *taken)
{
	struct transfer *transfer = transfer_find(channel, message->id);

	*taken = transfer != NULL;
	return transfer ? transfer_message(transfer, message) : 0;
}

void channel_on_closed(struct channel *channel, int code, const char *text)
{
	list_for_each_safe (node, &channel->transfers) {
		struct transfer *transfer = container_of(node, struct transfer, node);

		if (!transfer->finished)
			transfer->broke = true;
		transfer_finish(transfer, code, text);
		transfer->ops->closed(transfer);
	}
	list_for_each_safe (node, &channel->outbox) {
		list_remove(node);
		free(container_of(node, struct waiting, node));
	}
	channel->session = NULL;
}
