/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Receive buffers: a pool feeds one receive queue, a shared one or that of an endpoint. A
 * buffer is with the device, or with a session as a message.
 */
#ifndef SESSION_RECEIVE_H
#define SESSION_RECEIVE_H

#include "common/list.h"
#include "session/transport.h"
#include "srdma.h"

struct pool;

/* What a transport does for its pools. */
struct pool_ops {
	/* An errno value. */
	int (*reg)(struct pool *pool, void *address, size_t length, struct region *out);
	void (*dereg)(struct region *region);
	/* SRDMA_ESYSTEM. */
	int (*post)(struct pool *pool, struct srdma_message *message);
};

struct pool {
	const struct pool_ops *ops;
	bool shared;     /* by sessions */
	bool closed;     /* the queue is gone */
	size_t stride;   /* bytes of each buffer */
	size_t headroom; /* of those: before the message, the transport's */
	unsigned count;
	struct pool_chunk *chunks;
};

/* A buffer; srdma_message is its public name. */
struct srdma_message {
	struct list node; /* of the session that has it */
	struct srdma_session *session;
	struct pool *pool;
	uint8_t *data;
	const struct region *region;
	uint32_t length;
	bool kept;
	bool is_read; /* a request that waits for its answer */
};

/* Register `count` more buffers and post them. SRDMA_ENOMEM, SRDMA_ESYSTEM. */
int pool_grow(struct pool *pool, unsigned count);

/* Give a buffer to the device. SRDMA_ESYSTEM. */
int pool_post(struct srdma_message *message);

/* After the queue is gone: the device has no more access. Messages stay readable. */
void pool_close(struct pool *pool);
void pool_free(struct pool *pool);

#endif
