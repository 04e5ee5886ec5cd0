// SPDX-License-Identifier: BSD-2-Clause
/*
 * A small datagram in one piece, to where the last one went, goes a shorter way
 * (mock/transport/shortcut.c): what arrives, and what does not, is the same.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/check.h"
#include "lib/ud.h"

/* Sends what is at 0 in the buffer, whole or in two pieces, to itself, into at[]. */
static void send_to_itself(struct rc_end *end, const struct ud_to *to,
                           enum ibv_wr_opcode opcode, uint32_t length, bool two_pieces,
                           uint32_t at)
{
	uint32_t first = two_pieces ? length / 2 : length;
	struct ibv_sge sge[] = {
		{ (uintptr_t)end->buffer, first, end->mr->lkey },
		{ (uintptr_t)end->buffer + first, length - first, end->mr->lkey },
	};
	struct ibv_send_wr wr = { .sg_list = sge,
		                  .num_sge = two_pieces ? 2 : 1,
		                  .opcode = opcode,
		                  .send_flags = IBV_SEND_SIGNALED,
		                  .imm_data = htobe32(99),
		                  .wr.ud = { to->ah, to->qpn, to->qkey } };
	struct ibv_send_wr *bad;
	struct ibv_wc wc;

	rc_recv(end, 1, at, UD_GRH + length);
	CHECK_EQ(ibv_post_send(end->qp, &wr, &bad), 0);
	rc_sent(end, 0);
	wc = rc_received(end, 1);
	CHECK_EQ(wc.byte_len, UD_GRH + length);
	CHECK_EQ(wc.src_qp, end->self.qpn);
	CHECK_EQ(wc.wc_flags, IBV_WC_GRH | (opcode == IBV_WR_SEND ? 0 : IBV_WC_WITH_IMM));
	if (opcode == IBV_WR_SEND_WITH_IMM)
		CHECK_EQ(be32toh(wc.imm_data), 99);
}

static void expect_alike(struct rc_end *end, const struct ud_to *to)
{
	rc_fill(end->buffer, 64, 7);
	for (uint32_t length = 2; length <= 64; length++)
		for (int imm = 0; imm < 2; imm++) {
			enum ibv_wr_opcode opcode =
			        imm ? IBV_WR_SEND_WITH_IMM : IBV_WR_SEND;

			send_to_itself(end, to, opcode, length, true, 256);
			send_to_itself(end, to, opcode, length, false, 512);
			CHECK_BYTES(end->buffer + 512, end->buffer + 256,
			            UD_GRH + length);
			rc_expect_filled(end->buffer + 512 + UD_GRH, length, 7);
		}
}

/* Small datagrams in one piece may go another way than all others. */
static void every_way_is_alike_body(struct side *side)
{
	struct rc_end end;
	struct ud_to to;
	union ibv_gid gid;

	(void)side;
	ud_open(&end, &ud_default);
	to = (struct ud_to){ ud_handle(&end, &end.self.gid), end.self.qpn, UD_QKEY };
	expect_alike(&end, &to);
	CHECK_EQ(ibv_destroy_ah(to.ah), 0);
	end.gid_index = rc_find_gid(end.context, "::1");
	if (end.gid_index >= 0) { /* a host with IPv6 */
		CHECK_EQ(ibv_query_gid(end.context, RC_PORT, end.gid_index, &gid), 0);
		to.ah = ud_handle(&end, &gid);
		expect_alike(&end, &to);
		CHECK_EQ(ibv_destroy_ah(to.ah), 0);
	}
	rc_close(&end);
}
ALONE(every_way_is_alike)

/* Two queue pairs, of which the one's last datagrams to the other went the usual way. */
static struct ud_to open_and_send(struct rc_end *a, struct rc_end *b)
{
	struct ud_to to;

	ud_open(a, &ud_default);
	ud_open(b, &ud_default);
	to = (struct ud_to){ ud_handle(a, &b->self.gid), b->self.qpn, UD_QKEY };
	for (uint64_t id = 1; id <= 3; id++) {
		rc_recv(b, id, 0, 256);
		ud_send(a, &to, 10 + id, 10);
		CHECK_EQ(rc_received(b, id).byte_len, UD_GRH + 10);
	}
	return to;
}

static void then_wrong_body(struct side *side)
{
	struct rc_end a, b;
	struct ud_to to, wrong;

	(void)side;
	to = open_and_send(&a, &b);
	ud_send(&a, &to, 20, 10); /* no receive */
	rc_recv(&b, 4, 0, 256);
	wrong = to;
	wrong.qkey ^= 1;
	ud_send(&a, &wrong, 21, 10);
	rc_expect_nothing(b.recv_cq, 0);
	ud_send(&a, &to, 22, 10);
	CHECK_EQ(rc_received(&b, 4).byte_len, UD_GRH + 10);
	rc_close(&b);
	ud_send(&a, &to, 23, 10); /* it is gone */
	CHECK_EQ(ibv_destroy_ah(to.ah), 0);
	rc_close(&a);
}
ALONE(then_wrong)

static struct ibv_flow *drop_all(struct rc_end *end)
{
	struct {
		struct ibv_flow_attr attr;
		struct ibv_flow_spec_action_drop drop;
	} rule = {
		.attr = { .type = IBV_FLOW_ATTR_ALL_DEFAULT,
		          .size = sizeof(rule),
		          .num_of_specs = 1,
		          .port = RC_PORT },
		.drop = { IBV_FLOW_SPEC_ACTION_DROP, sizeof(rule.drop) },
	};

	return CHECK_OBJECT(ibv_create_flow(end->qp, &rule.attr));
}

/* A flow that comes while datagrams go the short way is heeded, until it is gone. */
static void then_a_flow_body(struct side *side)
{
	struct rc_end a, b;
	struct ud_to to;
	struct ibv_flow *flow;

	(void)side;
	to = open_and_send(&a, &b);
	flow = drop_all(&b);
	rc_recv(&b, 4, 0, 256);
	ud_send(&a, &to, 20, 10);
	rc_expect_nothing(b.recv_cq, 0);
	CHECK_EQ(ibv_destroy_flow(flow), 0);
	ud_send(&a, &to, 21, 11);
	CHECK_EQ(rc_received(&b, 4).byte_len, UD_GRH + 11);
	CHECK_EQ(ibv_destroy_ah(to.ah), 0);
	rc_close(&a);
	rc_close(&b);
}
ALONE(then_a_flow)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_way_is_alike),
		cmocka_unit_test(then_wrong),
		cmocka_unit_test(then_a_flow),
	};

	setenv("MOCKRDMA_DEVICES", "mock0=lo", 1);
	return cmocka_run_group_tests(tests, runtime_directory_make,
	                              runtime_directory_remove);
}
