// SPDX-License-Identifier: BSD-2-Clause
/*
 * Connections by MADs, through UDP port 4791 of a network of the test's own. All
 * processes here have one address, so each message has to find the one that it is for.
 */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/check.h"
#include "lib/cm.h"
#include "lib/netns.h"
#include "lib/rcop.h"

#define LOOPBACK "127.0.0.1"

/* Of a REJ: IBA table 106. */
enum { NO_SERVICE = 8, BY_CONSUMER = 28, CLIENTS = 6 };

static uint16_t get_port(struct side *side)
{
	uint16_t port;

	side_get(side, &port, sizeof(port));
	return port;
}

/* --- many processes on one address -----------------------------------------------------
 */

/* The answer to what is sent may come before its acknowledgement is seen. */
static void send_and_receive(struct cm_end *end, uint64_t value)
{
	struct ibv_sge sge = { .addr = (uintptr_t)&value, .length = sizeof(value) };
	struct ibv_send_wr wr = {
		.wr_id = 1,
		.sg_list = &sge,
		.num_sge = 1,
		.opcode = IBV_WR_SEND,
		.send_flags = IBV_SEND_INLINE,
	};
	struct ibv_send_wr *bad;

	CHECK_EQ(ibv_post_send(end->id->qp, &wr, &bad), 0);
	CHECK_EQ(rc_next(end->send_cq).status, IBV_WC_SUCCESS);
	CHECK_EQ(rc_next(end->recv_cq).status, IBV_WC_SUCCESS);
}

static void client_body(uint16_t port)
{
	struct cm_end end;

	cm_connect(&end, LOOPBACK, port);
	send_and_receive(&end, 111);
	CHECK_CALL(rdma_disconnect(end.id));
	CHECK(cm_expect(end.channel, RDMA_CM_EVENT_DISCONNECTED).id == end.id);
	cm_close(&end);
}

static void one_client(struct side *side)
{
	client_body(get_port(side));
}

static void take(const struct cm_event *event, struct cm_end *end)
{
	struct rdma_conn_param param = cm_param(NULL, 0);

	*end = (struct cm_end){ .channel = event->id->channel, .id = event->id };
	cm_add_qp(end);
	cm_post_receive(end);
	CHECK_CALL(rdma_accept(end->id, &param));
}

/* They come in any order. */
static void accept_all(struct cm_listener *listener, struct cm_end *end)
{
	unsigned int taken = 0, established = 0;

	while (established < CLIENTS / 2) {
		struct cm_event event = cm_next(listener->channel);

		if (event.type == RDMA_CM_EVENT_CONNECT_REQUEST) {
			CHECK(taken < CLIENTS / 2);
			take(&event, &end[taken++]);
		} else {
			CHECK_EQ(event.type, RDMA_CM_EVENT_ESTABLISHED);
			established++;
		}
	}
}

/* Two listeners, in two processes: a request finds the port's. */
static void one_server(struct side *side)
{
	struct cm_end end[CLIENTS];
	struct cm_listener listener;

	cm_listen(&listener, LOOPBACK, 0);
	for (unsigned int i = 0; i < CLIENTS / 2; i++)
		side_put(side, &listener.port, sizeof(listener.port));
	accept_all(&listener, end);
	for (unsigned int i = 0; i < CLIENTS / 2; i++) {
		send_and_receive(&end[i], 222);
	}
	for (unsigned int i = 0; i < CLIENTS / 2; i++)
		CHECK_CALL(rdma_disconnect(
		        cm_expect(listener.channel, RDMA_CM_EVENT_DISCONNECTED).id));
	for (unsigned int i = 0; i < CLIENTS / 2; i++)
		cm_close(&end[i]);
	cm_listener_close(&listener);
}

static void many_processes(void **state)
{
	struct process client[CLIENTS], server[2];
	uint16_t port;

	(void)state;
	for (unsigned int i = 0; i < 2; i++)
		server[i] = process_start("server", one_server, NULL);
	for (unsigned int i = 0; i < CLIENTS; i++) {
		client[i] = process_start("client", one_client, NULL);
		CHECK_EQ(read(server[i % 2].socket, &port, sizeof(port)),
		         (ssize_t)sizeof(port));
		CHECK_EQ(write(client[i].socket, &port, sizeof(port)),
		         (ssize_t)sizeof(port));
	}
	for (unsigned int i = 0; i < CLIENTS; i++)
		process_expect_success(&client[i]);
	for (unsigned int i = 0; i < 2; i++)
		process_expect_success(&server[i]);
}

/* --- refusals --------------------------------------------------------------------------
 */

static struct cm_event try(uint16_t port)
{
	struct rdma_conn_param param = cm_param("please", 6);
	struct cm_event event;
	struct cm_end end;

	cm_resolve(&end, LOOPBACK, port);
	CHECK_CALL(rdma_connect(end.id, &param));
	event = cm_expect(end.channel, RDMA_CM_EVENT_REJECTED);
	cm_close(&end);
	return event;
}

static void refused_client(struct side *side)
{
	uint16_t port = get_port(side);
	struct cm_event event = try(port);

	CHECK_EQ(event.status, BY_CONSUMER);
	CHECK(!memcmp(event.private_data, "no", 3));
	side_meet(side); /* the listener is gone */
	CHECK_EQ(try(port).status, NO_SERVICE);
}

static void refusing_server(struct side *side)
{
	struct cm_listener listener;
	struct cm_event event;
	struct cm_end end;

	cm_listen(&listener, "0.0.0.0", 0);
	side_put(side, &listener.port, sizeof(listener.port));
	event = cm_take_request(&listener, &end);
	CHECK(!memcmp(event.private_data, "please", 7));
	CHECK_EQ(event.param.responder_resources, 4);
	CHECK_CALL(rdma_reject(end.id, "no", 2));
	cm_close(&end);
	cm_listener_close(&listener);
	side_meet(side);
}

static void refused(void **state)
{
	(void)state;
	sides_run(SIDES_PROCESSES, refused_client, refusing_server, NULL);
}

/* --- a program that exits
 * ----------------------------------------------------------------
 */

/* With a connection, a request that nobody took, and one that it made. */
static void exiting_server(struct side *side)
{
	struct cm_listener listener;
	struct cm_end end;

	cm_listen(&listener, LOOPBACK, 0);
	side_put(side, &listener.port, sizeof(listener.port));
	cm_accept(&listener, &end);
	side_meet(side);
	cm_take_request(&listener, &end);
	exit(0);
}

static void left_client(struct side *side)
{
	struct rdma_conn_param param = cm_param(NULL, 0);
	struct cm_end end, waiting;
	uint16_t port = get_port(side);

	cm_connect(&end, LOOPBACK, port);
	side_meet(side);
	cm_resolve(&waiting, LOOPBACK, port);
	CHECK_CALL(rdma_connect(waiting.id, &param));
	CHECK_EQ(cm_expect(waiting.channel, RDMA_CM_EVENT_REJECTED).status, BY_CONSUMER);
	CHECK(cm_expect(end.channel, RDMA_CM_EVENT_DISCONNECTED).id == end.id);
	cm_close(&waiting);
	cm_close(&end);
}

static void exits(void **state)
{
	(void)state;
	sides_run(SIDES_PROCESSES, left_client, exiting_server, NULL);
}

/* --- a request that comes twice --------------------------------------------------------
 */

enum { ROUNDS = 4, BYSTANDERS = 3, PATIENCE_MS = 250 };

/* Who has answered everything, and listens no more, is who a repetition is for. */
static void slow_server(struct side *side)
{
	struct rdma_conn_param param = cm_param(NULL, 0);
	struct cm_listener listener;
	struct pollfd events;
	struct cm_end end;

	cm_listen(&listener, LOOPBACK, 0);
	side_put(side, &listener.port, sizeof(listener.port));
	cm_take_request(&listener, &end);
	CHECK_CALL(rdma_destroy_id(listener.id));
	events = (struct pollfd){ .fd = listener.channel->fd, .events = POLLIN };
	CHECK_EQ(poll(&events, 1, PATIENCE_MS), 0); /* meanwhile it is repeated */
	CHECK_CALL(rdma_accept(end.id, &param));
	CHECK(cm_expect(end.channel, RDMA_CM_EVENT_ESTABLISHED).id == end.id);
	side_meet(side);
	cm_close(&end);
	rdma_destroy_event_channel(listener.channel);
}

static void impatient_client(struct side *side)
{
	struct cm_end end;

	setenv("MOCKRDMA_CM_TIMEOUT", "30", 1);
	cm_connect(&end, LOOPBACK, get_port(side));
	side_meet(side);
	cm_close(&end);
}

/* One more process at the same port of the host. */
static void bystander(struct side *side)
{
	struct cm_listener listener;

	cm_listen(&listener, LOOPBACK, 0);
	side_put(side, &listener.port, sizeof(listener.port));
	get_port(side);
	cm_listener_close(&listener);
}

static void repeated(void **state)
{
	struct process other[BYSTANDERS];
	uint16_t port;

	(void)state;
	for (unsigned int i = 0; i < BYSTANDERS; i++) {
		other[i] = process_start("bystander", bystander, NULL);
		CHECK_EQ(read(other[i].socket, &port, sizeof(port)),
		         (ssize_t)sizeof(port));
	}
	for (unsigned int i = 0; i < ROUNDS; i++)
		sides_run(SIDES_PROCESSES, impatient_client, slow_server, NULL);
	for (unsigned int i = 0; i < BYSTANDERS; i++) {
		CHECK_EQ(write(other[i].socket, &port, sizeof(port)),
		         (ssize_t)sizeof(port));
		process_expect_success(&other[i]);
	}
}

/* --- a way that there is not -----------------------------------------------------------
 */

/* Where other hosts are, IP routing says; here it knows of none. */
static void no_way_body(struct side *side)
{
	struct sockaddr_storage to = cm_address("203.0.113.9", 7174);
	struct sockaddr_storage to6 = cm_address("2001:db8::9", 7174);
	struct rdma_event_channel *channel;
	struct rdma_cm_id *id;

	(void)side;
	channel = CHECK_OBJECT(rdma_create_event_channel());
	CHECK_CALL(rdma_create_id(channel, &id, NULL, RDMA_PS_TCP));
	CHECK_CALL(rdma_resolve_addr(id, NULL, (struct sockaddr *)&to, 1000));
	CHECK_EQ(cm_expect(channel, RDMA_CM_EVENT_ADDR_ERROR).status, -ENETUNREACH);
	CHECK_CALL(rdma_destroy_id(id));
	CHECK_CALL(rdma_create_id(NULL, &id, NULL, RDMA_PS_TCP));
	CHECK_FAILS(rdma_resolve_addr(id, NULL, (struct sockaddr *)&to, 1000),
	            ENETUNREACH);
	CHECK_CALL(rdma_destroy_id(id));
	CHECK_CALL(rdma_create_id(NULL, &id, NULL, RDMA_PS_TCP));
	CHECK_FAILS(rdma_resolve_addr(id, NULL, (struct sockaddr *)&to6, 1000),
	            ENETUNREACH);
	CHECK_CALL(rdma_destroy_id(id));
	rdma_destroy_event_channel(channel);
}

ALONE(no_way)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(many_processes), cmocka_unit_test(refused),
		cmocka_unit_test(exits),          cmocka_unit_test(repeated),
		cmocka_unit_test(no_way),
	};

	netns_enter();
	setenv("MOCKRDMA_LINK", "roce", 1);
	return cmocka_run_group_tests(tests, runtime_directory_make,
	                              runtime_directory_remove);
}
