/* SPDX-License-Identifier: BSD-2-Clause */
/* What ibv_create_flow(3) is given. */
#ifndef MOCK_OBJECT_FLOW_SPEC_H
#define MOCK_OBJECT_FLOW_SPEC_H

#include <infiniband/verbs.h>
#include "object/flow_counters.h"
#include "object/flow_shared.h"

/* A rule as a program describes it; its place in a list is open. */
struct flow_wish {
	struct flow_rule rule;
	struct flow_counters *counters;
	unsigned int seen; /* kinds of specifications */
};

/*
 * -EINVAL for what is malformed or contradicts itself; -EOPNOTSUPP for what this device
 * cannot look at (MAC addresses, VLANs, source ports, tunnels, other protocols than UDP)
 * or do (tags, IPsec, sniffers, what is sent).
 */
int flow_read(const struct ibv_flow_attr *attr, struct flow_wish *wish);

#endif
