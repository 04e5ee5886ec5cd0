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
	struct partial partial; /* the job's while it is in the pool */
	bool usable;            /* and can be gone on with */
	struct region region;
	bool sync;
	bool in_pool;
	bool revoking; /* on_released is to come */
	bool ended;    /* END is here, and says: */
	uint64_t length;
	uint8_t sha256[SHA256_BYTES];
	uint64_t arrived, stored;
	uint64_t batch; /* the job stores up to this chunk */
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
	partial_clear(&receiver->partial);
	free(receiver);
}

/*
 * The end: the file is handed over to who wants to go on with it, or is let go of (in the
 * pool: that too takes the disk's time), the grant is taken back, and when the peer has
 * let go of it, all is freed.
 */

static void settle(struct receiver *receiver);

static int run_discard(struct job *job)
{
	struct receiver *receiver = receiver_of_job(job);

	partial_clear(&receiver->partial);
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

static bool is_worth_keeping(const struct receiver *receiver)
{
	return receiver->partial.published || (receiver->base.broke && receiver->usable);
}

static void settle(struct receiver *receiver)
{
	if (!receiver->base.finished || receiver->in_pool)
		return;
	if (receiver->base.channel)
		take_back(receiver);
	partial_hand_over(&receiver->partial, is_worth_keeping(receiver));
	if (receiver->partial.file)
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

		error = partial_add(&receiver->partial, slot, length);
	}
	return error;
}

static void send_taken(struct receiver *receiver)
{
	struct app_message taken = { .type = APP_TAKEN, .id = receiver->base.id };

	taken.taken = receiver->stored - 1;
	if (!channel_send(receiver->base.channel, &taken))
		return;
	/* The session may be broken before we are told that it is. */
	receiver->base.broke = true;
	give_up(receiver, -FAULT_CLOSED, fault_text());
}

static void store_done(struct job *job, int result, const char *text)
{
	struct receiver *receiver = receiver_of_job(job);

	receiver->in_pool = false;
	receiver->stored = receiver->batch;
	receiver->usable = !result;
	if (result) {
		give_up(receiver, result, text);
	} else if (!receiver->base.finished) {
		receiver->base.bytes = receiver->partial.bytes;
		send_taken(receiver);
		if (receiver->base.events->progress)
			receiver->base.events->progress(&receiver->base);
	}
	advance(&receiver->base);
}

static int run_publish(struct job *job)
{
	struct receiver *receiver = receiver_of_job(job);

	return partial_publish(&receiver->partial, receiver->length, receiver->sha256,
	                       receiver->sync);
}

static void publish_done(struct job *job, int result, const char *text)
{
	struct receiver *receiver = receiver_of_job(job);
	struct app_message done = { .type = APP_DONE, .id = receiver->base.id };

	receiver->in_pool = false;
	receiver->usable = !result;
	if (result) {
		give_up(receiver, result, text);
	} else if (!receiver->base.finished) {
		receiver->base.bytes = receiver->length;
		done.end.length = receiver->length;
		memcpy(receiver->base.sha256, receiver->sha256, SHA256_BYTES);
		memcpy(done.end.sha256, receiver->sha256, SHA256_BYTES);
		channel_send(receiver->base.channel, &done);
		transfer_finish(&receiver->base, 0, "");
	}
	settle(receiver);
}

/* Not all at once: what is stored first is free for the sender while the rest is. */
static uint64_t next_batch(const struct receiver *receiver)
{
	uint64_t most = receiver->stored + REGION_SLOTS_AT_ONCE;

	return receiver->arrived < most ? receiver->arrived : most;
}

static void advance(struct transfer *transfer)
{
	struct receiver *receiver = receiver_of(transfer);

	if (transfer->finished) {
		settle(receiver);
	} else if (receiver->in_pool) {
		return;
	} else if (receiver->stored < receiver->arrived) {
		receiver->batch = next_batch(receiver);
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

	switch (message->type) {
	case APP_CHUNK: return on_chunk(receiver, message);
	case APP_END: return on_end(receiver, message);
	default: return -FAULT_PROTOCOL;
	}
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

/* READY, or RESUME where there is a beginning. */
static int send_ready(const struct receiver *receiver, struct channel *channel,
                      uint32_t id)
{
	struct app_message ready = { .type = APP_READY, .id = id };
	int error = 0;

	ready.ready.slot_size = receiver->region.slot_size;
	ready.ready.slots = receiver->region.slots;
	ready.ready.offset = receiver->partial.bytes;
	if (receiver->partial.bytes) {
		ready.type = APP_RESUME;
		error = partial_digest(&receiver->partial, ready.ready.sha256);
	}
	return error ? error : channel_send(channel, &ready);
}

static int open_region(struct receiver *receiver, struct channel *channel, uint32_t id,
                       uint64_t size)
{
	uint64_t rest = size == APP_SIZE_UNKNOWN ? size : size - receiver->partial.bytes;
	int error =
	        region_open(&receiver->region, channel->session, channel->budget, rest);

	if (!error)
		error = region_grant(&receiver->region, channel->session,
		                     APP_TAG_TRANSFER(id));
	return error ? error : send_ready(receiver, channel, id);
}

/* What is left of a failed start can be gone on with all the same. */
static int fail_start(struct receiver *receiver, int error)
{
	region_detach(&receiver->region);
	region_close(&receiver->region);
	partial_hand_over(&receiver->partial, receiver->partial.bytes > 0);
	partial_clear(&receiver->partial);
	free(receiver);
	return error;
}

int receiver_start(struct channel *channel, uint32_t id, struct partial *partial,
                   uint64_t size, const struct transfer_events *events, void *user,
                   struct transfer **out)
{
	struct receiver *receiver = calloc(1, sizeof(*receiver));
	int error;

	if (!receiver) {
		partial_hand_over(partial, partial->bytes > 0);
		partial_clear(partial);
		return fault(FAULT_MEMORY, "out of memory for a transfer");
	}
	receiver->partial = *partial;
	*partial = (struct partial){ 0 };
	receiver->usable = true;
	receiver->sync = channel->sync;
	error = open_region(receiver, channel, id, size);
	if (error)
		return fail_start(receiver, error);
	transfer_init(&receiver->base, channel, id, size, &ops, events, user);
	receiver->base.bytes = receiver->base.resumed = receiver->partial.bytes;
	*out = &receiver->base;
	return 0;
}
