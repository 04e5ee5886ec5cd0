/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Receive buffers: a pool feeds one receive queue, a shared one or that of a QP. A buffer
 * is with the device, or with a session as a message.
 */
#ifndef SESSION_RECEIVE_H
#define SESSION_RECEIVE_H

#include <infiniband/verbs.h>

#include "common/list.h"
#include "srdma.h"

struct pool {
	struct ibv_pd *pd;
	struct ibv_srq *srq; /* one of the two */
	struct ibv_qp *qp;
	size_t stride; /* bytes of each buffer */
	unsigned count;
	struct pool_chunk *chunks;
};

/* A buffer; srdma_message is its public name. Work requests carry its address as wr_id.
 */
struct srdma_message {
	struct list node; /* of the session that has it */
	struct srdma_session *session;
	struct pool *pool;
	uint8_t *data;
	uint32_t lkey;
	uint32_t length;
	bool kept;
	bool is_read; /* a request that waits for its answer */
};

/* Register `count` more buffers and post them. SRDMA_ENOMEM, SRDMA_ESYSTEM. */
int pool_grow(struct pool *pool, unsigned count);

/* Give a buffer to the device. SRDMA_ESYSTEM. */
int pool_post(struct srdma_message *message);

/* After the queue is gone: the device has no more access. Messages stay readable. */
void pool_deregister(struct pool *pool);
void pool_free(struct pool *pool);

#endif
