/* SPDX-License-Identifier: BSD-2-Clause */
/* Attaching datagram QPs to multicast groups (IBA 10.5.2). */
#ifndef MOCK_OBJECT_GROUP_H
#define MOCK_OBJECT_GROUP_H

#include "object/qp.h"

enum { GROUP_QPN = 0xffffff }; /* what is sent to a group names no other (IBA 10.5.1) */

/*
 * From now on the QP gets a copy of what anyone on the host sends to the group, itself
 * included. Doing so twice is as doing it once. -EINVAL for a QP that is not UD or an
 * address that is no group's, -ENOMEM. A QP that is attached cannot be destroyed.
 */
int group_attach(struct qp *qp, const union ibv_gid *gid);
/* -EINVAL when it is not attached to that group. */
int group_detach(struct qp *qp, const union ibv_gid *gid);

static inline bool group_has(struct qp *qp)
{
	return atomic_load(&qp->groups) != 0;
}

#endif
