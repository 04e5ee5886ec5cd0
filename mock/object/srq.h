/* SPDX-License-Identifier: BSD-2-Clause */
/* Shared receive queues (IBA 10.2.9). */
#ifndef MOCK_OBJECT_SRQ_H
#define MOCK_OBJECT_SRQ_H

#include <infiniband/verbs.h>
#include "base/list.h"
#include "object/rq.h"

struct cq;
struct pd;
struct srq_shared;
struct xrcd;

struct srq {
	struct ibv_srq ibv;
	struct rq rq;
	struct list pd_node;
	struct list qps; /* struct qp.srq_node; under the PD's lock */
	_Atomic uint32_t users;
	uint32_t async_delivered; /* under the asynchronous queue's lock */
	_Atomic uint32_t holds;   /* of the engine, while it looks */
	struct xrcd *xrcd;        /* XRC */
	struct cq *cq;            /* if so: where its receives complete */
	struct srq_shared *sh;
	seg_off off;
	uint32_t number;
};

static inline struct srq *to_srq(struct ibv_srq *srq)
{
	return container_of(srq, struct srq, ibv);
}

/* -EINVAL for a depth of 0 or beyond the device, -ENOMEM. */
int srq_create(struct ibv_pd *pd, const struct ibv_srq_init_attr *attr, struct srq **srq);
/* One for targets of an XRC domain. */
int srq_create_xrc(struct ibv_pd *pd, const struct ibv_srq_init_attr *attr,
                   struct xrcd *xrcd, struct cq *cq, struct srq **srq);
/* As ibv_create_srq_ex(3), the attributes set to what was given. -EOPNOTSUPP for what the
 * device has not, -EINVAL for what is missing. */
int srq_create_ex(struct ibv_srq_init_attr_ex *attr, struct srq **srq);
/* Of an XRC one: waits until no request that is under way works on it. */
void srq_settle(struct srq *srq);
void srq_settle_all(void);
/* For the completions that are polled: the handle is known to be live. */
struct srq *srq_of_handle(uint32_t handle);
/* -EBUSY while a QP uses it. */
int srq_destroy(struct srq *srq);
/* As ibv_modify_srq(3): -EINVAL and -ENOMEM change nothing. */
int srq_modify(struct srq *srq, const struct ibv_srq_attr *attr, int mask);
/* Raises what is due of the one with that handle, if there is one, or of all. */
void srq_look(uint32_t handle);
void srq_look_all(void);
void srq_query(struct srq *srq, struct ibv_srq_attr *attr);

#endif
