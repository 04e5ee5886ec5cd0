/* SPDX-License-Identifier: BSD-2-Clause */
#include "verbs/world.h"

void change_counters(struct world *w)
{
	struct ibv_counters **at = &w->counters[byte(w) % OWN];
	struct ibv_counters_init_attr init = { (uint32_t)mostly(w, 0) };
	struct ibv_counter_attach_attr point = {
		.counter_desc = (enum ibv_counter_description)mostly(w, byte(w) % 2),
		.index = (uint32_t)mostly(w, byte(w) % 8),
		.comp_mask = (uint32_t)mostly(w, 0),
	};
	uint64_t values[16];

	if (!*at)
		*at = ibv_create_counters(w->shared->context, &init);
	else if (byte(w) < 100)
		ibv_attach_counters_point_flow(*at, &point, NULL);
	else if (byte(w) < 200)
		ibv_read_counters(*at, values, byte(w) % 17, (uint32_t)mostly(w, 0));
	else if (!ibv_destroy_counters(*at))
		*at = NULL;
}

static struct ibv_counters *some_counters(struct world *w)
{
	struct ibv_counters **at = &w->counters[byte(w) % OWN];
	struct ibv_counters_init_attr init = { 0 };

	if (!*at)
		*at = ibv_create_counters(w->shared->context, &init);
	return *at;
}

static struct ibv_flow *make_flow(struct world *w)
{
	static const struct {
		uint32_t type;
		uint16_t size;
	} kinds[] = {
		{ IBV_FLOW_SPEC_ETH, sizeof(struct ibv_flow_spec_eth) },
		{ IBV_FLOW_SPEC_IPV4, sizeof(struct ibv_flow_spec_ipv4) },
		{ IBV_FLOW_SPEC_IPV4_EXT, sizeof(struct ibv_flow_spec_ipv4_ext) },
		{ IBV_FLOW_SPEC_IPV6, sizeof(struct ibv_flow_spec_ipv6) },
		{ IBV_FLOW_SPEC_UDP, sizeof(struct ibv_flow_spec_tcp_udp) },
		{ IBV_FLOW_SPEC_ACTION_DROP, sizeof(struct ibv_flow_spec_action_drop) },
	};
	/* One lies right behind the other. */
	struct __attribute__((packed, aligned(8))) {
		struct ibv_flow_attr attr;
		struct ibv_flow_spec_counter_action count;
		struct ibv_flow_spec spec;
	} flow = { .count = { IBV_FLOW_SPEC_ACTION_COUNT, sizeof(flow.count),
		              some_counters(w) } };
	unsigned int kind = byte(w) % (sizeof(kinds) / sizeof(kinds[0]));

	for (unsigned int i = byte(w) % 8; i; i--)
		((uint8_t *)&flow.spec)[byte(w) % sizeof(flow.spec)] = byte(w);
	flow.spec.hdr.type = (enum ibv_flow_spec_type)mostly(w, kinds[kind].type);
	flow.spec.hdr.size = (uint16_t)mostly(w, kinds[kind].size);
	flow.attr = (struct ibv_flow_attr){
		.comp_mask = (uint32_t)mostly(w, 0),
		.type = (enum ibv_flow_attr_type)mostly(w, byte(w) % 4),
		.size = (uint16_t)(mostly(w, sizeof(flow)) % (sizeof(flow) + 1)),
		.priority = byte(w),
		.num_of_specs = (uint8_t)mostly(w, 2),
		.port = (uint8_t)mostly(w, 1),
		.flags = (uint32_t)mostly(w, byte(w) % 2 * IBV_FLOW_ATTR_FLAGS_DONT_TRAP),
	};
	return ibv_create_flow(any_qp(w), &flow.attr);
}

void change_flow(struct world *w)
{
	struct ibv_flow **at = &w->flow[byte(w) % OWN];

	if (!*at) {
		*at = make_flow(w);
	} else {
		MUST(!ibv_destroy_flow(*at));
		*at = NULL;
	}
}
