/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the device counts, as tools read it: each thing that can happen to a request,
 * once, on the side that it happens to, with packets and bytes that add up.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "lib/check.h"
#include "lib/counter.h"
#include "lib/ud.h"
#include "mock_dir.h"

static const char *const watched[] = {
	"sent_pkts",
	"rcvd_pkts",
	"sent_bytes",
	"rcvd_bytes",
	"rdma_sends",
	"rdma_recvs",
	"duplicate_request",
	"out_of_seq_request",
	"rcvd_rnr_err",
	"send_rnr_err",
	"rcvd_seq_err",
	"completer_retry_err",
	"retry_exceeded_err",
	"retry_rnr_exceeded_err",
	"send_err",
	"nak_remote_access",
	"nak_invalid_request",
	"drop_old_psn",
	"drop_gap",
	"drop_no_receive",
	"drop_qp_state",
	"drop_address",
};

enum { WATCHED = sizeof(watched) / sizeof(watched[0]) };

static uint64_t before[WATCHED];

static void begin(void)
{
	for (unsigned int i = 0; i < WATCHED; i++)
		before[i] = count_of(watched[i]);
}

static uint64_t since(const char *name)
{
	for (unsigned int i = 0; i < WATCHED; i++)
		if (strcmp(watched[i], name) == 0)
			return count_of(name) - before[i];
	CHECK(false);
	return 0;
}

static struct rc_config quick(void)
{
	struct rc_config config = rc_default;

	config.timeout = 8; /* 1 ms */
	config.retries = 2;
	config.rnr_retries = 1;
	config.rnr_timer = 1; /* 10 us */
	return config;
}

static void packets_and_bytes_add_up(void **state)
{
	struct rc_pair pair;

	(void)state;
	rc_pair_open(&pair, &rc_default);
	begin();
	rc_recv(&pair.b, 1, 0, 64);
	rc_do(&pair.a, &(struct rc_op){ .opcode = IBV_WR_SEND,
	                                .id = 1,
	                                .flags = IBV_SEND_SIGNALED,
	                                .length = 10 });
	rc_sent(&pair.a, 1);
	rc_received(&pair.b, 1);
	rc_do(&pair.a, &(struct rc_op){ .opcode = IBV_WR_RDMA_WRITE,
	                                .id = 2,
	                                .flags = IBV_SEND_SIGNALED,
	                                .length = 200 });
	rc_sent(&pair.a, 2);
	rc_do(&pair.a, &(struct rc_op){ .opcode = IBV_WR_RDMA_READ,
	                                .id = 3,
	                                .flags = IBV_SEND_SIGNALED,
	                                .length = 3000 });
	rc_sent(&pair.a, 3);
	rc_do(&pair.a, &(struct rc_op){ .opcode = IBV_WR_ATOMIC_FETCH_AND_ADD,
	                                .id = 4,
	                                .flags = IBV_SEND_SIGNALED,
	                                .length = 8 });
	rc_sent(&pair.a, 4);
	CHECK_EQ(since("sent_pkts"), 8); /* with their answers */
	CHECK_EQ(since("rcvd_pkts"), 8);
	CHECK_EQ(since("sent_bytes"), 3218);
	CHECK_EQ(since("rcvd_bytes"), 3218);
	CHECK_EQ(since("rdma_sends"), 1);
	CHECK_EQ(since("rdma_recvs"), 1);
	rc_pair_close(&pair);
	/* What was counted stays when the queue pairs have gone. */
	CHECK_EQ(since("sent_bytes"), 3218);
}

static void fail_with(struct rc_end *end, const struct rc_op *op,
                      enum ibv_wc_status status)
{
	rc_do(end, op);
	rc_expect(end->send_cq, op->id, status);
}

static const struct rc_op send_one = {
	.opcode = IBV_WR_SEND, .id = 1, .flags = IBV_SEND_SIGNALED, .length = 8
};

static void receiver_not_ready(void **state)
{
	struct rc_config config = quick();
	struct rc_pair pair;

	(void)state;
	rc_pair_open(&pair, &config);
	begin();
	fail_with(&pair.a, &send_one, IBV_WC_RNR_RETRY_EXC_ERR);
	CHECK_EQ(since("send_rnr_err"), 2); /* the first, and the one retry */
	CHECK_EQ(since("rcvd_rnr_err"), 2);
	CHECK_EQ(since("retry_rnr_exceeded_err"), 1);
	CHECK_EQ(since("rdma_sends"), 0);
	CHECK_EQ(since("sent_pkts"), 4);
	rc_pair_close(&pair);
}

static void connect_with_step(struct rc_pair *pair, uint32_t step)
{
	struct rc_config config = quick();
	struct rc_address address;

	rc_open(&pair->a, &config);
	rc_open(&pair->b, &config);
	address = pair->a.self;
	pair->a.self.psn = (pair->a.self.psn + step) & 0xffffff;
	rc_connect(&pair->a, &pair->b.self);
	rc_connect(&pair->b, &address);
	begin();
}

static const struct rc_op write_one = {
	.opcode = IBV_WR_RDMA_WRITE, .id = 1, .flags = IBV_SEND_SIGNALED, .length = 8
};

static void number_too_high(void **state)
{
	struct rc_pair pair;

	(void)state;
	connect_with_step(&pair, 1);
	fail_with(&pair.a, &write_one, IBV_WC_RETRY_EXC_ERR);
	CHECK_EQ(since("out_of_seq_request"), 1); /* one NAK for each gap */
	CHECK_EQ(since("rcvd_seq_err"), 1);
	CHECK(since("drop_gap") >= 1);
	CHECK_EQ(since("completer_retry_err"), 2);
	CHECK_EQ(since("retry_exceeded_err"), 1);
	rc_pair_close(&pair);
}

static void number_too_low(void **state)
{
	struct rc_pair pair;

	(void)state;
	connect_with_step(&pair, 0xffffff);
	fail_with(&pair.a, &write_one, IBV_WC_RETRY_EXC_ERR);
	CHECK_EQ(since("drop_old_psn"), 3); /* and two retries */
	CHECK_EQ(since("duplicate_request"), 0);
	CHECK_EQ(since("sent_pkts"), 3);
	CHECK_EQ(since("rcvd_pkts"), 3);
	rc_pair_close(&pair);
}

static void key_that_is_none(void **state)
{
	struct rc_pair pair;
	struct rc_op op = write_one;

	(void)state;
	rc_pair_open(&pair, &rc_default);
	op.rkey = pair.b.self.rkey ^ 0x5500;
	begin();
	fail_with(&pair.a, &op, IBV_WC_REM_ACCESS_ERR);
	CHECK_EQ(since("nak_remote_access"), 1);
	CHECK_EQ(since("sent_pkts"), 2);
	CHECK_EQ(since("rcvd_bytes"), 0);
	rc_pair_close(&pair);
}

static void peer_that_does_not_receive(void **state)
{
	struct rc_config config = quick();
	struct rc_pair pair;

	(void)state;
	rc_pair_open(&pair, &config);
	rc_to_error(&pair.b);
	begin();
	fail_with(&pair.a, &write_one, IBV_WC_RETRY_EXC_ERR);
	CHECK_EQ(since("drop_qp_state"), 3);
	rc_pair_close(&pair);
}

static void peer_that_is_gone(void **state)
{
	struct rc_config config = quick();
	struct rc_pair pair;

	(void)state;
	rc_pair_open(&pair, &config);
	begin();
	rc_close(&pair.b);
	fail_with(&pair.a, &write_one, IBV_WC_RETRY_EXC_ERR);
	CHECK_EQ(since("send_err"), 3);
	rc_close(&pair.a);
}

static void unreliable_without_a_receive(void **state)
{
	struct rc_config config = rc_default;
	struct rc_pair pair;

	(void)state;
	config.type = IBV_QPT_UC;
	rc_pair_open(&pair, &config);
	begin();
	rc_do(&pair.a, &send_one);
	rc_sent(&pair.a, 1);
	CHECK_EQ(since("drop_no_receive"), 1);
	CHECK_EQ(since("sent_pkts"), 1);
	CHECK_EQ(since("rcvd_pkts"), 1);
	CHECK_EQ(since("rdma_sends"), 1);
	CHECK_EQ(since("rdma_recvs"), 0);
	rc_pair_close(&pair);
}

static void send_one_to(struct rc_end *end, const union ibv_gid *gid, uint32_t qpn)
{
	const struct ud_to to = { ud_handle(end, gid), qpn, UD_QKEY };

	begin();
	ud_send(end, &to, 1, 8);
	CHECK_EQ(since("sent_pkts"), 1);
	CHECK_EQ(ibv_destroy_ah(to.ah), 0);
}

static void datagrams_to_nobody(void **state)
{
	union ibv_gid group = {
		.raw = { [10] = 0xff, [11] = 0xff, [12] = 239, [13] = 1, [15] = 9 }
	};
	struct rc_end end;
	uint32_t nobody;

	(void)state;
	ud_open(&end, &ud_default);
	nobody = (end.self.qpn ^ 0x5000) & 0x7fffff;
	send_one_to(&end, &end.self.gid, nobody);
	CHECK_EQ(since("send_err"), 1);
	send_one_to(&end, &group, UD_MULTICAST_QPN);
	CHECK_EQ(since("send_err"), 1);
	/* A group's number with an address that is none, and the other way round. */
	send_one_to(&end, &end.self.gid, UD_MULTICAST_QPN);
	CHECK_EQ(since("send_err"), 1);
	send_one_to(&end, &group, nobody);
	CHECK_EQ(since("send_err"), 1);
	CHECK_EQ(ibv_attach_mcast(end.qp, &group, 0), 0);
	send_one_to(&end, &group, UD_MULTICAST_QPN);
	CHECK_EQ(since("send_err"), 0);
	CHECK_EQ(since("drop_no_receive"), 1);
	CHECK_EQ(ibv_detach_mcast(end.qp, &group, 0), 0);
	rc_close(&end);
}

/* The host stays while somebody is on it. */
static struct ibv_context *witness;

static int open_witness(void **state)
{
	(void)state;
	mock_dir_make();
	witness = rc_open_device();
	return 0;
}

static int close_witness(void **state)
{
	(void)state;
	ibv_close_device(witness);
	mock_dir_remove();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(packets_and_bytes_add_up),
		cmocka_unit_test(receiver_not_ready),
		cmocka_unit_test(number_too_high),
		cmocka_unit_test(number_too_low),
		cmocka_unit_test(key_that_is_none),
		cmocka_unit_test(peer_that_does_not_receive),
		cmocka_unit_test(peer_that_is_gone),
		cmocka_unit_test(unreliable_without_a_receive),
		cmocka_unit_test(datagrams_to_nobody),
	};

	return cmocka_run_group_tests(tests, open_witness, close_witness);
}
