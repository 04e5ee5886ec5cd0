/* SPDX-License-Identifier: BSD-2-Clause */
#include "object/flow_spec.h"

#include <endian.h>
#include <errno.h>
#include <net/ethernet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include "object/device.h"

enum { SPECS_MOST = 10 /* the kernel's */ };

/* What a flow has one of. */
enum kind {
	OF_ETHERNET = 1,
	OF_IP = 2,
	OF_UDP = 4,
	OF_HEADERS = OF_ETHERNET | OF_IP | OF_UDP,
	TO_DROP = 8,
	TO_COUNT = 16,
};

/* Bits that are to have that value; no bit can be asked to have two. */
static int ask(struct flow_rule *rule, size_t at, const void *value, const void *mask,
               size_t length)
{
	uint8_t *to = (uint8_t *)&rule->value + at,
	        *to_mask = (uint8_t *)&rule->mask + at;

	for (size_t i = 0; i < length; i++) {
		uint8_t bits = ((const uint8_t *)mask)[i];
		uint8_t wanted = ((const uint8_t *)value)[i] & bits;

		if ((to[i] ^ wanted) & bits & to_mask[i])
			return -EINVAL;
		to[i] |= wanted;
		to_mask[i] |= bits;
	}
	return 0;
}

#define ASK_AT(rule, field, first, value, mask)                                  \
	ask(rule, offsetof(union flow_view, field) + (first), &(value), &(mask), \
	    sizeof(value))
#define ASK(rule, field, value, mask) ASK_AT(rule, field, 0, value, mask)

static int ask_ether_type(struct flow_rule *rule, uint16_t type)
{
	const uint16_t value = htobe16(type), all = UINT16_MAX;

	return ASK(rule, ether_type, value, all);
}

static int take_ethernet(const struct ibv_flow_spec *spec, struct flow_wish *wish)
{
	static const struct ibv_flow_eth_filter none;
	struct ibv_flow_eth_filter other = spec->eth.mask;

	other.ether_type = 0;
	if (memcmp(&other, &none, sizeof(none)) != 0)
		return -EOPNOTSUPP;
	return ASK(&wish->rule, ether_type, spec->eth.val.ether_type,
	           spec->eth.mask.ether_type);
}

enum { IN_MAPPED = 12 /* where an IPv4 address is in its GID */ };

static int take_ipv4(const struct ibv_flow_spec *spec, struct flow_wish *wish)
{
	const struct ibv_flow_ipv4_filter *v = &spec->ipv4.val, *m = &spec->ipv4.mask;
	int err = ask_ether_type(&wish->rule, ETHERTYPE_IP);

	if (!err)
		err = ASK_AT(&wish->rule, sgid, IN_MAPPED, v->src_ip, m->src_ip);
	return err ? err : ASK_AT(&wish->rule, dgid, IN_MAPPED, v->dst_ip, m->dst_ip);
}

static int take_ipv4_ext(const struct ibv_flow_spec *spec, struct flow_wish *wish)
{
	const struct ibv_flow_ipv4_ext_filter *v = &spec->ipv4_ext.val;
	const struct ibv_flow_ipv4_ext_filter *m = &spec->ipv4_ext.mask;
	const struct ibv_flow_spec plain = { .ipv4 = {
		                                     .val = { v->src_ip, v->dst_ip },
		                                     .mask = { m->src_ip, m->dst_ip } } };
	int err = m->flags ? -EOPNOTSUPP : take_ipv4(&plain, wish);

	if (!err)
		err = ASK(&wish->rule, protocol, v->proto, m->proto);
	if (!err)
		err = ASK(&wish->rule, traffic_class, v->tos, m->tos);
	return err ? err : ASK(&wish->rule, hop_limit, v->ttl, m->ttl);
}

static int take_ipv6(const struct ibv_flow_spec *spec, struct flow_wish *wish)
{
	const struct ibv_flow_ipv6_filter *v = &spec->ipv6.val, *m = &spec->ipv6.mask;
	int err = (be32toh(v->flow_label) | be32toh(m->flow_label)) >> 20 ? -EINVAL : 0;

	if (!err)
		err = ask_ether_type(&wish->rule, ETHERTYPE_IPV6);
	if (!err)
		err = ASK(&wish->rule, sgid, v->src_ip, m->src_ip);
	if (!err)
		err = ASK(&wish->rule, dgid, v->dst_ip, m->dst_ip);
	if (!err)
		err = ASK(&wish->rule, flow_label, v->flow_label, m->flow_label);
	if (!err)
		err = ASK(&wish->rule, protocol, v->next_hdr, m->next_hdr);
	if (!err)
		err = ASK(&wish->rule, traffic_class, v->traffic_class, m->traffic_class);
	return err ? err : ASK(&wish->rule, hop_limit, v->hop_limit, m->hop_limit);
}

static int take_udp(const struct ibv_flow_spec *spec, struct flow_wish *wish)
{
	const struct ibv_flow_tcp_udp_filter *v = &spec->tcp_udp.val;
	const struct ibv_flow_tcp_udp_filter *m = &spec->tcp_udp.mask;
	const uint8_t udp = IPPROTO_UDP, all = UINT8_MAX;
	int err = m->src_port ? -EOPNOTSUPP : ASK(&wish->rule, protocol, udp, all);

	return err ? err : ASK(&wish->rule, dst_port, v->dst_port, m->dst_port);
}

static int take_drop(const struct ibv_flow_spec *spec, struct flow_wish *wish)
{
	(void)spec;
	wish->rule.drops = 1;
	return 0;
}

static int take_count(const struct ibv_flow_spec *spec, struct flow_wish *wish)
{
	if (!spec->flow_count.counters)
		return -EINVAL;
	wish->counters = to_flow_counters(spec->flow_count.counters);
	wish->rule.count = wish->counters->count;
	return 0;
}

static const struct spec_type {
	uint32_t type;
	enum kind kind;
	size_t size;
	int (*take)(const struct ibv_flow_spec *spec, struct flow_wish *wish);
} types[] = {
	{ IBV_FLOW_SPEC_ETH, OF_ETHERNET, sizeof(struct ibv_flow_spec_eth),
	  take_ethernet },
	{ IBV_FLOW_SPEC_IPV4, OF_IP, sizeof(struct ibv_flow_spec_ipv4), take_ipv4 },
	{ IBV_FLOW_SPEC_IPV4_EXT, OF_IP, sizeof(struct ibv_flow_spec_ipv4_ext),
	  take_ipv4_ext },
	{ IBV_FLOW_SPEC_IPV6, OF_IP, sizeof(struct ibv_flow_spec_ipv6), take_ipv6 },
	{ IBV_FLOW_SPEC_UDP, OF_UDP, sizeof(struct ibv_flow_spec_tcp_udp), take_udp },
	{ IBV_FLOW_SPEC_ACTION_DROP, TO_DROP, sizeof(struct ibv_flow_spec_action_drop),
	  take_drop },
	{ IBV_FLOW_SPEC_ACTION_COUNT, TO_COUNT,
	  sizeof(struct ibv_flow_spec_counter_action), take_count },
};

/* The header of one that is at hand; the rest of it need not be aligned. */
static int take(const char *at, const struct ibv_flow_spec_action_drop *header,
                struct flow_wish *wish)
{
	const struct spec_type *type = types;
	struct ibv_flow_spec spec;

	while (type < types + ARRAY_SIZE(types) && type->type != header->type)
		type++;
	if (type == types + ARRAY_SIZE(types))
		return -EOPNOTSUPP;
	if (header->size != type->size || (wish->seen & type->kind))
		return -EINVAL;
	wish->seen |= type->kind;
	memcpy(&spec, at, type->size);
	return type->take(&spec, wish);
}

static int take_all(const struct ibv_flow_attr *attr, struct flow_wish *wish)
{
	size_t left = attr->size < sizeof(*attr) ? 0 : attr->size - sizeof(*attr);
	const char *at = (const char *)(attr + 1);
	int err = 0;

	for (unsigned int i = 0; i < attr->num_of_specs && !err; i++) {
		struct ibv_flow_spec_action_drop header; /* all begin so */

		if (left < sizeof(header))
			return -EINVAL;
		memcpy(&header, at, sizeof(header));
		if (header.size < sizeof(header) || header.size > left)
			return -EINVAL;
		err = take(at, &header, wish);
		at += header.size;
		left -= header.size;
	}
	return err;
}

static int attr_check(const struct ibv_flow_attr *attr)
{
	const uint32_t known = IBV_FLOW_ATTR_FLAGS_DONT_TRAP | IBV_FLOW_ATTR_FLAGS_EGRESS;

	if (attr->comp_mask || attr->num_of_specs > SPECS_MOST ||
	    attr->port != DEVICE_PORT || (attr->flags & ~known) ||
	    (uint32_t)attr->type > IBV_FLOW_ATTR_SNIFFER)
		return -EINVAL;
	if (attr->type == IBV_FLOW_ATTR_SNIFFER ||
	    (attr->flags & IBV_FLOW_ATTR_FLAGS_EGRESS))
		return -EOPNOTSUPP;
	return 0;
}

/* Default rules come after all others. */
static uint32_t rank_of(const struct ibv_flow_attr *attr)
{
	switch (attr->type) {
	case IBV_FLOW_ATTR_MC_DEFAULT: return UINT16_MAX + 1;
	case IBV_FLOW_ATTR_ALL_DEFAULT: return UINT16_MAX + 2;
	default: return attr->priority;
	}
}

int flow_read(const struct ibv_flow_attr *attr, struct flow_wish *wish)
{
	bool plain = attr->type == IBV_FLOW_ATTR_NORMAL;
	int err = attr_check(attr);

	memset(wish, 0, sizeof(*wish));
	if (!err)
		err = take_all(attr, wish);
	if (err)
		return err;
	wish->rule.rank = rank_of(attr);
	wish->rule.of_groups = attr->type == IBV_FLOW_ATTR_MC_DEFAULT;
	wish->rule.goes_on = (attr->flags & IBV_FLOW_ATTR_FLAGS_DONT_TRAP) != 0;
	if (!plain && (wish->rule.goes_on || (wish->seen & OF_HEADERS)))
		return -EINVAL;
	return wish->rule.goes_on && wish->rule.drops ? -EINVAL : 0;
}
