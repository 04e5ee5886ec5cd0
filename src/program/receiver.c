/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The receiving end of a transfer. Chunk n is in slot n mod slots:
 *
 *      stored <= arrived <= stored + slots
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "program/region.h"
#include "program/transfer.h"

struct receiver {
	struct transfer base;
	struct job job;
	struct newfile *file; /* the job's while it is in the pool */
	struct sha256 *sha;
	struct region region;
	bool sync;
	bool in_pool;
	bool revoking; /* on_released is to come */
	bool ended;    /* END is here, and says: */
	uint64_t length;
	uint8_t sha256[SHA256_BYTES];
	uint64_t arrived, stored;
	uint64_t batch; /* the job stores up to this chunk */
	uint64_t bytes; /* stored, as the job counts them */
	uint32_t lengths[REGION_SLOTS];
};

static struct receiver *receiver_of(struct transfer *transfer)
{
	return container_of(transfer, struct receiver, base);
}

static struct receiver *receiver_of_job(struct job *job)
{
	return container_of(job, struct receiver, job);
}

static void submit(struct receiver *receiver, int (*run)(struct job *),
                   void (*done)(struct job *, int, const char *))
{
	receiver->job.run = run;
	receiver->job.done = done;
	receiver->in_pool = true;
	jobs_submit(receiver->base.pool, receiver->base.worker, &receiver->job);
}

static void destroy(struct receiver *receiver)
{
	transfer_retire(&receiver->base);
	region_detach(&receiver->region);
	region_close(&receiver->region);
	sha256_free(receiver->sha);
	newfile_free(receiver->file);
	free(receiver);
}

/*
 * The end: the file is let go of (in the pool: that too takes the disk's time), the grant
 * is taken back, and when the peer has let go of it, all is freed.
 */

static void settle(struct receiver *receiver);

static int run_discard(struct job *job)
{
	struct receiver *receiver = receiver_of_job(job);

	newfile_free(receiver->file);
	receiver->file = NULL;
	return 0;
}

static void discard_done(struct job *job, int result, const char *text)
{
	struct receiver *receiver = receiver_of_job(job);

	(void)result;
	(void)text;
	receiver->in_pool = false;
	settle(receiver);
}

static void take_back(struct receiver *receiver)
{
	if (!receiver->region.grant)
		return;
	if (srdma_grant_revoke(receiver->region.grant) == 0) {
		receiver->region.grant = NULL;
		receiver->revoking = true;
	} else {
		region_detach(&receiver->region);
	}
}

static void settle(struct receiver *receiver)
{
	if (!receiver->base.finished || receiver->in_pool)
		return;
	if (receiver->base.channel)
		take_back(receiver);
	if (receiver->file)
		submit(receiver, run_discard, discard_done);
	else if (!receiver->revoking)
		destroy(receiver);
}

static void give_up(struct receiver *receiver, int code, const char *text)
{
	char copy[FAULT_TEXT];

	if (receiver->base.finished)
		return;
	snprintf(copy, sizeof(copy), "%s", text);
	channel_send_fail(receiver->base.channel, receiver->base.id, code, copy);
	transfer_finish(&receiver->base, code, copy);
}

/*
 * Storing and naming, in the pool
 */

static void advance(struct transfer *transfer);

static int run_store(struct job *job)
{
	struct receiver *receiver = receiver_of_job(job);
	int error = 0;

	for (uint64_t i = receiver->stored; !error && i < receiver->batch; i++) {
		const char *slot = region_slot(&receiver->region, i);
		uint32_t length = receiver->lengths[i % receiver->region.slots];

		error = sha256_update(receiver->sha, slot, length);
		if (!error)
			error = newfile_append(receiver->file, slot, length);
		receiver->bytes += length;
	}
	return error;
}

static void send_taken(struct receiver *receiver)
{
	struct app_message taken = { .type = APP_TAKEN, .id = receiver->base.id };

	taken.taken = receiver->stored - 1;
	if (channel_send(receiver->base.channel, &taken))
		give_up(receiver, -FAULT_CLOSED, fault_text());
}

static void store_done(struct job *job, int result, const char *text)
{
	struct receiver *receiver = receiver_of_job(job);

	receiver->in_pool = false;
	receiver->stored = receiver->batch;
	if (result) {
		give_up(receiver, result, text);
	} else if (!receiver->base.finished) {
		receiver->base.bytes = receiver->bytes;
		send_taken(receiver);
		if (receiver->base.events->progress)
			receiver->base.events->progress(&receiver->base);
	}
	advance(&receiver->base);
}

static int run_publish(struct job *job)
{
	struct receiver *receiver = receiver_of_job(job);
	int error = sha256_finish(receiver->sha, receiver->base.sha256);

	if (error)
		return error;
	if (receiver->bytes != receiver->length ||
	    memcmp(receiver->sha256, receiver->base.sha256, SHA256_BYTES) != 0)
		return fault(
		        FAULT_MISMATCH,
		        "what arrived is not what was sent (SHA-256 differs): it was "
		        "not stored, try again");
	return newfile_publish(receiver->file, receiver->sync);
}

static void publish_done(struct job *job, int result, const char *text)
{
	struct receiver *receiver = receiver_of_job(job);
	struct app_message done = { .type = APP_DONE, .id = receiver->base.id };

	receiver->in_pool = false;
	if (result) {
		give_up(receiver, result, text);
	} else if (!receiver->base.finished) {
		done.end.length = receiver->bytes;
		memcpy(done.end.sha256, receiver->base.sha256, SHA256_BYTES);
		channel_send(receiver->base.channel, &done);
		transfer_finish(&receiver->base, 0, "");
	}
	settle(receiver);
}

static void advance(struct transfer *transfer)
{
	struct receiver *receiver = receiver_of(transfer);

	if (transfer->finished) {
		settle(receiver);
	} else if (receiver->in_pool) {
		return;
	} else if (receiver->stored < receiver->arrived) {
		receiver->batch = receiver->arrived;
		submit(receiver, run_store, store_done);
	} else if (receiver->ended) {
		submit(receiver, run_publish, publish_done);
	}
}

/*
 * What the sender says
 */

static int on_chunk(struct receiver *receiver, const struct app_message *message)
{
	if (receiver->ended || message->chunk.index != receiver->arrived ||
	    receiver->arrived - receiver->stored >= receiver->region.slots ||
	    !message->chunk.length || message->chunk.length > receiver->region.slot_size)
		return -FAULT_PROTOCOL;
	receiver->lengths[receiver->arrived % receiver->region.slots] =
	        message->chunk.length;
	receiver->arrived++;
	return 0;
}

static int on_end(struct receiver *receiver, const struct app_message *message)
{
	if (receiver->ended)
		return -FAULT_PROTOCOL;
	receiver->ended = true;
	receiver->length = message->end.length;
	memcpy(receiver->sha256, message->end.sha256, SHA256_BYTES);
	return 0;
}

static int on_message(struct transfer *transfer, const struct app_message *message)
{
	struct receiver *receiver = receiver_of(transfer);
	int error = 0;

	if (transfer->finished)
		return 0;
	switch (message->type) {
	case APP_CHUNK: error = on_chunk(receiver, message); break;
	case APP_END: error = on_end(receiver, message); break;
	case APP_FAIL: transfer_failed_there(transfer, message); break;
	default: error = -FAULT_PROTOCOL;
	}
	if (error)
		return fault(FAULT_PROTOCOL, "a %s message came out of turn",
		             app_type_name(message->type));
	advance(transfer);
	return 0;
}

static void on_revoked(struct transfer *transfer, struct srdma_remote *remote)
{
	(void)transfer;
	(void)remote;
}

static void on_released(struct transfer *transfer)
{
	struct receiver *receiver = receiver_of(transfer);

	receiver->revoking = false;
	settle(receiver);
}

static void on_closed(struct transfer *transfer)
{
	struct receiver *receiver = receiver_of(transfer);

	transfer_retire(transfer);
	region_detach(&receiver->region);
	receiver->revoking = false;
	settle(receiver);
}

static const struct transfer_ops ops = {
	.message = on_message,
	.advance = advance,
	.revoked = on_revoked,
	.released = on_released,
	.closed = on_closed,
};

static int open_region(struct receiver *receiver, struct channel *channel, uint32_t id,
                       uint64_t size)
{
	struct app_message ready = { .type = APP_READY, .id = id };
	int error =
	        region_open(&receiver->region, channel->session, channel->budget, size);

	if (!error)
		error = region_grant(&receiver->region, channel->session,
		                     APP_TAG_TRANSFER(id));
	if (error)
		return error;
	ready.ready.slot_size = receiver->region.slot_size;
	ready.ready.slots = receiver->region.slots;
	return channel_send(channel, &ready);
}

int receiver_start(struct channel *channel, uint32_t id, struct newfile *file,
                   uint64_t size, const struct transfer_events *events, void *user,
                   struct transfer **out)
{
	struct receiver *receiver = calloc(1, sizeof(*receiver));
	int error;

	if (receiver)
		receiver->sha = sha256_new();
	if (!receiver || !receiver->sha) {
		free(receiver);
		newfile_free(file);
		return fault(FAULT_MEMORY, "out of memory for a transfer");
	}
	receiver->file = file;
	receiver->sync = channel->sync;
	error = open_region(receiver, channel, id, size);
	if (error) {
		region_detach(&receiver->region);
		region_close(&receiver->region);
		sha256_free(receiver->sha);
		newfile_free(file);
		free(receiver);
		return error;
	}
	transfer_init(&receiver->base, channel, id, size, &ops, events, user);
	*out = &receiver->base;
	return 0;
}
