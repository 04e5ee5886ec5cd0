/* SPDX-License-Identifier: BSD-2-Clause */
/* ibv_create_counters(3): what flows count, and where a program wants to read it. */
#ifndef MOCK_OBJECT_FLOW_COUNTERS_H
#define MOCK_OBJECT_FLOW_COUNTERS_H

#include <infiniband/verbs.h>
#include <pthread.h>
#include "base/util.h"
#include "host/segment.h"

struct flow_counters {
	struct ibv_counters ibv;
	seg_off count; /* struct flow_count */
	pthread_mutex_t lock;
	/* Under the lock. */
	unsigned int flows; /* that count here */
	struct ibv_counter_attach_attr *points;
	unsigned int points_count;
};

static inline struct flow_counters *to_flow_counters(struct ibv_counters *counters)
{
	return container_of(counters, struct flow_counters, ibv);
}

int flow_counters_create(struct ibv_context *context, struct flow_counters **counters);
/* -EBUSY while a flow counts there. */
int flow_counters_destroy(struct flow_counters *counters);
/* Statically, as ibv_attach_counters_point_flow(3): -EOPNOTSUPP for what flows do not
 * count, -EBUSY once a flow counts there, -ENOMEM. */
int flow_counters_attach(struct flow_counters *counters,
                         const struct ibv_counter_attach_attr *attr);
/* -EINVAL when there is no room for the last index that was attached. */
int flow_counters_read(struct flow_counters *counters, uint64_t *values, uint32_t room);

/* A flow counts there from now on, or no more. */
void flow_counters_use(struct flow_counters *counters);
void flow_counters_unuse(struct flow_counters *counters);

#endif
