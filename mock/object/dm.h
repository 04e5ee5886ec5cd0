/* SPDX-License-Identifier: BSD-2-Clause */
/* Device memory: of this process, since the device is, and reached by copies and keys. */
#ifndef MOCK_OBJECT_DM_H
#define MOCK_OBJECT_DM_H

#include <infiniband/verbs.h>
#include <stdatomic.h>
#include <stdbool.h>
#include "base/refs.h"
#include "base/util.h"

struct dm {
	struct ibv_dm ibv;
	struct dm *root;  /* itself, or what it is an import of */
	struct refs refs; /* of the struct: see object/import.h */
	/* Of device memory that is none. */
	uint64_t opening;
	char *memory;
	size_t length;
	_Atomic uint32_t users; /* MRs */
	_Atomic bool gone;
};

/* The device memory itself, also of an import. */
static inline struct dm *to_dm(struct ibv_dm *dm)
{
	return container_of(dm, struct dm, ibv)->root;
}

/* Bytes that all of a process's may have together (MOCKRDMA_DM). */
uint64_t dm_most(void);

/* As ibv_alloc_dm(3): -EINVAL for no length, or an alignment beyond a page of 2 MiB;
 * -ENOMEM. */
int dm_alloc(struct ibv_context *context, const struct ibv_alloc_dm_attr *attr,
             struct dm **dm);
/* -EBUSY while a memory region is in it, -EINVAL when it is gone already. With an import,
 * what it stands for goes. */
int dm_free(struct ibv_dm *ibv);
/* As ibv_import_dm(3): -ENOENT when this context's opening has no such memory. */
int dm_import(struct ibv_context *context, uint32_t handle, struct dm **dm);
void dm_unimport(struct ibv_dm *ibv);

/* Whether the range is in it. */
bool dm_has(const struct dm *dm, uint64_t offset, size_t length);

#endif
