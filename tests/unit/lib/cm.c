// SPDX-License-Identifier: BSD-2-Clause
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <string.h>

#include "check.h"
#include "cm.h"
#include "deadline.h"
#include "rcop.h"

enum { CM_RESOLVE_MS = 5000 };

struct sockaddr_storage cm_address(const char *text, uint16_t port)
{
	struct sockaddr_storage address = { 0 };
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&address;
	struct sockaddr_in *in = (struct sockaddr_in *)&address;

	if (inet_pton(AF_INET, text, &in->sin_addr) == 1) {
		in->sin_family = AF_INET;
		in->sin_port = htons(port);
		return address;
	}
	CHECK_EQ(inet_pton(AF_INET6, text, &in6->sin6_addr), 1);
	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons(port);
	return address;
}

static struct cm_event copy_event(const struct rdma_cm_event *event)
{
	struct cm_event copy = {
		.type = event->event,
		.status = event->status,
		.id = event->id,
		.listen_id = event->listen_id,
		.param = event->param.conn,
	};

	if (copy.param.private_data_len)
		memcpy(copy.private_data, copy.param.private_data,
		       copy.param.private_data_len);
	copy.param.private_data = NULL;
	return copy;
}

struct cm_event cm_next(struct rdma_event_channel *channel)
{
	struct pollfd ready = { .fd = channel->fd, .events = POLLIN };
	struct rdma_cm_event *event;
	struct cm_event copy;

	if (poll(&ready, 1, deadline_left_ms(deadline_in(PATIENCE_MS))) != 1)
		check_failed(__FILE__, __LINE__, "no event comes");
	CHECK_CALL(rdma_get_cm_event(channel, &event));
	copy = copy_event(event);
	CHECK_CALL(rdma_ack_cm_event(event));
	return copy;
}

struct cm_event cm_expect(struct rdma_event_channel *channel,
                          enum rdma_cm_event_type type)
{
	struct cm_event event = cm_next(channel);

	if (event.type != type)
		check_failed(__FILE__, __LINE__, "%s (status %d) came, expected %s",
		             rdma_event_str(event.type), event.status,
		             rdma_event_str(type));
	return event;
}

void cm_expect_nothing(struct rdma_event_channel *channel, int milliseconds)
{
	struct pollfd ready = { .fd = channel->fd, .events = POLLIN };

	if (poll(&ready, 1, milliseconds) != 0)
		check_failed(__FILE__, __LINE__, "%s came, expected nothing",
		             rdma_event_str(cm_next(channel).type));
}

void cm_listen(struct cm_listener *listener, const char *address, uint16_t port)
{
	struct sockaddr_storage at = cm_address(address, port);

	listener->channel = CHECK_OBJECT(rdma_create_event_channel());
	CHECK_CALL(
	        rdma_create_id(listener->channel, &listener->id, listener, RDMA_PS_TCP));
	CHECK_CALL(rdma_bind_addr(listener->id, (struct sockaddr *)&at));
	CHECK_CALL(rdma_listen(listener->id, 128));
	listener->port = ntohs(rdma_get_src_port(listener->id));
	CHECK(listener->port != 0);
}

void cm_listener_close(struct cm_listener *listener)
{
	CHECK_CALL(rdma_destroy_id(listener->id));
	rdma_destroy_event_channel(listener->channel);
}

void cm_make_cqs(struct cm_end *end)
{
	end->send_cq = CHECK_OBJECT(ibv_create_cq(end->id->verbs, 64, NULL, NULL, 0));
	end->recv_cq = CHECK_OBJECT(ibv_create_cq(end->id->verbs, 64, NULL, NULL, 0));
}

void cm_add_qp(struct cm_end *end)
{
	struct ibv_qp_init_attr init = { .cap = { 16, 16, 1, 1, 16 },
		                         .qp_type = IBV_QPT_RC,
		                         .sq_sig_all = 1 };
	struct ibv_qp_init_attr seen;
	struct ibv_qp_attr attr;

	CHECK(end->id->verbs);
	cm_make_cqs(end);
	init.send_cq = end->send_cq;
	init.recv_cq = end->recv_cq;
	CHECK_CALL(rdma_create_qp(end->id, NULL, &init));
	CHECK_EQ(ibv_query_qp(end->id->qp, &attr, IBV_QP_STATE, &seen), 0);
	CHECK_EQ(attr.qp_state, IBV_QPS_INIT);
	end->mr = CHECK_OBJECT(
	        ibv_reg_mr(end->id->pd, end->buffer, CM_BUFFER, RC_ALL_ACCESS));
}

void cm_resolve(struct cm_end *end, const char *address, uint16_t port)
{
	struct sockaddr_storage to = cm_address(address, port);

	*end = (struct cm_end){ .own_channel = true };
	end->channel = CHECK_OBJECT(rdma_create_event_channel());
	CHECK_CALL(rdma_create_id(end->channel, &end->id, end, RDMA_PS_TCP));
	CHECK_CALL(
	        rdma_resolve_addr(end->id, NULL, (struct sockaddr *)&to, CM_RESOLVE_MS));
	CHECK(cm_expect(end->channel, RDMA_CM_EVENT_ADDR_RESOLVED).id == end->id);
	CHECK_CALL(rdma_resolve_route(end->id, CM_RESOLVE_MS));
	CHECK(cm_expect(end->channel, RDMA_CM_EVENT_ROUTE_RESOLVED).id == end->id);
	cm_add_qp(end);
}

struct cm_event cm_take_request(struct cm_listener *listener, struct cm_end *end)
{
	struct cm_event event =
	        cm_expect(listener->channel, RDMA_CM_EVENT_CONNECT_REQUEST);

	CHECK(event.listen_id == listener->id && event.id != listener->id);
	/* A new id inherits the listener's channel and context. */
	CHECK(event.id->channel == listener->channel);
	CHECK(event.id->context == listener->id->context);
	*end = (struct cm_end){ .channel = listener->channel, .id = event.id };
	cm_add_qp(end);
	return event;
}

struct rdma_conn_param cm_param(const void *private_data, uint8_t size)
{
	return (struct rdma_conn_param){
		.private_data = private_data,
		.private_data_len = size,
		.responder_resources = 4,
		.initiator_depth = 4,
		.retry_count = 7,
		.rnr_retry_count = 7,
	};
}

void cm_connect(struct cm_end *end, const char *address, uint16_t port)
{
	struct rdma_conn_param param = cm_param(NULL, 0);

	cm_resolve(end, address, port);
	cm_post_receive(end);
	CHECK_CALL(rdma_connect(end->id, &param));
	cm_expect(end->channel, RDMA_CM_EVENT_ESTABLISHED);
}

void cm_accept(struct cm_listener *listener, struct cm_end *end)
{
	struct rdma_conn_param param = cm_param(NULL, 0);

	cm_take_request(listener, end);
	cm_post_receive(end);
	CHECK_CALL(rdma_accept(end->id, &param));
	CHECK(cm_expect(end->channel, RDMA_CM_EVENT_ESTABLISHED).id == end->id);
}

static struct ibv_sge sge_at(struct cm_end *end, size_t offset)
{
	return (struct ibv_sge){ .addr = (uintptr_t)end->buffer + offset,
		                 .length = sizeof(uint64_t),
		                 .lkey = end->mr->lkey };
}

void cm_send(struct cm_end *end, uint64_t value)
{
	struct ibv_sge sge = sge_at(end, 0);
	struct ibv_send_wr wr = {
		.wr_id = 1, .sg_list = &sge, .num_sge = 1, .opcode = IBV_WR_SEND
	};
	struct ibv_send_wr *bad;

	memcpy(end->buffer, &value, sizeof(value));
	CHECK_EQ(ibv_post_send(end->id->qp, &wr, &bad), 0);
	rc_expect(end->send_cq, 1, IBV_WC_SUCCESS);
}

void cm_post_receive(struct cm_end *end)
{
	struct ibv_sge sge = sge_at(end, 64);
	struct ibv_recv_wr wr = { .wr_id = 2, .sg_list = &sge, .num_sge = 1 };
	struct ibv_recv_wr *bad;

	CHECK_EQ(ibv_post_recv(end->id->qp, &wr, &bad), 0);
}

void cm_expect_receive(struct cm_end *end, uint64_t value)
{
	rc_expect(end->recv_cq, 2, IBV_WC_SUCCESS);
	CHECK_BYTES(end->buffer + 64, &value, sizeof(value));
	cm_post_receive(end);
}

void cm_close(struct cm_end *end)
{
	if (end->id->qp)
		rdma_destroy_qp(end->id);
	if (end->mr)
		CHECK_EQ(ibv_dereg_mr(end->mr), 0);
	if (end->send_cq) {
		CHECK_EQ(ibv_destroy_cq(end->send_cq), 0);
		CHECK_EQ(ibv_destroy_cq(end->recv_cq), 0);
	}
	CHECK_CALL(rdma_destroy_id(end->id));
	if (end->own_channel)
		rdma_destroy_event_channel(end->channel);
}
