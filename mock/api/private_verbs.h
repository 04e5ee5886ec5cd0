/* SPDX-License-Identifier: BSD-2-Clause */
/* Functions that libibverbs exports to rdma-core's own programs, and no installed header
 * declares. */
#ifndef MOCK_API_PRIVATE_VERBS_H
#define MOCK_API_PRIVATE_VERBS_H

#include <infiniband/verbs.h>
#include "base/util.h"

MOCK_API int ibv_query_gid_type(struct ibv_context *context, uint8_t port,
                                unsigned int index, int *type);
MOCK_API int ibv_dontfork_range(void *base, size_t size);
MOCK_API int ibv_dofork_range(void *base, size_t size);
MOCK_API const char *ibv_get_sysfs_path(void);
MOCK_API int ibv_read_sysfs_file(const char *dir, const char *file, char *buf,
                                 size_t size);

#endif
