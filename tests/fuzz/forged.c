// SPDX-License-Identifier: BSD-2-Clause
/*
 * Packets of somebody who is not the peer, to queue pairs in the middle of their work: to
 * a wrong one, from another address, with a PSN outside of what is awaited, a wrong key,
 * a length that lies, or recorded before. None completes a work request or changes
 * memory, registered or not; none is answered by more packets than came, nor leaves
 * anything allocated; and the work goes on afterwards as if there had been none.
 *
 * What is not forgery here: whoever knows queue pair, PSN and addresses is the peer, for
 * all that the specification knows. Unless each packet is protected: then he may know all
 * of that, and alter what he has recorded, too.
 */
#include <infiniband/verbs.h>
#include <sanitizer/allocator_interface.h>
#include <stdbool.h>
#include <string.h>

#include "host/engine.h"
#include "host/inside.h"
#include "lib/input.h"
#include "lib/packets.h"
#include "lib/processes.h"
#include "link/roce.h"
#include "mockrdma.h"
#include "transport/wire.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
	AREA = 4096, /* of each side, registered with all rights */
	PIECE = 600, /* three packets */
	RECORDED = 64,
	FORGERIES_MOST = 200,
	ATOMIC_AT = AREA - 64,
	PSNS = 1 << 24,
	GROWTH_MOST = 4096, /* bytes */
	ROUNDS = 20,
	RECEIVES = 8,
};

/* The one who asks and the one who answers, who have a reliable connection; and
 * datagrams. */
struct side {
	uint8_t area[AREA] __attribute__((aligned(64)));
	struct ibv_mr *mr;
	struct ibv_cq *cq;
	struct ibv_qp *qp, *datagrams;
};

static struct {
	struct ibv_context *context;
	struct ibv_pd *pd;
	struct side asking, answering;
	struct net_path path;
	struct input in;
	/* Genuine packets: those of work that is done, and those on their way. */
	struct packet_bytes recorded[RECORDED], held[RECORDED];
	unsigned int records, holds;
	bool protected;
	enum { DELIVER, HOLD, DISCARD } network;
	unsigned int sent; /* while it discards */
} w;

/* --- the network
 * ------------------------------------------------------------------------
 */

static void take(const struct packet_bytes *packet)
{
	w.sent++;
	if (w.network == DISCARD)
		return;
	MUST(w.holds < RECORDED);
	w.held[w.holds++] = *packet;
}

/* What is sent meanwhile, too. */
static void deliver_held(void)
{
	for (unsigned int i = 0; i < w.holds; i++) {
		if (w.records < RECORDED)
			w.recorded[w.records++] = w.held[i];
		packets_arrive(&w.path, w.held[i].bytes, w.held[i].length);
		wire_takers.settled();
	}
	w.holds = 0;
}

/* --- two sides
 * --------------------------------------------------------------------------
 */

static struct ibv_qp *make_qp(struct side *side, enum ibv_qp_type type)
{
	struct ibv_qp_init_attr init = {
		.qp_type = type,
		.send_cq = side->cq,
		.recv_cq = side->cq,
		.cap = { 16, 16, 1, 1, 0 },
		.sq_sig_all = 1,
	};
	struct ibv_qp *qp = ibv_create_qp(w.pd, &init);

	MUST(qp);
	return qp;
}

static void open_side(struct side *side)
{
	memset(side->area, 0x5a, AREA);
	MUST((side->mr = ibv_reg_mr(w.pd, side->area, AREA,
	                            IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE |
	                                    IBV_ACCESS_REMOTE_READ |
	                                    IBV_ACCESS_REMOTE_ATOMIC)));
	MUST((side->cq = ibv_create_cq(w.context, 64, NULL, NULL, 0)));
	side->qp = make_qp(side, IBV_QPT_RC);
	side->datagrams = make_qp(side, IBV_QPT_UD);
}

/* A key for each direction. */
static void connect_side(struct side *side, const struct side *other)
{
	struct mockrdma_protection keys = {
		.send.key[0] = side == &w.asking,
		.receive.key[0] = side != &w.asking,
	};

	packets_connect(side->qp, other->qp->qp_num, &w.path.local,
	                w.protected ? &keys : NULL);
	packets_connect(side->datagrams, 0, &w.path.local, NULL);
}

static void close_side(struct side *side)
{
	MUST(!ibv_destroy_qp(side->qp) && !ibv_destroy_qp(side->datagrams) &&
	     !ibv_destroy_cq(side->cq) && !ibv_dereg_mr(side->mr));
}

static void post_receive(struct side *side, struct ibv_qp *qp, uint32_t at)
{
	struct ibv_sge sge = { (uintptr_t)side->area + at, PIECE + 40, side->mr->lkey };
	struct ibv_recv_wr wr = { .sg_list = &sge, .num_sge = 1 }, *bad;

	MUST(!ibv_post_recv(qp, &wr, &bad));
}

static void ask(enum ibv_wr_opcode opcode)
{
	struct ibv_sge sge = { (uintptr_t)w.asking.area, PIECE, w.asking.mr->lkey };
	uint64_t remote = (uintptr_t)w.answering.area;
	struct ibv_send_wr *bad, wr = {
		.sg_list = &sge,
		.num_sge = 1,
		.opcode = opcode,
		.wr.rdma = { remote + PIECE, w.answering.mr->rkey },
	};

	if (opcode == IBV_WR_ATOMIC_FETCH_AND_ADD) {
		sge.length = 8;
		wr.wr.atomic.remote_addr = remote + ATOMIC_AT;
		wr.wr.atomic.compare_add = 1;
		wr.wr.atomic.rkey = w.answering.mr->rkey;
	}
	MUST(!ibv_post_send(w.asking.qp, &wr, &bad));
}

static int completed(struct side *side)
{
	struct ibv_wc wc[16];
	int got = ibv_poll_cq(side->cq, 16, wc);

	for (int i = 0; i < got; i++)
		MUST(wc[i].status == IBV_WC_SUCCESS);
	return got;
}

/* A message of each kind. */
static void work(void)
{
	ask(IBV_WR_SEND);
	ask(IBV_WR_RDMA_WRITE);
	ask(IBV_WR_RDMA_READ);
	ask(IBV_WR_ATOMIC_FETCH_AND_ADD);
}

/* What got lost meanwhile is sent again when it is time for it. */
static void work_done(void)
{
	int asked = 0, answered = 0;

	for (int rounds = 0; rounds < ROUNDS && asked < 4; rounds++) {
		deliver_held();
		asked += completed(&w.asking);
		answered += completed(&w.answering);
		if (asked < 4 && timers_first() > packets_now)
			packets_now = timers_first();
		timers_run();
	}
	MUST(asked == 4 && answered == 1);
}

/* --- forgeries
 * --------------------------------------------------------------------------
 */

static uint8_t byte(void)
{
	return input_byte(&w.in);
}

static uint32_t word(void)
{
	return input_word(&w.in);
}

/* How many PSNs the connection has used when all work is done, and a few more. */
static uint32_t strange_psn(void)
{
	enum { NEAR = 64 };

	return (PACKETS_PSN + NEAR + word() % (PSNS - 2 * NEAR)) & (PSNS - 1);
}

static uint32_t strange_key(uint32_t key)
{
	return key ^ (1 + word() % UINT32_MAX);
}

/* As the asking side would send it, or the answering one, next. */
static struct roce genuine(void)
{
	bool to_asking = byte() % 2;
	struct side *to = to_asking ? &w.asking : &w.answering;
	bool datagram = byte() % 4 == 0;

	return (struct roce){
		.opcode = datagram ? UD_SEND_ONLY : byte() % 0x20,
		.solicited = byte() % 2,
		.ack_request = byte() % 2,
		.pkey = 0xffff,
		.dest_qpn = (datagram ? to->datagrams : to->qp)->qp_num,
		.psn = PACKETS_PSN + byte() % 32,
		.qkey = PACKETS_QKEY,
		.source_qpn = w.asking.datagrams->qp_num,
		.va = (uintptr_t)to->area + byte(),
		.rkey = to->mr->rkey,
		.invalidate_key = to->mr->rkey,
		.dma_length = PACKETS_MTU,
		.swap_add = word(),
		.syndrome = byte(),
		.msn = byte(),
		.length = byte() % 2 ? PACKETS_MTU : byte(),
	};
}

static bool is_datagram(const struct roce *packet)
{
	return packet->opcode >> 5 == UD_SEND_ONLY >> 5;
}

static void send_forged(const struct net_path *path, struct roce *packet, size_t cut)
{
	static uint8_t bytes[ROCE_HEADERS_MAX + PACKETS_MTU];
	size_t length = roce_encode(packet, bytes, sizeof(bytes));

	if (!length)
		return;
	memset(bytes + length, byte(), packet->length + roce_padding(packet->length));
	length += packet->length + roce_padding(packet->length);
	packets_arrive(path, bytes, cut < length ? length - cut : 0);
}

/* To nobody, or to one of another kind. */
static void to_a_wrong_qp(void)
{
	struct roce packet = genuine();

	packet.dest_qpn = word() & (PSNS - 1);
	if (packet.dest_qpn == w.asking.qp->qp_num ||
	    packet.dest_qpn == w.answering.qp->qp_num ||
	    packet.dest_qpn == w.asking.datagrams->qp_num ||
	    packet.dest_qpn == w.answering.datagrams->qp_num)
		return;
	send_forged(&w.path, &packet, 0);
}

static void from_a_wrong_address(void)
{
	struct net_path path = w.path;
	struct roce packet = genuine();

	if (is_datagram(&packet))
		packet.qkey = strange_key(packet.qkey);
	path.remote.raw[15] ^= (uint8_t)(1 + byte() % 255);
	send_forged(&path, &packet, 0);
}

static void with_a_wrong_psn(void)
{
	struct roce packet = genuine();

	if (is_datagram(&packet))
		packet.qkey = strange_key(packet.qkey);
	packet.psn = strange_psn();
	send_forged(&w.path, &packet, 0);
}

/* Where keys and lengths are looked at, that is with a PSN of a request that was
 * answered. */
static void with_a_wrong_key(void)
{
	struct roce packet = genuine();

	packet.qkey = strange_key(packet.qkey);
	packet.rkey = strange_key(packet.rkey);
	packet.invalidate_key = strange_key(packet.invalidate_key);
	if (!is_datagram(&packet))
		packet.psn = strange_psn();
	send_forged(&w.path, &packet, 0);
}

static void with_a_wrong_length(void)
{
	struct roce packet = genuine();

	packet.dma_length = word();
	packet.qkey = strange_key(packet.qkey);
	packet.psn = strange_psn();
	send_forged(&w.path, &packet, byte());
}

/* Returns how many packets may answer it: a READ is answered as it was. */
static unsigned int replay(void)
{
	const struct packet_bytes *packet = &w.recorded[byte() % w.records];

	packets_arrive(&w.path, packet->bytes, packet->length);
	if (w.protected)
		return 0;
	return packet->bytes[0] == RC_READ_REQUEST ? PIECE / PACKETS_MTU + 1 : 1;
}

static void noise(void)
{
	uint8_t bytes[256];
	size_t length = byte();

	for (size_t i = 0; i < length; i++)
		bytes[i] = byte();
	if (length >= 8)
		memset(bytes + 5, 0, 3); /* to no queue pair of ours */
	packets_arrive(&w.path, bytes, length);
}

/* Of a protected connection, in clear. */
static void with_all_known(void)
{
	struct roce packet = genuine();

	if (!is_datagram(&packet))
		send_forged(&w.path, &packet, 0);
}

/* A genuine one that is on its way, with another octet somewhere. */
static void altered(void)
{
	enum { VARIANT_OCTET = 4 }; /* which switches may alter */
	struct packet_bytes packet = w.held[byte() % w.holds];
	size_t at = word() % packet.length;

	if (at == VARIANT_OCTET)
		return;
	packet.bytes[at] ^= (uint8_t)(1 + byte() % 255);
	packets_arrive(&w.path, packet.bytes, packet.length - byte() % 4);
}

/* Nothing of it costs a packet, but what goes to queue pairs for datagrams. */
static unsigned int forge_protected(void)
{
	switch (byte() % 4) {
	case 0: with_all_known(); return 0;
	case 1: altered(); return 0;
	case 2: return replay();
	default: from_a_wrong_address(); return 0;
	}
}

/* How many packets it may cost. */
static unsigned int forge(void)
{
	if (w.protected)
		return forge_protected();
	switch (byte() % 7) {
	case 0: to_a_wrong_qp(); return 0;
	case 1: from_a_wrong_address(); return 0;
	case 2: with_a_wrong_psn(); return 1;
	case 3: with_a_wrong_key(); return 1;
	case 4: with_a_wrong_length(); return 1;
	case 5: return replay();
	default: noise(); return 0;
	}
}

static void forge_many(void)
{
	unsigned int allowed = 0;

	w.network = DISCARD;
	w.sent = 0;
	for (unsigned int i = 0; i < FORGERIES_MOST && w.in.at < w.in.end; i++) {
		allowed += forge();
		if (byte() % 2)
			wire_takers.settled();
		MUST(w.sent <= allowed);
	}
	wire_takers.settled();
	MUST(w.sent <= allowed);
	w.network = HOLD;
}

/* --- a life
 * -----------------------------------------------------------------------------
 */

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	w.context = packets_begin(take);
	MUST((w.pd = ibv_alloc_pd(w.context)));
	MUST(!ibv_query_gid(w.context, 1, 0, &w.path.local));
	w.path.remote = w.path.local;
	return 0;
}

static void expect_nothing_changed(const struct side *side, const uint8_t *before)
{
	struct ibv_wc wc;

	MUST(ibv_poll_cq(side->cq, 1, &wc) == 0);
	MUST(!memcmp(side->area, before, AREA));
	MUST(side->qp->state == IBV_QPS_RTS && side->datagrams->state == IBV_QPS_RTS);
}

static void under_attack(void)
{
	static uint8_t asking[AREA], answering[AREA];
	size_t allocated = __sanitizer_get_current_allocated_bytes();

	memcpy(asking, w.asking.area, AREA);
	memcpy(answering, w.answering.area, AREA);
	forge_many();
	expect_nothing_changed(&w.asking, asking);
	expect_nothing_changed(&w.answering, answering);
	MUST(__sanitizer_get_current_allocated_bytes() <= allocated + GROWTH_MOST);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	w.in = (struct input){ data, data + size };
	w.records = w.holds = 0;
	w.protected = byte() % 2;
	w.network = HOLD;
	open_side(&w.asking);
	open_side(&w.answering);
	connect_side(&w.asking, &w.answering);
	connect_side(&w.answering, &w.asking);
	post_receive(&w.answering, w.answering.datagrams, 2 * PIECE);
	post_receive(&w.asking, w.asking.datagrams, 2 * PIECE);
	post_receive(&w.asking, w.asking.qp, 3 * PIECE);
	/* Of both messages, and more: who knows of no receive does not send. */
	for (int i = 0; i < RECEIVES; i++)
		post_receive(&w.answering, w.answering.qp, 0);
	work();
	work_done();
	work(); /* on its way … */
	MUST(w.holds);
	under_attack();
	work_done(); /* … and done, as if nothing had been */
	close_side(&w.asking);
	close_side(&w.answering);
	return 0;
}
