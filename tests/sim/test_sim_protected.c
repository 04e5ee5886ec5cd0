// SPDX-License-Identifier: BSD-2-Clause
/*
 * Protected queue pairs, and somebody on the path who sees all packets, knows addresses,
 * queue pair numbers, PSNs and memory keys, and sends what he likes: nothing of it is
 * taken, and nothing of it is answered. Each attack is made on a pair in clear, too,
 * where it succeeds.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../unit/lib/check.h"
#include "../unit/lib/counter.h"
#include "../unit/lib/protect.h"
#include "../unit/lib/rcop.h"
#include "../unit/lib/ud.h"
#include "../unit/mock_dir.h"
#include "link/net.h"
#include "sim.h"
#include "transport/wire.h"
#include "wire/protected.h"

enum { LENGTH = 8, PLACE = 256, KEPT = 32, PACKET_MOST = 4200 };

static const struct sim_weather fair = { .delay_ns = 1000 };
static const uint8_t forgery[LENGTH] = "forged!";

static struct rc_pair pair;

/* What went over the network since watch(). */
static struct {
	unsigned int sent, lose;
	struct {
		size_t length;
		uint8_t bytes[PACKET_MOST];
	} packet[KEPT];
} seen;

static bool watch(uint8_t *bth, size_t length)
{
	if (seen.sent < KEPT) {
		memcpy(seen.packet[seen.sent].bytes, bth, length);
		seen.packet[seen.sent].length = length;
	}
	seen.sent++;
	return seen.lose && seen.lose--;
}

static void open_pair(void (*before_rtr)(struct rc_end *end))
{
	struct rc_config config = rc_default;

	config.before_rtr = before_rtr;
	sim_begin(1, &fair);
	rc_pair_open(&pair, &config);
	memset(&seen, 0, sizeof(seen));
	sim_filter = watch;
}

static struct ibv_wc next_completion(struct ibv_cq *cq)
{
	struct ibv_wc wc;

	while (ibv_poll_cq(cq, 1, &wc) != 1)
		CHECK(sim_step());
	return wc;
}

static void start(enum ibv_wr_opcode opcode, uint64_t id)
{
	rc_do(&pair.a, &(struct rc_op){ .opcode = opcode,
	                                .id = id,
	                                .flags = IBV_SEND_SIGNALED,
	                                .length = LENGTH,
	                                .remote = PLACE,
	                                .compare_add = 1 });
}

static void exchange(uint64_t id)
{
	memcpy(pair.a.buffer, &id, sizeof(id));
	rc_recv(&pair.b, id, 64, LENGTH);
	start(IBV_WR_SEND, id);
	CHECK_EQ(next_completion(pair.b.recv_cq).status, IBV_WC_SUCCESS);
	CHECK_EQ(next_completion(pair.a.send_cq).status, IBV_WC_SUCCESS);
	CHECK(!memcmp(pair.b.buffer + 64, &id, sizeof(id)));
}

/* As if from the peer's address and port to that end. */
static void inject_bytes(const struct rc_end *to, const void *bytes, size_t length)
{
	struct net_path path = { .source_port = SIM_PORT };

	path.remote = to->peer.gid;
	path.local = to->self.gid;
	wire_takers.packet(&path, bytes, length);
	wire_takers.settled();
}

static void inject(const struct rc_end *to, struct roce *packet)
{
	uint8_t raw[256];
	size_t length;

	packet->pkey = 0xffff;
	packet->dest_qpn = to->self.qpn;
	packet->psn &= PSN_MASK;
	if (opcode_info[packet->opcode].mask & OP_PAYLOAD)
		packet->length = LENGTH;
	length = roce_encode(packet, raw, sizeof(raw));
	CHECK(length > 0);
	memcpy(raw + length, forgery, packet->length);
	inject_bytes(to, raw, length + packet->length);
}

/* --- what is forged in clear, with all known -----------------------------------------
 */

static void send_forged(void)
{
	struct roce packet = { .opcode = RC_SEND_ONLY, .psn = pair.a.self.psn + 1 };

	rc_recv(&pair.b, 99, 64, LENGTH);
	inject(&pair.b, &packet);
}

/* A short one is put in its place when its completion is polled. */
static bool send_was_taken(void)
{
	struct ibv_wc wc;

	return ibv_poll_cq(pair.b.recv_cq, 1, &wc) == 1 &&
	       !memcmp(pair.b.buffer + 64, forgery, LENGTH);
}

static void write_forged(void)
{
	struct roce packet = { .opcode = RC_WRITE_ONLY,
		               .psn = pair.a.self.psn + 1,
		               .va = pair.b.self.buffer + PLACE,
		               .rkey = pair.b.self.rkey,
		               .dma_length = LENGTH };

	inject(&pair.b, &packet);
}

static bool write_was_taken(void)
{
	return !memcmp(pair.b.buffer + PLACE, forgery, LENGTH);
}

/* The peer's request is under way and gets nowhere. */
static void response_forged(void)
{
	struct roce packet = { .opcode = RC_READ_RESPONSE_ONLY,
		               .psn = pair.a.self.psn + 1 };

	seen.lose = 1;
	start(IBV_WR_RDMA_READ, 50);
	inject(&pair.a, &packet);
}

static bool response_was_taken(void)
{
	return !memcmp(pair.a.buffer, forgery, LENGTH);
}

static void nak_forged(void)
{
	struct roce packet = { .opcode = RC_ACKNOWLEDGE,
		               .psn = pair.a.self.psn + 1,
		               .syndrome = NAK_REMOTE_ACCESS };

	seen.lose = 1;
	start(IBV_WR_RDMA_READ, 50);
	inject(&pair.a, &packet);
}

static bool nak_was_taken(void)
{
	return rc_state(&pair.a) == IBV_QPS_ERR;
}

static void ack_forged(void)
{
	struct roce packet = { .opcode = RC_ACKNOWLEDGE, .psn = pair.a.self.psn + 1 };

	seen.lose = 1;
	start(IBV_WR_RDMA_WRITE, 50);
	inject(&pair.a, &packet);
}

static bool ack_was_taken(void)
{
	struct ibv_wc wc;

	return ibv_poll_cq(pair.a.send_cq, 1, &wc) == 1;
}

static const struct attack {
	void (*make)(void);
	bool (*succeeded)(void);
	bool under_way; /* an operation of the peer's, which ends well in spite of it */
} attacks[] = {
	{ send_forged, send_was_taken, false },
	{ write_forged, write_was_taken, false },
	{ response_forged, response_was_taken, true },
	{ nak_forged, nak_was_taken, true },
	{ ack_forged, ack_was_taken, true },
};

static void in_clear_they_succeed(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < sizeof(attacks) / sizeof(*attacks); i++) {
		open_pair(NULL);
		exchange(1);
		attacks[i].make();
		if (!attacks[i].succeeded())
			check_failed(__FILE__, __LINE__, "attack %u is none", i);
		rc_pair_close(&pair);
	}
}

static void protected_they_do_not(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < sizeof(attacks) / sizeof(*attacks); i++) {
		uint64_t dropped;
		unsigned int sent;

		open_pair(rc_protect);
		exchange(1);
		sent = seen.sent;
		dropped = count_of("drop_plain");
		attacks[i].make();
		CHECK_EQ(count_of("drop_plain"), dropped + 1);
		/* Nobody was told anything. */
		CHECK_EQ(seen.sent, sent + attacks[i].under_way);
		CHECK(!attacks[i].succeeded());
		if (attacks[i].under_way)
			CHECK_EQ(next_completion(pair.a.send_cq).status, IBV_WC_SUCCESS);
		exchange(2);
		rc_pair_close(&pair);
	}
}

/* --- what is made of packets that were seen -------------------------------------------
 */

static void repeated(void **state)
{
	uint64_t before;
	unsigned int kept;

	(void)state;
	open_pair(rc_protect);
	exchange(1);
	start(IBV_WR_RDMA_READ, 2);
	CHECK_EQ(next_completion(pair.a.send_cq).status, IBV_WC_SUCCESS);
	start(IBV_WR_ATOMIC_FETCH_AND_ADD, 3);
	CHECK_EQ(next_completion(pair.a.send_cq).status, IBV_WC_SUCCESS);
	kept = seen.sent;
	CHECK(kept >= 6 && kept <= KEPT);
	before = count_of("drop_repeated");
	for (unsigned int i = 0; i < kept; i++) {
		struct protected_packet packet;

		CHECK_EQ(protected_decode(seen.packet[i].bytes, seen.packet[i].length,
		                          &packet),
		         ROCE_OK);
		inject_bytes(packet.dest_qpn == pair.a.self.qpn ? &pair.a : &pair.b,
		             seen.packet[i].bytes, seen.packet[i].length);
	}
	CHECK_EQ(count_of("drop_repeated"), before + kept);
	CHECK_EQ(seen.sent, kept);
	exchange(4);
	rc_pair_close(&pair);
}

/* A bit anywhere, but in what switches may change. The packet itself never arrived. */
static void altered(void **state)
{
	enum { FECN_OCTET = 4, QPN_OCTET = 5, PSN_OCTET = 8 };
	uint64_t before = 0, bits = 0;
	uint8_t bytes[PACKET_MOST];
	size_t length;

	(void)state;
	open_pair(rc_protect);
	exchange(1);
	memset(&seen, 0, sizeof(seen));
	seen.lose = 1;
	start(IBV_WR_RDMA_WRITE, 2);
	length = seen.packet[0].length;
	before = count_of("drop_tag") + count_of("drop_repeated");
	for (size_t bit = 0; bit < 8 * length; bit++) {
		size_t octet = bit / 8;

		if (octet == FECN_OCTET || (octet >= QPN_OCTET && octet < PSN_OCTET) ||
		    (octet == 0 && bit % 8 >= 5))
			continue; /* for another, or of another kind */
		memcpy(bytes, seen.packet[0].bytes, length);
		bytes[octet] ^= (uint8_t)(1 << bit % 8);
		inject_bytes(&pair.b, bytes, length);
		bits++;
	}
	/* With a number that was seen it is not even tried. */
	CHECK_EQ(count_of("drop_tag") + count_of("drop_repeated"), before + bits);
	for (size_t cut = 1; cut <= length; cut++)
		inject_bytes(&pair.b, seen.packet[0].bytes, length - cut);
	CHECK_EQ(seen.sent, 1);
	/* Congestion marks are the network's; and so this one is the packet. */
	memcpy(bytes, seen.packet[0].bytes, length);
	bytes[FECN_OCTET] ^= 0xc0;
	inject_bytes(&pair.b, bytes, length);
	CHECK_EQ(next_completion(pair.a.send_cq).status, IBV_WC_SUCCESS);
	rc_pair_close(&pair);
}

/* What one side sent is no packet for itself. */
static void reflected(void **state)
{
	uint64_t before;

	(void)state;
	open_pair(rc_protect);
	exchange(1);
	before = count_of("drop_tag");
	for (unsigned int i = 0; i < 2; i++) {
		uint8_t bytes[PACKET_MOST];
		struct protected_packet packet;
		struct rc_end *from;

		memcpy(bytes, seen.packet[i].bytes, seen.packet[i].length);
		CHECK_EQ(protected_decode(bytes, seen.packet[i].length, &packet),
		         ROCE_OK);
		from = packet.dest_qpn == pair.a.self.qpn ? &pair.b : &pair.a;
		for (unsigned int octet = 0; octet < 3; octet++)
			bytes[5 + octet] = (uint8_t)(from->self.qpn >> (16 - 8 * octet));
		/* A number that it has not seen. */
		bytes[BTH_LENGTH] ^= 0x01;
		inject_bytes(from, bytes, seen.packet[i].length);
	}
	CHECK_EQ(count_of("drop_tag"), before + 2);
	exchange(2);
	rc_pair_close(&pair);
}

/* --- rules ---------------------------------------------------------------------------
 */

/* The first WRITE that was sent, from that packet on. */
static struct protected_packet next_write(unsigned int from, unsigned int *at)
{
	struct protected_packet packet;

	for (unsigned int i = from; i < KEPT && i < seen.sent; i++) {
		CHECK_EQ(protected_decode(seen.packet[i].bytes, seen.packet[i].length,
		                          &packet),
		         ROCE_OK);
		*at = i;
		if (packet.operation == RC_WRITE_ONLY)
			return packet;
	}
	check_failed(__FILE__, __LINE__, "no WRITE was sent");
	return packet;
}

/* Nothing but BTH and number is to be read, and a packet that is sent again is another.
 */
static void in_sight(void **state)
{
	struct protected_packet first, again;
	unsigned int at;
	char line[256];

	(void)state;
	open_pair(rc_protect);
	rc_fill(pair.a.buffer, LENGTH, 7);
	seen.lose = 1;
	start(IBV_WR_RDMA_WRITE, 1);
	CHECK_EQ(next_completion(pair.a.send_cq).status, IBV_WC_SUCCESS);
	rc_expect_filled(pair.b.buffer + PLACE, LENGTH, 7);
	first = next_write(0, &at);
	again = next_write(at + 1, &at);
	CHECK_EQ(first.psn, pair.a.self.psn);
	CHECK_EQ(again.psn, first.psn);
	CHECK_EQ(first.number, 1);
	CHECK_EQ(again.number, 2);
	CHECK_EQ(again.length, first.length);
	CHECK(memcmp(first.sealed, again.sealed, first.length));
	CHECK(!memmem(seen.packet[0].bytes, seen.packet[0].length, pair.a.buffer,
	              LENGTH));
	CHECK(protected_print(&first, line, sizeof(line)) < (int)sizeof(line));
	CHECK(strstr(line, "protected "));
	rc_pair_close(&pair);
}

/* Keys that are not the peer's: as if there were no peer. */
static void other_keys(struct rc_end *end)
{
	struct mockrdma_protection keys = rc_packet_keys(end);

	keys.receive.key[0] ^= 1;
	CHECK_EQ(mockrdma_qp_protect(end->qp, &keys), 0);
}

static void with_other_keys(void **state)
{
	uint64_t before;

	(void)state;
	open_pair(other_keys);
	before = count_of("drop_tag");
	start(IBV_WR_RDMA_WRITE, 1);
	CHECK_EQ(next_completion(pair.a.send_cq).status, IBV_WC_RETRY_EXC_ERR);
	CHECK(count_of("drop_tag") > before);
	rc_expect_only(pair.b.buffer + PLACE, LENGTH, 0);
	rc_pair_close(&pair);
}

/* A protected packet is no packet for a queue pair in clear, and the other way. */
static void one_side_alone(void **state)
{
	struct rc_config clear = rc_default, kept = rc_default;
	uint64_t malformed, plain;

	(void)state;
	kept.before_rtr = rc_protect;
	sim_begin(1, &fair);
	rc_open(&pair.a, &kept);
	rc_open(&pair.b, &clear);
	rc_connect(&pair.a, &pair.b.self);
	rc_connect(&pair.b, &pair.a.self);
	malformed = count_of("drop_malformed");
	plain = count_of("drop_plain");
	start(IBV_WR_RDMA_WRITE, 1);
	CHECK_EQ(next_completion(pair.a.send_cq).status, IBV_WC_RETRY_EXC_ERR);
	CHECK(count_of("drop_malformed") > malformed);
	rc_do(&pair.b, &(struct rc_op){ .opcode = IBV_WR_RDMA_WRITE,
	                                .flags = IBV_SEND_SIGNALED,
	                                .length = LENGTH });
	CHECK_EQ(next_completion(pair.b.send_cq).status, IBV_WC_RETRY_EXC_ERR);
	CHECK(count_of("drop_plain") > plain);
	rc_pair_close(&pair);
}

static void states(void **state)
{
	struct mockrdma_protection keys = { 0 };
	struct rc_config config = rc_default;

	(void)state;
	sim_begin(1, &fair);
	rc_pair_open(&pair, &config);
	CHECK_EQ(mockrdma_qp_protect(pair.a.qp, &keys), EINVAL); /* RTS */
	rc_to_reset(&pair.a);
	CHECK_EQ(mockrdma_qp_protect(pair.a.qp, &keys), EINVAL);
	rc_to_init(&pair.a);
	CHECK_EQ(mockrdma_qp_protect(pair.a.qp, NULL), EINVAL);
	CHECK_EQ(mockrdma_qp_protect(NULL, &keys), EINVAL);
	CHECK_EQ(mockrdma_qp_protect(pair.a.qp, &keys), 0);
	CHECK_EQ(mockrdma_qp_protect(pair.a.qp, &keys), 0);
	/* RESET ends it: in clear again. */
	rc_to_reset(&pair.a);
	rc_to_reset(&pair.b);
	rc_connect(&pair.a, &pair.b.self);
	rc_connect(&pair.b, &pair.a.self);
	exchange(1);
	/* … and with other keys once more. */
	rc_to_reset(&pair.a);
	rc_to_reset(&pair.b);
	pair.a.config.before_rtr = pair.b.config.before_rtr = rc_protect;
	rc_connect(&pair.a, &pair.b.self);
	rc_connect(&pair.b, &pair.a.self);
	exchange(2);
	rc_pair_close(&pair);
	config.type = IBV_QPT_UD;
	rc_open(&pair.a, &config);
	rc_to_init(&pair.a);
	CHECK_EQ(mockrdma_qp_protect(pair.a.qp, &keys), EOPNOTSUPP);
	rc_close(&pair.a);
}

/* UC: the sender hears nothing either way. */
static void unreliable(void **state)
{
	struct rc_config config = rc_default;

	(void)state;
	config.type = IBV_QPT_UC;
	config.before_rtr = rc_protect;
	sim_begin(1, &fair);
	rc_pair_open(&pair, &config);
	exchange(77);
	rc_pair_close(&pair);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(in_clear_they_succeed),
		cmocka_unit_test(protected_they_do_not),
		cmocka_unit_test(repeated),
		cmocka_unit_test(altered),
		cmocka_unit_test(reflected),
		cmocka_unit_test(in_sight),
		cmocka_unit_test(with_other_keys),
		cmocka_unit_test(one_side_alone),
		cmocka_unit_test(states),
		cmocka_unit_test(unreliable),
	};
	int failed;

	mock_dir_make();
	sim_install();
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	mock_dir_remove();
	return failed;
}
