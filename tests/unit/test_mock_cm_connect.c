// SPDX-License-Identifier: BSD-2-Clause
/* The life of a connection as both sides see it: events in their order, data, private
 * data. */
#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/check.h"
#include "lib/cm.h"
#include "lib/deadline.h"
#include "lib/rcop.h"

#define LOOPBACK "127.0.0.1"

static uint16_t get_port(struct side *side)
{
	uint16_t port;

	side_get(side, &port, sizeof(port));
	return port;
}

static void listen_and_tell(struct side *side, struct cm_listener *listener)
{
	cm_listen(listener, LOOPBACK, 0);
	side_put(side, &listener->port, sizeof(listener->port));
}

/* --- the whole life
 * ------------------------------------------------------------------------ */

/* The side that disconnects hears of it when the other one has disconnected too. */
static void life_client(struct side *side)
{
	struct cm_end end;

	cm_connect(&end, LOOPBACK, get_port(side));
	cm_send(&end, 111);
	cm_expect_receive(&end, 222);
	cm_expect_nothing(end.channel, 0);
	CHECK_CALL(rdma_disconnect(end.id));
	CHECK(cm_expect(end.channel, RDMA_CM_EVENT_DISCONNECTED).id == end.id);
	CHECK(cm_expect(end.channel, RDMA_CM_EVENT_TIMEWAIT_EXIT).id == end.id);
	cm_expect_nothing(end.channel, 10);
	side_meet(side);
	cm_close(&end);
}

static void life_server(struct side *side)
{
	struct cm_listener listener;
	struct cm_end end;

	listen_and_tell(side, &listener);
	cm_accept(&listener, &end);
	cm_expect_receive(&end, 111);
	cm_send(&end, 222);
	CHECK(cm_expect(listener.channel, RDMA_CM_EVENT_DISCONNECTED).id == end.id);
	CHECK_CALL(rdma_disconnect(end.id));
	CHECK(cm_expect(listener.channel, RDMA_CM_EVENT_TIMEWAIT_EXIT).id == end.id);
	cm_expect_nothing(listener.channel, 10);
	side_meet(side);
	cm_close(&end);
	cm_listener_close(&listener);
}

/* A disconnected QP is in ERR, and what it still held is flushed. */
static void flush_client(struct side *side)
{
	struct ibv_qp_init_attr init;
	struct ibv_qp_attr attr;
	struct cm_end end;

	cm_connect(&end, LOOPBACK, get_port(side));
	CHECK_CALL(rdma_disconnect(end.id));
	rc_expect(end.recv_cq, 2, IBV_WC_WR_FLUSH_ERR);
	CHECK_EQ(ibv_query_qp(end.id->qp, &attr, IBV_QP_STATE, &init), 0);
	CHECK_EQ(attr.qp_state, IBV_QPS_ERR);
	cm_expect(end.channel, RDMA_CM_EVENT_DISCONNECTED);
	side_meet(side);
	cm_close(&end);
}

static void flush_server(struct side *side)
{
	struct cm_listener listener;
	struct cm_end end;

	listen_and_tell(side, &listener);
	cm_accept(&listener, &end);
	cm_expect(listener.channel, RDMA_CM_EVENT_DISCONNECTED);
	CHECK_CALL(rdma_disconnect(end.id));
	rc_expect(end.recv_cq, 2, IBV_WC_WR_FLUSH_ERR);
	side_meet(side);
	cm_close(&end);
	cm_listener_close(&listener);
}

/* --- private data and parameters
 * ------------------------------------------------------------ */

enum { REQUEST_DATA = 56, REPLY_DATA = 196, REJECT_DATA = 148 };

static void expect_data(const struct cm_event *event, uint8_t size, unsigned int seed)
{
	CHECK(event->param.private_data_len >= size);
	rc_expect_filled(event->private_data, size, seed);
	rc_expect_only(event->private_data + size, event->param.private_data_len - size,
	               0);
}

static void parameters_client(struct side *side)
{
	struct rdma_conn_param param;
	struct cm_event event;
	uint8_t data[256];
	struct cm_end end;

	rc_fill(data, sizeof(data), 1);
	cm_resolve(&end, LOOPBACK, get_port(side));
	param = cm_param(data, REQUEST_DATA + 1);
	CHECK_FAILS(rdma_connect(end.id, &param), EINVAL);
	param = cm_param(data, REQUEST_DATA);
	param.responder_resources = 3;
	param.initiator_depth = 5;
	CHECK_CALL(rdma_connect(end.id, &param));
	event = cm_expect(end.channel, RDMA_CM_EVENT_ESTABLISHED);
	CHECK_EQ(event.status, 0);
	expect_data(&event, REPLY_DATA, 2);
	CHECK_CALL(rdma_disconnect(end.id));
	side_meet(side);
	cm_close(&end);
}

static void parameters_server(struct side *side)
{
	struct cm_listener listener;
	struct rdma_conn_param param;
	struct cm_event event;
	uint8_t data[256];
	struct cm_end end;

	rc_fill(data, sizeof(data), 2);
	listen_and_tell(side, &listener);
	event = cm_take_request(&listener, &end);
	expect_data(&event, REQUEST_DATA, 1);
	/* Each as this side has to set it: what the peer starts, this side answers. */
	CHECK_EQ(event.param.responder_resources, 5);
	CHECK_EQ(event.param.initiator_depth, 3);
	CHECK_EQ(event.param.srq, 0);
	CHECK(event.param.qp_num != 0);
	param = cm_param(data, REPLY_DATA);
	CHECK_CALL(rdma_accept(end.id, &param));
	cm_expect(listener.channel, RDMA_CM_EVENT_ESTABLISHED);
	cm_expect(listener.channel, RDMA_CM_EVENT_DISCONNECTED);
	CHECK_CALL(rdma_disconnect(end.id));
	side_meet(side);
	cm_close(&end);
	cm_listener_close(&listener);
}

/* Both ends know both addresses. */
static void addresses_client(struct side *side)
{
	uint16_t port = get_port(side);
	struct sockaddr_in *address;
	struct cm_end end;

	cm_connect(&end, LOOPBACK, port);
	address = (struct sockaddr_in *)rdma_get_peer_addr(end.id);
	CHECK_EQ(address->sin_family, AF_INET);
	CHECK_EQ(ntohl(address->sin_addr.s_addr), INADDR_LOOPBACK);
	CHECK_EQ(ntohs(rdma_get_dst_port(end.id)), port);
	address = (struct sockaddr_in *)rdma_get_local_addr(end.id);
	CHECK_EQ(ntohl(address->sin_addr.s_addr), INADDR_LOOPBACK);
	side_put(side, &address->sin_port, sizeof(address->sin_port));
	side_meet(side);
	cm_close(&end);
}

static void addresses_server(struct side *side)
{
	struct cm_listener listener;
	struct cm_end end;
	uint16_t port;

	listen_and_tell(side, &listener);
	cm_accept(&listener, &end);
	side_get(side, &port, sizeof(port));
	CHECK_EQ(rdma_get_dst_port(end.id), port);
	CHECK_EQ(ntohs(rdma_get_src_port(end.id)), listener.port);
	CHECK_EQ(((struct sockaddr_in *)rdma_get_peer_addr(end.id))->sin_addr.s_addr,
	         htonl(INADDR_LOOPBACK));
	side_meet(side);
	cm_close(&end);
	cm_listener_close(&listener);
}

/* --- refusals
 * ------------------------------------------------------------------------------- */

static void rejected_client(struct side *side)
{
	struct rdma_conn_param param = cm_param("please", 6);
	struct cm_event event;
	struct cm_end end;

	cm_resolve(&end, LOOPBACK, get_port(side));
	CHECK_CALL(rdma_connect(end.id, &param));
	event = cm_expect(end.channel, RDMA_CM_EVENT_REJECTED);
	CHECK_EQ(event.status, 28); /* consumer defined (IBA table 109) */
	expect_data(&event, REJECT_DATA, 3);
	cm_expect_nothing(end.channel, 10);
	cm_close(&end);
}

static void rejecting_server(struct side *side)
{
	struct cm_listener listener;
	struct cm_event event;
	uint8_t data[256];

	rc_fill(data, sizeof(data), 3);
	listen_and_tell(side, &listener);
	event = cm_expect(listener.channel, RDMA_CM_EVENT_CONNECT_REQUEST);
	CHECK_BYTES(event.private_data, "please", 6);
	CHECK_CALL(rdma_reject(event.id, data, REJECT_DATA));
	CHECK_CALL(rdma_destroy_id(event.id));
	cm_expect_nothing(listener.channel, 10);
	cm_listener_close(&listener);
}

/* An id that is destroyed without an answer has rejected. */
static void dropped_client(struct side *side)
{
	struct rdma_conn_param param = cm_param(NULL, 0);
	struct cm_end end;

	cm_resolve(&end, LOOPBACK, get_port(side));
	CHECK_CALL(rdma_connect(end.id, &param));
	cm_expect(end.channel, RDMA_CM_EVENT_REJECTED);
	cm_close(&end);
}

static void dropping_server(struct side *side)
{
	struct cm_listener listener;

	listen_and_tell(side, &listener);
	CHECK_CALL(rdma_destroy_id(
	        cm_expect(listener.channel, RDMA_CM_EVENT_CONNECT_REQUEST).id));
	cm_listener_close(&listener);
}

static void nobody_listens_body(struct side *side)
{
	struct rdma_conn_param param = cm_param(NULL, 0);
	struct cm_listener listener;
	struct cm_event event;
	struct cm_end end;

	(void)side;
	/* A port that was free a moment ago. */
	cm_listen(&listener, LOOPBACK, 0);
	cm_listener_close(&listener);
	cm_resolve(&end, LOOPBACK, listener.port);
	CHECK_CALL(rdma_connect(end.id, &param));
	event = cm_expect(end.channel, RDMA_CM_EVENT_REJECTED);
	CHECK_EQ(event.status, 8); /* invalid service id */
	cm_close(&end);
}
ALONE(nobody_listens)

/* Connecting again with the same id after a refusal. */
static void second_try_body(struct side *side)
{
	struct rdma_conn_param param = cm_param(NULL, 0);
	struct cm_listener listener;
	struct cm_end client, server;
	struct cm_event event;

	(void)side;
	cm_listen(&listener, LOOPBACK, 0);
	cm_resolve(&client, LOOPBACK, listener.port);
	CHECK_CALL(rdma_connect(client.id, &param));
	event = cm_expect(listener.channel, RDMA_CM_EVENT_CONNECT_REQUEST);
	CHECK_CALL(rdma_reject(event.id, NULL, 0));
	CHECK_CALL(rdma_destroy_id(event.id));
	cm_expect(client.channel, RDMA_CM_EVENT_REJECTED);
	cm_close(&client);
	cm_resolve(&client, LOOPBACK, listener.port);
	CHECK_CALL(rdma_connect(client.id, &param));
	cm_take_request(&listener, &server);
	CHECK_CALL(rdma_accept(server.id, &param));
	cm_expect(client.channel, RDMA_CM_EVENT_ESTABLISHED);
	cm_expect(listener.channel, RDMA_CM_EVENT_ESTABLISHED);
	cm_close(&client);
	cm_expect(listener.channel, RDMA_CM_EVENT_DISCONNECTED);
	cm_close(&server);
	cm_listener_close(&listener);
}
ALONE(second_try)

/* --- the wrong call at the wrong time
 * -------------------------------------------------------- */

static void out_of_order_body(struct side *side)
{
	struct sockaddr_storage to = cm_address(LOOPBACK, 7471);
	struct rdma_conn_param param = cm_param(NULL, 0);
	struct rdma_event_channel *channel = CHECK_OBJECT(rdma_create_event_channel());
	struct rdma_cm_id *id;

	(void)side;
	CHECK_CALL(rdma_create_id(channel, &id, NULL, RDMA_PS_TCP));
	CHECK_FAILS(rdma_resolve_route(id, 1000), EINVAL);
	CHECK_FAILS(rdma_connect(id, &param), EINVAL);
	CHECK_FAILS(rdma_accept(id, &param), EINVAL);
	CHECK_FAILS(rdma_reject(id, NULL, 0), EINVAL);
	CHECK_FAILS(rdma_disconnect(id), EINVAL);
	CHECK_CALL(rdma_resolve_addr(id, NULL, (struct sockaddr *)&to, 1000));
	cm_expect(channel, RDMA_CM_EVENT_ADDR_RESOLVED);
	CHECK_FAILS(rdma_connect(id, &param), EINVAL);
	CHECK_FAILS(rdma_resolve_addr(id, NULL, (struct sockaddr *)&to, 1000), EINVAL);
	CHECK_FAILS(rdma_listen(id, 1), EINVAL);
	CHECK_CALL(rdma_destroy_id(id));
	rdma_destroy_event_channel(channel);
}
ALONE(out_of_order)

#define TWO_SIDES(name, client, server)                                      \
	static void name(void **state)                                       \
	{                                                                    \
		sides_run(*(enum sides_mode *)*state, client, server, NULL); \
	}

TWO_SIDES(life, life_client, life_server)
TWO_SIDES(disconnect_flushes, flush_client, flush_server)
TWO_SIDES(parameters, parameters_client, parameters_server)
TWO_SIDES(addresses, addresses_client, addresses_server)
TWO_SIDES(rejected, rejected_client, rejecting_server)
TWO_SIDES(dropped, dropped_client, dropping_server)

static enum sides_mode processes = SIDES_PROCESSES, threads = SIDES_THREADS;

#define IN_BOTH(function)                                                     \
	{ #function " between processes", function, NULL, NULL, &processes }, \
	{                                                                     \
#function " between threads", function, NULL, NULL, &threads  \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_BOTH(life),
		IN_BOTH(disconnect_flushes),
		IN_BOTH(parameters),
		IN_BOTH(addresses),
		IN_BOTH(rejected),
		IN_BOTH(dropped),
		cmocka_unit_test(nobody_listens),
		cmocka_unit_test(second_try),
		cmocka_unit_test(out_of_order),
	};

	return cmocka_run_group_tests(tests, runtime_directory_make,
	                              runtime_directory_remove);
}
