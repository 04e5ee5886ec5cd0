// SPDX-License-Identifier: BSD-2-Clause
/* What a program can say about a connection before it asks for one: hints of
 * rdma_getaddrinfo(3), port spaces, paths, enhanced connection establishment. */
#include <errno.h>
#include <netdb.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <infiniband/sa.h>
#include <rdma/rdma_verbs.h>

#include "lib/check.h"
#include "lib/connection.h"

/*
 * rdma_getaddrinfo(3)
 */

static void expect_kind(int qp_type, int port_space, int wanted_type, int wanted_space)
{
	const struct rdma_addrinfo hints = { .ai_flags = RAI_NUMERICHOST,
		                             .ai_qp_type = qp_type,
		                             .ai_port_space = port_space };
	struct rdma_addrinfo *info;

	CHECK_EQ(rdma_getaddrinfo("127.0.0.1", "7", &hints, &info), 0);
	CHECK_EQ(info->ai_qp_type, wanted_type);
	CHECK_EQ(info->ai_port_space, wanted_space);
	CHECK_EQ(info->ai_dst_len, sizeof(struct sockaddr_in));
	CHECK(!info->ai_src_len && !info->ai_route_len && !info->ai_connect_len);
	rdma_freeaddrinfo(info);
}

static void kinds_body(struct side *side)
{
	struct rdma_addrinfo hints = { .ai_qp_type = IBV_QPT_UD,
		                       .ai_port_space = RDMA_PS_TCP };
	struct rdma_addrinfo *info;

	(void)side;
	expect_kind(0, 0, IBV_QPT_RC, RDMA_PS_TCP);
	expect_kind(IBV_QPT_RC, 0, IBV_QPT_RC, RDMA_PS_TCP);
	expect_kind(IBV_QPT_UD, 0, IBV_QPT_UD, RDMA_PS_UDP);
	expect_kind(0, RDMA_PS_UDP, IBV_QPT_UD, RDMA_PS_UDP);
	expect_kind(0, RDMA_PS_IPOIB, IBV_QPT_UD, RDMA_PS_IPOIB);
	expect_kind(IBV_QPT_UD, RDMA_PS_IB, IBV_QPT_UD, RDMA_PS_IB);
	expect_kind(IBV_QPT_XRC_SEND, RDMA_PS_TCP, IBV_QPT_XRC_SEND, RDMA_PS_TCP);
	/* What contradicts itself. */
	CHECK_EQ(rdma_getaddrinfo("127.0.0.1", "7", &hints, &info), EAI_SOCKTYPE);
	hints.ai_qp_type = IBV_QPT_RC;
	hints.ai_port_space = RDMA_PS_UDP;
	CHECK_EQ(rdma_getaddrinfo("127.0.0.1", "7", &hints, &info), EAI_SOCKTYPE);
	/* RoCE has IP addresses only. */
	hints = (struct rdma_addrinfo){ .ai_flags = RAI_FAMILY,
		                        .ai_family = 27 /* IB */ };
	CHECK_EQ(rdma_getaddrinfo("fe80::1", "7", &hints, &info), EAI_FAMILY);
}
ALONE(kinds)

/* A source that is given comes back beside the destination, in memory of its own. */
static void addresses_body(struct side *side)
{
	struct sockaddr_storage source;
	struct rdma_addrinfo hints = { .ai_port_space = RDMA_PS_TCP,
		                       .ai_src_addr = (struct sockaddr *)&source,
		                       .ai_src_len = sizeof(struct sockaddr_in) };
	struct rdma_addrinfo *info;

	(void)side;
	memcpy(&source, cn_address("127.0.0.5", 0), sizeof(source));
	CHECK_EQ(rdma_getaddrinfo("127.0.0.1", "7", &hints, &info), 0);
	CHECK(info->ai_src_addr != hints.ai_src_addr);
	CHECK_BYTES(info->ai_src_addr, &source, sizeof(struct sockaddr_in));
	CHECK_BYTES(info->ai_dst_addr, cn_address("127.0.0.1", 7), 8);
	rdma_freeaddrinfo(info);
	/* Without a name: what the hints say, and nothing more. */
	hints.ai_dst_addr = (struct sockaddr *)&source;
	hints.ai_dst_len = sizeof(struct sockaddr_in);
	CHECK_EQ(rdma_getaddrinfo(NULL, NULL, &hints, &info), 0);
	CHECK_EQ(info->ai_src_len, sizeof(struct sockaddr_in));
	CHECK_BYTES(info->ai_dst_addr, &source, sizeof(struct sockaddr_in));
	rdma_freeaddrinfo(info);
	hints = (struct rdma_addrinfo){ .ai_flags = RAI_PASSIVE,
		                        .ai_port_space = RDMA_PS_TCP };
	CHECK_EQ(rdma_getaddrinfo(NULL, NULL, &hints, &info), 0);
	CHECK(!info->ai_src_addr && !info->ai_dst_addr && info->ai_flags & RAI_PASSIVE);
	rdma_freeaddrinfo(info);
	/* Any address, to listen on. */
	CHECK_EQ(rdma_getaddrinfo(NULL, "7471", &hints, &info), 0);
	CHECK(info->ai_src_len && !info->ai_dst_len);
	rdma_freeaddrinfo(info);
}
ALONE(addresses)

/*
 * Port spaces
 */

static void expect_type(enum rdma_port_space ps, enum ibv_qp_type type)
{
	struct rdma_event_channel *channel = cn_channel();
	struct rdma_cm_id *id;

	CHECK_CALL(rdma_create_id(channel, &id, NULL, ps));
	CHECK_EQ(id->ps, ps);
	CHECK_EQ(id->qp_type, type);
	cn_destroy(id);
	rdma_destroy_event_channel(channel);
}

/* Each has its ports for itself. */
static void port_spaces_body(struct side *side)
{
	static const enum rdma_port_space spaces[] = { RDMA_PS_TCP, RDMA_PS_UDP,
		                                       RDMA_PS_IPOIB, RDMA_PS_IB };
	struct rdma_event_channel *channel = cn_channel();
	struct rdma_cm_id *ids[4], *late;

	(void)side;
	expect_type(RDMA_PS_TCP, IBV_QPT_RC);
	expect_type(RDMA_PS_UDP, IBV_QPT_UD);
	expect_type(RDMA_PS_IPOIB, IBV_QPT_UD);
	expect_type(RDMA_PS_IB, IBV_QPT_RC);
	for (int i = 0; i < 4; i++) {
		CHECK_CALL(rdma_create_id(channel, &ids[i], NULL, spaces[i]));
		CHECK_CALL(rdma_bind_addr(ids[i], cn_address("127.0.0.1", 7471)));
		CHECK_CALL(rdma_listen(ids[i], 1));
	}
	for (int i = 0; i < 4; i++) {
		CHECK_CALL(rdma_create_id(channel, &late, NULL, spaces[i]));
		CHECK_FAILS(rdma_bind_addr(late, cn_address("127.0.0.1", 7471)),
		            EADDRINUSE);
		cn_destroy(late);
	}
	for (int i = 0; i < 4; i++)
		cn_destroy(ids[i]);
	rdma_destroy_event_channel(channel);
}
ALONE(port_spaces)

/* In the port space of InfiniBand the type of queue pair is the program's to choose. */
static void native_endpoint_body(struct side *side)
{
	struct rdma_addrinfo hints = { .ai_flags = RAI_PASSIVE,
		                       .ai_port_space = RDMA_PS_IB,
		                       .ai_qp_type = IBV_QPT_RC };
	struct ibv_qp_init_attr attr = { .cap = { 4, 4, 1, 1, 16 }, .sq_sig_all = 1 };
	struct rdma_cm_id *listener, *client, *server;
	struct rdma_event_channel *channel;
	struct rdma_addrinfo *info;
	uint16_t port;

	(void)side;
	CHECK_EQ(rdma_getaddrinfo("127.0.0.1", "0", &hints, &info), 0);
	CHECK_CALL(rdma_create_ep(&listener, info, NULL, &attr));
	rdma_freeaddrinfo(info);
	CHECK_EQ(listener->ps, RDMA_PS_IB);
	CHECK_CALL(rdma_listen(listener, 1));
	port = ntohs(rdma_get_src_port(listener));
	channel = cn_channel();
	CHECK_CALL(rdma_create_id(channel, &client, NULL, RDMA_PS_IB));
	CHECK_CALL(rdma_resolve_addr(client, NULL, cn_address("127.0.0.1", port), 1));
	cn_expect(channel, RDMA_CM_EVENT_ADDR_RESOLVED, 0);
	CHECK_CALL(rdma_resolve_route(client, 1));
	cn_expect(channel, RDMA_CM_EVENT_ROUTE_RESOLVED, 0);
	cn_create_qp(client);
	cn_connect(client, "native", 6);
	CHECK_CALL(rdma_get_request(listener, &server));
	CHECK_EQ(server->ps, RDMA_PS_IB);
	CHECK_EQ(server->qp_type, IBV_QPT_RC);
	CHECK_BYTES(server->event->param.conn.private_data, "native", 6);
	CHECK_CALL(rdma_reject(server, NULL, 0));
	rdma_destroy_ep(server);
	CHECK(cn_expect(channel, RDMA_CM_EVENT_REJECTED, 28) == client);
	cn_destroy(client);
	rdma_destroy_event_channel(channel);
	rdma_destroy_ep(listener);
}
ALONE(native_endpoint)

/*
 * RDMA_OPTION_IB_PATH
 */

static struct rdma_cm_id *resolve_address(struct rdma_event_channel *channel)
{
	struct rdma_cm_id *id = cn_id(channel);

	CHECK_CALL(rdma_resolve_addr(id, NULL, cn_address("127.0.0.1", 7), 1));
	cn_expect(channel, RDMA_CM_EVENT_ADDR_RESOLVED, 0);
	return id;
}

static int set_path(struct rdma_cm_id *id, struct ibv_path_data *data, size_t size)
{
	return rdma_set_option(id, RDMA_OPTION_IB, RDMA_OPTION_IB_PATH, data, size);
}

static void paths_body(struct side *side)
{
	struct rdma_event_channel *channel = cn_channel();
	struct rdma_cm_id *id = resolve_address(channel);
	const struct rdma_ib_addr *ib = &id->route.addr.addr.ibaddr;
	struct ibv_path_data data[2] = { { .flags = IBV_PATH_FLAG_ALTERNATE } };
	struct ibv_path_data *path = &data[1];

	(void)side;
	path->flags =
	        IBV_PATH_FLAG_GMP | IBV_PATH_FLAG_PRIMARY | IBV_PATH_FLAG_BIDIRECTIONAL;
	path->path.sgid = ib->sgid;
	path->path.dgid = ib->dgid;
	path->path.flowlabel_hoplimit = htobe32(0xabcde << 8 | 3);
	path->path.tclass = 104;
	CHECK_FAILS(set_path(id, data, 0), EINVAL);
	CHECK_FAILS(set_path(id, data, sizeof(data) - 1), EINVAL);
	CHECK_FAILS(set_path(id, data, sizeof(data[0])), EINVAL);
	path->path.dgid.raw[15] ^= 1;
	CHECK_FAILS(set_path(id, data, sizeof(data)), EINVAL);
	path->path.dgid = ib->dgid;
	CHECK_CALL(set_path(id, data, sizeof(data)));
	CHECK(cn_expect(channel, RDMA_CM_EVENT_ROUTE_RESOLVED, 0) == id);
	CHECK_EQ(id->route.num_paths, 1);
	CHECK_EQ(id->route.path_rec->traffic_class, 104);
	CHECK_EQ(id->route.path_rec->hop_limit, 3);
	CHECK_EQ(be32toh(id->route.path_rec->flow_label), 0xabcde);
	CHECK_FAILS(set_path(id, data, sizeof(data)), EINVAL);
	CHECK_FAILS(rdma_resolve_route(id, 1), EINVAL);
	cn_destroy(id);
	rdma_destroy_event_channel(channel);
}
ALONE(paths)

/*
 * Enhanced connection establishment
 */

static void ece_body(struct side *side)
{
	struct ibv_ece mine = { .vendor_id = 0x123456, .options = 0xfedcba98 };
	struct ibv_ece yours = { .vendor_id = 0x654321, .options = 7 };
	struct ibv_ece got;
	struct cn_pair pair;

	(void)side;
	cn_pair_open(&pair);
	pair.client = cn_resolve(pair.client_channel, pair.port);
	CHECK_FAILS(rdma_set_local_ece(pair.client, NULL), EINVAL);
	CHECK_FAILS(rdma_set_local_ece(pair.client, &(struct ibv_ece){ .options = 1 }),
	            EINVAL);
	CHECK_FAILS(rdma_set_local_ece(pair.client, &(struct ibv_ece){ .vendor_id = 1,
	                                                               .comp_mask = 1 }),
	            EINVAL);
	CHECK_CALL(rdma_set_local_ece(pair.client, &mine));
	CHECK_CALL(rdma_get_remote_ece(pair.client, &got));
	CHECK_EQ(got.vendor_id, 0);
	cn_connect(pair.client, NULL, 0);
	pair.server = cn_expect(pair.server_channel, RDMA_CM_EVENT_CONNECT_REQUEST, 0);
	memset(&got, 0xff, sizeof(got));
	CHECK_CALL(rdma_get_remote_ece(pair.server, &got));
	CHECK_BYTES(&got, &mine, sizeof(mine));
	CHECK_CALL(rdma_set_local_ece(pair.server, &yours));
	cn_accept(pair.server);
	cn_expect(pair.client_channel, RDMA_CM_EVENT_CONNECT_RESPONSE, 0);
	CHECK_CALL(rdma_get_remote_ece(pair.client, &got));
	CHECK_BYTES(&got, &yours, sizeof(yours));
	/* A queue pair on the id speaks for itself. */
	cn_create_qp(pair.server);
	CHECK_FAILS(rdma_get_remote_ece(pair.server, &got), EINVAL);
	CHECK_FAILS(rdma_set_local_ece(pair.server, &mine), EINVAL);
	cn_pair_close(&pair);
}
ALONE(ece)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kinds),       cmocka_unit_test(addresses),
		cmocka_unit_test(port_spaces), cmocka_unit_test(native_endpoint),
		cmocka_unit_test(paths),       cmocka_unit_test(ece),
	};

	return cmocka_run_group_tests(tests, runtime_directory_make,
	                              runtime_directory_remove);
}
