/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Threads that have a QP each and nothing in common but the process: how many SENDs of 8
 * bytes all of them do in a second, in millions.
 *
 * usage: threads [THREADS [MILLISECONDS]]
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include "pair.h"
#include "sample.h"

enum { MOST = 64 };

static struct ibv_context *context;
static struct ibv_pd *pd;
static union ibv_gid gid;
static pthread_barrier_t ready;
static uint64_t until; /* set by the first thread before the barrier */
static unsigned int milliseconds = 500;

struct worker {
	pthread_t thread;
	int number;
	uint64_t sent, spent;
	struct side a, b;
	struct ibv_mr *mr;
	uint8_t memory[64];
} __attribute__((aligned(256)));

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

static void send_batch(struct worker *worker)
{
	struct ibv_sge sge = { (uintptr_t)worker->memory, 8, worker->mr->lkey };
	struct ibv_recv_wr recv = { .sg_list = &sge, .num_sge = 1 }, *bad_recv;
	struct ibv_send_wr send = { .sg_list = &sge,
		                    .num_sge = 1,
		                    .opcode = IBV_WR_SEND };
	struct ibv_send_wr *bad_send;

	for (int i = 0; i < BATCH; i++)
		ibv_post_recv(worker->b.qp, &recv, &bad_recv);
	for (int i = 0; i < BATCH; i++) {
		send.send_flags = i == BATCH - 1 ? IBV_SEND_SIGNALED : 0;
		ibv_post_send(worker->a.qp, &send, &bad_send);
	}
	take(worker->b.cq, BATCH);
	take(worker->a.cq, 1);
}

static void *work(void *arg)
{
	struct worker *worker = arg;
	uint64_t started;

	pin_to_cpu(worker->number);
	side_open(&worker->a, context, pd, IBV_QPT_RC);
	side_open(&worker->b, context, pd, IBV_QPT_RC);
	side_connect(&worker->a, &worker->b, &gid);
	side_connect(&worker->b, &worker->a, &gid);
	worker->mr = ibv_reg_mr(pd, worker->memory, sizeof(worker->memory),
	                        IBV_ACCESS_LOCAL_WRITE);
	need(worker->mr != NULL, "ibv_reg_mr");
	if (worker->number == 0)
		until = now_ns() + (uint64_t)milliseconds * 1000000;
	pthread_barrier_wait(&ready);
	started = now_ns();
	while (now_ns() < until) {
		send_batch(worker);
		worker->sent += BATCH;
	}
	worker->spent = now_ns() - started;
	return NULL;
}

int main(int argc, char **argv)
{
	int threads = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 1;
	struct ibv_device **list = ibv_get_device_list(NULL);
	static struct worker workers[MOST];
	double rate = 0;

	need(threads > 0 && threads <= MOST, "a number of threads");
	if (argc > 2)
		milliseconds = (unsigned int)strtol(argv[2], NULL, 10);
	context = list && list[0] ? ibv_open_device(list[0]) : NULL;
	need(context != NULL, "no RDMA device: run this under `mockrdma run --`");
	pd = ibv_alloc_pd(context);
	need(pd && !ibv_query_gid(context, 1, 0, &gid), "setup");
	pthread_barrier_init(&ready, NULL, (unsigned int)threads);
	for (int i = 0; i < threads; i++) {
		workers[i].number = i;
		need(!pthread_create(&workers[i].thread, NULL, work, &workers[i]),
		     "pthread_create");
	}
	for (int i = 0; i < threads; i++) {
		pthread_join(workers[i].thread, NULL);
		rate += (double)workers[i].sent * 1e3 / (double)workers[i].spent;
	}
	printf("%.3f\n", rate);
	return 0;
}
