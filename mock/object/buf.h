/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory that the device chooses, for regions to be made of: here any will do. */
#ifndef MOCK_OBJECT_BUF_H
#define MOCK_OBJECT_BUF_H

#include <infiniband/verbs.h>
#include <stdbool.h>
#include <stddef.h>

struct buf;

/* Whole pages, zeroed. The PD is in use as long as it lives. -EINVAL for no size,
 * -ENOMEM. */
int buf_alloc(struct ibv_pd *pd, size_t size, struct buf **buf);
void buf_free(struct buf *buf);

void *buf_memory(const struct buf *buf);
/* Whether these bytes are within it, and it is of that PD. */
bool buf_has(const struct buf *buf, const struct ibv_pd *pd, const void *addr,
             size_t length);

#endif
