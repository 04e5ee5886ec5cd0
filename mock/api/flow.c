/* SPDX-License-Identifier: BSD-2-Clause */
/* ibv_create_flow(3), ibv_create_counters(3), ibv_attach_counters_point_flow(3),
 * ibv_read_counters(3). */
#include <infiniband/verbs.h>
#include "api/api.h"
#include "api/tables.h"
#include "transport/flow.h"

struct ibv_flow *table_create_flow(struct ibv_qp *qp, struct ibv_flow_attr *attr)
{
	struct flow *flow;
	int err = attr ? flow_create(to_qp(qp), attr, &flow) : -EINVAL;

	return err ? null_result(err) : &flow->ibv;
}

int table_destroy_flow(struct ibv_flow *flow)
{
	flow_destroy(to_flow(flow));
	return 0;
}

struct ibv_counters *table_create_counters(struct ibv_context *context,
                                           struct ibv_counters_init_attr *attr)
{
	struct flow_counters *counters;
	int err = attr ? 0 : -EINVAL;

	if (!err && attr->comp_mask)
		err = -EOPNOTSUPP;
	if (!err)
		err = flow_counters_create(context, &counters);
	return err ? null_result(err) : &counters->ibv;
}

int table_destroy_counters(struct ibv_counters *counters)
{
	return verbs_result(flow_counters_destroy(to_flow_counters(counters)));
}

/* What a flow counts is told when it is made: adding to one that is there is an option
 * that, as adapters, this device has not. */
int table_attach_counters_point_flow(struct ibv_counters *counters,
                                     struct ibv_counter_attach_attr *attr,
                                     struct ibv_flow *flow)
{
	if (!attr)
		return EINVAL;
	if (flow)
		return refused();
	return verbs_result(flow_counters_attach(to_flow_counters(counters), attr));
}

int table_read_counters(struct ibv_counters *counters, uint64_t *values, uint32_t count,
                        uint32_t flags)
{
	if (!values || (flags & ~IBV_READ_COUNTERS_ATTR_PREFER_CACHED))
		return EINVAL;
	return verbs_result(
	        flow_counters_read(to_flow_counters(counters), values, count));
}
