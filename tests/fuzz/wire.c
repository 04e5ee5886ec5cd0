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
#include "lib/packets.h"
#include "lib/processes.h"
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
	CALLS_MOST = 300,
};

struct arena {
	uint8_t before[GUARD], open[OPEN], between[GUARD], read[READ], behind[GUARD];
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
	struct packet_bytes kept[KEPT];
	unsigned int keeping;
} w;

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

static void keep(const struct packet_bytes *packet)
{
	w.kept[w.keeping++ % KEPT] = *packet;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	w.context = packets_begin(keep);
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
	packets_connect(w.qp[index], w.qp[index < 2 ? !index : index]->qp_num,
	                &w.path.local, NULL);
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
		wr.wr.ud.remote_qkey = PACKETS_QKEY;
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

static void inject(const uint8_t *bytes, size_t length)
{
	packets_arrive(&w.path, bytes, length);
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
		.psn = byte() % 8 ? PACKETS_PSN + byte() % 40 - 4 : word() & 0xffffff,
		.qkey = PACKETS_QKEY,
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
	struct packet_bytes kept = w.kept[byte() % KEPT];

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
		packets_now += (uint64_t)byte() * byte() * 4096;
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
