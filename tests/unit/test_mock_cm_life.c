// SPDX-License-Identifier: BSD-2-Clause
/*
 * Connections from resolving an address to TIMEWAIT_EXIT: each event in its order, with
 * what it has to carry, on both sides.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <rdma/rdma_verbs.h>

#include "lib/check.h"
#include "lib/connection.h"

enum { PRIVATE_REQ = 56, PRIVATE_REP = 196, PRIVATE_REJ = 148 };

static const uint8_t pattern[256] = { 0x11, 0x22, 0x33, [200] = 0x44 };

/* Padded with zeros up to the field's length, as a MAD has it. */
static void expect_private(const struct rdma_conn_param *param, size_t length,
                           size_t given)
{
	const uint8_t *data = param->private_data;

	CHECK_EQ(param->private_data_len, length);
	CHECK_BYTES(data, pattern, given);
	for (size_t i = given; i < length; i++)
		CHECK_EQ(data[i], 0);
}

/* --- a queue pair on each id -----------------------------------------------------------
 */

static struct rdma_cm_id *take_request(struct rdma_event_channel *channel,
                                       struct rdma_cm_id *listener)
{
	struct rdma_cm_event *event = cn_next(channel);
	struct rdma_cm_id *id = event->id;

	CHECK_EQ(event->event, RDMA_CM_EVENT_CONNECT_REQUEST);
	CHECK_EQ(event->status, 0);
	CHECK(event->listen_id == listener && id != listener);
	CHECK(id->context == listener->context && id->channel == channel);
	CHECK(id->verbs && id->pd);
	CHECK_EQ(id->ps, RDMA_PS_TCP);
	CHECK_EQ(id->qp_type, IBV_QPT_RC);
	/* What the client may have under way, this side answers; and the reverse. */
	CHECK_EQ(event->param.conn.responder_resources, 2);
	CHECK_EQ(event->param.conn.initiator_depth, 3);
	CHECK_EQ(event->param.conn.retry_count, 5);
	CHECK_EQ(event->param.conn.rnr_retry_count, 6);
	expect_private(&event->param.conn, PRIVATE_REQ, PRIVATE_REQ);
	id->context = (void *)(uintptr_t)event->param.conn.qp_num;
	CHECK_CALL(rdma_ack_cm_event(event));
	return id;
}

static void serve(struct side *side)
{
	struct rdma_event_channel *channel = cn_channel();
	uint64_t place = 0;
	struct ibv_mr *mr;
	uint16_t port;
	struct rdma_cm_id *id, *listener = cn_listen(channel, &port);
	uint32_t client_qpn;

	listener->context = &port;
	side_put(side, &port, sizeof(port));
	id = take_request(channel, listener);
	side_get(side, &client_qpn, sizeof(client_qpn));
	CHECK_EQ((uintptr_t)id->context, client_qpn);
	CHECK_EQ(ntohs(rdma_get_src_port(id)), port);
	cn_create_qp(id);
	CHECK_EQ(cn_qp_state(id), IBV_QPS_INIT);
	cn_post_recv(id, &place, &mr);
	cn_accept(id);
	CHECK_EQ(cn_qp_state(id), IBV_QPS_RTS);
	CHECK(cn_expect(channel, RDMA_CM_EVENT_ESTABLISHED, 0) == id);
	cn_received(id);
	CHECK_EQ(place, 4711);
	cn_send(id, 4712);
	CHECK(cn_expect(channel, RDMA_CM_EVENT_DISCONNECTED, 0) == id);
	CHECK_EQ(cn_qp_state(id), IBV_QPS_RTS);
	CHECK_CALL(rdma_disconnect(id));
	CHECK_EQ(cn_qp_state(id), IBV_QPS_ERR);
	CHECK(cn_expect(channel, RDMA_CM_EVENT_TIMEWAIT_EXIT, 0) == id);
	cn_expect_none(channel);
	CHECK_CALL(rdma_dereg_mr(mr));
	cn_destroy(id);
	cn_destroy(listener);
	rdma_destroy_event_channel(channel);
}

static void ask(struct side *side)
{
	struct rdma_event_channel *channel = cn_channel();
	uint64_t place = 0;
	struct ibv_mr *mr;
	struct rdma_cm_id *id;
	uint16_t port;

	side_get(side, &port, sizeof(port));
	id = cn_resolve(channel, port);
	cn_create_qp(id);
	CHECK_EQ(cn_qp_state(id), IBV_QPS_INIT);
	side_put(side, &id->qp->qp_num, sizeof(id->qp->qp_num));
	cn_post_recv(id, &place, &mr);
	cn_connect(id, pattern, PRIVATE_REQ);
	CHECK(cn_expect(channel, RDMA_CM_EVENT_ESTABLISHED, 0) == id);
	CHECK_EQ(cn_qp_state(id), IBV_QPS_RTS);
	cn_send(id, 4711);
	cn_received(id);
	CHECK_EQ(place, 4712);
	CHECK_CALL(rdma_disconnect(id));
	CHECK_EQ(cn_qp_state(id), IBV_QPS_ERR);
	CHECK(cn_expect(channel, RDMA_CM_EVENT_DISCONNECTED, 0) == id);
	CHECK(cn_expect(channel, RDMA_CM_EVENT_TIMEWAIT_EXIT, 0) == id);
	cn_expect_none(channel);
	CHECK_CALL(rdma_dereg_mr(mr));
	cn_destroy(id);
	rdma_destroy_event_channel(channel);
}

static void from_request_to_timewait(void **state)
{
	(void)state;
	sides_run(SIDES_PROCESSES, serve, ask, NULL);
	sides_run(SIDES_THREADS, serve, ask, NULL);
}

/* --- queue pairs of the program's own --------------------------------------------------
 */

static void expect_attributes(struct rdma_cm_id *id, uint32_t peer_qpn,
                              unsigned int reads, unsigned int depth)
{
	struct ibv_qp_attr attr = { .qp_state = IBV_QPS_INIT };
	int mask;

	CHECK_CALL(rdma_init_qp_attr(id, &attr, &mask));
	CHECK_EQ(mask,
	         IBV_QP_STATE | IBV_QP_PKEY_INDEX | IBV_QP_PORT | IBV_QP_ACCESS_FLAGS);
	CHECK_EQ(attr.port_num, 1);
	attr.qp_state = IBV_QPS_RTR;
	CHECK_CALL(rdma_init_qp_attr(id, &attr, &mask));
	CHECK_EQ(mask, IBV_QP_STATE | IBV_QP_AV | IBV_QP_PATH_MTU | IBV_QP_DEST_QPN |
	                       IBV_QP_RQ_PSN | IBV_QP_MAX_DEST_RD_ATOMIC |
	                       IBV_QP_MIN_RNR_TIMER);
	CHECK_EQ(attr.dest_qp_num, peer_qpn);
	CHECK_EQ(attr.max_dest_rd_atomic, reads);
	CHECK_EQ(attr.ah_attr.is_global, 1);
	CHECK_EQ(attr.ah_attr.grh.hop_limit, 64);
	CHECK_BYTES(&attr.ah_attr.grh.dgid, &id->route.addr.addr.ibaddr.dgid, 16);
	CHECK(attr.path_mtu >= IBV_MTU_256 && attr.path_mtu <= IBV_MTU_4096);
	attr.qp_state = IBV_QPS_RTS;
	CHECK_CALL(rdma_init_qp_attr(id, &attr, &mask));
	CHECK_EQ(mask, IBV_QP_STATE | IBV_QP_TIMEOUT | IBV_QP_RETRY_CNT |
	                       IBV_QP_RNR_RETRY | IBV_QP_SQ_PSN |
	                       IBV_QP_MAX_QP_RD_ATOMIC);
	CHECK_EQ(attr.max_rd_atomic, depth);
	CHECK_EQ(attr.retry_cnt, 5);
	attr.qp_state = IBV_QPS_SQD;
	CHECK_FAILS(rdma_init_qp_attr(id, &attr, &mask), EINVAL);
}

static void psns(struct rdma_cm_id *id, uint32_t *rq_psn, uint32_t *sq_psn)
{
	struct ibv_qp_attr attr = { .qp_state = IBV_QPS_RTR };
	int mask;

	CHECK_CALL(rdma_init_qp_attr(id, &attr, &mask));
	*rq_psn = attr.rq_psn;
	attr.qp_state = IBV_QPS_RTS;
	CHECK_CALL(rdma_init_qp_attr(id, &attr, &mask));
	*sq_psn = attr.sq_psn;
}

static void without_queue_pairs_body(struct side *side)
{
	struct ibv_qp_attr attr = { .qp_state = IBV_QPS_RTR };
	uint32_t client[2], server[2];
	struct rdma_cm_event *event;
	struct cn_pair pair;
	int mask;

	(void)side;
	cn_pair_open(&pair);
	pair.client = cn_resolve(pair.client_channel, pair.port);
	CHECK_FAILS(rdma_init_qp_attr(pair.client, &attr, &mask), EINVAL);
	cn_connect(pair.client, pattern, 1);
	event = cn_next(pair.server_channel);
	pair.server = event->id;
	CHECK_EQ(event->param.conn.qp_num, 0x123456);
	expect_private(&event->param.conn, PRIVATE_REQ, 1);
	CHECK_CALL(rdma_ack_cm_event(event));
	cn_accept(pair.server);
	event = cn_next(pair.client_channel);
	CHECK_EQ(event->event, RDMA_CM_EVENT_CONNECT_RESPONSE);
	CHECK(event->id == pair.client);
	CHECK_EQ(event->param.conn.qp_num, 0x654321);
	CHECK_EQ(event->param.conn.responder_resources, 3);
	CHECK_EQ(event->param.conn.initiator_depth, 2);
	CHECK_EQ(event->param.conn.rnr_retry_count, 4);
	expect_private(&event->param.conn, PRIVATE_REP, 0);
	CHECK_CALL(rdma_ack_cm_event(event));
	expect_attributes(pair.client, 0x654321, 3, 2);
	expect_attributes(pair.server, 0x123456, 2, 3);
	psns(pair.client, &client[0], &client[1]);
	psns(pair.server, &server[0], &server[1]);
	CHECK_EQ(client[0], server[1]);
	CHECK_EQ(client[1], server[0]);
	cn_expect_none(pair.server_channel);
	CHECK_CALL(rdma_establish(pair.client));
	cn_expect(pair.server_channel, RDMA_CM_EVENT_ESTABLISHED, 0);
	cn_expect_none(pair.client_channel);
	CHECK_FAILS(rdma_establish(pair.client), EINVAL);
	CHECK_FAILS(rdma_notify(pair.server, IBV_EVENT_COMM_EST), EISCONN);
	cn_pair_close(&pair);
}

ALONE(without_queue_pairs)

/* --- refusals --------------------------------------------------------------------------
 */

static void expect_rejected(struct rdma_event_channel *channel, int reason, size_t given)
{
	struct rdma_cm_event *event = cn_next(channel);

	CHECK_EQ(event->event, RDMA_CM_EVENT_REJECTED);
	CHECK_EQ(event->status, reason);
	expect_private(&event->param.conn, PRIVATE_REJ, given);
	CHECK_CALL(rdma_ack_cm_event(event));
}

static void nobody_listens_body(struct side *side)
{
	struct cn_pair pair;

	(void)side;
	cn_pair_open(&pair);
	pair.client = cn_resolve(pair.client_channel, pair.port);
	cn_create_qp(pair.client);
	cn_destroy(pair.listener);
	cn_connect(pair.client, NULL, 0);
	expect_rejected(pair.client_channel, 8, 0);
	CHECK_EQ(cn_qp_state(pair.client), IBV_QPS_ERR);
	pair.listener = cn_id(pair.server_channel);
	cn_pair_close(&pair);
}

ALONE(nobody_listens)

static void rejected_body(struct side *side)
{
	struct cn_pair pair;

	(void)side;
	cn_pair_open(&pair);
	for (int round = 0; round < 2; round++) {
		struct rdma_cm_id *client = cn_resolve(pair.client_channel, pair.port);
		struct rdma_cm_id *server;

		cn_connect(client, NULL, 0);
		server = cn_expect(pair.server_channel, RDMA_CM_EVENT_CONNECT_REQUEST, 0);
		CHECK_FAILS(rdma_reject(server, pattern, PRIVATE_REJ + 1), EINVAL);
		if (round)
			CHECK_CALL(rdma_reject_ece(server, pattern, PRIVATE_REJ));
		else
			CHECK_CALL(rdma_reject(server, pattern, 3));
		CHECK_FAILS(rdma_reject(server, NULL, 0), EINVAL);
		expect_rejected(pair.client_channel, round ? 35 : 28,
		                round ? PRIVATE_REJ : 3);
		cn_destroy(server);
		cn_destroy(client);
	}
	cn_pair_close(&pair);
}

ALONE(rejected)

/* The client looks at the answer, and does not want it. */
static void response_rejected_body(struct side *side)
{
	struct cn_pair pair;

	(void)side;
	cn_pair_open(&pair);
	pair.client = cn_resolve(pair.client_channel, pair.port);
	cn_connect(pair.client, NULL, 0);
	pair.server = cn_expect(pair.server_channel, RDMA_CM_EVENT_CONNECT_REQUEST, 0);
	cn_create_qp(pair.server);
	cn_accept(pair.server);
	cn_expect(pair.client_channel, RDMA_CM_EVENT_CONNECT_RESPONSE, 0);
	CHECK_CALL(rdma_reject(pair.client, pattern, 2));
	expect_rejected(pair.server_channel, 28, 2);
	CHECK_EQ(cn_qp_state(pair.server), IBV_QPS_ERR);
	cn_pair_close(&pair);
}

ALONE(response_rejected)

/* An id that is destroyed takes its request back, or refuses the one that came. */
static void destroyed_meanwhile_body(struct side *side)
{
	struct cn_pair pair;

	(void)side;
	cn_pair_open(&pair);
	pair.client = cn_resolve(pair.client_channel, pair.port);
	cn_connect(pair.client, NULL, 0);
	pair.server = cn_expect(pair.server_channel, RDMA_CM_EVENT_CONNECT_REQUEST, 0);
	cn_destroy(pair.client);
	expect_rejected(pair.server_channel, 4, 0);
	CHECK_FAILS(rdma_accept(pair.server, &(struct rdma_conn_param){ 0 }), EINVAL);
	cn_destroy(pair.server);

	pair.client = cn_resolve(pair.client_channel, pair.port);
	cn_connect(pair.client, NULL, 0);
	pair.server = cn_expect(pair.server_channel, RDMA_CM_EVENT_CONNECT_REQUEST, 0);
	cn_destroy(pair.server);
	expect_rejected(pair.client_channel, 28, 0);
	pair.server = NULL;
	cn_pair_close(&pair);
}

ALONE(destroyed_meanwhile)

/* Requests that nobody has looked at yet go with their listener; and too many of them. */
static void requests_unseen_body(struct side *side)
{
	struct rdma_event_channel *server = cn_channel(), *client = cn_channel();
	struct rdma_cm_id *listener = cn_id(server), *clients[3];

	(void)side;
	CHECK_CALL(rdma_bind_addr(listener, cn_loopback(AF_INET, 0)));
	CHECK_CALL(rdma_listen(listener, 2));
	for (int i = 0; i < 3; i++) {
		clients[i] = cn_resolve(client, ntohs(rdma_get_src_port(listener)));
		cn_connect(clients[i], NULL, 0);
	}
	CHECK(cn_expect(client, RDMA_CM_EVENT_REJECTED, 28) == clients[2]);
	cn_expect_none(client);
	cn_destroy(listener);
	cn_expect(client, RDMA_CM_EVENT_REJECTED, 28);
	cn_expect(client, RDMA_CM_EVENT_REJECTED, 28);
	cn_expect_none(server);
	for (int i = 0; i < 3; i++)
		cn_destroy(clients[i]);
	rdma_destroy_event_channel(client);
	rdma_destroy_event_channel(server);
}

ALONE(requests_unseen)

/* --- the end ---------------------------------------------------------------------------
 */

static void both_disconnect_body(struct side *side)
{
	struct cn_pair pair;

	(void)side;
	cn_pair_open(&pair);
	cn_pair_connect(&pair);
	CHECK_CALL(rdma_disconnect(pair.client));
	CHECK_CALL(rdma_disconnect(pair.server));
	cn_expect(pair.client_channel, RDMA_CM_EVENT_DISCONNECTED, 0);
	cn_expect(pair.server_channel, RDMA_CM_EVENT_DISCONNECTED, 0);
	cn_expect(pair.client_channel, RDMA_CM_EVENT_TIMEWAIT_EXIT, 0);
	cn_expect(pair.server_channel, RDMA_CM_EVENT_TIMEWAIT_EXIT, 0);
	CHECK_CALL(rdma_disconnect(pair.client));
	cn_expect_none(pair.client_channel);
	cn_pair_close(&pair);
}

ALONE(both_disconnect)

static void destroyed_without_disconnecting_body(struct side *side)
{
	struct cn_pair pair;

	(void)side;
	cn_pair_open(&pair);
	cn_pair_connect(&pair);
	cn_destroy(pair.client);
	pair.client = NULL;
	cn_expect(pair.server_channel, RDMA_CM_EVENT_DISCONNECTED, 0);
	cn_pair_close(&pair);
}

ALONE(destroyed_without_disconnecting)

/* Receives that are posted come back when the connection ends. */
static void flushed_body(struct side *side)
{
	struct cn_pair pair;
	uint64_t place;
	struct ibv_mr *mr;
	struct ibv_wc wc;

	(void)side;
	cn_pair_open(&pair);
	cn_pair_connect(&pair);
	cn_post_recv(pair.client, &place, &mr);
	CHECK_CALL(rdma_disconnect(pair.client));
	CHECK_EQ(rdma_get_recv_comp(pair.client, &wc), 1);
	CHECK_EQ(wc.status, IBV_WC_WR_FLUSH_ERR);
	CHECK_EQ(wc.wr_id, (uintptr_t)&place);
	CHECK_CALL(rdma_dereg_mr(mr));
	cn_pair_close(&pair);
}

ALONE(flushed)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(from_request_to_timewait),
		cmocka_unit_test(without_queue_pairs),
		cmocka_unit_test(nobody_listens),
		cmocka_unit_test(rejected),
		cmocka_unit_test(response_rejected),
		cmocka_unit_test(destroyed_meanwhile),
		cmocka_unit_test(requests_unseen),
		cmocka_unit_test(both_disconnect),
		cmocka_unit_test(destroyed_without_disconnecting),
		cmocka_unit_test(flushed),
	};

	return cmocka_run_group_tests(tests, runtime_directory_make,
	                              runtime_directory_remove);
}
