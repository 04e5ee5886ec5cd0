/* SPDX-License-Identifier: BSD-2-Clause */
/* XRC targets: QPs that processes share. */
#ifndef MOCK_TRANSPORT_TARGET_H
#define MOCK_TRANSPORT_TARGET_H

#include "object/qp.h"

/*
 * In the segment of the process that made it, beside its struct qp_shared, whose lock
 * guards this: whoever has a handle changes the target as if it were its own.
 */
struct target_shared {
	uint64_t domain; /* number of its XRC domain */
	struct ibv_qp_attr attr;
};

static inline struct target_shared *target_of(const struct peer *home,
                                              const struct qp_shared *sh)
{
	return peer_ptr(home, sh->target);
}

int target_create(struct xrcd *xrcd, struct ibv_qp_init_attr *attr, struct qp **qp);
/* As ibv_open_qp(3): -EINVAL for one that is not of the domain. */
int target_open(struct xrcd *xrcd, uint32_t qpn, void *qp_context, struct qp **qp);
/* The last handle takes the target with it. */
void target_close(struct qp *qp);
int target_modify(struct qp *qp, const struct ibv_qp_attr *attr, int mask);
void target_query(struct qp *qp, struct ibv_qp_attr *attr, struct ibv_qp_init_attr *init);

#endif
