/* SPDX-License-Identifier: BSD-2-Clause */
#include "program/transfer.h"

#include <stdio.h>
#include <string.h>

#include "common/clock.h"

void transfer_init(struct transfer *transfer, struct channel *channel, uint32_t id,
                   uint64_t size, const struct transfer_ops *ops,
                   const struct transfer_events *events, void *user)
{
	transfer->id = id;
	transfer->size = size;
	transfer->started_us = clock_us();
	transfer->ops = ops;
	transfer->events = events;
	transfer->user = user;
	transfer->channel = channel;
	transfer->worker = srdma_session_worker(channel->session);
	transfer->pool = channel->pool;
	list_append(&channel->transfers, &transfer->node);
	channel->transfer_count++;
}

void transfer_finish(struct transfer *transfer, int result, const char *text)
{
	if (transfer->finished)
		return;
	transfer->finished = true;
	transfer->ended_us = clock_us();
	transfer->result = result;
	/* `text` may be the transfer's own. */
	if (text != transfer->text)
		snprintf(transfer->text, sizeof(transfer->text), "%s", text);
	transfer->events->finished(transfer);
}

void transfer_retire(struct transfer *transfer)
{
	if (!transfer->channel)
		return;
	list_remove(&transfer->node);
	transfer->channel->transfer_count--;
	transfer->channel = NULL;
	if (transfer->events->gone)
		transfer->events->gone(transfer);
}

void transfer_cancel(struct transfer *transfer, int code, const char *text)
{
	if (transfer->finished)
		return;
	channel_send_fail(transfer->channel, transfer->id, code, text);
	transfer_finish(transfer, code, text);
	transfer->ops->advance(transfer);
}

/* FAIL from the peer, as the result. */
static void failed_there(struct transfer *transfer, const struct app_message *message)
{
	char text[APP_TEXT_MAX + 1];

	memcpy(text, message->fail.text.at, message->fail.text.length);
	text[message->fail.text.length] = '\0';
	for (char *c = text; *c; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			*c = '?';
	transfer_finish(transfer, fault_from_wire(message->fail.fault), text);
}

int transfer_message(struct transfer *transfer, const struct app_message *message)
{
	if (transfer->finished)
		return 0;
	if (message->type == APP_FAIL)
		failed_there(transfer, message);
	else if (transfer->ops->message(transfer, message))
		return fault(FAULT_PROTOCOL, "a %s message came out of turn",
		             app_type_name(message->type));
	transfer->ops->advance(transfer);
	return 0;
}

struct transfer *transfer_find(const struct channel *channel, uint32_t id)
{
	list_for_each (node, &channel->transfers) {
		struct transfer *transfer = container_of(node, struct transfer, node);

		if (transfer->id == id)
			return transfer;
	}
	return NULL;
}
