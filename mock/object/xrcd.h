/* SPDX-License-Identifier: BSD-2-Clause */
/* XRC domains: which targets and shared receive queues belong together, across
 * processes too. */
#ifndef MOCK_OBJECT_XRCD_H
#define MOCK_OBJECT_XRCD_H

#include <infiniband/verbs.h>
#include <stdatomic.h>
#include "base/util.h"
#include "host/registry.h"

struct xrcd {
	struct ibv_xrcd ibv;
	struct registry_domain domain;
	int fd;                 /* keeps the inode that it is known by, or -1 */
	_Atomic uint32_t users; /* SRQs and QPs of this process */
};

static inline struct xrcd *to_xrcd(struct ibv_xrcd *xrcd)
{
	return container_of(xrcd, struct xrcd, ibv);
}

/* As ibv_open_xrcd(3). -EINVAL, -EBADF; -EAGAIN for one that is not there and -EINVAL for
 * one that is and may not be, as the kernel has it; -ENOMEM. */
int xrcd_open(struct ibv_context *context, const struct ibv_xrcd_init_attr *attr,
              struct xrcd **xrcd);
/* -EBUSY while it has SRQs or QPs. */
int xrcd_close(struct xrcd *xrcd);

#endif
