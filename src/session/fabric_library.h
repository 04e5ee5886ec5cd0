/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libfabric, loaded when the first worker asks for it: it brings a score of libraries
 * along, which look for adapters as they start, and queue pairs need none of that. All
 * other calls of libfabric go through tables of its objects (fi_send(), …).
 */
#ifndef SESSION_FABRIC_LIBRARY_H
#define SESSION_FABRIC_LIBRARY_H

#include "common/list.h" /* before libfabric, which has a container_of() of its own */

#include <rdma/fabric.h>

struct fabric_library {
	int (*getinfo)(uint32_t version, const char *node, const char *service,
	               uint64_t flags, const struct fi_info *hints,
	               struct fi_info **info);
	void (*freeinfo)(struct fi_info *info);
	struct fi_info *(*dupinfo)(const struct fi_info *info);
	int (*fabric)(struct fi_fabric_attr *attr, struct fid_fabric **fabric,
	              void *context);
	const char *(*strerror)(int code);
};

/* SRDMA_ENODEVICE. */
int fabric_library_load(const struct fabric_library **out);

#endif
