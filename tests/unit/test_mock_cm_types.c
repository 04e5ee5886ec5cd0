// SPDX-License-Identifier: BSD-2-Clause
/* Each type of queue pair that a connection can have, through synchronous endpoints in
 * the port space that has them all. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <rdma/rdma_verbs.h>

#include "lib/check.h"
#include "lib/connection.h"

struct types {
	enum ibv_qp_type active, passive;
};

static const struct types rc = { IBV_QPT_RC, IBV_QPT_RC };
static const struct types uc = { IBV_QPT_UC, IBV_QPT_UC };
static const struct types xrc = { IBV_QPT_XRC_SEND, IBV_QPT_XRC_RECV };

static int open_endpoint(struct rdma_cm_id **id, enum ibv_qp_type type, int flags,
                         uint16_t port)
{
	struct rdma_addrinfo hints = { .ai_flags = flags,
		                       .ai_port_space = RDMA_PS_IB,
		                       .ai_qp_type = type };
	struct ibv_qp_init_attr attr = { .cap = { 2, 2, 1, 1, 0 }, .sq_sig_all = 1 };
	struct rdma_addrinfo *info;
	char text[8];
	int result;

	snprintf(text, sizeof(text), "%u", port);
	CHECK_EQ(rdma_getaddrinfo("127.0.0.1", text, &hints, &info), 0);
	result = rdma_create_ep(id, info, NULL, &attr);
	rdma_freeaddrinfo(info);
	return result;
}

static uint32_t add_srq(struct rdma_cm_id *id)
{
	struct ibv_srq_init_attr attr = { .attr = { .max_wr = 2, .max_sge = 1 } };
	struct ibv_srq_init_attr_ex without_type = { .attr = { .max_wr = 2,
		                                               .max_sge = 1 } };
	uint32_t number;

	CHECK_FAILS(rdma_create_srq_ex(id, &without_type), EINVAL);
	CHECK_CALL(rdma_create_srq(id, NULL, &attr));
	CHECK_FAILS(rdma_create_srq(id, NULL, &attr), EINVAL);
	CHECK(id->srq && id->recv_cq && id->recv_cq_channel);
	CHECK_EQ(ibv_get_srq_num(id->srq, &number), 0);
	return number;
}

static void server(struct side *side)
{
	const struct types *types = side->argument;
	struct rdma_conn_param param = { .rnr_retry_count = 7 };
	struct rdma_cm_id *listener, *id;
	uint32_t srqn = 0;
	uint64_t value = 0;
	struct ibv_mr *mr;
	struct ibv_wc wc;
	uint16_t port;

	CHECK_CALL(open_endpoint(&listener, types->passive, RAI_PASSIVE, 0));
	CHECK_CALL(rdma_listen(listener, 0));
	port = ntohs(rdma_get_src_port(listener));
	side_put(side, &port, sizeof(port));
	CHECK_CALL(rdma_get_request(listener, &id));
	CHECK_EQ(id->qp_type, types->passive);
	CHECK_EQ(id->qp->qp_type, types->passive);
	if (types->passive == IBV_QPT_XRC_RECV)
		srqn = add_srq(id);
	mr = CHECK_OBJECT(rdma_reg_msgs(id, &value, sizeof(value)));
	CHECK_CALL(rdma_post_recv(id, NULL, &value, sizeof(value), mr));
	param.private_data = &srqn;
	param.private_data_len = sizeof(srqn);
	CHECK_CALL(rdma_accept(id, &param));
	CHECK_EQ(rdma_get_recv_comp(id, &wc), 1);
	CHECK_EQ(wc.status, IBV_WC_SUCCESS);
	CHECK_EQ(value, 4711);
	CHECK_CALL(rdma_disconnect(id));
	CHECK_CALL(rdma_dereg_mr(mr));
	rdma_destroy_ep(id);
	rdma_destroy_ep(listener);
}

/* A little fits inline whatever was asked for. */
static void send_value(struct rdma_cm_id *id, uint32_t srqn)
{
	uint64_t value = 4711;
	struct ibv_sge sge = { .addr = (uintptr_t)&value, .length = sizeof(value) };
	struct ibv_send_wr wr = { .sg_list = &sge,
		                  .num_sge = 1,
		                  .opcode = IBV_WR_SEND,
		                  .send_flags = IBV_SEND_INLINE };
	struct ibv_send_wr *bad;
	struct ibv_wc wc;

	wr.qp_type.xrc.remote_srqn = srqn;
	CHECK_EQ(ibv_post_send(id->qp, &wr, &bad), 0);
	CHECK_EQ(rdma_get_send_comp(id, &wc), 1);
	CHECK_EQ(wc.status, IBV_WC_SUCCESS);
}

/* Whoever asks for another type than is served finds nobody. */
static void ask_wrongly(uint16_t port, enum ibv_qp_type served)
{
	enum ibv_qp_type other = served == IBV_QPT_RC ? IBV_QPT_UC : IBV_QPT_RC;
	struct rdma_cm_id *id;

	CHECK_CALL(open_endpoint(&id, other, 0, port));
	CHECK_FAILS(rdma_connect(id, NULL), ECONNREFUSED);
	CHECK_EQ(id->event->status, 8);
	rdma_destroy_ep(id);
}

static void client(struct side *side)
{
	const struct types *types = side->argument;
	struct rdma_cm_id *id;
	uint32_t srqn;
	uint16_t port;

	side_get(side, &port, sizeof(port));
	ask_wrongly(port, types->passive);
	CHECK_CALL(open_endpoint(&id, types->active, 0, port));
	CHECK_EQ(id->qp->qp_type, types->active);
	CHECK_CALL(rdma_connect(id, NULL));
	memcpy(&srqn, id->event->param.conn.private_data, sizeof(srqn));
	send_value(id, srqn);
	CHECK_CALL(rdma_disconnect(id));
	rdma_destroy_ep(id);
}

static void each_way(const struct types *types)
{
	sides_run(SIDES_PROCESSES, client, server, types);
	sides_run(SIDES_THREADS, client, server, types);
}

static void reliable(void **state)
{
	(void)state;
	each_way(&rc);
}

static void unreliable(void **state)
{
	(void)state;
	each_way(&uc);
}

static void extended(void **state)
{
	(void)state;
	each_way(&xrc);
}

/* An XRC target is connected to; it asks for nothing. */
static void target_connects_body(struct side *side)
{
	struct rdma_cm_id *id;

	(void)side;
	CHECK_CALL(open_endpoint(&id, IBV_QPT_XRC_RECV, 0, 7));
	CHECK_FAILS(rdma_connect(id, NULL), EINVAL);
	rdma_destroy_ep(id);
}
ALONE(target_connects)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reliable),
		cmocka_unit_test(unreliable),
		cmocka_unit_test(extended),
		cmocka_unit_test(target_connects),
	};

	return cmocka_run_group_tests(tests, runtime_directory_make,
	                              runtime_directory_remove);
}
