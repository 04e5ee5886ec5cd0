/* SPDX-License-Identifier: BSD-2-Clause */
#include "object/dm.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "host/settings.h"
#include "object/device.h"
#include "object/handle.h"

enum { LOG_ALIGN_LEAST = 3, LOG_ALIGN_MOST = 21 };
enum {
	COPY_ALIGN = 4
}; /* of offset and length, as adapters that have such memory demand */

static struct handle_table dms = HANDLE_TABLE_INIT;
static _Atomic uint64_t in_use; /* bytes */

uint64_t dm_most(void)
{
	return settings()->device_memory;
}

bool dm_has(const struct dm *dm, uint64_t offset, size_t length)
{
	return offset <= dm->length && length <= dm->length - offset;
}

static bool may_copy(const struct dm *dm, uint64_t offset, size_t length)
{
	return dm_has(dm, offset, length) && !((offset | length) % COPY_ALIGN);
}

static int copy_to(struct ibv_dm *ibv, uint64_t offset, const void *from, size_t length)
{
	struct dm *dm = to_dm(ibv);

	if (!may_copy(dm, offset, length))
		return EINVAL;
	memcpy(dm->memory + offset, from, length);
	return 0;
}

static int copy_from(void *to, struct ibv_dm *ibv, uint64_t offset, size_t length)
{
	struct dm *dm = to_dm(ibv);

	if (!may_copy(dm, offset, length))
		return EINVAL;
	memcpy(to, dm->memory + offset, length);
	return 0;
}

static int reserve(size_t length)
{
	uint64_t used = atomic_load(&in_use);

	do {
		if (length > dm_most() || used > dm_most() - length)
			return -ENOMEM;
	} while (!atomic_compare_exchange_weak(&in_use, &used, used + length));
	return 0;
}

static int fill(struct dm *dm, unsigned int log_align)
{
	void *memory;
	int err = posix_memalign(&memory, (size_t)1 << log_align, dm->length);

	if (err)
		return -ENOMEM;
	memset(memory, 0, dm->length);
	dm->memory = memory;
	err = handle_alloc(&dms, dm, &dm->ibv.handle);
	if (err)
		free(memory);
	return err;
}

int dm_alloc(struct ibv_context *context, const struct ibv_alloc_dm_attr *attr,
             struct dm **dm)
{
	unsigned int log_align = attr->log_align_req;
	struct dm *made;
	int err;

	if (!attr->length || attr->comp_mask || log_align > LOG_ALIGN_MOST)
		return -EINVAL;
	if (log_align < LOG_ALIGN_LEAST)
		log_align = LOG_ALIGN_LEAST;
	err = reserve(attr->length);
	if (err)
		return err;
	made = calloc(1, sizeof(*made));
	if (!made) {
		err = -ENOMEM;
		goto give_back;
	}
	made->length = attr->length;
	made->ibv.context = context;
	made->ibv.memcpy_to_dm = copy_to;
	made->ibv.memcpy_from_dm = copy_from;
	made->root = made;
	made->opening = to_context(context)->opening;
	refs_init(&made->refs);
	err = fill(made, log_align);
	if (err)
		goto free_made;
	*dm = made;
	return 0;
free_made:
	free(made);
give_back:
	atomic_fetch_sub(&in_use, attr->length);
	return err;
}

/* Nobody has the struct any more. */
static void put(struct dm *dm)
{
	struct dm *root = dm->root;

	if (!refs_put(&dm->refs))
		return;
	free(dm);
	if (root != dm)
		put(root);
}

int dm_free(struct ibv_dm *ibv)
{
	struct dm *root = to_dm(ibv);

	if (atomic_load(&root->users))
		return -EBUSY;
	if (atomic_exchange(&root->gone, true))
		return -EINVAL;
	handle_free(&dms, root->ibv.handle);
	atomic_fetch_sub(&in_use, root->length);
	root->length = 0;
	free(root->memory);
	put(container_of(ibv, struct dm, ibv));
	return 0;
}

static void hold(void *object)
{
	refs_get(&((struct dm *)object)->refs);
}

int dm_import(struct ibv_context *context, uint32_t handle, struct dm **dm)
{
	struct dm *root = handle_hold(&dms, handle, hold), *made;

	if (!root)
		return -ENOENT;
	if (root->opening != to_context(context)->opening) {
		put(root);
		return -ENOENT;
	}
	made = calloc(1, sizeof(*made));
	if (!made) {
		put(root);
		return -ENOMEM;
	}
	made->ibv = root->ibv;
	made->ibv.context = context;
	made->root = root;
	refs_init(&made->refs);
	*dm = made;
	return 0;
}

/* Whoever allocated it comes here too, when it was freed elsewhere. */
void dm_unimport(struct ibv_dm *ibv)
{
	struct dm *dm = container_of(ibv, struct dm, ibv);

	if (dm->root != dm || atomic_load(&dm->gone))
		put(dm);
}
