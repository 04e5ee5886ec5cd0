/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Moving one file through a channel. The same two ends serve PUT and GET: the receiver
 * grants a region of slots, the sender fills them by one-sided writes and says so
 * (CHUNK), the receiver stores and says that they are free again (TAKEN). Both hash what
 * they have; END carries the sender's SHA-256, DONE the receiver's.
 *
 *      sender                              receiver
 *        PUT or FOUND (size)         ->
 *                                    <-      READY, and a grant; or RESUME, which says
 *                                            how much of it is here, and its SHA-256
 *        write slot, CHUNK           ->          (several under way)
 *                                    <-      TAKEN
 *        END (length, SHA-256)       ->
 *                                    <-      DONE, when the file has its name
 *      either: FAIL ends it
 *
 * Reading, storing and hashing happen in the pool.
 */
#ifndef PROGRAM_TRANSFER_H
#define PROGRAM_TRANSFER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/list.h"
#include "program/app.h"
#include "program/channel.h"
#include "program/partial.h"

struct transfer;

struct transfer_events {
	/* More bytes are at (or from) the peer: transfer->bytes. May be NULL. */
	void (*progress)(struct transfer *transfer);
	/* The outcome is known: result, text, bytes, sha256. Once, unless freed before.
	 */
	void (*finished)(struct transfer *transfer);
	/* The channel is rid of it: do not use it from now on. May be NULL. */
	void (*gone)(struct transfer *transfer);
};

struct transfer_ops {
	/* Any but FAIL, before it is finished: 0, or -FAULT_PROTOCOL out of turn. */
	int (*message)(struct transfer *transfer, const struct app_message *message);
	void (*advance)(struct transfer *transfer); /* writable, or a grant came */
	void (*revoked)(struct transfer *transfer, struct srdma_remote *remote);
	void (*released)(struct transfer *transfer);
	void (*closed)(struct transfer *transfer); /* the channel has */
};

struct transfer {
	/* For the owner to read. */
	uint32_t id;
	uint64_t size; /* or APP_SIZE_UNKNOWN */
	uint64_t bytes;
	uint64_t resumed; /* of these, from sessions before */
	uint64_t started_us;
	uint64_t ended_us;
	bool finished;
	bool broke; /* the session did, before it was finished */
	int result;
	char text[FAULT_TEXT];
	uint8_t sha256[SHA256_BYTES];
	const struct transfer_events *events;
	void *user;
	/* The ends' own. */
	struct list node;
	struct channel
	        *channel; /* NULL once that is closed: what runs in the pool ends first */
	struct srdma_worker *worker;
	struct jobs *pool;
	const struct transfer_ops *ops;
};

/*
 * Send what `fd` holds, to which it is at the beginning; it is taken over, on failure
 * too. The peer has been told of the file, or is about to be. `size` is the file's, or
 * APP_SIZE_UNKNOWN for what ends when it ends (a pipe).
 */
int sender_start(struct channel *channel, uint32_t id, int fd, uint64_t size,
                 const char *shown, const struct transfer_events *events, void *user,
                 struct transfer **out);

/*
 * Receive into a file that has begun, perhaps by nothing: it is taken over, on failure
 * too. It has no more than `size` bytes. Sends READY or RESUME.
 */
int receiver_start(struct channel *channel, uint32_t id, struct partial *partial,
                   uint64_t size, const struct transfer_events *events, void *user,
                   struct transfer **out);

/* Give up: the peer is told, and `finished` comes with this fault. No effect after it. */
void transfer_cancel(struct transfer *transfer, int code, const char *text);

/* From the peer, for this one. -FAULT_PROTOCOL: the peer breaks the rules. */
int transfer_message(struct transfer *transfer, const struct app_message *message);

struct transfer *transfer_find(const struct channel *channel, uint32_t id);

/* For the two ends. */
void transfer_init(struct transfer *transfer, struct channel *channel, uint32_t id,
                   uint64_t size, const struct transfer_ops *ops,
                   const struct transfer_events *events, void *user);
void transfer_finish(struct transfer *transfer, int result, const char *text);
/* Off the channel, and `gone`; no effect a second time. The memory stays. */
void transfer_retire(struct transfer *transfer);

#endif
