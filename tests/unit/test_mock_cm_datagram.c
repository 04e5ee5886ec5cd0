// SPDX-License-Identifier: BSD-2-Clause
/* Ids for datagrams: which queue pair serves is asked (SIDR), and where it answers from.
 */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <rdma/rdma_verbs.h>

#include "lib/check.h"
#include "lib/connection.h"

enum { GRH = 40, ROOM = 256, DATA_CLIENT = 180, DATA_SERVER = 136 };

enum refusal { NOT_SUPPORTED = 1, REJECTED = 2 }; /* IBA table 124 */

static struct rdma_event_channel *channel;

static struct rdma_cm_id *new_id(enum rdma_port_space ps)
{
	struct rdma_cm_id *id;

	CHECK_CALL(rdma_create_id(channel, &id, NULL, ps));
	return id;
}

static struct rdma_cm_id *listen_on(uint16_t *port)
{
	struct rdma_cm_id *id = new_id(RDMA_PS_UDP);

	CHECK_CALL(rdma_bind_addr(id, cn_address("0.0.0.0", 0)));
	CHECK_CALL(rdma_listen(id, 0));
	*port = ntohs(rdma_get_src_port(id));
	return id;
}

static struct rdma_cm_id *resolve(uint16_t port)
{
	struct rdma_cm_id *id = new_id(RDMA_PS_UDP);

	CHECK_CALL(rdma_resolve_addr(id, NULL, cn_address("127.0.0.1", port), 1));
	CHECK(cn_expect(channel, RDMA_CM_EVENT_ADDR_RESOLVED, 0) == id);
	CHECK_CALL(rdma_resolve_route(id, 1));
	CHECK(cn_expect(channel, RDMA_CM_EVENT_ROUTE_RESOLVED, 0) == id);
	return id;
}

static void add_qp(struct rdma_cm_id *id)
{
	struct ibv_qp_init_attr attr = { .cap = { 4, 4, 1, 1, 0 },
		                         .qp_type = IBV_QPT_UD,
		                         .sq_sig_all = 1 };
	struct ibv_qp_init_attr init;
	struct ibv_qp_attr state;

	CHECK_CALL(rdma_create_qp(id, NULL, &attr));
	/* It needs no peer to be ready. */
	CHECK_EQ(ibv_query_qp(id->qp, &state, IBV_QP_STATE | IBV_QP_QKEY, &init), 0);
	CHECK_EQ(state.qp_state, IBV_QPS_RTS);
	CHECK_EQ(state.qkey, RDMA_UDP_QKEY);
}

static int connect_with(struct rdma_cm_id *id, const void *data, uint8_t length)
{
	struct rdma_conn_param param = { .private_data = data,
		                         .private_data_len = length };

	return rdma_connect(id, &param);
}

static int accept_with(struct rdma_cm_id *id, const void *data, uint8_t length)
{
	struct rdma_conn_param param = { .private_data = data,
		                         .private_data_len = length,
		                         .qp_num = 0x1234 };

	return rdma_accept(id, &param);
}

/*
 * A question and its answer, and datagrams both ways
 */

static void receive(struct rdma_cm_id *id, uint8_t *room, struct ibv_mr **mr)
{
	*mr = CHECK_OBJECT(rdma_reg_msgs(id, room, ROOM));
	CHECK_CALL(rdma_post_recv(id, NULL, room, ROOM, *mr));
}

static void send_to(struct rdma_cm_id *id, struct ibv_ah *ah, uint32_t qpn, uint8_t value)
{
	struct ibv_mr *mr = CHECK_OBJECT(rdma_reg_msgs(id, &value, sizeof(value)));
	struct ibv_wc wc;

	CHECK_CALL(rdma_post_ud_send(id, NULL, &value, sizeof(value), mr, 0, ah, qpn));
	CHECK_EQ(rdma_get_send_comp(id, &wc), 1);
	CHECK_EQ(wc.status, IBV_WC_SUCCESS);
	CHECK_CALL(rdma_dereg_mr(mr));
}

static void resolved_and_answered_body(struct side *side)
{
	uint8_t question[DATA_CLIENT], answer[DATA_SERVER], ours[ROOM], theirs[ROOM];
	struct rdma_cm_id *listener, *client, *server;
	struct ibv_mr *our_mr, *their_mr;
	struct rdma_cm_event *event;
	struct ibv_ah *ah, *back;
	struct ibv_wc wc;
	uint16_t port;

	(void)side;
	memset(question, 'q', sizeof(question));
	memset(answer, 'a', sizeof(answer));
	channel = cn_channel();
	listener = listen_on(&port);
	client = resolve(port);
	add_qp(client);
	CHECK_CALL(connect_with(client, question, sizeof(question)));

	event = cn_next(channel);
	CHECK_EQ(event->event, RDMA_CM_EVENT_CONNECT_REQUEST);
	CHECK(event->listen_id == listener);
	CHECK_EQ(event->param.ud.private_data_len, sizeof(question));
	CHECK_BYTES(event->param.ud.private_data, question, sizeof(question));
	server = event->id;
	CHECK_CALL(rdma_ack_cm_event(event));
	CHECK_EQ(server->qp_type, IBV_QPT_UD);
	CHECK_EQ(ntohs(rdma_get_src_port(server)), port);
	CHECK_EQ(rdma_get_dst_port(server), rdma_get_src_port(client));
	add_qp(server);
	receive(server, theirs, &their_mr);
	CHECK_CALL(accept_with(server, answer, sizeof(answer)));
	CHECK_FAILS(accept_with(server, NULL, 0), EINVAL);

	event = cn_next(channel);
	CHECK_EQ(event->event, RDMA_CM_EVENT_ESTABLISHED);
	CHECK(event->id == client);
	CHECK_EQ(event->param.ud.qp_num, server->qp->qp_num);
	CHECK_EQ(event->param.ud.qkey, RDMA_UDP_QKEY);
	CHECK_EQ(event->param.ud.private_data_len, sizeof(answer));
	CHECK_BYTES(event->param.ud.private_data, answer, sizeof(answer));
	ah = CHECK_OBJECT(ibv_create_ah(client->pd, &event->param.ud.ah_attr));
	CHECK_CALL(rdma_ack_cm_event(event));

	receive(client, ours, &our_mr);
	send_to(client, ah, server->qp->qp_num, 77);
	CHECK_EQ(rdma_get_recv_comp(server, &wc), 1);
	CHECK_EQ(wc.byte_len, GRH + 1);
	CHECK_EQ(wc.src_qp, client->qp->qp_num);
	CHECK_EQ(theirs[GRH], 77);
	back = CHECK_OBJECT(
	        ibv_create_ah_from_wc(server->pd, &wc, (struct ibv_grh *)theirs, 1));
	send_to(server, back, wc.src_qp, 88);
	CHECK_EQ(rdma_get_recv_comp(client, &wc), 1);
	CHECK_EQ(ours[GRH], 88);

	CHECK_FAILS(rdma_disconnect(client), EINVAL);
	CHECK_EQ(ibv_destroy_ah(ah), 0);
	CHECK_EQ(ibv_destroy_ah(back), 0);
	CHECK_CALL(rdma_dereg_mr(our_mr));
	CHECK_CALL(rdma_dereg_mr(their_mr));
	cn_destroy(client);
	cn_destroy(server);
	cn_expect_none(channel);
	cn_destroy(listener);
	rdma_destroy_event_channel(channel);
}
ALONE(resolved_and_answered)

/* As librdmacm's datagram rsockets do it: without a GRH, to our own LID. */
static void to_itself_body(struct side *side)
{
	struct ibv_ah_attr attr = { .port_num = 1 };
	struct rdma_cm_id *id;
	uint8_t room[ROOM];
	struct ibv_mr *mr;
	struct ibv_ah *ah;
	struct ibv_pd *pd;
	struct ibv_wc wc;

	(void)side;
	channel = cn_channel();
	id = new_id(RDMA_PS_UDP);
	CHECK_CALL(rdma_bind_addr(id, cn_address("127.0.0.1", 0)));
	add_qp(id);
	receive(id, room, &mr);
	ah = CHECK_OBJECT(ibv_create_ah(id->pd, &attr));
	send_to(id, ah, id->qp->qp_num, 55);
	CHECK_EQ(rdma_get_recv_comp(id, &wc), 1);
	CHECK_EQ(wc.src_qp, id->qp->qp_num);
	CHECK_EQ(room[GRH], 55);
	CHECK_EQ(ibv_destroy_ah(ah), 0);
	/* Elsewhere it is a mistake. */
	pd = CHECK_OBJECT(ibv_alloc_pd(id->verbs));
	CHECK_FAILS(ibv_create_ah(pd, &attr), EINVAL);
	CHECK_EQ(ibv_dealloc_pd(pd), 0);
	attr.dlid = 1;
	CHECK_FAILS(ibv_create_ah(id->pd, &attr), EINVAL);
	CHECK_CALL(rdma_dereg_mr(mr));
	cn_destroy(id);
	rdma_destroy_event_channel(channel);
}
ALONE(to_itself)

/*
 * Refusals
 */

static struct rdma_cm_id *expect_refusal(enum refusal why)
{
	return cn_expect(channel, RDMA_CM_EVENT_UNREACHABLE, (int)why);
}

static void refused_body(struct side *side)
{
	struct rdma_cm_id *listener, *client, *server;
	struct rdma_cm_event *event;
	uint16_t port;

	(void)side;
	channel = cn_channel();
	listener = listen_on(&port);
	/* By the program, with what it has to say. */
	client = resolve(port);
	CHECK_CALL(connect_with(client, NULL, 0));
	server = cn_expect(channel, RDMA_CM_EVENT_CONNECT_REQUEST, 0);
	CHECK_FAILS(rdma_reject(server, "long", 137), EINVAL);
	CHECK_CALL(rdma_reject(server, "no", 2));
	CHECK_FAILS(rdma_reject(server, "no", 2), EINVAL);
	CHECK_FAILS(accept_with(server, NULL, 0), EINVAL);
	event = cn_next(channel);
	CHECK_EQ(event->event, RDMA_CM_EVENT_UNREACHABLE);
	CHECK_EQ(event->status, REJECTED);
	CHECK_BYTES(event->param.ud.private_data, "no", 3);
	CHECK_CALL(rdma_ack_cm_event(event));
	CHECK_FAILS(connect_with(client, NULL, 0), EINVAL);
	cn_destroy(server);
	cn_destroy(client);
	/* By going without an answer. */
	client = resolve(port);
	CHECK_CALL(connect_with(client, NULL, 0));
	cn_destroy(cn_expect(channel, RDMA_CM_EVENT_CONNECT_REQUEST, 0));
	CHECK(expect_refusal(REJECTED) == client);
	cn_destroy(client);
	/* With the request still unseen. */
	client = resolve(port);
	CHECK_CALL(connect_with(client, NULL, 0));
	CHECK_EQ(poll(&(struct pollfd){ .fd = channel->fd, .events = POLLIN }, 1, -1), 1);
	cn_destroy(listener);
	CHECK(expect_refusal(REJECTED) == client);
	cn_destroy(client);
	/* By nobody. */
	client = resolve(port);
	CHECK_CALL(connect_with(client, NULL, 0));
	CHECK(expect_refusal(NOT_SUPPORTED) == client);
	cn_destroy(client);
	rdma_destroy_event_channel(channel);
}
ALONE(refused)

/* A listener of connections is none of datagrams, though the ports are the same. */
static void kinds_apart_body(struct side *side)
{
	struct rdma_addrinfo info = { .ai_flags = RAI_PASSIVE,
		                      .ai_port_space = RDMA_PS_IB,
		                      .ai_qp_type = IBV_QPT_UD };
	struct ibv_qp_init_attr attr = { .cap = { 4, 4, 1, 1, 0 } };
	struct rdma_cm_id *listener, *client;
	uint16_t port;

	(void)side;
	channel = cn_channel();
	info.ai_src_addr = cn_address("127.0.0.1", 0);
	info.ai_src_len = sizeof(struct sockaddr_in);
	CHECK_CALL(rdma_create_ep(&listener, &info, NULL, &attr));
	CHECK_EQ(listener->qp_type, IBV_QPT_UD);
	CHECK_CALL(rdma_listen(listener, 1));
	port = ntohs(rdma_get_src_port(listener));
	client = new_id(RDMA_PS_IB); /* of connections */
	CHECK_CALL(rdma_resolve_addr(client, NULL, cn_address("127.0.0.1", port), 1));
	cn_expect(channel, RDMA_CM_EVENT_ADDR_RESOLVED, 0);
	CHECK_CALL(rdma_resolve_route(client, 1));
	cn_expect(channel, RDMA_CM_EVENT_ROUTE_RESOLVED, 0);
	attr.qp_type = IBV_QPT_UD;
	CHECK_FAILS(rdma_create_qp(client, NULL, &attr), EINVAL);
	cn_create_qp(client);
	cn_connect(client, NULL, 0);
	CHECK(cn_expect(channel, RDMA_CM_EVENT_REJECTED, 8) == client);
	cn_destroy(client);
	client = new_id(RDMA_PS_UDP);
	CHECK_CALL(rdma_bind_addr(client, cn_address("127.0.0.1", 0)));
	attr.qp_type = IBV_QPT_RC;
	CHECK_FAILS(rdma_create_qp(client, NULL, &attr), EINVAL);
	cn_destroy(client);
	rdma_destroy_ep(listener);
	rdma_destroy_event_channel(channel);
}
ALONE(kinds_apart)

static void bad_calls_body(struct side *side)
{
	static const uint8_t data[256];
	struct ibv_qp_init_attr init = { .cap = { 4, 4, 1, 1, 0 },
		                         .qp_type = IBV_QPT_UD };
	struct ibv_qp_attr attr = { .qp_state = IBV_QPS_INIT };
	struct rdma_cm_id *listener, *client, *server;
	uint16_t port;
	int mask;

	(void)side;
	channel = cn_channel();
	listener = listen_on(&port);
	client = new_id(RDMA_PS_UDP);
	CHECK_FAILS(connect_with(client, NULL, 0), EINVAL);
	CHECK_FAILS(rdma_create_qp(client, NULL, &init), EINVAL);
	cn_destroy(client);
	client = resolve(port);
	CHECK_FAILS(connect_with(client, data, DATA_CLIENT + 1), EINVAL);
	CHECK_FAILS(rdma_connect(client, NULL), EINVAL);
	CHECK_CALL(rdma_init_qp_attr(client, &attr, &mask));
	CHECK_EQ(mask, IBV_QP_STATE | IBV_QP_PKEY_INDEX | IBV_QP_PORT | IBV_QP_QKEY);
	CHECK_EQ(attr.qkey, RDMA_UDP_QKEY);
	CHECK_CALL(connect_with(client, data, DATA_CLIENT));
	CHECK_FAILS(connect_with(client, data, DATA_CLIENT), EINVAL);
	server = cn_expect(channel, RDMA_CM_EVENT_CONNECT_REQUEST, 0);
	CHECK_FAILS(accept_with(server, data, DATA_SERVER + 1), EINVAL);
	CHECK_FAILS(rdma_accept(server, NULL), EINVAL);
	CHECK_FAILS(rdma_establish(server), EINVAL);
	CHECK_FAILS(rdma_notify(server, IBV_EVENT_COMM_EST), EINVAL);
	CHECK_CALL(accept_with(server, data, DATA_SERVER));
	cn_expect(channel, RDMA_CM_EVENT_ESTABLISHED, 0);
	cn_destroy(server);
	cn_destroy(client);
	cn_destroy(listener);
	/* There is no IPoIB on RoCE. */
	client = new_id(RDMA_PS_IPOIB);
	CHECK_CALL(rdma_bind_addr(client, cn_address("127.0.0.1", 0)));
	CHECK_FAILS(rdma_create_qp(client, NULL, &init), EADDRNOTAVAIL);
	CHECK(!client->qp && !client->recv_cq);
	cn_destroy(client);
	rdma_destroy_event_channel(channel);
}
ALONE(bad_calls)

/*
 * Two processes
 */

static void sync_server(struct side *side)
{
	struct rdma_addrinfo hints = { .ai_flags = RAI_PASSIVE,
		                       .ai_port_space = RDMA_PS_UDP };
	struct ibv_qp_init_attr attr = { .cap = { 4, 4, 1, 1, 0 }, .sq_sig_all = 1 };
	struct rdma_cm_id *listener, *id;
	struct rdma_addrinfo *info;
	uint8_t room[ROOM];
	struct ibv_mr *mr;
	struct ibv_wc wc;
	uint16_t port;

	CHECK_EQ(rdma_getaddrinfo("127.0.0.1", "0", &hints, &info), 0);
	CHECK_CALL(rdma_create_ep(&listener, info, NULL, &attr));
	rdma_freeaddrinfo(info);
	CHECK_CALL(rdma_listen(listener, 0));
	port = ntohs(rdma_get_src_port(listener));
	side_put(side, &port, sizeof(port));
	CHECK_CALL(rdma_get_request(listener, &id));
	CHECK_EQ(id->qp->qp_type, IBV_QPT_UD);
	receive(id, room, &mr);
	CHECK_CALL(rdma_accept(id, NULL));
	CHECK_EQ(rdma_get_recv_comp(id, &wc), 1);
	CHECK_EQ(room[GRH], 99);
	CHECK_CALL(rdma_dereg_mr(mr));
	rdma_destroy_ep(id);
	/* The next is refused: without a channel the call says so. */
	CHECK_CALL(rdma_get_request(listener, &id));
	CHECK_CALL(rdma_reject(id, NULL, 0));
	rdma_destroy_ep(id);
	rdma_destroy_ep(listener);
}

static void sync_client(struct side *side)
{
	struct rdma_addrinfo hints = { .ai_port_space = RDMA_PS_UDP };
	struct ibv_qp_init_attr attr = { .cap = { 4, 4, 1, 1, 0 }, .sq_sig_all = 1 };
	struct rdma_addrinfo *info;
	struct rdma_cm_id *id;
	struct ibv_ah *ah;
	uint16_t port;
	char text[8];

	side_get(side, &port, sizeof(port));
	snprintf(text, sizeof(text), "%u", port);
	CHECK_EQ(rdma_getaddrinfo("127.0.0.1", text, &hints, &info), 0);
	CHECK_CALL(rdma_create_ep(&id, info, NULL, &attr));
	CHECK_CALL(rdma_connect(id, NULL));
	CHECK_EQ(id->event->event, RDMA_CM_EVENT_ESTABLISHED);
	ah = CHECK_OBJECT(ibv_create_ah(id->pd, &id->event->param.ud.ah_attr));
	send_to(id, ah, id->event->param.ud.qp_num, 99);
	CHECK_EQ(ibv_destroy_ah(ah), 0);
	rdma_destroy_ep(id);
	attr = (struct ibv_qp_init_attr){ .cap = { 4, 4, 1, 1, 0 } };
	CHECK_CALL(rdma_create_ep(&id, info, NULL, &attr));
	CHECK_FAILS(rdma_connect(id, NULL), ECONNREFUSED);
	rdma_destroy_ep(id);
	rdma_freeaddrinfo(info);
}

static void synchronous(void **state)
{
	(void)state;
	sides_run(SIDES_PROCESSES, sync_client, sync_server, NULL);
	sides_run(SIDES_THREADS, sync_client, sync_server, NULL);
}

static struct process start_server(side_function *server, struct side *to)
{
	struct process process = process_start("server", server, NULL);

	*to = (struct side){ .name = "client",
		             .socket = process.socket,
		             .other = process.pid };
	return process;
}

/* Sees the question, and then does nothing any more. */
static void silent_server(struct side *side)
{
	uint16_t port;

	channel = cn_channel();
	listen_on(&port);
	side_put(side, &port, sizeof(port));
	cn_expect(channel, RDMA_CM_EVENT_CONNECT_REQUEST, 0);
	side_put(side, &port, sizeof(port));
	for (;;)
		pause();
}

/* A server that dies with the question has rejected it. */
static void server_killed_body(struct side *side)
{
	struct side to;
	struct process server = start_server(silent_server, &to);
	struct rdma_cm_id *client;
	uint16_t port;

	(void)side;
	side_get(&to, &port, sizeof(port));
	channel = cn_channel();
	client = resolve(port);
	CHECK_CALL(connect_with(client, NULL, 0));
	side_get(&to, &port, sizeof(port));
	CHECK_CALL(kill(server.pid, SIGKILL));
	CHECK(WIFSIGNALED(process_wait(&server)));
	CHECK(expect_refusal(REJECTED) == client);
	cn_destroy(client);
	client = resolve(port);
	CHECK_CALL(connect_with(client, NULL, 0));
	CHECK(expect_refusal(NOT_SUPPORTED) == client);
	cn_destroy(client);
	rdma_destroy_event_channel(channel);
}
ALONE(server_killed)

/* Where no answer comes, the question is repeated, then given up; and a question that
 * comes twice is one. */
static void unanswered_body(struct side *side)
{
	struct side to;
	struct process server;
	struct rdma_cm_id *client;
	uint16_t port;

	(void)side;
	cn_set_patience(20, 3);
	server = start_server(silent_server, &to);
	side_get(&to, &port, sizeof(port));
	channel = cn_channel();
	client = resolve(port);
	CHECK_CALL(connect_with(client, NULL, 0));
	CHECK(cn_expect(channel, RDMA_CM_EVENT_UNREACHABLE, -ETIMEDOUT) == client);
	cn_destroy(client);
	CHECK_CALL(kill(server.pid, SIGKILL));
	CHECK(WIFSIGNALED(process_wait(&server)));
	rdma_destroy_event_channel(channel);
}
ALONE(unanswered)

/* The one who asked is gone: the server notices nothing, and answers into the void. */
static void short_lived_client(struct side *side)
{
	uint16_t port;

	side_get(side, &port, sizeof(port));
	channel = cn_channel();
	CHECK_CALL(connect_with(resolve(port), "bye", 3));
	for (;;)
		pause();
}

static void client_killed_body(struct side *side)
{
	struct process process = process_start("client", short_lived_client, NULL);
	struct side to = { .name = "server", .socket = process.socket };
	struct rdma_cm_id *listener, *server;
	uint16_t port;

	(void)side;
	channel = cn_channel();
	listener = listen_on(&port);
	side_put(&to, &port, sizeof(port));
	server = cn_expect(channel, RDMA_CM_EVENT_CONNECT_REQUEST, 0);
	CHECK_CALL(kill(process.pid, SIGKILL));
	CHECK(WIFSIGNALED(process_wait(&process)));
	add_qp(server);
	CHECK_CALL(accept_with(server, NULL, 0));
	cn_destroy(server);
	cn_expect_none(channel);
	cn_destroy(listener);
	rdma_destroy_event_channel(channel);
}
ALONE(client_killed)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(resolved_and_answered),
		cmocka_unit_test(to_itself),
		cmocka_unit_test(refused),
		cmocka_unit_test(kinds_apart),
		cmocka_unit_test(bad_calls),
		cmocka_unit_test(synchronous),
		cmocka_unit_test(server_killed),
		cmocka_unit_test(unanswered),
		cmocka_unit_test(client_killed),
	};

	return cmocka_run_group_tests(tests, runtime_directory_make,
	                              runtime_directory_remove);
}
