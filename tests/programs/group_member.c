// SPDX-License-Identifier: BSD-2-Clause
/*
 * A multicast group by verbs alone: ibv_attach_mcast(), without any connection manager.
 *
 *	group_member GROUP GID-INDEX receive COUNT     says "attached"
 *	group_member GROUP GID-INDEX send COUNT
 *
 * The queue key is that of librdmacm's datagrams.
 */
#include <arpa/inet.h>
#include <infiniband/verbs.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { QKEY = 0x01234567, GRH = 40, LENGTH = 100, RECEIVES = 8, GROUP_QPN = 0xffffff };

static struct {
	struct ibv_context *context;
	struct ibv_pd *pd;
	struct ibv_cq *cq;
	struct ibv_qp *qp;
	struct ibv_mr *mr;
	uint8_t data[RECEIVES][GRH + LENGTH];
} own;

#define MUST(condition)                                              \
	do {                                                         \
		if (!(condition)) {                                  \
			fprintf(stderr, "not so: %s\n", #condition); \
			exit(1);                                     \
		}                                                    \
	} while (0)

static void open_qp(void)
{
	struct ibv_device **list = ibv_get_device_list(NULL);
	struct ibv_qp_init_attr init = { .qp_type = IBV_QPT_UD,
		                         .cap = { 8, 8, 1, 1, 0 } };
	struct ibv_qp_attr attr = { .qp_state = IBV_QPS_INIT,
		                    .port_num = 1,
		                    .qkey = QKEY };

	MUST(list && list[0] && (own.context = ibv_open_device(list[0])));
	MUST((own.pd = ibv_alloc_pd(own.context)));
	MUST((own.cq = ibv_create_cq(own.context, 8, NULL, NULL, 0)));
	MUST((own.mr = ibv_reg_mr(own.pd, own.data, sizeof(own.data),
	                          IBV_ACCESS_LOCAL_WRITE)));
	init.send_cq = init.recv_cq = own.cq;
	MUST((own.qp = ibv_create_qp(own.pd, &init)));
	MUST(!ibv_modify_qp(own.qp, &attr,
	                    IBV_QP_STATE | IBV_QP_PKEY_INDEX | IBV_QP_PORT |
	                            IBV_QP_QKEY));
	attr.qp_state = IBV_QPS_RTR;
	MUST(!ibv_modify_qp(own.qp, &attr, IBV_QP_STATE));
	attr.qp_state = IBV_QPS_RTS;
	MUST(!ibv_modify_qp(own.qp, &attr, IBV_QP_STATE | IBV_QP_SQ_PSN));
	ibv_free_device_list(list);
}

static void close_qp(void)
{
	MUST(!ibv_destroy_qp(own.qp) && !ibv_dereg_mr(own.mr) &&
	     !ibv_destroy_cq(own.cq) && !ibv_dealloc_pd(own.pd) &&
	     !ibv_close_device(own.context));
}

static struct ibv_wc await(void)
{
	struct ibv_wc wc;
	int count;

	do
		count = ibv_poll_cq(own.cq, 1, &wc);
	while (count == 0);
	MUST(count == 1 && wc.status == IBV_WC_SUCCESS);
	return wc;
}

/* All there will be: what finds none is lost. */
static void post_receives(void)
{
	struct ibv_sge sge = { .length = GRH + LENGTH, .lkey = own.mr->lkey };
	struct ibv_recv_wr wr = { .sg_list = &sge, .num_sge = 1 }, *bad;

	for (int i = 0; i < RECEIVES; i++) {
		sge.addr = (uintptr_t)own.data[i];
		MUST(!ibv_post_recv(own.qp, &wr, &bad));
	}
}

static void receive_some(const union ibv_gid *group, int count)
{
	MUST(count <= RECEIVES);
	post_receives();
	MUST(!ibv_attach_mcast(own.qp, group, 0));
	printf("attached\n");
	fflush(stdout);
	for (int i = 0; i < count; i++)
		MUST(await().opcode == IBV_WC_RECV);
	MUST(!ibv_detach_mcast(own.qp, group, 0));
}

static void send_some(const union ibv_gid *group, int gid_index, int count)
{
	struct ibv_ah_attr to = { .is_global = 1,
		                  .port_num = 1,
		                  .grh = { .dgid = *group,
		                           .sgid_index = (uint8_t)gid_index,
		                           .hop_limit = 1 } };
	struct ibv_sge sge = { (uintptr_t)own.data, LENGTH, own.mr->lkey };
	struct ibv_send_wr wr = { .sg_list = &sge,
		                  .num_sge = 1,
		                  .opcode = IBV_WR_SEND,
		                  .send_flags = IBV_SEND_SIGNALED },
	                   *bad;
	struct ibv_ah *ah = ibv_create_ah(own.pd, &to);

	MUST(ah);
	wr.wr.ud.ah = ah;
	wr.wr.ud.remote_qpn = GROUP_QPN;
	wr.wr.ud.remote_qkey = QKEY;
	for (int i = 0; i < count; i++) {
		MUST(!ibv_post_send(own.qp, &wr, &bad));
		MUST(await().opcode == IBV_WC_SEND);
	}
	MUST(!ibv_destroy_ah(ah));
}

static union ibv_gid gid_of(const char *text)
{
	union ibv_gid gid = { .raw = { [10] = 0xff, 0xff } };

	MUST(inet_pton(AF_INET, text, gid.raw + 12) == 1 ||
	     inet_pton(AF_INET6, text, gid.raw) == 1);
	return gid;
}

static int number(const char *text)
{
	char *end;
	long value = strtol(text, &end, 10);

	MUST(end != text && !*end);
	return (int)value;
}

int main(int argc, char **argv)
{
	union ibv_gid group;

	MUST(argc == 5);
	group = gid_of(argv[1]);
	open_qp();
	if (strcmp(argv[3], "receive") == 0)
		receive_some(&group, number(argv[4]));
	else
		send_some(&group, number(argv[2]), number(argv[4]));
	close_qp();
	return 0;
}
