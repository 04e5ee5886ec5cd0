// SPDX-License-Identifier: BSD-2-Clause
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rdma/rdma_verbs.h>

#include "check.h"
#include "connection.h"
#include "deadline.h"

void cn_set_patience(unsigned int timeout_ms, unsigned int retries)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", timeout_ms);
	CHECK_CALL(setenv("MOCKRDMA_CM_TIMEOUT", text, 1));
	snprintf(text, sizeof(text), "%u", retries);
	CHECK_CALL(setenv("MOCKRDMA_CM_RETRIES", text, 1));
}

struct sockaddr *cn_address(const char *address, uint16_t port)
{
	static _Thread_local struct sockaddr_storage storage;
	struct sockaddr_in *v4 = (struct sockaddr_in *)&storage;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&storage;

	memset(&storage, 0, sizeof(storage));
	if (inet_pton(AF_INET, address, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(port);
	} else {
		CHECK_EQ(inet_pton(AF_INET6, address, &v6->sin6_addr), 1);
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons(port);
	}
	return (struct sockaddr *)&storage;
}

struct sockaddr *cn_loopback(int family, uint16_t port)
{
	return cn_address(family == AF_INET ? "127.0.0.1" : "::1", port);
}

struct rdma_event_channel *cn_channel(void)
{
	return CHECK_OBJECT(rdma_create_event_channel());
}

struct rdma_cm_id *cn_id(struct rdma_event_channel *channel)
{
	struct rdma_cm_id *id;

	CHECK_CALL(rdma_create_id(channel, &id, NULL, RDMA_PS_TCP));
	CHECK(!channel || id->channel == channel);
	return id;
}

struct rdma_cm_id *cn_sync_id(void)
{
	return cn_id(NULL);
}

struct rdma_cm_event *cn_next(struct rdma_event_channel *channel)
{
	struct pollfd ready = { .fd = channel->fd, .events = POLLIN };
	struct rdma_cm_event *event;
	uint64_t deadline = deadline_in(PATIENCE_MS);

	if (poll(&ready, 1, deadline_left_ms(deadline)) != 1)
		check_failed(__FILE__, __LINE__, "no event came");
	CHECK_CALL(rdma_get_cm_event(channel, &event));
	return event;
}

struct rdma_cm_id *cn_expect(struct rdma_event_channel *channel,
                             enum rdma_cm_event_type type, int status)
{
	struct rdma_cm_event *event = cn_next(channel);
	struct rdma_cm_id *id = event->id;

	if (event->event != type || event->status != status)
		check_failed(__FILE__, __LINE__, "%s (%d) came, not %s (%d)",
		             rdma_event_str(event->event), event->status,
		             rdma_event_str(type), status);
	CHECK_CALL(rdma_ack_cm_event(event));
	return id;
}

void cn_expect_none(struct rdma_event_channel *channel)
{
	struct pollfd ready = { .fd = channel->fd, .events = POLLIN };
	int flags = fcntl(channel->fd, F_GETFL);
	struct rdma_cm_event *event;

	CHECK_EQ(poll(&ready, 1, 0), 0);
	CHECK_CALL(fcntl(channel->fd, F_SETFL, flags | O_NONBLOCK));
	CHECK_FAILS(rdma_get_cm_event(channel, &event), EAGAIN);
	CHECK_CALL(fcntl(channel->fd, F_SETFL, flags));
}

struct rdma_cm_id *cn_listen(struct rdma_event_channel *channel, uint16_t *port)
{
	struct rdma_cm_id *id = cn_id(channel);

	CHECK_CALL(rdma_bind_addr(id, cn_address("0.0.0.0", 0)));
	CHECK_CALL(rdma_listen(id, 0));
	*port = ntohs(rdma_get_src_port(id));
	CHECK(*port != 0);
	return id;
}

struct rdma_cm_id *cn_resolve(struct rdma_event_channel *channel, uint16_t port)
{
	struct rdma_cm_id *id = cn_id(channel);

	CHECK_CALL(rdma_resolve_addr(id, NULL, cn_loopback(AF_INET, port), 2000));
	CHECK(cn_expect(channel, RDMA_CM_EVENT_ADDR_RESOLVED, 0) == id);
	CHECK_CALL(rdma_resolve_route(id, 2000));
	CHECK(cn_expect(channel, RDMA_CM_EVENT_ROUTE_RESOLVED, 0) == id);
	return id;
}

void cn_create_qp(struct rdma_cm_id *id)
{
	struct ibv_qp_init_attr attr = {
		.cap = { .max_send_wr = 8,
		         .max_recv_wr = 8,
		         .max_send_sge = 1,
		         .max_recv_sge = 1,
		         .max_inline_data = 8 },
		.qp_type = IBV_QPT_RC,
		.sq_sig_all = 1,
	};

	CHECK_CALL(rdma_create_qp(id, NULL, &attr));
	CHECK(id->qp && id->send_cq && id->recv_cq && id->pd);
}

enum ibv_qp_state cn_qp_state(struct rdma_cm_id *id)
{
	struct ibv_qp_init_attr init;
	struct ibv_qp_attr attr;

	CHECK_EQ(ibv_query_qp(id->qp, &attr, IBV_QP_STATE, &init), 0);
	return attr.qp_state;
}

void cn_destroy(struct rdma_cm_id *id)
{
	if (id->qp)
		rdma_destroy_qp(id);
	CHECK_CALL(rdma_destroy_id(id));
}

void cn_connect(struct rdma_cm_id *id, const void *data, uint8_t length)
{
	struct rdma_conn_param param = {
		.private_data = data,
		.private_data_len = length,
		.responder_resources = 3,
		.initiator_depth = 2,
		.retry_count = 5,
		.rnr_retry_count = 6,
		.qp_num = 0x123456, /* without a queue pair on the id */
	};

	CHECK_CALL(rdma_connect(id, &param));
}

void cn_accept(struct rdma_cm_id *id)
{
	struct rdma_conn_param param = {
		.responder_resources = 2,
		.initiator_depth = 3,
		.rnr_retry_count = 4,
		.qp_num = 0x654321,
	};

	CHECK_CALL(rdma_accept(id, &param));
}

void cn_pair_open(struct cn_pair *pair)
{
	*pair = (struct cn_pair){ 0 };
	pair->server_channel = cn_channel();
	pair->client_channel = cn_channel();
	pair->listener = cn_listen(pair->server_channel, &pair->port);
}

void cn_pair_connect(struct cn_pair *pair)
{
	pair->client = cn_resolve(pair->client_channel, pair->port);
	cn_create_qp(pair->client);
	cn_connect(pair->client, NULL, 0);
	pair->server = cn_expect(pair->server_channel, RDMA_CM_EVENT_CONNECT_REQUEST, 0);
	cn_create_qp(pair->server);
	cn_accept(pair->server);
	cn_expect(pair->client_channel, RDMA_CM_EVENT_ESTABLISHED, 0);
	cn_expect(pair->server_channel, RDMA_CM_EVENT_ESTABLISHED, 0);
}

void cn_pair_close(struct cn_pair *pair)
{
	if (pair->client)
		cn_destroy(pair->client);
	if (pair->server)
		cn_destroy(pair->server);
	cn_destroy(pair->listener);
	rdma_destroy_event_channel(pair->client_channel);
	rdma_destroy_event_channel(pair->server_channel);
}

void cn_post_recv(struct rdma_cm_id *id, uint64_t *place, struct ibv_mr **mr)
{
	*mr = CHECK_OBJECT(rdma_reg_msgs(id, place, sizeof(*place)));
	CHECK_CALL(rdma_post_recv(id, place, place, sizeof(*place), *mr));
}

void cn_send(struct rdma_cm_id *id, uint64_t value)
{
	struct ibv_wc wc;

	CHECK_CALL(
	        rdma_post_send(id, NULL, &value, sizeof(value), NULL, IBV_SEND_INLINE));
	CHECK_EQ(rdma_get_send_comp(id, &wc), 1);
	CHECK_EQ(wc.status, IBV_WC_SUCCESS);
}

void cn_received(struct rdma_cm_id *id)
{
	struct ibv_wc wc;

	CHECK_EQ(rdma_get_recv_comp(id, &wc), 1);
	CHECK_EQ(wc.status, IBV_WC_SUCCESS);
}
