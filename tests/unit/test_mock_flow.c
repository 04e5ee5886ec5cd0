// SPDX-License-Identifier: BSD-2-Clause
/*
 * Flows of datagram queue pairs and the counters that count them: which rule a datagram
 * meets, what becomes of it, and what is read.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/check.h"
#include "lib/ud.h"

enum {
	CLASS = 0x68, /* of ud_handle() */
	OTHER_CLASS = 0x20,
	LENGTH = 101,
	/* Ethernet, IPv4, UDP, BTH, DETH, the payload padded, ICRC */
	FRAME = 14 + 20 + 8 + 12 + 8 + 104 + 4,
};

/* --- rules ---------------------------------------------------------------------------
 */

struct rule {
	struct ibv_flow_attr attr;
	char specs[512];
};

static struct rule rule_of(enum ibv_flow_attr_type type, uint16_t priority)
{
	return (struct rule){
		.attr = { .type = type,
		          .size = sizeof(struct ibv_flow_attr),
		          .priority = priority,
		          .port = RC_PORT },
	};
}

static struct rule add(struct rule rule, const void *spec, uint16_t size)
{
	memcpy((char *)&rule + rule.attr.size, spec, size);
	rule.attr.size = (uint16_t)(rule.attr.size + size);
	rule.attr.num_of_specs++;
	return rule;
}

#define ADD(rule, spec) add(rule, &(spec), sizeof(spec))

static struct rule add_class(struct rule rule, uint8_t class)
{
	const struct ibv_flow_spec_ipv4_ext spec = { .type = IBV_FLOW_SPEC_IPV4_EXT,
		                                     .size = sizeof(spec),
		                                     .val = { .tos = class },
		                                     .mask = { .tos = 0xff } };

	return ADD(rule, spec);
}

static struct rule add_source(struct rule rule, in_addr_t address)
{
	const struct ibv_flow_spec_ipv4 spec = { .type = IBV_FLOW_SPEC_IPV4,
		                                 .size = sizeof(spec),
		                                 .val = { .src_ip = address },
		                                 .mask = { .src_ip = UINT32_MAX } };

	return ADD(rule, spec);
}

static struct rule add_port(struct rule rule, uint16_t port)
{
	const struct ibv_flow_spec_tcp_udp spec = { .type = IBV_FLOW_SPEC_UDP,
		                                    .size = sizeof(spec),
		                                    .val = { .dst_port = htons(port) },
		                                    .mask = { .dst_port = UINT16_MAX } };

	return ADD(rule, spec);
}

static struct rule add_drop(struct rule rule)
{
	const struct ibv_flow_spec_action_drop spec = { IBV_FLOW_SPEC_ACTION_DROP,
		                                        sizeof(spec) };

	return ADD(rule, spec);
}

static struct rule add_count(struct rule rule, struct ibv_counters *counters)
{
	const struct ibv_flow_spec_counter_action spec = { IBV_FLOW_SPEC_ACTION_COUNT,
		                                           sizeof(spec), counters };

	return ADD(rule, spec);
}

static struct ibv_flow *flow(struct rc_end *end, struct rule rule)
{
	return CHECK_OBJECT(ibv_create_flow(end->qp, &rule.attr));
}

static void end_flow(struct ibv_flow *flow)
{
	CHECK_EQ(ibv_destroy_flow(flow), 0);
}

/* --- counters ------------------------------------------------------------------------
 */

static int attach(struct ibv_counters *counters, unsigned int what, uint32_t index)
{
	struct ibv_counter_attach_attr point = {
		.counter_desc = (enum ibv_counter_description)what, .index = index
	};

	return ibv_attach_counters_point_flow(counters, &point, NULL);
}

static struct ibv_counters *counters_of(struct ibv_context *context)
{
	struct ibv_counters_init_attr none = { 0 };
	struct ibv_counters *counters = CHECK_OBJECT(ibv_create_counters(context, &none));

	CHECK_EQ(attach(counters, IBV_COUNTER_PACKETS, 0), 0);
	CHECK_EQ(attach(counters, IBV_COUNTER_BYTES, 1), 0);
	return counters;
}

static uint64_t packets(struct ibv_counters *counters)
{
	uint64_t values[2];

	CHECK_EQ(ibv_read_counters(counters, values, 2, 0), 0);
	return values[0];
}

static void expect_counted(struct ibv_counters *counters, uint64_t frames)
{
	uint64_t values[2];

	CHECK_EQ(ibv_read_counters(counters, values, 2,
	                           IBV_READ_COUNTERS_ATTR_PREFER_CACHED),
	         0);
	CHECK_EQ(values[0], frames);
	CHECK_EQ(values[1], frames * FRAME);
}

static void end_counters(struct ibv_counters *counters)
{
	CHECK_EQ(ibv_destroy_counters(counters), 0);
}

/* --- from another process ------------------------------------------------------------
 */

static struct ibv_ah *handle_of_class(struct rc_end *end, uint8_t class)
{
	struct ibv_ah_attr attr = { .is_global = 1,
		                    .port_num = RC_PORT,
		                    .grh = { .dgid = end->peer.gid,
		                             .sgid_index = (uint8_t)end->gid_index,
		                             .hop_limit = 63,
		                             .traffic_class = class } };

	return CHECK_OBJECT(ibv_create_ah(end->pd, &attr));
}

static void sender(struct side *side)
{
	struct rc_end end;
	struct ud_to to, other;

	ud_side_open(side, &end, &ud_default);
	to = (struct ud_to){ ud_handle(&end, &end.peer.gid), end.peer.qpn, UD_QKEY };
	other = (struct ud_to){ handle_of_class(&end, OTHER_CLASS), to.qpn, to.qkey };
	side_meet(side);
	ud_send(&end, &other, 1, LENGTH);
	ud_send(&end, &to, 2, LENGTH);
	ud_send(&end, &to, 3, LENGTH);
	CHECK_EQ(ibv_destroy_ah(other.ah), 0);
	CHECK_EQ(ibv_destroy_ah(to.ah), 0);
	rc_side_close(side, &end);
}

static void receiver(struct side *side)
{
	struct ibv_counters *passed, *dropped;
	struct ibv_flow *pass, *drop;
	struct rc_end end;
	in_addr_t source;

	ud_side_open(side, &end, &ud_default);
	memcpy(&source, end.peer.gid.raw + 12, sizeof(source));
	passed = counters_of(end.context);
	dropped = counters_of(end.context);
	pass = flow(&end, add_count(add_source(rule_of(IBV_FLOW_ATTR_NORMAL, 7), source),
	                            passed));
	drop = flow(&end, add_drop(add_count(add_class(rule_of(IBV_FLOW_ATTR_NORMAL, 3),
	                                               OTHER_CLASS),
	                                     dropped)));
	rc_recv(&end, 1, 0, UD_GRH + LENGTH);
	rc_recv(&end, 2, 1024, UD_GRH + LENGTH);
	rc_recv(&end, 3, 2048, UD_GRH + LENGTH);
	side_meet(side);
	rc_received(&end, 1);
	rc_received(&end, 2);
	rc_expect_nothing(end.recv_cq, 0);
	expect_counted(passed, 2);
	expect_counted(dropped, 1);
	end_flow(drop);
	end_flow(pass);
	end_counters(passed);
	end_counters(dropped);
	rc_side_close(side, &end);
}

static void counted_and_dropped(void **state)
{
	(void)state;
	sides_run(SIDES_PROCESSES, sender, receiver, NULL);
	sides_run(SIDES_THREADS, sender, receiver, NULL);
}

static void flood(struct side *side)
{
	struct rc_end end;
	struct ud_to to;

	ud_open(&end, &ud_default);
	side_get(side, &end.peer, sizeof(end.peer));
	to = (struct ud_to){ ud_handle(&end, &end.peer.gid), end.peer.qpn, UD_QKEY };
	for (;;)
		ud_send(&end, &to, 1, LENGTH);
}

/* Wherever it was: in the middle of a rule, too. */
static void killed_sender_body(struct side *side)
{
	struct process process = process_start("sender", flood, NULL);
	struct side link = { .socket = process.socket };
	struct ibv_counters *counters;
	struct ibv_flow *first;
	struct rc_end end;
	struct ud_to to;
	uint64_t before;

	(void)side;
	ud_open(&end, &ud_default);
	counters = counters_of(end.context);
	first = flow(&end, add_count(rule_of(IBV_FLOW_ATTR_NORMAL, 0), counters));
	side_put(&link, &end.self, sizeof(end.self));
	while (packets(counters) < 100)
		;
	CHECK_CALL(kill(process.pid, SIGKILL));
	process_wait(&process);
	before = packets(counters);
	to = (struct ud_to){ ud_handle(&end, &end.self.gid), end.self.qpn, UD_QKEY };
	rc_recv(&end, 5, 0, UD_GRH + LENGTH);
	ud_send(&end, &to, 6, LENGTH);
	rc_received(&end, 5); /* this one or, over packets, one that was on its way */
	CHECK(packets(counters) > before);
	end_flow(first);
	end_counters(counters);
	CHECK_EQ(ibv_destroy_ah(to.ah), 0);
	rc_close(&end);
}
ALONE(killed_sender)

/* --- which rule ----------------------------------------------------------------------
 */

/* One end that sends to itself, and what three of its rules count. */
struct alone {
	struct rc_end end;
	struct ud_to to;
	struct ibv_counters *counters[3];
};

static void open_alone(struct alone *a)
{
	ud_open(&a->end, &ud_default);
	a->to = (struct ud_to){ ud_handle(&a->end, &a->end.self.gid), a->end.self.qpn,
		                UD_QKEY };
	for (int i = 0; i < 3; i++)
		a->counters[i] = counters_of(a->end.context);
}

static void close_alone(struct alone *a)
{
	for (int i = 0; i < 3; i++)
		end_counters(a->counters[i]);
	CHECK_EQ(ibv_destroy_ah(a->to.ah), 0);
	rc_close(&a->end);
}

static void pass_one(struct alone *a)
{
	rc_recv(&a->end, 1, 0, UD_GRH + LENGTH);
	ud_send(&a->end, &a->to, 2, LENGTH);
	rc_received(&a->end, 1);
}

static void expect_all(struct alone *a, uint64_t first, uint64_t second, uint64_t third)
{
	expect_counted(a->counters[0], first);
	expect_counted(a->counters[1], second);
	expect_counted(a->counters[2], third);
}

/* The lowest number first, whenever it was made; the first that matches ends it, unless
 * it does not trap. */
static void priorities_body(struct side *side)
{
	struct ibv_flow *last, *middle, *first;
	struct rule look = rule_of(IBV_FLOW_ATTR_NORMAL, 1);
	struct alone a;

	(void)side;
	open_alone(&a);
	last = flow(&a.end,
	            add_count(rule_of(IBV_FLOW_ATTR_ALL_DEFAULT, 0), a.counters[2]));
	pass_one(&a);
	expect_all(&a, 0, 0, 1);
	middle = flow(&a.end, add_count(add_port(rule_of(IBV_FLOW_ATTR_NORMAL, 2), 4791),
	                                a.counters[1]));
	pass_one(&a);
	expect_all(&a, 0, 1, 1);
	look.attr.flags = IBV_FLOW_ATTR_FLAGS_DONT_TRAP;
	first = flow(&a.end, add_count(add_class(look, CLASS), a.counters[0]));
	pass_one(&a);
	expect_all(&a, 1, 2, 1);
	end_flow(middle);
	pass_one(&a);
	expect_all(&a, 2, 2, 2);
	end_flow(first);
	end_flow(last);
	pass_one(&a);
	expect_all(&a, 2, 2, 2);
	close_alone(&a);
}
ALONE(priorities)

/* What asks for anything else than a datagram has matches none. */
static void no_match_body(struct side *side)
{
	static const struct ibv_flow_spec_ipv6 ipv6 = { .type = IBV_FLOW_SPEC_IPV6,
		                                        .size = sizeof(ipv6) };
	static const struct ibv_flow_spec_eth arp = {
		.type = IBV_FLOW_SPEC_ETH,
		.size = sizeof(arp),
		.val = { .ether_type = 0x0608 },
		.mask = { .ether_type = UINT16_MAX },
	};
	struct rule plain = rule_of(IBV_FLOW_ATTR_NORMAL, 0);
	struct ibv_flow *flows[5];
	struct alone a;

	(void)side;
	open_alone(&a);
	flows[0] = flow(&a.end, add_drop(ADD(plain, ipv6)));
	flows[1] = flow(&a.end, add_drop(ADD(plain, arp)));
	flows[2] = flow(&a.end, add_drop(add_source(plain, inet_addr("127.0.0.9"))));
	flows[3] = flow(&a.end, add_drop(add_port(plain, 4790)));
	flows[4] = flow(&a.end, add_drop(rule_of(IBV_FLOW_ATTR_MC_DEFAULT, 0)));
	pass_one(&a);
	for (int i = 0; i < 5; i++)
		end_flow(flows[i]);
	close_alone(&a);
}
ALONE(no_match)

static void groups_body(struct side *side)
{
	union ibv_gid group = {
		.raw = { [10] = 0xff, [11] = 0xff, [12] = 239, [13] = 1, [15] = 9 }
	};
	struct ibv_flow *drop;
	struct ud_to to;
	struct alone a;

	(void)side;
	open_alone(&a);
	CHECK_EQ(ibv_attach_mcast(a.end.qp, &group, 0), 0);
	drop = flow(&a.end, add_drop(add_count(rule_of(IBV_FLOW_ATTR_MC_DEFAULT, 0),
	                                       a.counters[0])));
	to = (struct ud_to){ ud_handle(&a.end, &group), UD_MULTICAST_QPN, UD_QKEY };
	ud_send(&a.end, &to, 7, LENGTH);
	pass_one(&a);
	expect_counted(a.counters[0], 1);
	end_flow(drop);
	CHECK_EQ(ibv_detach_mcast(a.end.qp, &group, 0), 0);
	CHECK_EQ(ibv_destroy_ah(to.ah), 0);
	close_alone(&a);
}
ALONE(groups)

/* --- what is refused -----------------------------------------------------------------
 */

static void refused(struct rc_end *end, struct rule rule, int error)
{
	CHECK_FAILS(ibv_create_flow(end->qp, &rule.attr), error);
}

static void wrong_attributes(struct rc_end *end)
{
	struct rule plain = rule_of(IBV_FLOW_ATTR_NORMAL, 0), rule;

	rule = plain;
	rule.attr.comp_mask = 1;
	refused(end, rule, EINVAL);
	rule = plain;
	rule.attr.port = 2;
	refused(end, rule, EINVAL);
	rule = plain;
	rule.attr.flags = 1;
	refused(end, rule, EINVAL);
	rule.attr.flags = IBV_FLOW_ATTR_FLAGS_EGRESS;
	refused(end, rule, EOPNOTSUPP);
	rule = add_drop(plain);
	rule.attr.flags = IBV_FLOW_ATTR_FLAGS_DONT_TRAP;
	refused(end, rule, EINVAL);
	rule = rule_of(IBV_FLOW_ATTR_ALL_DEFAULT, 0);
	refused(end, add_port(rule, 4791), EINVAL);
	refused(end, rule_of(IBV_FLOW_ATTR_SNIFFER, 0), EOPNOTSUPP);
	refused(end, rule_of(IBV_FLOW_ATTR_SNIFFER + 1, 0), EINVAL);
	CHECK_FAILS(ibv_create_flow(end->qp, NULL), EINVAL);
}

static void wrong_specs(struct rc_end *end)
{
	struct ibv_flow_spec_eth eth = { .type = IBV_FLOW_SPEC_ETH, .size = sizeof(eth) };
	struct ibv_flow_spec_action_tag tag = { IBV_FLOW_SPEC_ACTION_TAG, sizeof(tag),
		                                5 };
	struct rule plain = rule_of(IBV_FLOW_ATTR_NORMAL, 0), rule;

	refused(end, add_drop(add_drop(plain)), EINVAL);
	refused(end, add_class(add_source(plain, inet_addr("127.0.0.1")), CLASS), EINVAL);
	refused(end, ADD(plain, tag), EOPNOTSUPP);
	refused(end, add_count(plain, NULL), EINVAL);
	eth.mask.dst_mac[0] = 0xff;
	refused(end, ADD(plain, eth), EOPNOTSUPP);
	eth = (struct ibv_flow_spec_eth){ .type = IBV_FLOW_SPEC_ETH,
		                          .size = sizeof(eth),
		                          .val = { .ether_type = htons(0x86dd) },
		                          .mask = { .ether_type = UINT16_MAX } };
	refused(end, add_source(ADD(plain, eth), inet_addr("127.0.0.1")), EINVAL);
	eth.size--;
	refused(end, ADD(plain, eth), EINVAL);
	rule = add_drop(plain);
	rule.attr.num_of_specs = 2; /* of which one is beyond the end */
	refused(end, rule, EINVAL);
	rule.attr.num_of_specs = 11;
	refused(end, rule, EINVAL);
}

static void wrong_flows_body(struct side *side)
{
	struct ibv_device_attr device;
	struct ibv_counters *strange;
	struct ibv_context *other = rc_open_device();
	struct rule plain = rule_of(IBV_FLOW_ATTR_NORMAL, 0);
	struct rc_end end, connected;
	struct ibv_flow *one;

	(void)side;
	ud_open(&end, &ud_default);
	CHECK_EQ(ibv_query_device(end.context, &device), 0);
	CHECK(device.device_cap_flags & IBV_DEVICE_MANAGED_FLOW_STEERING);
	wrong_attributes(&end);
	wrong_specs(&end);
	strange = counters_of(other);
	refused(&end, add_count(plain, strange), EINVAL);
	rc_open(&connected, &rc_default);
	refused(&connected, plain, EINVAL);
	one = flow(&end, plain);
	CHECK_EQ(ibv_destroy_qp(end.qp), EBUSY);
	end_flow(one);
	end_counters(strange);
	CHECK_EQ(ibv_close_device(other), 0);
	rc_close(&connected);
	rc_close(&end);
}
ALONE(wrong_flows)

/* Places that are named twice hold sums; what is bound does not change. */
static void counters_alone_body(struct side *side)
{
	struct ibv_counters_init_attr init = { .comp_mask = 1 };
	struct ibv_counter_attach_attr point = { .comp_mask = 1 };
	struct ibv_counters *counters;
	struct ibv_flow *one;
	uint64_t values[6];
	struct alone a;

	(void)side;
	open_alone(&a);
	CHECK_FAILS(ibv_create_counters(a.end.context, &init), EOPNOTSUPP);
	CHECK_FAILS(ibv_create_counters(a.end.context, NULL), EINVAL);
	init.comp_mask = 0;
	counters = CHECK_OBJECT(ibv_create_counters(a.end.context, &init));
	CHECK_EQ(ibv_attach_counters_point_flow(counters, &point, NULL), EOPNOTSUPP);
	CHECK_EQ(ibv_attach_counters_point_flow(counters, NULL, NULL), EINVAL);
	CHECK_EQ(attach(counters, IBV_COUNTER_BYTES + 1, 0), ENOTSUP);
	CHECK_EQ(attach(counters, IBV_COUNTER_PACKETS, 4), 0);
	CHECK_EQ(attach(counters, IBV_COUNTER_PACKETS, 4), 0);
	CHECK_EQ(attach(counters, IBV_COUNTER_BYTES, 4), 0);
	one = flow(&a.end, add_count(rule_of(IBV_FLOW_ATTR_NORMAL, 0), counters));
	point.comp_mask = 0;
	CHECK_EQ(ibv_attach_counters_point_flow(counters, &point, one), EOPNOTSUPP);
	CHECK_EQ(attach(counters, IBV_COUNTER_PACKETS, 0), EBUSY);
	CHECK_EQ(ibv_destroy_counters(counters), EBUSY);
	pass_one(&a);
	CHECK_EQ(ibv_read_counters(counters, values, 4, 0), EINVAL);
	CHECK_EQ(ibv_read_counters(counters, values, 6, 2), EINVAL);
	CHECK_EQ(ibv_read_counters(counters, NULL, 6, 0), EINVAL);
	CHECK_EQ(ibv_read_counters(counters, values, 6, 0), 0);
	CHECK_EQ(values[3], 0);
	CHECK_EQ(values[4], 2 + FRAME);
	CHECK_EQ(values[5], 0);
	end_flow(one);
	CHECK_EQ(attach(counters, IBV_COUNTER_PACKETS, 0), 0);
	end_counters(counters);
	close_alone(&a);
}
ALONE(counters_alone)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counted_and_dropped),

		cmocka_unit_test(killed_sender),
		cmocka_unit_test(priorities),
		cmocka_unit_test(no_match),
		cmocka_unit_test(groups),
		cmocka_unit_test(wrong_flows),
		cmocka_unit_test(counters_alone),
	};

	return cmocka_run_group_tests(tests, runtime_directory_make,
	                              runtime_directory_remove);
}
