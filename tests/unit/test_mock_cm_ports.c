// SPDX-License-Identifier: BSD-2-Clause
/* Addresses, ports, listeners, options, and what is not permitted when. */
#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <rdma/rdma_verbs.h>

#include "lib/check.h"
#include "lib/connection.h"

static struct rdma_event_channel *channel;

static void bind_to(struct rdma_cm_id *id, const char *address, uint16_t port)
{
	CHECK_CALL(rdma_bind_addr(id, cn_address(address, port)));
}

static void binding_body(struct side *side)
{
	struct rdma_cm_id *any, *loopback, *other;
	uint16_t port;

	(void)side;
	channel = cn_channel();
	any = cn_id(channel);
	loopback = cn_id(channel);
	other = cn_id(channel);
	bind_to(any, "0.0.0.0", 0);
	port = ntohs(rdma_get_src_port(any));
	CHECK(port >= 1024);
	CHECK_EQ(rdma_get_dst_port(any), 0);
	CHECK(!any->verbs);
	CHECK_FAILS(rdma_bind_addr(any, cn_address("0.0.0.0", 0)), EINVAL);
	bind_to(loopback, "127.0.0.1", 0);
	CHECK(loopback->verbs && loopback->pd);
	CHECK_EQ(loopback->port_num, 1);
	CHECK(rdma_get_src_port(loopback) != rdma_get_src_port(any));
	CHECK_FAILS(rdma_bind_addr(other, cn_address("127.0.0.1", port)), EADDRNOTAVAIL);
	CHECK_FAILS(rdma_bind_addr(other, cn_address("127.0.0.1",
	                                             ntohs(rdma_get_src_port(loopback)))),
	            EADDRINUSE);
	CHECK_FAILS(rdma_bind_addr(other, cn_address("203.0.113.9", 0)), EADDRNOTAVAIL);
	CHECK_FAILS(rdma_bind_addr(other, cn_address("fe80::1", 0)), EINVAL);
	CHECK_FAILS(rdma_bind_addr(other, NULL), EINVAL);
	CHECK_FAILS(rdma_bind_addr(other, &(struct sockaddr){ .sa_family = AF_UNIX }),
	            EINVAL);
	cn_destroy(any);
	bind_to(other, "127.0.0.1", port);
	cn_destroy(other);
	cn_destroy(loopback);
	rdma_destroy_event_channel(channel);
}

ALONE(binding)

static void options_body(struct side *side)
{
	struct rdma_cm_id *one, *two;
	uint8_t byte = 19;
	int yes = 1;
	uint16_t port;

	(void)side;
	channel = cn_channel();
	one = cn_id(channel);
	two = cn_id(channel);
	CHECK_FAILS(rdma_set_option(one, RDMA_OPTION_ID, RDMA_OPTION_ID_TOS, &yes,
	                            sizeof(yes)),
	            EINVAL);
	CHECK_CALL(rdma_set_option(one, RDMA_OPTION_ID, RDMA_OPTION_ID_TOS, &byte,
	                           sizeof(byte)));
	CHECK_CALL(rdma_set_option(one, RDMA_OPTION_ID, RDMA_OPTION_ID_REUSEADDR, &yes,
	                           sizeof(yes)));
	CHECK_CALL(rdma_set_option(two, RDMA_OPTION_ID, RDMA_OPTION_ID_REUSEADDR, &yes,
	                           sizeof(yes)));
	CHECK_FAILS(rdma_set_option(one, RDMA_OPTION_ID, 99, &yes, sizeof(yes)), ENOSYS);
	CHECK_FAILS(rdma_set_option(one, 99, RDMA_OPTION_ID_TOS, &byte, sizeof(byte)),
	            ENOSYS);
	bind_to(one, "127.0.0.1", 0);
	port = ntohs(rdma_get_src_port(one));
	bind_to(two, "127.0.0.1", port);
	/* One port for two, but only one may listen. */
	CHECK_FAILS(rdma_listen(one, 1), EADDRINUSE);
	cn_destroy(two);
	CHECK_CALL(rdma_listen(one, 1));
	CHECK_FAILS(rdma_listen(one, 1), EINVAL);
	CHECK_FAILS(rdma_set_option(one, RDMA_OPTION_ID, RDMA_OPTION_ID_REUSEADDR, &yes,
	                            sizeof(yes)),
	            EINVAL);
	cn_destroy(one);
	rdma_destroy_event_channel(channel);
}

ALONE(options)

/* The local ACK timeout that is asked for is what both queue pairs get. */
static void ack_timeout_body(struct side *side)
{
	struct ibv_qp_attr attr = { .qp_state = IBV_QPS_RTS };
	struct cn_pair pair;
	uint8_t timeout = 9, too_large = 32;
	int mask;

	(void)side;
	cn_pair_open(&pair);
	pair.client = cn_resolve(pair.client_channel, pair.port);
	CHECK_FAILS(rdma_set_option(pair.client, RDMA_OPTION_ID,
	                            RDMA_OPTION_ID_ACK_TIMEOUT, &too_large, 1),
	            EINVAL);
	CHECK_CALL(rdma_set_option(pair.client, RDMA_OPTION_ID,
	                           RDMA_OPTION_ID_ACK_TIMEOUT, &timeout, 1));
	cn_connect(pair.client, NULL, 0);
	pair.server = cn_expect(pair.server_channel, RDMA_CM_EVENT_CONNECT_REQUEST, 0);
	CHECK_CALL(rdma_init_qp_attr(pair.server, &attr, &mask));
	CHECK_EQ(attr.timeout, 9);
	cn_pair_close(&pair);
}

ALONE(ack_timeout)

static void expect_path(const struct rdma_cm_id *id)
{
	const struct ibv_sa_path_rec *path = id->route.path_rec;
	const struct rdma_ib_addr *ib = &id->route.addr.addr.ibaddr;

	CHECK_EQ(id->route.num_paths, 1);
	CHECK_BYTES(&path->sgid, &ib->sgid, 16);
	CHECK_BYTES(&path->dgid, &ib->dgid, 16);
	CHECK_EQ(path->pkey, 0xffff);
	CHECK_EQ(ib->pkey, 0xffff);
}

/* Resolves with and without a source; answers the event's status. */
static int resolve(const char *from, const char *to)
{
	struct rdma_cm_id *id = cn_id(channel);
	struct sockaddr_storage source = { 0 };
	struct rdma_cm_event *event;
	int status;

	if (from)
		memcpy(&source, cn_address(from, 0), sizeof(source));
	CHECK_CALL(rdma_resolve_addr(id, from ? (struct sockaddr *)&source : NULL,
	                             cn_address(to, 7), 2000));
	event = cn_next(channel);
	status = event->status;
	CHECK_EQ(event->event,
	         status ? RDMA_CM_EVENT_ADDR_ERROR : RDMA_CM_EVENT_ADDR_RESOLVED);
	CHECK_CALL(rdma_ack_cm_event(event));
	if (!status) {
		CHECK(id->verbs && rdma_get_src_port(id));
		CHECK_EQ(ntohs(rdma_get_dst_port(id)), 7);
		CHECK_CALL(rdma_resolve_route(id, 2000));
		cn_expect(channel, RDMA_CM_EVENT_ROUTE_RESOLVED, 0);
		expect_path(id);
		CHECK_FAILS(rdma_resolve_route(id, 2000), EINVAL);
	} else {
		CHECK_FAILS(rdma_resolve_route(id, 2000), EINVAL);
	}
	cn_destroy(id);
	return status;
}

static void resolving_body(struct side *side)
{
	struct rdma_cm_id *id;

	(void)side;
	channel = cn_channel();
	CHECK_EQ(resolve(NULL, "127.0.0.1"), 0);
	CHECK_EQ(resolve("127.0.0.1", "127.0.0.1"), 0);
	CHECK_EQ(resolve(NULL, "127.0.0.77"), 0);
	CHECK_EQ(resolve(NULL, "0.0.0.0"), 0);
	id = cn_id(channel);
	CHECK_FAILS(rdma_resolve_addr(id, cn_address("127.0.0.1", 0), NULL, 1), EINVAL);
	CHECK_FAILS(rdma_resolve_route(id, 1), EINVAL);
	CHECK_FAILS(rdma_connect(id, &(struct rdma_conn_param){ 0 }), EINVAL);
	CHECK_FAILS(rdma_accept(id, &(struct rdma_conn_param){ 0 }), EINVAL);
	CHECK_FAILS(rdma_reject(id, NULL, 0), EINVAL);
	CHECK_FAILS(rdma_disconnect(id), EINVAL);
	CHECK_FAILS(rdma_establish(id), EINVAL);
	CHECK_FAILS(rdma_notify(id, IBV_EVENT_COMM_EST), EINVAL);
	CHECK_FAILS(rdma_notify(id, IBV_EVENT_QP_FATAL), EINVAL);
	cn_destroy(id);
	rdma_destroy_event_channel(channel);
}

ALONE(resolving)

static bool have_ipv6(void)
{
	struct ifaddrs *list, *at;
	bool have = false;

	CHECK_CALL(getifaddrs(&list));
	for (at = list; at; at = at->ifa_next)
		have = have || (at->ifa_addr && at->ifa_addr->sa_family == AF_INET6 &&
		                (at->ifa_flags & IFF_LOOPBACK));
	freeifaddrs(list);
	return have;
}

static void over_ipv6_body(struct side *side)
{
	struct rdma_cm_id *listener, *client, *server;
	uint16_t port;

	(void)side;
	channel = cn_channel();
	listener = cn_id(channel);
	bind_to(listener, "::", 0);
	CHECK_CALL(rdma_listen(listener, 1));
	port = ntohs(rdma_get_src_port(listener));
	client = cn_id(channel);
	CHECK_CALL(rdma_resolve_addr(client, NULL, cn_loopback(AF_INET6, port), 1));
	cn_expect(channel, RDMA_CM_EVENT_ADDR_RESOLVED, 0);
	CHECK_CALL(rdma_resolve_route(client, 1));
	cn_expect(channel, RDMA_CM_EVENT_ROUTE_RESOLVED, 0);
	cn_create_qp(client);
	cn_connect(client, NULL, 0);
	server = cn_expect(channel, RDMA_CM_EVENT_CONNECT_REQUEST, 0);
	CHECK_EQ(rdma_get_peer_addr(server)->sa_family, AF_INET6);
	cn_create_qp(server);
	cn_accept(server);
	CHECK(cn_expect(channel, RDMA_CM_EVENT_ESTABLISHED, 0) == client);
	CHECK(cn_expect(channel, RDMA_CM_EVENT_ESTABLISHED, 0) == server);
	cn_destroy(server);
	CHECK(cn_expect(channel, RDMA_CM_EVENT_DISCONNECTED, 0) == client);
	cn_destroy(client);
	/* The listener for all IPv6 addresses takes IPv4 too. */
	client = cn_resolve(channel, port);
	cn_connect(client, NULL, 0);
	server = cn_expect(channel, RDMA_CM_EVENT_CONNECT_REQUEST, 0);
	CHECK_EQ(rdma_get_peer_addr(server)->sa_family, AF_INET);
	cn_destroy(server);
	CHECK(cn_expect(channel, RDMA_CM_EVENT_REJECTED, 28) == client);
	cn_destroy(client);
	cn_destroy(listener);
	rdma_destroy_event_channel(channel);
}

/* Bytes of the parameters that do not fit, queues that a queue pair cannot have. */
static void bad_parameters_body(struct side *side)
{
	static const uint8_t data[256];
	struct rdma_conn_param param = { .private_data = data,
		                         .private_data_len = 57,
		                         .qp_num = 5 };
	struct ibv_qp_init_attr attr = { .qp_type = IBV_QPT_UD };
	struct cn_pair pair;

	(void)side;
	cn_pair_open(&pair);
	pair.client = cn_id(pair.client_channel);
	CHECK_FAILS(rdma_create_qp(pair.client, NULL, &attr), EINVAL);
	CHECK_CALL(rdma_destroy_id(pair.client));
	pair.client = cn_resolve(pair.client_channel, pair.port);
	CHECK_FAILS(rdma_create_qp(pair.client, NULL, &attr), EINVAL);
	CHECK(!pair.client->qp && !pair.client->send_cq && !pair.client->recv_cq);
	CHECK_FAILS(rdma_connect(pair.client, &param), EINVAL);
	CHECK_FAILS(rdma_connect(pair.client, NULL), EINVAL);
	param.private_data_len = 0;
	param.responder_resources = 129;
	CHECK_FAILS(rdma_connect(pair.client, &param), EINVAL);
	param.responder_resources = RDMA_MAX_RESP_RES;
	param.initiator_depth = RDMA_MAX_INIT_DEPTH;
	CHECK_CALL(rdma_connect(pair.client, &param));
	CHECK_FAILS(rdma_connect(pair.client, &param), EINVAL);
	pair.server = cn_expect(pair.server_channel, RDMA_CM_EVENT_CONNECT_REQUEST, 0);
	param.private_data_len = 197;
	CHECK_FAILS(rdma_accept(pair.server, &param), EINVAL);
	param.private_data_len = 196;
	CHECK_CALL(rdma_accept(pair.server, &param));
	CHECK_FAILS(rdma_accept(pair.server, &param), EINVAL);
	cn_expect(pair.client_channel, RDMA_CM_EVENT_CONNECT_RESPONSE, 0);
	cn_pair_close(&pair);
}

ALONE(bad_parameters)

static void over_ipv6(void **state)
{
	(void)state;
	if (!have_ipv6())
		skip();
	alone_run(over_ipv6_body, NULL);
}

static void address_info_body(struct side *side)
{
	struct rdma_addrinfo hints = { .ai_flags = RAI_PASSIVE | RAI_NUMERICHOST,
		                       .ai_port_space = RDMA_PS_TCP };
	struct rdma_addrinfo *info;
	struct sockaddr_in *sin;

	(void)side;
	CHECK_EQ(rdma_getaddrinfo("127.0.0.1", "7471", &hints, &info), 0);
	sin = (struct sockaddr_in *)info->ai_src_addr;
	CHECK_EQ(info->ai_src_len, sizeof(*sin));
	CHECK_EQ(sin->sin_port, htons(7471));
	CHECK_EQ(sin->sin_addr.s_addr, htonl(INADDR_LOOPBACK));
	CHECK(!info->ai_dst_addr && !info->ai_next);
	CHECK_EQ(info->ai_qp_type, IBV_QPT_RC);
	CHECK_EQ(info->ai_port_space, RDMA_PS_TCP);
	CHECK_EQ(info->ai_family, AF_INET);
	rdma_freeaddrinfo(info);
	CHECK_EQ(rdma_getaddrinfo("::1", "7471", NULL, &info), 0);
	CHECK_EQ(info->ai_dst_len, sizeof(struct sockaddr_in6));
	CHECK(!info->ai_src_addr);
	rdma_freeaddrinfo(info);
	CHECK_EQ(rdma_getaddrinfo("not an address", "1", &hints, &info), EAI_NONAME);
	CHECK_FAILS(rdma_getaddrinfo(NULL, NULL, NULL, &info), EINVAL);
	hints.ai_flags = 1 << 20;
	CHECK_EQ(rdma_getaddrinfo("::1", "1", &hints, &info), EAI_BADFLAGS);
}

ALONE(address_info)

static void devices_body(struct side *side)
{
	struct ibv_context **list;
	struct rdma_cm_id *id;
	int count;

	(void)side;
	channel = cn_channel();
	CHECK_FAILS(rdma_create_id(channel, &id, NULL, (enum rdma_port_space)3), EINVAL);
	id = cn_id(channel);
	list = CHECK_OBJECT(rdma_get_devices(&count));
	CHECK_EQ(count, 1);
	CHECK(!list[1]);
	CHECK(!strcmp(ibv_get_device_name(list[0]->device), "mock0"));
	bind_to(id, "127.0.0.1", 0);
	CHECK(id->verbs == list[0]);
	rdma_free_devices(list);
	CHECK(!strcmp(rdma_event_str(RDMA_CM_EVENT_TIMEWAIT_EXIT),
	              "RDMA_CM_EVENT_TIMEWAIT_EXIT"));
	CHECK(!strcmp(rdma_event_str((enum rdma_cm_event_type)99), "UNKNOWN EVENT"));
	cn_destroy(id);
	rdma_destroy_event_channel(channel);
}

ALONE(devices)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(binding),      cmocka_unit_test(options),
		cmocka_unit_test(ack_timeout),  cmocka_unit_test(resolving),
		cmocka_unit_test(over_ipv6),    cmocka_unit_test(bad_parameters),
		cmocka_unit_test(address_info), cmocka_unit_test(devices),
	};

	return cmocka_run_group_tests(tests, runtime_directory_make,
	                              runtime_directory_remove);
}
