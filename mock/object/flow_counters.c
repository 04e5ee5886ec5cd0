/* SPDX-License-Identifier: BSD-2-Clause */
#include "object/flow_counters.h"

#include <errno.h>
#include <stdlib.h>
#include "object/flow_shared.h"

int flow_counters_create(struct ibv_context *context, struct flow_counters **counters)
{
	struct flow_counters *made = calloc(1, sizeof(*made));
	int err = made ? segment_alloc(sizeof(struct flow_count), &made->count) : -ENOMEM;

	if (err) {
		free(made);
		return err;
	}
	made->ibv.context = context;
	pthread_mutex_init(&made->lock, NULL);
	*counters = made;
	return 0;
}

int flow_counters_destroy(struct flow_counters *counters)
{
	unsigned int flows;

	pthread_mutex_lock(&counters->lock);
	flows = counters->flows;
	pthread_mutex_unlock(&counters->lock);
	if (flows)
		return -EBUSY;
	segment_free(counters->count, sizeof(struct flow_count));
	pthread_mutex_destroy(&counters->lock);
	free(counters->points);
	free(counters);
	return 0;
}

/* The lock is held. */
static int add_point(struct flow_counters *counters,
                     const struct ibv_counter_attach_attr *attr)
{
	struct ibv_counter_attach_attr *more;

	if (counters->flows)
		return -EBUSY;
	more = reallocarray(counters->points, counters->points_count + 1, sizeof(*more));
	if (!more)
		return -ENOMEM;
	more[counters->points_count++] = *attr;
	counters->points = more;
	return 0;
}

int flow_counters_attach(struct flow_counters *counters,
                         const struct ibv_counter_attach_attr *attr)
{
	int err;

	if (attr->comp_mask || (attr->counter_desc != IBV_COUNTER_PACKETS &&
	                        attr->counter_desc != IBV_COUNTER_BYTES))
		return -EOPNOTSUPP;
	pthread_mutex_lock(&counters->lock);
	err = add_point(counters, attr);
	pthread_mutex_unlock(&counters->lock);
	return err;
}

/* The lock is held. */
static int add_up(const struct flow_counters *counters, uint64_t *values, uint32_t room)
{
	struct flow_count *count = segment_ptr(counters->count);

	for (unsigned int i = 0; i < counters->points_count; i++) {
		if (counters->points[i].index >= room)
			return -EINVAL;
	}
	memset(values, 0, room * sizeof(*values));
	for (unsigned int i = 0; i < counters->points_count; i++) {
		const struct ibv_counter_attach_attr *point = &counters->points[i];

		values[point->index] += point->counter_desc == IBV_COUNTER_PACKETS
		                                ? atomic_load(&count->packets)
		                                : atomic_load(&count->bytes);
	}
	return 0;
}

int flow_counters_read(struct flow_counters *counters, uint64_t *values, uint32_t room)
{
	int err;

	pthread_mutex_lock(&counters->lock);
	err = add_up(counters, values, room);
	pthread_mutex_unlock(&counters->lock);
	return err;
}

void flow_counters_use(struct flow_counters *counters)
{
	pthread_mutex_lock(&counters->lock);
	counters->flows++;
	pthread_mutex_unlock(&counters->lock);
}

void flow_counters_unuse(struct flow_counters *counters)
{
	pthread_mutex_lock(&counters->lock);
	counters->flows--;
	pthread_mutex_unlock(&counters->lock);
}
