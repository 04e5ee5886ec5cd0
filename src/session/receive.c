/* SPDX-License-Identifier: BSD-2-Clause */
#include "session/receive.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "common/platform.h"
#include "session/error.h"

struct pool_chunk {
	struct pool_chunk *next;
	struct region region;
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
	platform_keep_from_children(chunk->data, chunk->size);
	errno = pool->ops->reg(pool, chunk->data, chunk->size, &chunk->region);
	if (errno)
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
		message->data = chunk->data + i * pool->stride + pool->headroom;
		message->region = &chunk->region;
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

	message->session = NULL;
	message->kept = false;
	return pool->closed ? 0 : pool->ops->post(pool, message);
}

void pool_close(struct pool *pool)
{
	for (struct pool_chunk *chunk = pool->chunks; chunk; chunk = chunk->next)
		if (chunk->region.handle)
			pool->ops->dereg(&chunk->region);
	pool->closed = true;
}

void pool_free(struct pool *pool)
{
	struct pool_chunk *chunk = pool->chunks, *next;

	pool_close(pool);
	for (; chunk; chunk = next) {
		next = chunk->next;
		munmap(chunk->data, chunk->size);
		free(chunk);
	}
	pool->chunks = NULL;
	pool->count = 0;
}
