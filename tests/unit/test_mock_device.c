// SPDX-License-Identifier: BSD-2-Clause
/* Devices, ports, GIDs and partitions as programs ask for them. */
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <ifaddrs.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/check.h"
#include "lib/rc.h"

static void list_body(struct side *side)
{
	struct ibv_device **list;
	int count = -1;

	(void)side;
	list = CHECK_OBJECT(ibv_get_device_list(&count));
	CHECK_EQ(count, 1);
	CHECK(list[0] && !list[1]);
	CHECK(strcmp(ibv_get_device_name(list[0]), "mock0") == 0);
	CHECK_EQ(list[0]->node_type, IBV_NODE_CA);
	CHECK_EQ(list[0]->transport_type, IBV_TRANSPORT_IB);
	CHECK(ibv_get_device_guid(list[0]) != 0);
	ibv_free_device_list(list);
}
ALONE(list)

static void list_again_body(struct side *side)
{
	struct ibv_device **first = CHECK_OBJECT(ibv_get_device_list(NULL));
	struct ibv_context *context = CHECK_OBJECT(ibv_open_device(first[0]));
	struct ibv_device **second;

	(void)side;
	/* An open device outlives the list that it came from. */
	ibv_free_device_list(first);
	CHECK(strcmp(ibv_get_device_name(context->device), "mock0") == 0);
	second = CHECK_OBJECT(ibv_get_device_list(NULL));
	CHECK_EQ(ibv_get_device_guid(second[0]), ibv_get_device_guid(context->device));
	ibv_free_device_list(second);
	CHECK_EQ(ibv_close_device(context), 0);
}
ALONE(list_again)

static void attributes_body(struct side *side)
{
	struct ibv_context *context = rc_open_device();
	struct ibv_device_attr attr = { 0 };

	(void)side;
	CHECK_EQ(ibv_query_device(context, &attr), 0);
	CHECK_EQ(attr.phys_port_cnt, 1);
	CHECK_EQ(attr.node_guid, ibv_get_device_guid(context->device));
	CHECK(attr.fw_ver[0] != '\0');
	CHECK(attr.max_qp > 0 && attr.max_cq > 0 && attr.max_mr > 0 && attr.max_pd > 0);
	CHECK(attr.max_qp_wr > 0 && attr.max_sge > 1 && attr.max_cqe > 0);
	CHECK(attr.max_srq > 0 && attr.max_srq_wr > 0 && attr.max_srq_sge > 0);
	CHECK(attr.max_qp_rd_atom > 0 && attr.max_qp_init_rd_atom > 0);
	CHECK(attr.max_mr_size >= UINT64_C(1) << 32);
	CHECK_EQ(attr.max_pkeys, 1);
	CHECK(attr.atomic_cap != IBV_ATOMIC_NONE);
	CHECK(attr.device_cap_flags & IBV_DEVICE_RC_RNR_NAK_GEN);
	CHECK_EQ(ibv_close_device(context), 0);
}
ALONE(attributes)

static void attributes_ex_body(struct side *side)
{
	struct ibv_context *context = rc_open_device();
	struct ibv_device_attr_ex extended = { 0 };
	struct ibv_device_attr plain = { 0 };

	(void)side;
	CHECK_EQ(ibv_query_device(context, &plain), 0);
	CHECK_EQ(ibv_query_device_ex(context, NULL, &extended), 0);
	CHECK_EQ(extended.orig_attr.max_qp, plain.max_qp);
	CHECK_EQ(extended.orig_attr.max_qp_wr, plain.max_qp_wr);
	CHECK_EQ(extended.orig_attr.node_guid, plain.node_guid);
	CHECK_EQ(extended.phys_port_cnt_ex, 1);
	CHECK_EQ(ibv_close_device(context), 0);
}
ALONE(attributes_ex)

static void port_body(struct side *side)
{
	struct ibv_context *context = rc_open_device();
	struct ibv_port_attr port = { 0 };

	(void)side;
	CHECK_EQ(ibv_query_port(context, RC_PORT, &port), 0);
	CHECK_EQ(port.state, IBV_PORT_ACTIVE);
	CHECK_EQ(port.link_layer, IBV_LINK_LAYER_ETHERNET);
	CHECK(port.max_mtu >= port.active_mtu);
	CHECK(port.active_mtu >= IBV_MTU_256 && port.active_mtu <= IBV_MTU_4096);
	CHECK(port.max_msg_sz >= 1u << 30);
	CHECK(port.gid_tbl_len > 0);
	CHECK_EQ(port.pkey_tbl_len, 1);
	CHECK_EQ(port.phys_state, 5); /* LinkUp */
	CHECK(port.active_speed != 0 && port.active_width != 0);
	CHECK_EQ(ibv_query_port(context, 0, &port), EINVAL);
	CHECK_EQ(ibv_query_port(context, 2, &port), EINVAL);
	CHECK_EQ(ibv_close_device(context), 0);
}
ALONE(port)

/* Since rdma-core 62; of the same order as what ibv_query_port() says in lanes. */
static void port_speed_body(struct side *side)
{
	int (*query)(struct ibv_context *, uint32_t, uint64_t *);
	struct ibv_context *context;
	uint64_t speed = 0;

	(void)side;
	context = rc_open_device();
	*(void **)&query = CHECK_OBJECT(dlsym(RTLD_DEFAULT, "ibv_query_port_speed"));
	CHECK_EQ(query(context, RC_PORT, &speed), 0);
	CHECK(speed > 0);
	CHECK_EQ(query(context, 0, &speed), EINVAL);
	CHECK_EQ(query(context, RC_PORT + 1, &speed), EINVAL);
	CHECK_EQ(query(context, RC_PORT, NULL), EINVAL);
	CHECK_EQ(query(NULL, RC_PORT, &speed), EINVAL);
	CHECK_EQ(ibv_close_device(context), 0);
}
ALONE(port_speed)

static int gid_of(const struct sockaddr *address, char *text)
{
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)address;
	const struct sockaddr_in *in = (const struct sockaddr_in *)address;

	if (address && address->sa_family == AF_INET)
		return !!inet_ntop(AF_INET, &in->sin_addr, text, INET6_ADDRSTRLEN);
	if (address && address->sa_family == AF_INET6)
		return !!inet_ntop(AF_INET6, &in6->sin6_addr, text, INET6_ADDRSTRLEN);
	return 0;
}

static void every_address_is_a_gid_body(struct side *side)
{
	struct ibv_context *context = rc_open_device();
	struct ifaddrs *all;
	int checked = 0;

	(void)side;
	CHECK_CALL(getifaddrs(&all));
	for (struct ifaddrs *one = all; one; one = one->ifa_next) {
		char text[INET6_ADDRSTRLEN];

		if (!gid_of(one->ifa_addr, text))
			continue;
		if (rc_find_gid(context, text) < 0)
			check_failed(__FILE__, __LINE__, "no GID for %s", text);
		checked++;
	}
	freeifaddrs(all);
	CHECK(checked > 0);
	CHECK(rc_find_gid(context, "127.0.0.1") >= 0);
	CHECK(rc_find_gid(context, "192.0.2.77") < 0);
	CHECK_EQ(ibv_close_device(context), 0);
}
ALONE(every_address_is_a_gid)

static int count_gids(struct ibv_context *context, const union ibv_gid *wanted)
{
	struct ibv_port_attr port;
	int count = 0;

	CHECK_EQ(ibv_query_port(context, RC_PORT, &port), 0);
	for (int i = 0; i < port.gid_tbl_len; i++) {
		union ibv_gid gid;

		if (ibv_query_gid(context, RC_PORT, i, &gid) == 0 &&
		    memcmp(&gid, wanted, sizeof(gid)) == 0)
			count++;
	}
	return count;
}

/* The three ways to ask agree with each other. */
static void gid_table_body(struct side *side)
{
	struct ibv_context *context = rc_open_device();
	struct ibv_gid_entry entries[256], entry;
	ssize_t count = ibv_query_gid_table(context, entries, 256, 0);
	union ibv_gid gid;

	(void)side;
	CHECK(count > 0);
	CHECK_EQ(ibv_query_gid_table(context, entries, (size_t)count - 1, 0), -EINVAL);
	CHECK_EQ(ibv_query_gid_table(context, entries, (size_t)count, 0), count);
	for (ssize_t i = 0; i < count; i++) {
		int index = (int)entries[i].gid_index;

		CHECK_EQ(entries[i].port_num, RC_PORT);
		CHECK_EQ(entries[i].gid_type, IBV_GID_TYPE_ROCE_V2);
		CHECK(entries[i].ndev_ifindex != 0);
		CHECK_EQ(ibv_query_gid(context, RC_PORT, index, &gid), 0);
		CHECK_BYTES(&gid, &entries[i].gid, sizeof(gid));
		CHECK_EQ(ibv_query_gid_ex(context, RC_PORT, entries[i].gid_index, &entry,
		                          0),
		         0);
		CHECK_BYTES(&entry.gid, &gid, sizeof(gid));
		CHECK_EQ(count_gids(context, &gid), 1);
	}
	CHECK_EQ(ibv_close_device(context), 0);
}
ALONE(gid_table)

static void gid_beyond_the_table_body(struct side *side)
{
	struct ibv_context *context = rc_open_device();
	struct ibv_port_attr port;
	struct ibv_gid_entry entry;
	union ibv_gid gid;

	(void)side;
	CHECK_EQ(ibv_query_port(context, RC_PORT, &port), 0);
	CHECK(ibv_query_gid(context, RC_PORT, port.gid_tbl_len, &gid) != 0);
	CHECK(ibv_query_gid(context, RC_PORT, -1, &gid) != 0);
	CHECK(ibv_query_gid(context, 2, 0, &gid) != 0);
	CHECK(ibv_query_gid_ex(context, RC_PORT, (uint32_t)port.gid_tbl_len, &entry, 0) !=
	      0);
	/* No flag is defined. */
	CHECK(ibv_query_gid_ex(context, RC_PORT, 0, &entry, 1) != 0);
	CHECK_EQ(ibv_close_device(context), 0);
}
ALONE(gid_beyond_the_table)

static void pkey_body(struct side *side)
{
	struct ibv_context *context = rc_open_device();
	__be16 pkey = 0;

	(void)side;
	CHECK_EQ(ibv_query_pkey(context, RC_PORT, 0, &pkey), 0);
	CHECK_EQ(ntohs(pkey), 0xffff);
	CHECK_EQ(ibv_get_pkey_index(context, RC_PORT, htons(0xffff)), 0);
	CHECK_EQ(ibv_get_pkey_index(context, RC_PORT, htons(0x8123)), -1);
	CHECK(ibv_query_pkey(context, RC_PORT, 1, &pkey) != 0);
	CHECK_EQ(ibv_close_device(context), 0);
}
ALONE(pkey)

static void async_channel_body(struct side *side)
{
	struct ibv_context *context = rc_open_device();
	struct pollfd ready = { .fd = context->async_fd, .events = POLLIN };
	struct ibv_async_event event;
	int flags = fcntl(context->async_fd, F_GETFL);

	(void)side;
	CHECK_CALL(flags);
	CHECK_EQ(poll(&ready, 1, 0), 0);
	CHECK_CALL(fcntl(context->async_fd, F_SETFL, flags | O_NONBLOCK));
	CHECK_FAILS(ibv_get_async_event(context, &event), EAGAIN);
	CHECK_EQ(ibv_close_device(context), 0);
}
ALONE(async_channel)

static void names_body(struct side *side)
{
	(void)side;
	CHECK(strcmp(ibv_wc_status_str(IBV_WC_SUCCESS), "success") == 0);
	CHECK(ibv_wc_status_str(IBV_WC_RNR_RETRY_EXC_ERR)[0] != '\0');
	CHECK(ibv_port_state_str(IBV_PORT_ACTIVE)[0] != '\0');
	CHECK(ibv_node_type_str(IBV_NODE_CA)[0] != '\0');
	CHECK(ibv_event_type_str(IBV_EVENT_QP_FATAL)[0] != '\0');
	CHECK(strcmp(ibv_wc_status_str(IBV_WC_LOC_LEN_ERR),
	             ibv_wc_status_str(IBV_WC_LOC_PROT_ERR)) != 0);
	/* Out of range is a text too, never a crash. */
	CHECK(ibv_wc_status_str((enum ibv_wc_status)999) != NULL);
	CHECK(ibv_wc_status_str((enum ibv_wc_status) - 1) != NULL);
	CHECK(ibv_port_state_str((enum ibv_port_state)99) != NULL);
}
ALONE(names)

static void rates_body(struct side *side)
{
	(void)side;
	CHECK_EQ(ibv_rate_to_mult(IBV_RATE_10_GBPS), 4);
	CHECK_EQ(mult_to_ibv_rate(4), IBV_RATE_10_GBPS);
	CHECK_EQ(ibv_rate_to_mbps(IBV_RATE_10_GBPS), 10000);
	CHECK_EQ(mbps_to_ibv_rate(10000), IBV_RATE_10_GBPS);
	CHECK_EQ(mult_to_ibv_rate(7), IBV_RATE_MAX);
}
ALONE(rates)

static void contexts_are_apart_body(struct side *side)
{
	struct ibv_context *one = rc_open_device(), *two = rc_open_device();
	struct ibv_pd *pd = CHECK_OBJECT(ibv_alloc_pd(one));
	struct ibv_pd *other = CHECK_OBJECT(ibv_alloc_pd(two));

	(void)side;
	CHECK(one != two);
	CHECK(pd->context == one && other->context == two);
	CHECK_EQ(ibv_dealloc_pd(pd), 0);
	CHECK_EQ(ibv_close_device(one), 0);
	CHECK_EQ(ibv_dealloc_pd(other), 0);
	CHECK_EQ(ibv_close_device(two), 0);
}
ALONE(contexts_are_apart)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(list),
		cmocka_unit_test(list_again),
		cmocka_unit_test(attributes),
		cmocka_unit_test(attributes_ex),
		cmocka_unit_test(port),
		cmocka_unit_test(port_speed),
		cmocka_unit_test(every_address_is_a_gid),
		cmocka_unit_test(gid_table),
		cmocka_unit_test(gid_beyond_the_table),
		cmocka_unit_test(pkey),
		cmocka_unit_test(async_channel),
		cmocka_unit_test(names),
		cmocka_unit_test(rates),
		cmocka_unit_test(contexts_are_apart),
	};

	return cmocka_run_group_tests(tests, runtime_directory_make,
	                              runtime_directory_remove);
}
