/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Flows (ibv_create_flow(3)) of datagram QPs. Which QP a datagram is for, its BTH says: a
 * flow tells what becomes of those that are for its QP, which the first rule that matches
 * one decides, before the Q_Key is looked at or a receive is taken.
 */
#ifndef MOCK_TRANSPORT_FLOW_H
#define MOCK_TRANSPORT_FLOW_H

#include <stdbool.h>
#include "object/flow_spec.h"
#include "object/qp.h"
#include "transport/request.h"

struct flow {
	struct ibv_flow ibv;
	struct list node;
	struct qp *qp;                  /* NULL: it is gone */
	struct flow_counters *counters; /* or NULL */
	seg_off rule;
};

static inline struct flow *to_flow(struct ibv_flow *flow)
{
	return container_of(flow, struct flow, ibv);
}

/* -EINVAL for a QP of another type or counters of another context, what flow_read() says,
 * -ENOMEM. */
int flow_create(struct qp *qp, const struct ibv_flow_attr *attr, struct flow **flow);
void flow_destroy(struct flow *flow);
/* A QP that has any cannot be destroyed … */
bool flow_any(struct qp *qp);
/* … but by the connection manager, whose calls cannot refuse: its flows match nothing any
 * more. */
void flow_end_all(struct qp *qp);

/* Counts the datagram; whether a rule drops it. */
bool flow_drops(const struct request *req);

#endif
