/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The sending end of a transfer. Chunk n uses slot n mod slots, here and at the receiver;
 * the counters below only grow, in this order:
 *
 *      taken <= told <= posted <= filled <= taken + slots
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/platform.h"
#include "common/poller.h"
#include "program/region.h"
#include "program/transfer.h"

#define SKIP_AT_ONCE 32768

struct sender;

struct slot {
	struct channel_op op;
	struct sender *sender;
	uint64_t index;
	uint32_t length;
};

struct sender {
	struct transfer base;
	struct job job;
	int fd;
	int stop; /* a notice: who waits for a pipe shall not any more */
	char *shown;
	struct stat before;
	struct sha256 *sha;
	struct region region;
	struct srdma_remote *remote;
	bool ready;   /* the receiver has said how it wants the file */
	bool eof;     /* all is read, and hashed */
	bool ended;   /* END is sent */
	bool reading; /* the job is in the pool, and owns what follows */
	uint64_t offset;
	uint64_t skip; /* the receiver has these, with this digest: */
	uint8_t skipped[SHA256_BYTES];
	uint64_t filled;
	unsigned batch;
	bool job_eof;
	/* Up to here. */
	uint64_t posted, told, taken;
	unsigned flying; /* writes whose completion is to come */
	struct slot slots[REGION_SLOTS];
};

static struct sender *sender_of(struct transfer *transfer)
{
	return container_of(transfer, struct sender, base);
}

static void destroy(struct sender *sender)
{
	transfer_retire(&sender->base);
	region_detach(&sender->region);
	region_close(&sender->region);
	sha256_free(sender->sha);
	close(sender->fd);
	close(sender->stop);
	free(sender->shown);
	free(sender);
}

/* Frees a finished sender when neither the pool nor the device has its memory. */
static bool settle(struct sender *sender)
{
	if (sender->base.finished && sender->reading)
		notice_raise(sender->stop);
	if (!sender->base.finished || sender->reading || sender->flying)
		return false;
	destroy(sender);
	return true;
}

static void give_up(struct sender *sender, int code, const char *text)
{
	char copy[FAULT_TEXT];

	if (sender->base.finished)
		return;
	strncpy(copy, text, sizeof(copy) - 1);
	copy[sizeof(copy) - 1] = '\0';
	channel_send_fail(sender->base.channel, sender->base.id, code, copy);
	transfer_finish(&sender->base, code, copy);
}

/*
 * Reading, in the pool
 */

/*
 * Waits until a pipe has something. False: the transfer is over, or nothing is there now
 * and what was read (`some`) can go first.
 */
static bool has_input(struct sender *sender, bool some)
{
	struct pollfd fds[2] = { { .fd = sender->fd, .events = POLLIN },
		                 { .fd = sender->stop, .events = POLLIN } };

	while (poll(fds, 2, some ? 0 : -1) < 0 && errno == EINTR)
		;
	return fds[0].revents && !fds[1].revents;
}

static int read_slot(struct sender *sender, char *to, size_t size, size_t *got)
{
	bool pipe = sender->base.size == APP_SIZE_UNKNOWN;

	*got = 0;
	while (*got < size && (!pipe || has_input(sender, *got > 0))) {
		ssize_t n = read(sender->fd, to + *got, size - *got);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fault_errno(errno, "cannot read '%s'", sender->shown);
		if (n == 0) {
			sender->job_eof = true;
			break;
		}
		*got += (size_t)n;
	}
	return 0;
}

static int changed(const struct sender *sender)
{
	return fault(FAULT_CHANGED,
	             "'%s' changed while it was read: try again when nobody writes to it",
	             sender->shown);
}

/* What was read must be the file as it was, not a mixture of two. */
static int check_unchanged(const struct sender *sender)
{
	const struct stat *before = &sender->before;
	struct stat now;

	if (sender->base.size == APP_SIZE_UNKNOWN)
		return 0;
	if (sender->offset != sender->base.size || fstat(sender->fd, &now) < 0 ||
	    now.st_size != before->st_size || !platform_same_mtime(&now, before))
		return changed(sender);
	return 0;
}

/* *full: there may be more at once. */
static int read_chunk(struct sender *sender, bool *full)
{
	uint64_t index = sender->filled + sender->batch;
	size_t want = sender->region.slot_size, got;
	char *to = region_slot(&sender->region, index);
	int error;

	if (sender->base.size - sender->offset < want)
		want = (size_t)(sender->base.size - sender->offset);
	error = read_slot(sender, to, want, &got);
	if (!error)
		error = sha256_update(sender->sha, to, got);
	if (error)
		return error;
	sender->offset += got;
	*full = got == want;
	if (sender->offset == sender->base.size)
		sender->job_eof = true;
	if (got > 0) {
		sender->slots[index % sender->region.slots].length = (uint32_t)got;
		sender->batch++;
	}
	return 0;
}

static int differs(const struct sender *sender)
{
	return fault(FAULT_CHANGED,
	             "'%s' does not begin with what was sent of it before: it changed, "
	             "start again",
	             sender->shown);
}

/* The beginning that the receiver has is read for its hash alone. */
static int skip_beginning(struct sender *sender)
{
	char some[SKIP_AT_ONCE];
	uint8_t digest[SHA256_BYTES];
	int error = 0;

	if (sender->offset >= sender->skip)
		return 0;
	while (!error && sender->offset < sender->skip) {
		uint64_t left = sender->skip - sender->offset;
		size_t got;

		error = read_slot(sender, some,
		                  left < sizeof(some) ? (size_t)left : sizeof(some),
		                  &got);
		if (!error && got == 0)
			error = differs(sender);
		if (!error)
			error = sha256_update(sender->sha, some, got);
		sender->offset += got;
	}
	if (!error)
		error = sha256_so_far(sender->sha, digest);
	if (!error && memcmp(digest, sender->skipped, SHA256_BYTES) != 0)
		error = differs(sender);
	return error;
}

static int run_read(struct job *job)
{
	struct sender *sender = container_of(job, struct sender, job);
	unsigned most = sender->batch;
	bool full = true;
	int error = skip_beginning(sender);

	sender->batch = 0;
	sender->job_eof = most == 0;
	while (!error && full && !sender->job_eof && sender->batch < most)
		error = read_chunk(sender, &full);
	if (!error && sender->job_eof)
		error = check_unchanged(sender);
	if (!error && sender->job_eof)
		error = sha256_finish(sender->sha, sender->base.sha256);
	return error;
}

static void advance(struct transfer *transfer);

static void read_done(struct job *job, int result, const char *text)
{
	struct sender *sender = container_of(job, struct sender, job);

	sender->reading = false;
	sender->filled += sender->batch;
	sender->eof = sender->job_eof;
	if (result)
		give_up(sender, result, text);
	advance(&sender->base);
}

static void start_read(struct sender *sender)
{
	uint64_t used = sender->filled - sender->taken;
	uint64_t room = sender->region.slots - used;

	if (sender->reading || sender->eof || (room == 0 && sender->region.slots))
		return;
	sender->batch =
	        room < REGION_SLOTS_AT_ONCE ? (unsigned)room : REGION_SLOTS_AT_ONCE;
	sender->reading = true;
	jobs_submit(sender->base.pool, sender->base.worker, &sender->job);
}

/*
 * Sending
 */

/* The data is in the peer's memory: now it may be told. */
static void write_done(struct channel_op *op, const struct srdma_completion *completion)
{
	struct slot *slot = container_of(op, struct slot, op);
	struct sender *sender = slot->sender;
	struct app_message chunk = { .type = APP_CHUNK, .id = sender->base.id };
	int error = 0;

	sender->flying--;
	if (!sender->base.finished && completion->status == 0) {
		chunk.chunk.index = slot->index;
		chunk.chunk.length = slot->length;
		sender->told = slot->index + 1;
		error = channel_send(sender->base.channel, &chunk);
	}
	/* A write that failed ends the session, or follows a revocation: FAIL comes. */
	if (error)
		give_up(sender, error, fault_text());
	advance(&sender->base);
}

static int post_write(struct sender *sender)
{
	struct slot *slot = &sender->slots[sender->posted % sender->region.slots];
	size_t offset = region_offset(&sender->region, sender->posted);

	slot->op.done = write_done;
	slot->sender = sender;
	slot->index = sender->posted;
	return srdma_write(sender->base.channel->session, sender->region.buffer, offset,
	                   sender->remote, offset, slot->length, &slot->op);
}

static void post_writes(struct sender *sender)
{
	while (sender->remote && sender->posted < sender->filled) {
		int error = post_write(sender);

		if (error == SRDMA_EBLOCKED)
			return;
		if (error < 0) {
			error = fault_srdma(error);
			give_up(sender, error, fault_text());
			return;
		}
		sender->posted++;
		sender->flying++;
	}
}

static void send_end(struct sender *sender)
{
	struct app_message end = { .type = APP_END, .id = sender->base.id };

	if (sender->ended || !sender->eof || sender->told < sender->filled)
		return;
	end.end.length = sender->offset;
	memcpy(end.end.sha256, sender->base.sha256, SHA256_BYTES);
	sender->ended = true;
	if (channel_send(sender->base.channel, &end))
		give_up(sender, -FAULT_CLOSED, fault_text());
}

static void find_remote(struct sender *sender)
{
	uint64_t tag = APP_TAG_TRANSFER(sender->base.id);
	struct srdma_remote *remote;

	if (sender->remote || !sender->region.slots)
		return;
	remote = srdma_remote_find(sender->base.channel->session, tag);
	if (!remote)
		return;
	if (srdma_remote_length(remote) >= sender->region.size &&
	    (srdma_remote_rights(remote) & SRDMA_RIGHT_WRITE))
		sender->remote = remote;
	else
		give_up(sender, -FAULT_PROTOCOL,
		        "the region that the peer granted does not suit the transfer");
}

static void advance(struct transfer *transfer)
{
	struct sender *sender = sender_of(transfer);

	if (!transfer->finished && sender->ready) {
		find_remote(sender);
		post_writes(sender);
	}
	if (!transfer->finished && sender->ready) {
		start_read(sender);
		send_end(sender);
	}
	settle(sender);
}

/*
 * What the receiver says
 */

static int on_ready(struct sender *sender, const struct app_message *message)
{
	int error;

	if (sender->ready)
		return -FAULT_PROTOCOL;
	if (message->ready.offset > sender->base.size ||
	    (message->ready.offset && sender->base.size == APP_SIZE_UNKNOWN) ||
	    (!message->ready.slots && sender->base.size != message->ready.offset))
		return -FAULT_PROTOCOL;
	sender->skip = message->ready.offset;
	sender->base.bytes = sender->base.resumed = message->ready.offset;
	memcpy(sender->skipped, message->ready.sha256, SHA256_BYTES);
	error = region_open_as(&sender->region, sender->base.channel->session,
	                       sender->base.channel->budget, message->ready.slot_size,
	                       message->ready.slots);
	if (error)
		give_up(sender, error, fault_text());
	sender->ready = !error;
	return 0;
}

static int on_taken(struct sender *sender, const struct app_message *message)
{
	if (message->taken < sender->taken || message->taken >= sender->told)
		return -FAULT_PROTOCOL;
	for (; sender->taken <= message->taken; sender->taken++)
		sender->base.bytes +=
		        sender->slots[sender->taken % sender->region.slots].length;
	if (sender->base.events->progress)
		sender->base.events->progress(&sender->base);
	return 0;
}

static int on_done(struct sender *sender, const struct app_message *message)
{
	if (!sender->ended)
		return -FAULT_PROTOCOL;
	if (message->end.length == sender->offset &&
	    memcmp(message->end.sha256, sender->base.sha256, SHA256_BYTES) == 0) {
		sender->base.bytes = sender->offset;
		transfer_finish(&sender->base, 0, "");
	} else {
		transfer_finish(&sender->base, -FAULT_MISMATCH,
		                "the peer confirmed another file than was sent");
	}
	return 0;
}

static int on_message(struct transfer *transfer, const struct app_message *message)
{
	struct sender *sender = sender_of(transfer);

	switch (message->type) {
	case APP_READY:
	case APP_RESUME: return on_ready(sender, message);
	case APP_TAKEN: return on_taken(sender, message);
	case APP_DONE: return on_done(sender, message);
	default: return -FAULT_PROTOCOL;
	}
}

static void on_revoked(struct transfer *transfer, struct srdma_remote *remote)
{
	struct sender *sender = sender_of(transfer);

	if (sender->remote == remote)
		sender->remote = NULL;
}

static void on_released(struct transfer *transfer)
{
	(void)transfer;
}

/* The device has let go of everything; the pool perhaps not yet. */
static void on_closed(struct transfer *transfer)
{
	struct sender *sender = sender_of(transfer);

	transfer_retire(transfer);
	region_detach(&sender->region);
	sender->remote = NULL;
	sender->flying = 0;
	settle(sender);
}

static const struct transfer_ops ops = {
	.message = on_message,
	.advance = advance,
	.revoked = on_revoked,
	.released = on_released,
	.closed = on_closed,
};

static int prepare(struct sender *sender, int fd, const char *shown)
{
	sender->fd = fd;
	sender->stop = notice_open();
	sender->shown = strdup(shown);
	sender->sha = sha256_new();
	if (sender->stop >= 0 && sender->shown && sender->sha &&
	    fstat(fd, &sender->before) == 0)
		return 0;
	if (sender->stop >= 0)
		close(sender->stop);
	free(sender->shown);
	sha256_free(sender->sha);
	return -FAULT_MEMORY;
}

int sender_start(struct channel *channel, uint32_t id, int fd, uint64_t size,
                 const char *shown, const struct transfer_events *events, void *user,
                 struct transfer **out)
{
	struct sender *sender = calloc(1, sizeof(*sender));

	if (!sender || prepare(sender, fd, shown)) {
		free(sender);
		close(fd);
		return fault(FAULT_MEMORY, "out of memory for a transfer");
	}
	sender->job.run = run_read;
	sender->job.done = read_done;
	transfer_init(&sender->base, channel, id, size, &ops, events, user);
	*out = &sender->base;
	return 0;
}
