/* SPDX-License-Identifier: BSD-2-Clause */
/* Which changes of a QP's state and attributes exist (IBA 11.2.5.2, table 91). */
#ifndef MOCK_OBJECT_QP_ATTR_H
#define MOCK_OBJECT_QP_ATTR_H

#include "object/qp.h"

/* Without those that a half of XRC has not, and programs that treat it as RC give all the
 * same: the kernel leaves them out too. */
int qp_attr_meant(enum ibv_qp_type type, int mask);

/*
 * Whether ibv_modify_qp() may make this change now: the transition exists, each required
 * attribute is given, none that is not permitted, and each value is one that the device
 * can take. 0 or -EINVAL. The requester's lock is held. from is the QP's state, *next the
 * one that it leads to.
 */
int qp_attr_check(const struct qp *qp, const struct ibv_qp_attr *attr, int mask,
                  enum ibv_qp_state from, enum ibv_qp_state *next);

/* Copies the attributes that the mask names; all but the state. */
void qp_attr_apply(struct qp *qp, const struct ibv_qp_attr *attr, int mask);

#endif
