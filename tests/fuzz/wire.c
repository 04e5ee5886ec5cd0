/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Packets that nobody should send, to queue pairs in any state: forged, repeated, altered
 * and cut ones, between genuine ones, to responders and completers. Nothing crashes, and
 * nothing outside registered memory, or in memory that is registered for reading alone,
 * changes.
 */
#include <arpa/inet.h>
#include <infiniband/verbs.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/inside.h"
#include "host/engine.h"
#include "link/roce.h"
#include "transport/wire.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
	GUARD = 4096,
	OPEN = 16384, /* registered with all rights … */
	READ = 4096,  /* … and for reading alone */
	QPS = 4,      /* two RC ones that are connected, UC, UD */
	KEPT = 64,    /* genuine packets, to be delivered or repeated */
	PSN = 0x100,
	CALLS_MOST = 300,
};

struct arena {
	uint8_t before[GUARD], open[OPEN], between[GUARD], read[READ], behind[GUARD];
};

struct kept {
	size_t length;
	uint8_t bytes[4200];
};

static struct arena arena __attribute__((aligned(4096)));
static struct {
	struct ibv_context *context;
	struct ibv_pd *pd;
	struct ibv_cq *cq;
	struct ibv_srq *srq;
	struct ibv_mr *open, *read;
	struct ibv_qp *qp[QPS];
	struct ibv_ah *ah;
	struct net_path path;
	const uint8_t *at, *end;
	struct kept kept[KEPT];
	unsigned int keeping;
	uint64_t now;
} w = { .now = 1000 };

#define MUST(condition)                                                            \
	do {                                                                       \
		if (!(condition)) {                                                \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, \
			        #condition);                                       \
			abort();                                                   \
		}                                                                  \
	} while (0)

static uint8_t byte(void)
{
	return w.at < w.end ? *w.at++ : 0;
}

static uint32_t word(void)
{
	uint32_t value = byte();

	value = value << 8 | byte();
	value = value << 8 | byte();
	return value << 8 | byte();
}

static uint64_t now(void)
{
	return w.now;
}

static int send_packets(const struct net_path *path, const struct net_packet *packets,
                        unsigned int count)
{
	(void)path;
	for (unsigned int i = 0; i < count; i++) {
		struct kept *kept = &w.kept[w.keeping++ % KEPT];

		kept->length = 0;
		for (unsigned int p = 0; p < packets[i].parts; p++) {
			const struct iovec *part = &packets[i].part[p];

			MUST(kept->length + part->iov_len <= sizeof(kept->bytes));
			memcpy(kept->bytes + kept->length, part->iov_base, part->iov_len);
			kept->length += part->iov_len;
		}
	}
	return (int)count;
}

static bool poll_nothing(void)
{
	return false;
}

static const struct net_ops net = { .send = send_packets, .poll = poll_nothing };

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static char directory[] = "/dev/shm/mockrdma-fuzz.XXXXXX";
	struct ibv_device **list;

	(void)argc;
	(void)argv;
	MUST(mkdtemp(directory));
	setenv("MOCKRDMA_DIR", directory, 1);
	setenv("MOCKRDMA_LINK", "roce", 1);
	setenv("MOCKRDMA_LOG", "none", 1);
	timers_simulate(now);
	roce_set_net(&net);
	list = ibv_get_device_list(NULL);
	MUST(list && list[0]);
	w.context = ibv_open_device(list[0]);
	ibv_free_device_list(list);
	MUST(w.context);
	memset(&arena, 0xa5, sizeof(arena));
	MUST((w.pd = ibv_alloc_pd(w.context)));
	MUST((w.open = ibv_reg_mr(w.pd, arena.open, OPEN,
	                          IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE |
	                                  IBV_ACCESS_REMOTE_READ |
	                                  IBV_ACCESS_REMOTE_ATOMIC)));
	MUST((w.read = ibv_reg_mr(w.pd, arena.read, READ, IBV_ACCESS_REMOTE_READ)));
	return 0;
}

/* --- queue pairs ----------------------------------------------------------------------
 */

static void connect_qp(unsigned int index)
{
	struct ibv_qp *qp = w.qp[index];
	bool reliable = index < 2, datagrams = index == 3;
	struct ibv_qp_attr attr = {
		.qp_state = IBV_QPS_INIT,
		.port_num = 1,
		.qp_access_flags = IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_REMOTE_READ |
		                   IBV_ACCESS_REMOTE_ATOMIC,
		.qkey = 0x1234,
		.path_mtu = IBV_MTU_256,
		.dest_qp_num = w.qp[index < 2 ? !index : index]->qp_num,
		.rq_psn = PSN,
		.sq_psn = PSN,
		.max_dest_rd_atomic = 4,
		.max_rd_atomic = 4,
		.timeout = 10,
		.retry_cnt = 2,
		.rnr_retry = 2,
		.ah_attr = { .is_global = 1,
		             .port_num = 1,
		             .grh = { .dgid = w.path.local } },
	};

	MUST(!ibv_modify_qp(qp, &attr,
	                    IBV_QP_STATE | IBV_QP_PKEY_INDEX | IBV_QP_PORT |
	                            (datagrams ? IBV_QP_QKEY : IBV_QP_ACCESS_FLAGS)));
	attr.qp_state = IBV_QPS_RTR;
	MUST(!ibv_modify_qp(
	        qp, &attr,
	        IBV_QP_STATE |
	                (datagrams ? 0
	                           : IBV_QP_AV | IBV_QP_PATH_MTU | IBV_QP_DEST_QPN |
	                                     IBV_QP_RQ_PSN) |
	                (reliable ? IBV_QP_MAX_DEST_RD_ATOMIC | IBV_QP_MIN_RNR_TIMER
	                          : 0)));
	attr.qp_state = IBV_QPS_RTS;
	MUST(!ibv_modify_qp(qp, &attr,
	                    IBV_QP_STATE | IBV_QP_SQ_PSN |
	                            (reliable ? IBV_QP_TIMEOUT | IBV_QP_RETRY_CNT |
	                                                IBV_QP_RNR_RETRY |
	                                                IBV_QP_MAX_QP_RD_ATOMIC
	                                      : 0)));
}

static void open_all(void)
{
	static const enum ibv_qp_type types[QPS] = { IBV_QPT_RC, IBV_QPT_RC, IBV_QPT_UC,
		                                     IBV_QPT_UD };
	struct ibv_srq_init_attr shared = { .attr = { .max_wr = 16, .max_sge = 2 } };
	struct ibv_ah_attr to = { .is_global = 1, .port_num = 1 };
	union ibv_gid gid;

	MUST(!ibv_query_gid(w.context, 1, 0, &gid));
	w.path = (struct net_path){ .local = gid, .remote = gid };
	MUST((w.cq = ibv_create_cq(w.context, 1024, NULL, NULL, 0)));
	MUST((w.srq = ibv_create_srq(w.pd, &shared)));
	for (unsigned int i = 0; i < QPS; i++) {
		struct ibv_qp_init_attr init = {
			.qp_type = types[i],
			.send_cq = w.cq,
			.recv_cq = w.cq,
			.srq = i == 1 || i == 2 ? w.srq : NULL,
			.cap = { 16, 16, 2, 2, 16 },
			.sq_sig_all = 1,
		};

		MUST((w.qp[i] = ibv_create_qp(w.pd, &init)));
	}
	for (unsigned int i = 0; i < QPS; i++)
		connect_qp(i);
	to.grh.dgid = gid;
	MUST((w.ah = ibv_create_ah(w.pd, &to)));
}

static void close_all(void)
{
	MUST(!ibv_destroy_ah(w.ah));
	for (unsigned int i = 0; i < QPS; i++)
		MUST(!ibv_destroy_qp(w.qp[i]));
	MUST(!ibv_destroy_srq(w.srq));
	MUST(!ibv_destroy_cq(w.cq));
}

/* --- what happens ---------------------------------------------------------------------
 */

static struct ibv_sge piece(void)
{
	uint32_t length = byte() % 4 ? byte() : word() % OPEN;
	uint32_t offset = word() % (OPEN - length);

	return (struct ibv_sge){ (uintptr_t)arena.open + offset, length, w.open->lkey };
}

static uint64_t remote_place(uint32_t *rkey)
{
	uint8_t kind = byte();

	*rkey = kind % 8 == 0 ? word() : kind % 8 == 1 ? w.read->rkey : w.open->rkey;
	return (uintptr_t)(kind % 8 == 1 ? arena.read : arena.open) - 64 +
	       word() % (OPEN + 128);
}

static void post_send(void)
{
	unsigned int index = byte() % QPS;
	struct ibv_sge sge = piece();
	struct ibv_send_wr *bad, wr = {
		.sg_list = &sge, .num_sge = 1, .opcode = byte() % 12, .imm_data = word()
	};
	uint32_t rkey;

	if (index == 3) {
		wr.wr.ud.ah = w.ah;
		wr.wr.ud.remote_qpn = w.qp[3]->qp_num;
		wr.wr.ud.remote_qkey = 0x1234;
	} else if (wr.opcode == IBV_WR_ATOMIC_CMP_AND_SWP ||
	           wr.opcode == IBV_WR_ATOMIC_FETCH_AND_ADD) {
		wr.wr.atomic.remote_addr = remote_place(&rkey) & ~UINT64_C(7);
		wr.wr.atomic.rkey = rkey;
		sge.length = 8;
	} else if (wr.opcode == IBV_WR_BIND_MW) {
		return;
	} else {
		wr.wr.rdma.remote_addr = remote_place(&rkey);
		wr.wr.rdma.rkey = rkey;
	}
	if (wr.opcode == IBV_WR_SEND_WITH_INV || wr.opcode == IBV_WR_LOCAL_INV)
		wr.invalidate_rkey = word();
	ibv_post_send(w.qp[index], &wr, &bad);
}

static void post_receive(void)
{
	unsigned int index = byte() % QPS;
	struct ibv_sge sge = piece();
	struct ibv_recv_wr *bad, wr = { .sg_list = &sge, .num_sge = 1 };

	if (w.qp[index]->srq)
		ibv_post_srq_recv(w.srq, &wr, &bad);
	else
		ibv_post_recv(w.qp[index], &wr, &bad);
}

/* In memory of just that size, so that a step too far is seen. */
static void inject(const uint8_t *bytes, size_t length)
{
	uint8_t *exact = malloc(length ? length : 1);

	MUST(exact);
	memcpy(exact, bytes, length);
	wire_takers.packet(&w.path, exact, length);
	free(exact);
	if (byte() % 4)
		wire_takers.settled();
}

static void forge(void)
{
	static uint8_t bytes[ROCE_HEADERS_MAX + 1024];
	struct roce packet = {
		.opcode = byte(),
		.solicited = true,
		.ack_request = byte() % 2,
		.pkey = 0xffff,
		.dest_qpn = byte() % 16 ? w.qp[byte() % QPS]->qp_num : word() & 0xffffff,
		.psn = byte() % 8 ? PSN + byte() % 40 - 4 : word() & 0xffffff,
		.qkey = 0x1234,
		.source_qpn = word() & 0xffffff,
		.swap_add = word(),
		.compare = word(),
		.syndrome = byte(),
		.msn = byte(),
		.immediate = word(),
		.length = byte() % 3 ? byte() : 256,
	};
	size_t length;

	packet.va = remote_place(&packet.rkey);
	packet.invalidate_key = packet.rkey;
	packet.dma_length = byte() % 3 ? (uint32_t)packet.length : word() % 2048;
	packet.psn &= 0xffffff;
	length = roce_encode(&packet, bytes, sizeof(bytes));
	if (!length)
		return;
	memset(bytes + length, byte(), packet.length + 4);
	inject(bytes, length + packet.length + roce_padding(packet.length));
}

static void raw(void)
{
	size_t length = byte();
	uint8_t bytes[256];

	for (size_t i = 0; i < length; i++)
		bytes[i] = byte();
	if (length > 8) {
		uint32_t qpn = htonl(w.qp[byte() % QPS]->qp_num);

		memcpy(bytes + 5, (uint8_t *)&qpn + 1, 3);
	}
	inject(bytes, length);
}

static void deliver(void)
{
	struct kept kept = w.kept[byte() % KEPT];

	if (byte() % 4 == 0 && kept.length)
		kept.bytes[word() % kept.length] ^= byte();
	if (byte() % 8 == 0 && kept.length)
		kept.length -= word() % kept.length;
	inject(kept.bytes, kept.length);
}

/* All that was sent, in order. */
static void deliver_all(void)
{
	unsigned int from = w.keeping > KEPT ? w.keeping - KEPT : 0, to = w.keeping;

	for (; from < to; from++)
		wire_takers.packet(&w.path, w.kept[from % KEPT].bytes,
		                   w.kept[from % KEPT].length);
	wire_takers.settled();
}

static void change_state(void)
{
	unsigned int index = byte() % QPS;
	struct ibv_qp_attr attr = { .qp_state =
		                            byte() % 2 ? IBV_QPS_RESET : IBV_QPS_ERR };

	MUST(!ibv_modify_qp(w.qp[index], &attr, IBV_QP_STATE));
	if (attr.qp_state == IBV_QPS_RESET)
		connect_qp(index);
}

static void poll_all(void)
{
	struct ibv_wc wc[16];
	int count;

	do
		count = ibv_poll_cq(w.cq, 16, wc);
	while (count > 0);
	MUST(count == 0);
}

static void act(void)
{
	switch (byte() % 12) {
	case 0:
	case 1: post_send(); break;
	case 2: post_receive(); break;
	case 3:
	case 4:
	case 5: forge(); break;
	case 6: raw(); break;
	case 7: deliver(); break;
	case 8: deliver_all(); break;
	case 9:
		w.now += (uint64_t)byte() * byte() * 4096;
		timers_run();
		break;
	case 10: poll_all(); break;
	default: change_state();
	}
}

static void expect_untouched(const uint8_t *at, size_t length)
{
	for (size_t i = 0; i < length; i++)
		MUST(at[i] == 0xa5);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	w.at = data;
	w.end = data + size;
	w.keeping = 0;
	for (unsigned int i = 0; i < KEPT; i++)
		w.kept[i].length = 0;
	open_all();
	for (unsigned int i = 0; i < CALLS_MOST && w.at < w.end; i++)
		act();
	wire_takers.settled();
	close_all();
	expect_untouched(arena.before, GUARD);
	expect_untouched(arena.between, GUARD);
	expect_untouched(arena.read, READ);
	expect_untouched(arena.behind, GUARD);
	return 0;
}
