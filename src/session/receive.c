/* SPDX-License-Identifier: BSD-2-Clause */
#include "session/receive.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "session/device.h"
#include "session/error.h"

struct pool_chunk {
	struct pool_chunk *next;
	struct ibv_mr *mr;
	uint8_t *data;
	size_t size;
	struct srdma_message messages[];
};

static struct pool_chunk *new_chunk(struct pool *pool, unsigned count)
{
	struct pool_chunk *chunk =
	        calloc(1, sizeof(*chunk) + count * sizeof(chunk->messages[0]));

	if (!chunk)
		return NULL;
	chunk->size = count * pool->stride;
	chunk->data = mmap(NULL, chunk->size, PROT_READ | PROT_WRITE,
	                   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (chunk->data == MAP_FAILED)
		goto free_chunk;
	/* A child of the process must not take the pages away from under the device. */
	madvise(chunk->data, chunk->size, MADV_DONTFORK);
	chunk->mr =
	        device_reg_mr(pool->pd, chunk->data, chunk->size, IBV_ACCESS_LOCAL_WRITE);
	if (!chunk->mr)
		goto unmap;
	return chunk;

unmap:
	munmap(chunk->data, chunk->size);
free_chunk:
	free(chunk);
	return NULL;
}

int pool_grow(struct pool *pool, unsigned count)
{
	struct pool_chunk *chunk = new_chunk(pool, count);

	if (!chunk)
		return fail(SRDMA_ENOMEM,
		            "cannot register %u receive buffers of %zu bytes: %s", count,
		            pool->stride, errno_text(errno));
	chunk->next = pool->chunks;
	pool->chunks = chunk;
	for (unsigned i = 0; i < count; i++) {
		struct srdma_message *message = &chunk->messages[i];
		int error;

		list_init(&message->node);
		message->pool = pool;
		message->data = chunk->data + i * pool->stride;
		message->lkey = chunk->mr->lkey;
		error = pool_post(message);
		if (error)
			return error;
		pool->count++;
	}
	return 0;
}

int pool_post(struct srdma_message *message)
{
	struct pool *pool = message->pool;
	struct ibv_sge sge = {
		.addr = (uintptr_t)message->data,
		.length = (uint32_t)pool->stride,
		.lkey = message->lkey,
	};
	struct ibv_recv_wr wr = { .wr_id = (uintptr_t)message,
		                  .sg_list = &sge,
		                  .num_sge = 1 },
	                   *bad;
	int error;

	message->session = NULL;
	message->kept = false;
	if (pool->srq)
		error = ibv_post_srq_recv(pool->srq, &wr, &bad);
	else if (pool->qp)
		error = ibv_post_recv(pool->qp, &wr, &bad);
	else
		return 0; /* the queue is gone already */
	return error ? fail(SRDMA_ESYSTEM, "cannot post a receive buffer: %s",
	                    errno_text(error))
	             : 0;
}

void pool_deregister(struct pool *pool)
{
	for (struct pool_chunk *chunk = pool->chunks; chunk; chunk = chunk->next) {
		device_dereg_mr(chunk->mr);
		chunk->mr = NULL;
	}
	pool->srq = NULL;
	pool->qp = NULL;
}

void pool_free(struct pool *pool)
{
	struct pool_chunk *chunk = pool->chunks, *next;

	pool_deregister(pool);
	for (; chunk; chunk = next) {
		next = chunk->next;
		munmap(chunk->data, chunk->size);
		free(chunk);
	}
	memset(pool, 0, sizeof(*pool));
}
