// SPDX-License-Identifier: BSD-2-Clause
/*
 * Queue pairs that the program moves itself (rdma_init_qp_attr, rdma_establish, sequence
 * numbers of its own), and the synchronous calls.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <rdma/rdma_verbs.h>

#include "lib/check.h"
#include "lib/cm.h"
#include "lib/deadline.h"
#include "lib/rcop.h"

#define LOOPBACK "127.0.0.1"

/* --- queue pairs of the program's own
 * -------------------------------------------------------- */

struct own {
	struct cm_end end; /* without a QP */
	struct ibv_pd *pd;
	struct ibv_qp *qp;
	uint32_t sq_psn, rq_psn; /* in place of the CM's, when not 0 */
};

static void make_own_qp(struct own *own)
{
	struct ibv_qp_init_attr init = { .cap = { 16, 16, 1, 1, 16 },
		                         .qp_type = IBV_QPT_RC,
		                         .sq_sig_all = 1 };

	own->pd = CHECK_OBJECT(ibv_alloc_pd(own->end.id->verbs));
	cm_make_cqs(&own->end);
	init.send_cq = own->end.send_cq;
	init.recv_cq = own->end.recv_cq;
	own->qp = CHECK_OBJECT(ibv_create_qp(own->pd, &init));
	own->end.mr = CHECK_OBJECT(
	        ibv_reg_mr(own->pd, own->end.buffer, CM_BUFFER, RC_ALL_ACCESS));
}

/* What the manual page promises: the attributes and a mask that ibv_modify_qp() takes as
 * is. */
static void move_to(struct own *own, enum ibv_qp_state state)
{
	struct ibv_qp_attr attr = { .qp_state = state };
	int mask = 0;

	CHECK_CALL(rdma_init_qp_attr(own->end.id, &attr, &mask));
	CHECK(mask & IBV_QP_STATE);
	CHECK_EQ(attr.qp_state, state);
	if (state == IBV_QPS_RTR && own->rq_psn)
		attr.rq_psn = own->rq_psn;
	if (state == IBV_QPS_RTS && own->sq_psn)
		attr.sq_psn = own->sq_psn;
	CHECK_EQ(ibv_modify_qp(own->qp, &attr, mask), 0);
}

static void close_own(struct own *own)
{
	CHECK_EQ(ibv_destroy_qp(own->qp), 0);
	cm_close(&own->end);
	CHECK_EQ(ibv_dealloc_pd(own->pd), 0);
}

static void post_own_receive(struct own *own)
{
	struct ibv_sge sge = { (uintptr_t)own->end.buffer + 64, 8, own->end.mr->lkey };
	struct ibv_recv_wr wr = { .wr_id = 2, .sg_list = &sge, .num_sge = 1 }, *bad;

	CHECK_EQ(ibv_post_recv(own->qp, &wr, &bad), 0);
}

static int post_own_send(struct own *own, uint64_t value)
{
	struct ibv_sge sge = { (uintptr_t)own->end.buffer, 8, own->end.mr->lkey };
	struct ibv_send_wr wr = {
		.wr_id = 1, .sg_list = &sge, .num_sge = 1, .opcode = IBV_WR_SEND
	};
	struct ibv_send_wr *bad;

	memcpy(own->end.buffer, &value, sizeof(value));
	return ibv_post_send(own->qp, &wr, &bad);
}

static void resolve_own(struct own *own, uint16_t port)
{
	struct sockaddr_storage to = cm_address(LOOPBACK, port);
	struct cm_end *end = &own->end;

	*end = (struct cm_end){ .own_channel = true };
	end->channel = CHECK_OBJECT(rdma_create_event_channel());
	CHECK_CALL(rdma_create_id(end->channel, &end->id, end, RDMA_PS_TCP));
	CHECK_CALL(rdma_resolve_addr(end->id, NULL, (struct sockaddr *)&to, 5000));
	cm_expect(end->channel, RDMA_CM_EVENT_ADDR_RESOLVED);
	CHECK_CALL(rdma_resolve_route(end->id, 5000));
	cm_expect(end->channel, RDMA_CM_EVENT_ROUTE_RESOLVED);
	make_own_qp(own);
}

static void own_client(struct side *side)
{
	const struct own *numbers = side->argument;
	struct own own = { .sq_psn = numbers->sq_psn, .rq_psn = numbers->rq_psn };
	struct rdma_conn_param param = cm_param(NULL, 0);
	struct cm_event event;
	uint16_t port;

	side_get(side, &port, sizeof(port));
	resolve_own(&own, port);
	move_to(&own, IBV_QPS_INIT);
	post_own_receive(&own);
	param.qp_num = own.qp->qp_num;
	CHECK_CALL(rdma_connect(own.end.id, &param));
	event = cm_expect(own.end.channel, RDMA_CM_EVENT_CONNECT_RESPONSE);
	CHECK(event.param.qp_num != 0);
	move_to(&own, IBV_QPS_RTR);
	move_to(&own, IBV_QPS_RTS);
	CHECK_CALL(rdma_establish(own.end.id));
	rc_expect(own.end.recv_cq, 2, IBV_WC_SUCCESS);
	CHECK_EQ(*(uint64_t *)(void *)(own.end.buffer + 64), 71);
	CHECK_EQ(post_own_send(&own, 72), 0);
	rc_expect(own.end.send_cq, 1, IBV_WC_SUCCESS);
	side_meet(side);
	CHECK_CALL(rdma_disconnect(own.end.id));
	cm_expect(own.end.channel, RDMA_CM_EVENT_DISCONNECTED);
	side_meet(side);
	close_own(&own);
}

static void own_server(struct side *side)
{
	const struct own *numbers = side->argument;
	struct own own = { .sq_psn = numbers->rq_psn, .rq_psn = numbers->sq_psn };
	struct rdma_conn_param param = cm_param(NULL, 0);
	struct cm_listener listener;
	struct cm_event event;

	cm_listen(&listener, LOOPBACK, 0);
	side_put(side, &listener.port, sizeof(listener.port));
	event = cm_expect(listener.channel, RDMA_CM_EVENT_CONNECT_REQUEST);
	own.end = (struct cm_end){ .channel = listener.channel, .id = event.id };
	make_own_qp(&own);
	move_to(&own, IBV_QPS_INIT);
	post_own_receive(&own);
	move_to(&own, IBV_QPS_RTR);
	move_to(&own, IBV_QPS_RTS);
	param.qp_num = own.qp->qp_num;
	CHECK_CALL(rdma_accept(own.end.id, &param));
	cm_expect(listener.channel, RDMA_CM_EVENT_ESTABLISHED);
	CHECK_EQ(post_own_send(&own, 71), 0);
	rc_expect(own.end.send_cq, 1, IBV_WC_SUCCESS);
	rc_expect(own.end.recv_cq, 2, IBV_WC_SUCCESS);
	CHECK_EQ(*(uint64_t *)(void *)(own.end.buffer + 64), 72);
	side_meet(side);
	cm_expect(listener.channel, RDMA_CM_EVENT_DISCONNECTED);
	CHECK_CALL(rdma_disconnect(own.end.id));
	side_meet(side);
	close_own(&own);
	cm_listener_close(&listener);
}

static void own_queue_pair(void **state)
{
	static const struct own numbers_of_the_cm;

	(void)state;
	sides_run(SIDES_PROCESSES, own_client, own_server, &numbers_of_the_cm);
	sides_run(SIDES_THREADS, own_client, own_server, &numbers_of_the_cm);
}

/* The CM's sequence numbers are a proposal. What both sides agree upon elsewhere counts.
 */
static void own_sequence_numbers(void **state)
{
	static const struct own numbers = { .sq_psn = 0x123456, .rq_psn = 0xabcdef };

	(void)state;
	sides_run(SIDES_PROCESSES, own_client, own_server, &numbers);
}

/* The starting numbers that the CM proposes are drawn anew for each connection. */
static void proposed_numbers_vary_body(struct side *side)
{
	enum { COUNT = 8 };
	uint32_t numbers[COUNT];
	struct cm_listener listener;

	(void)side;
	cm_listen(&listener, LOOPBACK, 0);
	for (int i = 0; i < COUNT; i++) {
		struct ibv_qp_attr attr = { .qp_state = IBV_QPS_RTS };
		struct rdma_conn_param param = cm_param(NULL, 0);
		struct cm_end client, server;
		int mask;

		cm_resolve(&client, LOOPBACK, listener.port);
		CHECK_CALL(rdma_connect(client.id, &param));
		cm_take_request(&listener, &server);
		CHECK_CALL(rdma_init_qp_attr(server.id, &attr, &mask));
		CHECK(mask & IBV_QP_SQ_PSN);
		numbers[i] = attr.sq_psn;
		CHECK(attr.sq_psn <= 0xffffff);
		CHECK_CALL(rdma_reject(server.id, NULL, 0));
		cm_expect(client.channel, RDMA_CM_EVENT_REJECTED);
		cm_close(&server);
		cm_close(&client);
	}
	for (int i = 2; i < COUNT; i++) {
		CHECK(numbers[i] != numbers[i - 1]);
		CHECK(numbers[i] - numbers[i - 1] != numbers[i - 1] - numbers[i - 2]);
	}
	cm_listener_close(&listener);
}
ALONE(proposed_numbers_vary)

/* --- synchronous calls
 * ------------------------------------------------------------------------ */

static struct rdma_addrinfo *lookup(uint16_t port, int flags)
{
	struct rdma_addrinfo hints = { .ai_flags = flags, .ai_port_space = RDMA_PS_TCP };
	struct rdma_addrinfo *found;
	char service[8];

	snprintf(service, sizeof(service), "%u", port);
	CHECK_EQ(rdma_getaddrinfo((char *)LOOPBACK, service, &hints, &found), 0);
	CHECK(found);
	return found;
}

static struct ibv_qp_init_attr endpoint_attributes(void)
{
	return (struct ibv_qp_init_attr){ .cap = { 4, 4, 1, 1, 16 }, .sq_sig_all = 1 };
}

static void sync_client(struct side *side)
{
	struct ibv_qp_init_attr init = endpoint_attributes();
	struct rdma_addrinfo *to;
	char message[16] = "question", answer[16];
	struct ibv_mr *out, *in;
	struct rdma_cm_id *id;
	struct ibv_wc wc;
	uint16_t port;

	side_get(side, &port, sizeof(port));
	to = lookup(port, 0);
	CHECK_CALL(rdma_create_ep(&id, to, NULL, &init));
	rdma_freeaddrinfo(to);
	CHECK(id->qp && id->pd && id->send_cq && id->recv_cq);
	out = CHECK_OBJECT(rdma_reg_msgs(id, message, sizeof(message)));
	in = CHECK_OBJECT(rdma_reg_msgs(id, answer, sizeof(answer)));
	CHECK_CALL(rdma_post_recv(id, NULL, answer, sizeof(answer), in));
	CHECK_CALL(rdma_connect(id, NULL));
	CHECK_CALL(rdma_post_send(id, NULL, message, sizeof(message), out, 0));
	CHECK_EQ(rdma_get_send_comp(id, &wc), 1);
	CHECK_EQ(wc.status, IBV_WC_SUCCESS);
	CHECK_EQ(rdma_get_recv_comp(id, &wc), 1);
	CHECK_EQ(wc.byte_len, sizeof(answer));
	CHECK(strcmp(answer, "answer") == 0);
	CHECK_CALL(rdma_disconnect(id));
	CHECK_CALL(rdma_dereg_mr(out));
	CHECK_CALL(rdma_dereg_mr(in));
	rdma_destroy_ep(id);
}

static void sync_server(struct side *side)
{
	struct ibv_qp_init_attr init = endpoint_attributes();
	struct rdma_addrinfo *at = lookup(0, RAI_PASSIVE);
	char message[16], answer[16] = "answer";
	struct rdma_cm_id *listener, *id;
	struct ibv_mr *out, *in;
	struct ibv_wc wc;
	uint16_t port;

	CHECK_CALL(rdma_create_ep(&listener, at, NULL, &init));
	rdma_freeaddrinfo(at);
	CHECK_CALL(rdma_listen(listener, 0));
	port = ntohs(rdma_get_src_port(listener));
	side_put(side, &port, sizeof(port));
	CHECK_CALL(rdma_get_request(listener, &id));
	CHECK(id->qp);
	out = CHECK_OBJECT(rdma_reg_msgs(id, answer, sizeof(answer)));
	in = CHECK_OBJECT(rdma_reg_msgs(id, message, sizeof(message)));
	CHECK_CALL(rdma_post_recv(id, NULL, message, sizeof(message), in));
	CHECK_CALL(rdma_accept(id, NULL));
	CHECK_EQ(rdma_get_recv_comp(id, &wc), 1);
	CHECK(strcmp(message, "question") == 0);
	CHECK_CALL(
	        rdma_post_send(id, NULL, answer, sizeof(answer), out, IBV_SEND_INLINE));
	CHECK_EQ(rdma_get_send_comp(id, &wc), 1);
	CHECK_EQ(wc.status, IBV_WC_SUCCESS);
	CHECK_CALL(rdma_disconnect(id));
	CHECK_CALL(rdma_dereg_mr(out));
	CHECK_CALL(rdma_dereg_mr(in));
	rdma_destroy_ep(id);
	rdma_destroy_ep(listener);
}

static void synchronous(void **state)
{
	(void)state;
	sides_run(SIDES_PROCESSES, sync_client, sync_server, NULL);
	sides_run(SIDES_THREADS, sync_client, sync_server, NULL);
}

/* Without a channel a call is done when it returns, and says so by its answer. */
static void synchronous_refusal_body(struct side *side)
{
	struct sockaddr_storage to;
	struct rdma_conn_param param = cm_param(NULL, 0);
	struct ibv_qp_init_attr init = endpoint_attributes();
	struct cm_listener listener;
	struct rdma_cm_id *id;

	(void)side;
	cm_listen(&listener, LOOPBACK, 0);
	cm_listener_close(&listener);
	to = cm_address(LOOPBACK, listener.port);
	CHECK_CALL(rdma_create_id(NULL, &id, NULL, RDMA_PS_TCP));
	CHECK_CALL(rdma_resolve_addr(id, NULL, (struct sockaddr *)&to, 5000));
	CHECK_CALL(rdma_resolve_route(id, 5000));
	init.qp_type = IBV_QPT_RC;
	CHECK_CALL(rdma_create_qp(id, NULL, &init));
	CHECK_FAILS(rdma_connect(id, &param), ECONNREFUSED);
	CHECK(id->event && id->event->event == RDMA_CM_EVENT_REJECTED);
	rdma_destroy_qp(id);
	CHECK_CALL(rdma_destroy_id(id));
}
ALONE(synchronous_refusal)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(own_queue_pair),
		cmocka_unit_test(own_sequence_numbers),
		cmocka_unit_test(proposed_numbers_vary),
		cmocka_unit_test(synchronous),
		cmocka_unit_test(synchronous_refusal),
	};

	return cmocka_run_group_tests(tests, runtime_directory_make,
	                              runtime_directory_remove);
}
