/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Goes to the limits that the device announces, and prints what each cost: a CQ filled to
 * its last entry, as many memory regions as there may be, the longest message. (The most
 * queue pairs: many_qps 1000000 1 1.) Needs 6 GiB.
 *
 * usage: limits [CQES [REGIONS [BYTES]]]; 0 leaves that one out
 */
#include <inttypes.h>
#include <stdint.h>
#include <string.h>
#include <time.h>
#include "pair.h"

static struct ibv_context *context;
static struct ibv_pd *pd;
static union ibv_gid gid;
static double began;

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void begin(void)
{
	began = now();
}

static double spent(void)
{
	return now() - began;
}

static void wait_for(struct ibv_cq *cq, struct ibv_wc *wc)
{
	int got;

	do {
		got = ibv_poll_cq(cq, 1, wc);
	} while (!got);
	need(got == 1 && wc->status == IBV_WC_SUCCESS, "completion");
}

/* What b receives, up to depth until it is polled, is told to that CQ. */
static void open_pair(struct side *a, struct side *b, struct ibv_cq *cq,
                      unsigned int depth)
{
	side_open(a, context, pd, IBV_QPT_RC);
	side_open_on(b, pd, cq, depth, IBV_QPT_RC);
	side_connect(a, b, &gid);
	side_connect(b, a, &gid);
}

/* But for that CQ. */
static void close_pair(struct side *a, struct side *b)
{
	need(!ibv_destroy_qp(a->qp) && !ibv_destroy_qp(b->qp), "ibv_destroy_qp");
	need(!ibv_destroy_cq(a->cq), "ibv_destroy_cq");
}

static void send_empty(struct side *a, struct side *b, uint64_t id)
{
	struct ibv_recv_wr recv = { .wr_id = id }, *bad_recv;
	struct ibv_send_wr send = { .opcode = IBV_WR_SEND,
		                    .send_flags = IBV_SEND_SIGNALED };
	struct ibv_send_wr *bad_send;
	struct ibv_wc wc;

	need(!ibv_post_recv(b->qp, &recv, &bad_recv), "ibv_post_recv");
	need(!ibv_post_send(a->qp, &send, &bad_send), "ibv_post_send");
	wait_for(a->cq, &wc);
}

/* A queue's entry is free again when its completion is polled: so there are many queues.
 */
static void fill_cq(unsigned int cqes, unsigned int depth)
{
	struct ibv_cq *cq = ibv_create_cq(context, (int)cqes, NULL, NULL, 0);
	unsigned int pairs = (cqes + depth - 1) / depth, at = 0;
	struct side *a = calloc(pairs, sizeof(*a)), *b = calloc(pairs, sizeof(*b));
	struct ibv_wc wc;
	double filled;

	need(a && b, "memory");
	begin();
	for (unsigned int i = 0; i < pairs; i++) {
		open_pair(&a[i], &b[i], cq, depth);
		for (unsigned int k = 0; k < depth && at < cqes; k++)
			send_empty(&a[i], &b[i], at++);
	}
	filled = spent();
	for (unsigned int i = 0; i < cqes; i++) {
		wait_for(cq, &wc);
		need(wc.wr_id == i, "completions in their order");
	}
	need(ibv_poll_cq(cq, 1, &wc) == 0, "an empty CQ");
	printf("a CQ of %u: filled in %.1f s, emptied in %.1f s\n", cqes, filled,
	       spent() - filled);
	for (unsigned int i = 0; i < pairs; i++)
		close_pair(&a[i], &b[i]);
	need(!ibv_destroy_cq(cq), "ibv_destroy_cq");
	free(a);
	free(b);
}

static void register_regions(unsigned int count)
{
	struct ibv_mr **mr = calloc(count, sizeof(struct ibv_mr *));
	static uint8_t page[4096];
	double made;

	need(mr != NULL, "memory");
	begin();
	for (unsigned int i = 0; i < count; i++) {
		mr[i] = ibv_reg_mr(pd, page, sizeof(page), IBV_ACCESS_LOCAL_WRITE);
		need(mr[i] != NULL, "ibv_reg_mr");
	}
	made = spent();
	for (unsigned int i = 0; i < count; i++)
		need(!ibv_dereg_mr(mr[i]), "ibv_dereg_mr");
	printf("%u regions: registered in %.1f s, deregistered in %.1f s\n", count, made,
	       spent() - made);
	free(mr);
}

static void fill(uint64_t *words, size_t count)
{
	for (size_t i = 0; i < count; i++)
		words[i] = i * UINT64_C(0x9e3779b97f4a7c15);
}

static void send_long(unsigned int bytes)
{
	struct ibv_cq *cq = ibv_create_cq(context, 1, NULL, NULL, 0);
	uint8_t *from = malloc(bytes), *to = calloc(1, bytes);
	struct ibv_mr *mr[2];
	struct ibv_sge sge[2];
	struct ibv_recv_wr recv = { .sg_list = &sge[1], .num_sge = 1 }, *bad_recv;
	struct ibv_send_wr send = { .sg_list = &sge[0],
		                    .num_sge = 1,
		                    .opcode = IBV_WR_SEND };
	struct ibv_send_wr *bad_send;
	struct side a, b;
	struct ibv_wc wc;
	double sent;

	need(from && to, "memory");
	fill((uint64_t *)from, bytes / sizeof(uint64_t));
	mr[0] = ibv_reg_mr(pd, from, bytes, 0);
	mr[1] = ibv_reg_mr(pd, to, bytes, IBV_ACCESS_LOCAL_WRITE);
	need(mr[0] && mr[1], "ibv_reg_mr");
	sge[0] = (struct ibv_sge){ (uintptr_t)from, bytes, mr[0]->lkey };
	sge[1] = (struct ibv_sge){ (uintptr_t)to, bytes, mr[1]->lkey };
	open_pair(&a, &b, cq, 1);
	begin();
	need(!ibv_post_recv(b.qp, &recv, &bad_recv), "ibv_post_recv");
	need(!ibv_post_send(a.qp, &send, &bad_send), "ibv_post_send");
	wait_for(cq, &wc);
	sent = spent();
	need(wc.byte_len == bytes && !memcmp(from, to, bytes), "the data");
	printf("a message of %u bytes: %.2f s\n", bytes, sent);
	close_pair(&a, &b);
	need(!ibv_destroy_cq(cq), "ibv_destroy_cq");
	need(!ibv_dereg_mr(mr[0]) && !ibv_dereg_mr(mr[1]), "ibv_dereg_mr");
	free(from);
	free(to);
}

static unsigned int limit(int argc, char **argv, int at, unsigned int announced)
{
	return argc > at ? (unsigned int)strtoul(argv[at], NULL, 0) : announced;
}

int main(int argc, char **argv)
{
	struct ibv_device **devices = ibv_get_device_list(NULL);
	struct ibv_device_attr device;
	struct ibv_port_attr port;
	unsigned int cqes, regions, bytes;

	need(devices && devices[0], "no device");
	context = ibv_open_device(devices[0]);
	need(context != NULL, "ibv_open_device");
	pd = ibv_alloc_pd(context);
	need(pd && !ibv_query_gid(context, 1, 0, &gid), "ibv_query_gid");
	need(!ibv_query_device(context, &device) && !ibv_query_port(context, 1, &port),
	     "ibv_query_device");
	cqes = limit(argc, argv, 1, (unsigned int)device.max_cqe);
	regions = limit(argc, argv, 2, (unsigned int)device.max_mr);
	bytes = limit(argc, argv, 3, port.max_msg_sz);
	if (cqes)
		fill_cq(cqes, (unsigned int)device.max_qp_wr);
	if (regions)
		register_regions(regions);
	if (bytes)
		send_long(bytes);
	ibv_dealloc_pd(pd);
	ibv_close_device(context);
	ibv_free_device_list(devices);
	return 0;
}
