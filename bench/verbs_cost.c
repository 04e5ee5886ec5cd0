/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the calls of the data path cost by themselves: pairs of QPs of one process, one
 * thread, so that no cache line moves between cores. For each call the least of many
 * batches, in nanoseconds.
 */
#include <arpa/inet.h>
#include <infiniband/verbs.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "pair.h"

enum { BATCHES = 20000, QKEY = 0x11111111 };

/* usage: verbs_cost [BATCHES] */

static char memory[4096];

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e9 + t.tv_nsec;
}

static void take(struct ibv_cq *cq, int count)
{
	struct ibv_wc wc[16];

	while (count > 0) {
		int got = ibv_poll_cq(cq, 16, wc);

		for (int i = 0; i < got; i++)
			need(wc[i].status == IBV_WC_SUCCESS, "completion");
		count -= got;
	}
}

static void keep_least(double *least, double spent)
{
	if (spent / BATCH < *least)
		*least = spent / BATCH;
}

struct cost {
	double post_recv, send, poll_recv;
};

struct onesided_cost {
	double write, poll_send;
};

/* Each a copy of `send`; the last alone is signalled. */
static void round_of_sends(struct side *a, struct side *b, struct ibv_send_wr send,
                           struct ibv_sge *room, struct cost *least)
{
	struct ibv_recv_wr recv = { .sg_list = room, .num_sge = 1 }, *bad_recv;
	struct ibv_send_wr *bad_send;
	double t[4];

	t[0] = now();
	for (int i = 0; i < BATCH; i++)
		ibv_post_recv(b->qp, &recv, &bad_recv);
	t[1] = now();
	for (int i = 0; i < BATCH; i++) {
		send.send_flags = i == BATCH - 1 ? IBV_SEND_SIGNALED : 0;
		ibv_post_send(a->qp, &send, &bad_send);
	}
	t[2] = now();
	take(b->cq, BATCH);
	t[3] = now();
	take(a->cq, 1);
	keep_least(&least->post_recv, t[1] - t[0]);
	keep_least(&least->send, t[2] - t[1]);
	keep_least(&least->poll_recv, t[3] - t[2]);
}

static void round_of_writes(struct side *a, struct ibv_sge *sge, uint32_t rkey,
                            struct onesided_cost *least)
{
	struct ibv_send_wr write = { .sg_list = sge,
		                     .num_sge = 1,
		                     .opcode = IBV_WR_RDMA_WRITE,
		                     .send_flags = IBV_SEND_SIGNALED };
	struct ibv_send_wr *bad;
	double t[3];

	write.wr.rdma.remote_addr = (uintptr_t)memory + sizeof(memory) / 2;
	write.wr.rdma.rkey = rkey;
	t[0] = now();
	for (int i = 0; i < BATCH; i++)
		ibv_post_send(a->qp, &write, &bad);
	t[1] = now();
	take(a->cq, BATCH);
	t[2] = now();
	keep_least(&least->write, t[1] - t[0]);
	keep_least(&least->poll_send, t[2] - t[1]);
}

static void open_datagrams(struct side *side, struct ibv_context *context,
                           struct ibv_pd *pd)
{
	struct ibv_qp_attr attr = { .qp_state = IBV_QPS_INIT,
		                    .port_num = 1,
		                    .qkey = QKEY };

	side_open(side, context, pd, IBV_QPT_UD);
	need(!ibv_modify_qp(side->qp, &attr,
	                    IBV_QP_STATE | IBV_QP_PKEY_INDEX | IBV_QP_PORT | IBV_QP_QKEY),
	     "INIT");
	attr.qp_state = IBV_QPS_RTR;
	need(!ibv_modify_qp(side->qp, &attr, IBV_QP_STATE), "RTR");
	attr.qp_state = IBV_QPS_RTS;
	need(!ibv_modify_qp(side->qp, &attr, IBV_QP_STATE | IBV_QP_SQ_PSN), "RTS");
}

static struct ibv_ah *address(struct ibv_pd *pd, const union ibv_gid *gid)
{
	struct ibv_ah_attr attr = { .is_global = 1,
		                    .port_num = 1,
		                    .grh = { .dgid = *gid, .hop_limit = 1 } };
	struct ibv_ah *ah = ibv_create_ah(pd, &attr);

	need(ah != NULL, "ibv_create_ah");
	return ah;
}

int main(int argc, char **argv)
{
	int batches = argc > 1 ? (int)strtol(argv[1], NULL, 10) : BATCHES;
	struct ibv_device **list = ibv_get_device_list(NULL);
	struct ibv_context *context = list && list[0] ? ibv_open_device(list[0]) : NULL;
	struct cost rc = { 1e9, 1e9, 1e9 }, ud = rc;
	struct onesided_cost onesided = { 1e9, 1e9 };
	struct ibv_send_wr send = { .num_sge = 1, .opcode = IBV_WR_SEND },
	                   datagram = send;
	struct side a, b, c, d;
	struct ibv_sge sge, room;
	union ibv_gid gid;
	struct ibv_pd *pd;
	struct ibv_mr *mr;

	need(context != NULL, "no RDMA device: run this under `mockrdma run --`");
	pd = ibv_alloc_pd(context);
	mr = ibv_reg_mr(pd, memory, sizeof(memory),
	                IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE);
	need(mr && !ibv_query_gid(context, 1, 0, &gid), "setup");
	side_open(&a, context, pd, IBV_QPT_RC);
	side_open(&b, context, pd, IBV_QPT_RC);
	side_connect(&a, &b, &gid);
	side_connect(&b, &a, &gid);
	open_datagrams(&c, context, pd);
	open_datagrams(&d, context, pd);
	sge = (struct ibv_sge){ (uintptr_t)memory, 8, mr->lkey };
	room = (struct ibv_sge){ (uintptr_t)memory + sizeof(memory) / 2, 128, mr->lkey };
	send.sg_list = datagram.sg_list = &sge;
	datagram.wr.ud.ah = address(pd, &gid);
	datagram.wr.ud.remote_qpn = d.qp->qp_num;
	datagram.wr.ud.remote_qkey = QKEY;
	for (int round = 0; round < batches; round++) {
		round_of_sends(&a, &b, send, &room, &rc);
		round_of_writes(&a, &sge, mr->rkey, &onesided);
		round_of_sends(&c, &d, datagram, &room, &ud);
	}
	printf("ibv_post_recv %.1f ns, ibv_post_send (SEND 8 B) %.1f ns, "
	       "ibv_post_send (WRITE 8 B, signalled) %.1f ns, "
	       "ibv_poll_cq (a receive) %.1f ns, ibv_poll_cq (a send) %.1f ns; "
	       "UD: ibv_post_send (SEND 8 B) %.1f ns, ibv_poll_cq (a receive) %.1f ns\n",
	       rc.post_recv, rc.send, onesided.write, rc.poll_recv, onesided.poll_send,
	       ud.send, ud.poll_recv);
	return 0;
}
