// SPDX-License-Identifier: BSD-2-Clause
/*
 * Unreliable datagrams and address handles: what arrives, with the header in front of it,
 * what does not, and whose mistake stops what.
 */
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/check.h"
#include "lib/ud.h"

static void expect_datagram(struct rc_end *end, uint64_t id, uint32_t src_qpn,
                            uint32_t length)
{
	struct ibv_wc wc = rc_received(end, id);

	CHECK_EQ(wc.opcode, IBV_WC_RECV);
	CHECK_EQ(wc.byte_len, UD_GRH + length);
	CHECK_EQ(wc.src_qp, src_qpn);
	CHECK(wc.wc_flags & IBV_WC_GRH);
}

/* --- all operations, between processes and between threads ---------------------------
 */

struct mode {
	bool extended, shared_receive;
	unsigned int flags;
	uint32_t length;
	enum ibv_wr_opcode opcode;
};

static struct rc_config config_of(const struct mode *mode)
{
	struct rc_config config = ud_default;

	config.extended = mode->extended;
	config.shared_receive = mode->shared_receive;
	return config;
}

static void sender(struct side *side)
{
	const struct mode *mode = side->argument;
	struct rc_config config = config_of(mode);
	struct rc_op op = { .opcode = mode->opcode,
		            .id = 1,
		            .flags = IBV_SEND_SIGNALED | mode->flags,
		            .length = mode->length,
		            .imm = 0x01020304 };
	struct rc_end end;
	struct ud_to to;

	ud_side_open(side, &end, &config);
	to = (struct ud_to){ ud_handle(&end, &end.peer.gid), end.peer.qpn, UD_QKEY };
	rc_fill(end.buffer, mode->length, 7);
	side_meet(side);
	ud_do(&end, &to, &op);
	/* The handle is not needed any more. */
	CHECK_EQ(ibv_destroy_ah(to.ah), 0);
	CHECK_EQ(rc_sent(&end, 1).opcode, IBV_WC_SEND);
	rc_side_close(side, &end);
}

static void receiver(struct side *side)
{
	const struct mode *mode = side->argument;
	struct rc_config config = config_of(mode);
	struct rc_end end;
	struct ibv_wc wc;

	ud_side_open(side, &end, &config);
	rc_recv(&end, 5, 100, UD_GRH + mode->length);
	side_meet(side);
	wc = rc_received(&end, 5);
	CHECK_EQ(wc.byte_len, UD_GRH + mode->length);
	CHECK_EQ(wc.src_qp, end.peer.qpn);
	CHECK_EQ(wc.pkey_index, 0);
	CHECK_EQ(wc.slid, 0);
	CHECK_EQ(wc.sl, IN6_IS_ADDR_V4MAPPED(end.peer.gid.raw) ? 0xa : 0x9);
	CHECK(wc.wc_flags & IBV_WC_GRH);
	CHECK_EQ(!!(wc.wc_flags & IBV_WC_WITH_IMM), mode->opcode == IBV_WR_SEND_WITH_IMM);
	if (mode->opcode == IBV_WR_SEND_WITH_IMM)
		CHECK_EQ(be32toh(wc.imm_data), 0x01020304);
	rc_expect_filled(end.buffer + 100 + UD_GRH, mode->length, 7);
	rc_expect_only(end.buffer, 100, 0);
	rc_expect_only(end.buffer + 100 + UD_GRH + mode->length, 64, 0);
	rc_side_close(side, &end);
}

static void every_operation(void **state)
{
	static const struct mode modes[] = {
		{ .length = 0, .opcode = IBV_WR_SEND },
		{ .length = 8, .opcode = IBV_WR_SEND },
		{ .length = 24, .opcode = IBV_WR_SEND_WITH_IMM },
		{ .length = 25, .opcode = IBV_WR_SEND },
		{ .length = 64, .opcode = IBV_WR_SEND },
		{ .length = 4096, .opcode = IBV_WR_SEND },
		{ .length = 1000, .opcode = IBV_WR_SEND_WITH_IMM, .extended = true },
		{ .length = 1000, .opcode = IBV_WR_SEND, .shared_receive = true },
		{ .length = 10, .opcode = IBV_WR_SEND, .shared_receive = true },
		{ .length = 64, .opcode = IBV_WR_SEND, .flags = IBV_SEND_INLINE },
		{ .length = 9,
		  .opcode = IBV_WR_SEND_WITH_IMM,
		  .flags = IBV_SEND_INLINE,
		  .extended = true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		sides_run(SIDES_PROCESSES, sender, receiver, &modes[i]);
		if (i < 3) /* the same path, but for who copies */
			sides_run(SIDES_THREADS, sender, receiver, &modes[i]);
	}
}

/* --- the header in front --------------------------------------------------------------
 */

/* One end that sends to itself. */
static struct ud_to open_alone(struct rc_end *end)
{
	ud_open(end, &ud_default);
	return (struct ud_to){ ud_handle(end, &end->self.gid), end->self.qpn, UD_QKEY };
}

static void close_alone(struct rc_end *end, const struct ud_to *to)
{
	CHECK_EQ(ibv_destroy_ah(to->ah), 0);
	rc_close(end);
}

static unsigned int sum_words(const uint8_t *bytes, size_t size)
{
	unsigned int sum = 0;

	for (size_t i = 0; i < size; i += 2)
		sum += bytes[i] << 8 | bytes[i + 1];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static void ipv4_header_body(struct side *side)
{
	static const uint8_t address[] = { 127, 0, 0, 1 };
	const uint8_t *ip;
	struct rc_end end;
	struct ud_to to;

	(void)side;
	to = open_alone(&end);
	memset(end.buffer + 512, 0xaa, 512);
	rc_recv(&end, 1, 512, 512);
	ud_send(&end, &to, 2, 101);
	rc_received(&end, 1);
	rc_expect_only(end.buffer + 512, 20, 0);
	ip = end.buffer + 512 + 20;
	CHECK_EQ(ip[0], 0x45);
	CHECK_EQ(ip[1], 0x68);
	/* IP, UDP, BTH, DETH, 101 bytes padded to 104, ICRC */
	CHECK_EQ(ip[2] << 8 | ip[3], 20 + 8 + 12 + 8 + 104 + 4);
	CHECK_EQ(ip[8], 63);
	CHECK_EQ(ip[9], IPPROTO_UDP);
	CHECK_EQ(sum_words(ip, 20), 0xffff);
	CHECK_BYTES(ip + 12, address, 4);
	CHECK_BYTES(ip + 16, address, 4);
	close_alone(&end, &to);
}
ALONE(ipv4_header)

static void ipv6_header_body(struct side *side)
{
	const struct ibv_grh *grh;
	struct rc_end end;
	union ibv_gid gid;
	struct ud_to to;
	int index;

	(void)side;
	ud_open(&end, &ud_default);
	index = rc_find_gid(end.context, "::1");
	if (index < 0) {
		rc_close(&end);
		return; /* a host without IPv6 */
	}
	end.gid_index = index;
	CHECK_EQ(ibv_query_gid(end.context, RC_PORT, index, &gid), 0);
	to = (struct ud_to){ ud_handle(&end, &gid), end.self.qpn, UD_QKEY };
	rc_recv(&end, 1, 512, 512);
	ud_send(&end, &to, 2, 16);
	rc_received(&end, 1);
	grh = (const struct ibv_grh *)(end.buffer + 512);
	CHECK_EQ(be32toh(grh->version_tclass_flow), 0x66854321);
	CHECK_EQ(be16toh(grh->paylen), 8 + 12 + 8 + 16 + 4);
	CHECK_EQ(grh->next_hdr, IPPROTO_UDP);
	CHECK_EQ(grh->hop_limit, 63);
	CHECK_BYTES(&grh->sgid, &gid, 16);
	CHECK_BYTES(&grh->dgid, &gid, 16);
	close_alone(&end, &to);
}
ALONE(ipv6_header)

/* What came is answered by its completion and header alone. */
static void answer_body(struct side *side)
{
	struct rc_end a, b;
	struct ibv_ah_attr attr;
	struct ibv_grh *grh;
	struct ud_to to, back;
	struct ibv_wc wc;

	(void)side;
	to = open_alone(&a);
	ud_open(&b, &ud_default);
	to.qpn = b.self.qpn;
	rc_recv(&b, 1, 0, 256);
	ud_send(&a, &to, 2, 10);
	wc = rc_received(&b, 1);
	grh = (struct ibv_grh *)b.buffer;
	CHECK_EQ(ibv_init_ah_from_wc(b.context, RC_PORT, &wc, grh, &attr), 0);
	CHECK_EQ(attr.is_global, 1);
	CHECK_EQ(attr.port_num, RC_PORT);
	CHECK_BYTES(&attr.grh.dgid, &a.self.gid, 16);
	CHECK_EQ(attr.grh.sgid_index, b.gid_index);
	CHECK_EQ(attr.grh.hop_limit, 63);
	CHECK_EQ(attr.grh.traffic_class, 0x68);
	back.ah = CHECK_OBJECT(ibv_create_ah_from_wc(b.pd, &wc, grh, RC_PORT));
	back.qpn = wc.src_qp;
	back.qkey = UD_QKEY;
	rc_recv(&a, 3, 0, 256);
	ud_send(&b, &back, 4, 20);
	expect_datagram(&a, 3, b.self.qpn, 20);
	CHECK_FAILS(ibv_init_ah_from_wc(b.context, 2, &wc, grh, &attr), EINVAL);
	memset(grh, 0, sizeof(*grh));
	CHECK_FAILS(ibv_init_ah_from_wc(b.context, RC_PORT, &wc, grh, &attr), EINVAL);
	CHECK_FAILS(ibv_create_ah_from_wc(b.pd, &wc, grh, RC_PORT), EINVAL);
	CHECK_EQ(ibv_destroy_ah(back.ah), 0);
	close_alone(&a, &to);
	rc_close(&b);
}
ALONE(answer)

/* --- what is dropped -------------------------------------------------------------------
 */

static void silent_drops_body(struct side *side)
{
	struct rc_end a, b;
	struct ud_to to, wrong;

	(void)side;
	to = open_alone(&a);
	ud_open(&b, &ud_default);
	to.qpn = b.self.qpn;
	ud_send(&a, &to, 1, 10); /* no receive */
	rc_recv(&b, 9, 0, 256);
	wrong = to;
	wrong.qkey ^= 1;
	ud_send(&a, &wrong, 2, 10);
	wrong = to;
	wrong.qpn ^= 0x100; /* most likely nobody's, and surely not b's */
	ud_send(&a, &wrong, 3, 10);
	rc_expect_nothing(b.recv_cq, 0);
	rc_expect_state(&a, IBV_QPS_RTS);
	rc_expect_state(&b, IBV_QPS_RTS);
	/* The receive is still there. */
	ud_send(&a, &to, 4, 30);
	expect_datagram(&b, 9, a.self.qpn, 30);
	close_alone(&a, &to);
	rc_close(&b);
}
ALONE(silent_drops)

/* IBA 10.2.5: with the highest bit set, the queue pair's own key is sent. */
static void own_qkey_body(struct side *side)
{
	struct rc_config config = ud_default;
	struct rc_end a, b;
	struct ud_to to;

	(void)side;
	config.qkey = 0x80000001;
	ud_open(&a, &config);
	ud_open(&b, &config);
	to = (struct ud_to){ ud_handle(&a, &b.self.gid), b.self.qpn, 0xffffffff };
	rc_recv(&b, 1, 0, 256);
	ud_send(&a, &to, 2, 10);
	expect_datagram(&b, 1, a.self.qpn, 10);
	rc_recv(&b, 3, 0, 256);
	to.qkey = 1;
	ud_send(&a, &to, 4, 10);
	rc_expect_nothing(b.recv_cq, 0);
	CHECK_EQ(ibv_destroy_ah(to.ah), 0);
	rc_close(&a);
	rc_close(&b);
}
ALONE(own_qkey)

static void connected_ones_hear_nothing_body(struct side *side)
{
	struct rc_pair pair;
	struct rc_end end;
	struct ud_to to;

	(void)side;
	to = open_alone(&end);
	rc_pair_open(&pair, &rc_default);
	rc_recv(&pair.a, 1, 0, 256);
	to.qpn = pair.a.self.qpn;
	to.qkey = 0;
	ud_send(&end, &to, 2, 10);
	rc_expect_nothing(pair.a.recv_cq, 0);
	rc_expect_state(&pair.a, IBV_QPS_RTS);
	rc_pair_close(&pair);
	close_alone(&end, &to);
}
ALONE(connected_ones_hear_nothing)

/* --- mistakes --------------------------------------------------------------------------
 */

static void leave_sqe(struct rc_end *end)
{
	struct ibv_qp_attr attr = { .qp_state = IBV_QPS_RTS };

	rc_expect_state(end, IBV_QPS_SQE);
	CHECK_EQ(ibv_modify_qp(end->qp, &attr, IBV_QP_STATE), 0);
}

static void longer_than_the_mtu_body(struct side *side)
{
	struct ibv_port_attr port;
	struct rc_end end;
	struct ud_to to;
	uint32_t mtu;

	(void)side;
	to = open_alone(&end);
	CHECK_EQ(ibv_query_port(end.context, RC_PORT, &port), 0);
	mtu = 128u << port.active_mtu;
	rc_recv(&end, 1, 8192, mtu + UD_GRH + 1);
	ud_do(&end, &to,
	      &(struct rc_op){ .opcode = IBV_WR_SEND, .id = 2, .length = mtu + 1 });
	rc_expect(end.send_cq, 2, IBV_WC_LOC_LEN_ERR);
	leave_sqe(&end);
	rc_expect_nothing(end.recv_cq, 0);
	ud_send(&end, &to, 3, mtu);
	expect_datagram(&end, 1, end.self.qpn, mtu);
	close_alone(&end, &to);
}
ALONE(longer_than_the_mtu)

static void bad_local_key_body(struct side *side)
{
	struct ibv_sge sge;
	struct rc_end end;
	struct ud_to to;

	(void)side;
	to = open_alone(&end);
	rc_recv(&end, 1, 0, 256);
	sge = rc_sge(&end, 0, 8);
	sge.lkey ^= 0x00010000;
	ud_do(&end, &to,
	      &(struct rc_op){
	              .opcode = IBV_WR_SEND, .id = 2, .sges = &sge, .sge_count = 1 });
	rc_expect(end.send_cq, 2, IBV_WC_LOC_PROT_ERR);
	ud_do(&end, &to, &(struct rc_op){ .opcode = IBV_WR_SEND, .id = 3, .length = 8 });
	rc_expect(end.send_cq, 3, IBV_WC_WR_FLUSH_ERR);
	leave_sqe(&end);
	ud_send(&end, &to, 4, 8);
	expect_datagram(&end, 1, end.self.qpn, 8);
	close_alone(&end, &to);
}
ALONE(bad_local_key)

/* Programs that forget the 40 bytes learn it here. */
static void receive_without_room_for_the_header_body(struct side *side)
{
	struct rc_end a, b;
	struct ud_to to;

	(void)side;
	to = open_alone(&a);
	ud_open(&b, &ud_default);
	to.qpn = b.self.qpn;
	rc_recv(&b, 1, 0, 100);
	rc_recv(&b, 2, 0, 140);
	ud_send(&a, &to, 3, 100);
	rc_expect(b.recv_cq, 1, IBV_WC_LOC_LEN_ERR);
	rc_expect(b.recv_cq, 2, IBV_WC_WR_FLUSH_ERR);
	rc_expect_state(&b, IBV_QPS_ERR);
	rc_expect_state(&a, IBV_QPS_RTS);
	close_alone(&a, &to);
	rc_close(&b);
}
ALONE(receive_without_room_for_the_header)

static void bad_posts_body(struct side *side)
{
	struct rc_config config = ud_default;
	struct rc_op op = { .opcode = IBV_WR_SEND, .length = 8 };
	struct rc_end end, extended;
	struct ud_to to, nowhere;

	(void)side;
	to = open_alone(&end);
	nowhere = to;
	nowhere.ah = NULL;
	CHECK_EQ(ud_post(&end, &nowhere, &op), EINVAL);
	op.opcode = IBV_WR_RDMA_WRITE;
	CHECK_EQ(ud_post(&end, &to, &op), EINVAL);
	op.opcode = IBV_WR_RDMA_READ;
	CHECK_EQ(ud_post(&end, &to, &op), EINVAL);
	op.opcode = IBV_WR_ATOMIC_FETCH_AND_ADD;
	CHECK_EQ(ud_post(&end, &to, &op), EINVAL);
	config.extended = true;
	ud_open(&extended, &config);
	op.opcode = IBV_WR_SEND;
	CHECK_EQ(ud_post(&extended, &nowhere, &op), EINVAL);
	rc_expect_nothing(extended.send_cq, 0);
	rc_close(&extended);
	close_alone(&end, &to);
}
ALONE(bad_posts)

static void other_operations_are_refused_body(struct side *side)
{
	struct rc_end end;
	struct ibv_qp_init_attr_ex attr = {
		.cap = { 1, 1, 1, 1, 0 },
		.qp_type = IBV_QPT_UD,
		.comp_mask = IBV_QP_INIT_ATTR_PD | IBV_QP_INIT_ATTR_SEND_OPS_FLAGS,
		.send_ops_flags = IBV_QP_EX_WITH_SEND | IBV_QP_EX_WITH_RDMA_WRITE,
	};

	(void)side;
	rc_open(&end, &ud_default);
	attr.pd = end.pd;
	attr.send_cq = attr.recv_cq = end.send_cq;
	CHECK_FAILS(ibv_create_qp_ex(end.context, &attr), EOPNOTSUPP);
	rc_close(&end);
}
ALONE(other_operations_are_refused)

static void bad_handles_body(struct side *side)
{
	struct ibv_ah_attr good = { .is_global = 1, .port_num = RC_PORT }, attr;
	struct rc_end end;
	struct ibv_ah *ah;

	(void)side;
	rc_open(&end, &ud_default);
	good.grh.dgid = end.self.gid;
	good.grh.sgid_index = (uint8_t)end.gid_index;
	attr = good;
	attr.is_global = 0;
	CHECK_FAILS(ibv_create_ah(end.pd, &attr), EINVAL);
	attr = good;
	attr.port_num = 2;
	CHECK_FAILS(ibv_create_ah(end.pd, &attr), EINVAL);
	attr = good;
	attr.grh.sgid_index = 255;
	CHECK_FAILS(ibv_create_ah(end.pd, &attr), EINVAL);
	ah = CHECK_OBJECT(ibv_create_ah(end.pd, &good));
	CHECK(ah->context == end.context && ah->pd == end.pd);
	/* The domain is in use. */
	CHECK_EQ(ibv_destroy_qp(end.qp), 0);
	CHECK_EQ(ibv_dereg_mr(end.mr), 0);
	CHECK_EQ(ibv_dealloc_pd(end.pd), EBUSY);
	end.qp = NULL;
	end.mr = NULL;
	CHECK_EQ(ibv_destroy_ah(ah), 0);
	rc_close(&end);
}
ALONE(bad_handles)

static void ethernet_addresses_body(struct side *side)
{
	static const uint8_t ipv4[] = { 0x01, 0x00, 0x5e, 0x01, 0x02, 0x03 };
	static const uint8_t ipv6[] = { 0x33, 0x33, 0xde, 0xad, 0xbe, 0xef };
	static const uint8_t none[6];
	struct ibv_ah_attr attr = { .is_global = 1, .port_num = RC_PORT };
	struct rc_end end;
	uint8_t mac[6];
	uint16_t vid;

	(void)side;
	rc_open(&end, &ud_default);
	attr.grh.sgid_index = (uint8_t)end.gid_index;
	attr.grh.dgid = end.self.gid;
	CHECK_EQ(ibv_resolve_eth_l2_from_gid(end.context, &attr, mac, &vid), 0);
	CHECK_BYTES(mac, none, 6); /* the loopback interface's */
	CHECK_EQ(vid, 0xffff);
	memcpy(attr.grh.dgid.raw + 12, "\xef\x81\x02\x03", 4); /* 239.129.2.3 */
	CHECK_EQ(ibv_resolve_eth_l2_from_gid(end.context, &attr, mac, NULL), 0);
	CHECK_BYTES(mac, ipv4, 6);
	memcpy(attr.grh.dgid.raw, "\xff\x0e\0\0\0\0\0\0\0\0\0\0\xde\xad\xbe\xef", 16);
	CHECK_EQ(ibv_resolve_eth_l2_from_gid(end.context, &attr, mac, &vid), 0);
	CHECK_BYTES(mac, ipv6, 6);
	attr.is_global = 0;
	CHECK_FAILS(ibv_resolve_eth_l2_from_gid(end.context, &attr, mac, &vid), EINVAL);
	rc_close(&end);
}
ALONE(ethernet_addresses)

/* --- attributes
 * -------------------------------------------------------------------------- */

static void attributes_body(struct side *side)
{
	struct ibv_qp_init_attr init;
	struct ibv_qp_attr attr;
	struct rc_end end;
	int mask;

	(void)side;
	rc_open(&end, &ud_default);
	mask = rc_init_attributes(&end, &attr);
	CHECK_EQ(ibv_modify_qp(end.qp, &attr, mask & ~IBV_QP_QKEY), EINVAL);
	CHECK_EQ(ibv_modify_qp(end.qp, &attr, mask | IBV_QP_ACCESS_FLAGS), EINVAL);
	CHECK_EQ(ibv_modify_qp(end.qp, &attr, mask), 0);
	attr.qp_state = IBV_QPS_RTR;
	CHECK_EQ(ibv_modify_qp(end.qp, &attr, IBV_QP_STATE | IBV_QP_AV), EINVAL);
	CHECK_EQ(ibv_modify_qp(end.qp, &attr, IBV_QP_STATE | IBV_QP_DEST_QPN), EINVAL);
	attr.qkey = 99;
	CHECK_EQ(ibv_modify_qp(end.qp, &attr, IBV_QP_STATE | IBV_QP_QKEY), 0);
	attr.qp_state = IBV_QPS_RTS;
	CHECK_EQ(ibv_modify_qp(end.qp, &attr, IBV_QP_STATE), EINVAL);
	CHECK_EQ(ibv_modify_qp(end.qp, &attr, IBV_QP_STATE | IBV_QP_SQ_PSN), 0);
	CHECK_EQ(ibv_query_qp(end.qp, &attr, IBV_QP_QKEY, &init), 0);
	CHECK_EQ(attr.qkey, 99);
	CHECK_EQ(init.qp_type, IBV_QPT_UD);
	rc_close(&end);
}
ALONE(attributes)

/* --- a receiver that is killed, while another goes on
 * ------------------------------------- */

static void killed_receiver(struct side *side)
{
	struct rc_end end;

	ud_side_open(side, &end, &ud_default);
	raise(SIGKILL);
}

static void receiver_is_killed_body(struct side *side)
{
	struct process victim = process_start("victim", killed_receiver, NULL);
	struct side link = { .socket = victim.socket, .other = victim.pid };
	struct rc_end end;
	struct ud_to to, self;

	(void)side;
	ud_side_open(&link, &end, &ud_default);
	to = (struct ud_to){ ud_handle(&end, &end.peer.gid), end.peer.qpn, UD_QKEY };
	self = to;
	self.qpn = end.self.qpn;
	ud_send(&end, &to, 1, 10);
	process_wait(&victim);
	for (uint64_t id = 2; id < 40; id++) {
		rc_recv(&end, id, 0, 256);
		ud_send(&end, &to, id, 10);
		ud_send(&end, &self, id, 10);
		expect_datagram(&end, id, end.self.qpn, 10);
	}
	close_alone(&end, &to);
}
ALONE(receiver_is_killed)

/* --- senders that are killed in the middle of a message --------------------------------
 */

enum { ROUNDS = 8, RECEIVES = 1024, SIZE = 4096 };

static void restless_sender(struct side *side)
{
	struct rc_end end;
	struct ud_to to;

	ud_side_open(side, &end, &ud_default);
	to = (struct ud_to){ ud_handle(&end, &end.peer.gid), end.peer.qpn, UD_QKEY };
	for (;;)
		ud_send(&end, &to, 1, SIZE);
}

/* Takes what comes, and makes room for more, until so many have come; from whom the last
 * one was. */
static uint32_t receive_some(struct rc_end *end, unsigned int count)
{
	uint32_t from = 0;

	while (count--) {
		struct ibv_wc wc = rc_received(end, 1);

		CHECK_EQ(wc.byte_len, UD_GRH + SIZE);
		rc_recv(end, 1, 0, UD_GRH + SIZE);
		from = wc.src_qp;
	}
	return from;
}

/* Takes what has come, so that there is room: whoever sent it is dead. */
static void receive_rest(struct rc_end *end)
{
	struct ibv_wc wc;

	while (ibv_poll_cq(end->recv_cq, 1, &wc) == 1) {
		CHECK_EQ(wc.status, IBV_WC_SUCCESS);
		rc_recv(end, 1, 0, UD_GRH + SIZE);
	}
}

/* Whoever dies while it writes into a receive takes that one with it, and no more. */
static void senders_are_killed_body(struct side *side)
{
	struct rc_config config = ud_default;
	struct rc_end end;
	struct ud_to self;

	(void)side;
	config.recv_depth = RECEIVES + ROUNDS;
	config.cq_depth = 2 * RECEIVES;
	ud_open(&end, &config);
	self = (struct ud_to){ ud_handle(&end, &end.self.gid), end.self.qpn, UD_QKEY };
	for (int i = 0; i < RECEIVES; i++)
		rc_recv(&end, 1, 0, UD_GRH + SIZE);
	for (int round = 0; round < ROUNDS; round++) {
		struct process victim = process_start("victim", restless_sender, NULL);
		struct side link = { .socket = victim.socket, .other = victim.pid };

		side_put(&link, &end.self, sizeof(end.self));
		side_get(&link, &end.peer, sizeof(end.peer));
		side_meet(&link);
		receive_some(&end, 50 + (unsigned int)random() % 50);
		CHECK_CALL(kill(victim.pid, SIGKILL));
		process_wait(&victim);
		rc_expect_state(&end, IBV_QPS_RTS);
		receive_rest(&end);
		ud_send(&end, &self, 2, SIZE);
		CHECK_EQ(receive_some(&end, 1), end.self.qpn);
	}
	close_alone(&end, &self);
}
ALONE(senders_are_killed)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_operation),
		cmocka_unit_test(ipv4_header),
		cmocka_unit_test(ipv6_header),
		cmocka_unit_test(answer),
		cmocka_unit_test(silent_drops),
		cmocka_unit_test(own_qkey),
		cmocka_unit_test(connected_ones_hear_nothing),
		cmocka_unit_test(longer_than_the_mtu),
		cmocka_unit_test(bad_local_key),
		cmocka_unit_test(receive_without_room_for_the_header),
		cmocka_unit_test(bad_posts),
		cmocka_unit_test(other_operations_are_refused),
		cmocka_unit_test(bad_handles),
		cmocka_unit_test(ethernet_addresses),
		cmocka_unit_test(attributes),
		cmocka_unit_test(receiver_is_killed),
		cmocka_unit_test(senders_are_killed),
	};

	/* Loopback has room for the longest datagrams; other interfaces may not. */
	setenv("MOCKRDMA_DEVICES", "mock0=lo", 1);
	return cmocka_run_group_tests(tests, runtime_directory_make,
	                              runtime_directory_remove);
}
