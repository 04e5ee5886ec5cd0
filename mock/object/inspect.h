/* SPDX-License-Identifier: BSD-2-Clause */
/* What is in the segments of a host's processes, for those who look. */
#ifndef MOCK_OBJECT_INSPECT_H
#define MOCK_OBJECT_INSPECT_H

#include "host/counters.h"
#include "mockrdma_inspect.h"

/* As mockrdma_inspect(). */
int inspect(const char *kind, mockrdma_visit *visit, void *arg);
/* The counters of the whole host, as its device has them. 0 or -errno; all 0 when nobody
 * is there. */
int inspect_total(struct counters *total);
/* Before this process joins the host: how to count for those that leave it. */
void inspect_init(void);

#endif
