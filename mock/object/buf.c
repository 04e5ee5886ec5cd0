/* SPDX-License-Identifier: BSD-2-Clause */
#include "object/buf.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "object/pd.h"

struct buf {
	struct ibv_pd *pd;
	void *memory;
	size_t size; /* as asked for */
};

static void *pages(size_t size)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), whole;
	void *memory;

	if (__builtin_add_overflow(size, page - 1, &whole) ||
	    posix_memalign(&memory, page, whole & ~(page - 1)))
		return NULL;
	return memset(memory, 0, whole & ~(page - 1));
}

int buf_alloc(struct ibv_pd *pd, size_t size, struct buf **buf)
{
	struct buf *made;

	if (!size)
		return -EINVAL;
	made = calloc(1, sizeof(*made));
	if (!made)
		return -ENOMEM;
	made->memory = pages(size);
	if (!made->memory) {
		free(made);
		return -ENOMEM;
	}
	made->size = size;
	made->pd = pd;
	pd_use(pd);
	*buf = made;
	return 0;
}

void buf_free(struct buf *buf)
{
	pd_unuse(buf->pd);
	free(buf->memory);
	free(buf);
}

void *buf_memory(const struct buf *buf)
{
	return buf->memory;
}

bool buf_has(const struct buf *buf, const struct ibv_pd *pd, const void *addr,
             size_t length)
{
	uintptr_t first = (uintptr_t)buf->memory, wanted = (uintptr_t)addr;

	return pd == buf->pd && wanted >= first && wanted - first <= buf->size &&
	       length <= buf->size - (wanted - first);
}
