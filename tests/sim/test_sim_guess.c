// SPDX-License-Identifier: BSD-2-Clause
/*
 * Somebody who knows addresses and queue pair numbers, and guesses PSNs: after a number
 * of guesses in a second that no network makes of honest packets, what comes from another
 * UDP port than the peer's is dropped, the right PSN or not, and the peer is served.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../unit/lib/check.h"
#include "../unit/lib/counter.h"
#include "../unit/lib/rcop.h"
#include "../unit/mock_dir.h"
#include "link/net.h"
#include "sim.h"
#include "transport/wire.h"
#include "wire/headers.h"
#include "wire/opcode.h"
#include "wire/roce.h"

enum { FORGERS_PORT = SIM_PORT + 1, LENGTH = 8, FAR = 1 << 22 };

static const struct sim_weather fair = { .delay_ns = 1000 };

static struct ibv_wc next_completion(struct ibv_cq *cq)
{
	struct ibv_wc wc;

	while (ibv_poll_cq(cq, 1, &wc) != 1)
		CHECK(sim_step());
	return wc;
}

static void exchange(struct rc_pair *pair, uint64_t id)
{
	rc_recv(&pair->b, id, 64, LENGTH);
	rc_do(&pair->a, &(struct rc_op){ .opcode = IBV_WR_SEND,
	                                 .id = id,
	                                 .flags = IBV_SEND_SIGNALED,
	                                 .length = LENGTH });
	CHECK_EQ(next_completion(pair->b.recv_cq).status, IBV_WC_SUCCESS);
	CHECK_EQ(next_completion(pair->a.send_cq).status, IBV_WC_SUCCESS);
}

/* As if from the peer's address to that end. */
static void inject(const struct rc_end *to, uint16_t port, const struct roce *packet)
{
	struct net_path path = { .source_port = port };
	uint8_t raw[256];
	size_t length = roce_encode(packet, raw, sizeof(raw));

	CHECK(length > 0);
	if (packet->length)
		memcpy(raw + length, packet->payload, packet->length);
	length += packet->length; /* which needs no padding here */
	path.remote = to->peer.gid;
	path.local = to->self.gid;
	wire_takers.packet(&path, raw, length);
	wire_takers.settled();
}

static struct roce forged_send(const struct rc_end *to, uint32_t psn)
{
	static const uint8_t payload[LENGTH] = "forged!";

	return (struct roce){
		.opcode = RC_SEND_ONLY,
		.pkey = 0xffff,
		.dest_qpn = to->self.qpn,
		.psn = psn & PSN_MASK,
		.payload = payload,
		.length = LENGTH,
	};
}

static struct roce forged_nak(const struct rc_end *to, uint32_t psn)
{
	return (struct roce){
		.opcode = RC_ACKNOWLEDGE,
		.pkey = 0xffff,
		.dest_qpn = to->self.qpn,
		.psn = psn & PSN_MASK,
		.syndrome = NAK_REMOTE_OPERATION,
	};
}

typedef struct roce forger(const struct rc_end *to, uint32_t psn);

static void guess(const struct rc_end *to, forger *forge, uint32_t psn,
                  unsigned int times)
{
	for (unsigned int i = 0; i < times; i++) {
		struct roce packet = forge(to, psn + FAR + i);

		inject(to, FORGERS_PORT, &packet);
	}
}

static void open_pair(struct rc_pair *pair)
{
	sim_begin(1, &fair);
	rc_pair_open(pair, &rc_default);
	exchange(pair, 1);
}

static void guessed_requests(void **state)
{
	struct roce right;
	struct rc_pair pair;
	uint64_t dropped;

	(void)state;
	open_pair(&pair);
	dropped = count_of("drop_guess");
	guess(&pair.b, forged_send, pair.a.self.psn, GUESSES_MOST);
	CHECK_EQ(count_of("drop_guess"), dropped);
	/* One too many: now the right one does not count either. */
	guess(&pair.b, forged_send, pair.a.self.psn, 2);
	CHECK_EQ(count_of("drop_guess"), dropped + 1);
	right = forged_send(&pair.b, pair.a.self.psn + 1);
	inject(&pair.b, FORGERS_PORT, &right);
	CHECK_EQ(count_of("drop_guess"), dropped + 2);
	for (uint64_t id = 2; id < 10; id++)
		exchange(&pair, id);
	rc_pair_close(&pair);
}

static void guessed_answers(void **state)
{
	struct roce right;
	struct rc_pair pair;
	uint64_t dropped;

	(void)state;
	open_pair(&pair);
	dropped = count_of("drop_answer_guess");
	guess(&pair.a, forged_nak, pair.a.self.psn, GUESSES_MOST + 1);
	rc_recv(&pair.b, 2, 64, LENGTH);
	rc_do(&pair.a, &(struct rc_op){ .opcode = IBV_WR_SEND,
	                                .id = 2,
	                                .flags = IBV_SEND_SIGNALED,
	                                .length = LENGTH });
	right = forged_nak(&pair.a, pair.a.self.psn + 1);
	inject(&pair.a, FORGERS_PORT, &right);
	CHECK_EQ(count_of("drop_answer_guess"), dropped + 1);
	CHECK_EQ(next_completion(pair.a.send_cq).status, IBV_WC_SUCCESS);
	rc_pair_close(&pair);
}

/* Without the guesses before it, the same packet does what it says: the test's forger is
 * one. */
static void known_psn(void **state)
{
	struct roce right;
	struct rc_pair pair;

	(void)state;
	open_pair(&pair);
	rc_recv(&pair.b, 2, 64, LENGTH);
	right = forged_send(&pair.b, pair.a.self.psn + 1);
	inject(&pair.b, FORGERS_PORT, &right);
	CHECK_EQ(next_completion(pair.b.recv_cq).status, IBV_WC_SUCCESS);
	CHECK(!memcmp(pair.b.buffer + 64, "forged!", LENGTH));
	rc_pair_close(&pair);
}

/* When the second is over, whoever comes from another port is a packet like any other: a
 * path may change. */
static void over_in_a_second(void **state)
{
	struct roce right;
	struct rc_pair pair;
	uint64_t dropped, end;

	(void)state;
	open_pair(&pair);
	dropped = count_of("drop_guess");
	guess(&pair.b, forged_send, pair.a.self.psn, GUESSES_MOST + 1);
	end = now_ns() + UINT64_C(1000000000);
	for (uint64_t id = 2; now_ns() < end; id++)
		exchange(&pair, id);
	right = forged_send(&pair.b, pair.a.self.psn + FAR);
	inject(&pair.b, FORGERS_PORT, &right);
	CHECK_EQ(count_of("drop_guess"), dropped);
	rc_pair_close(&pair);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(guessed_requests),
		cmocka_unit_test(guessed_answers),
		cmocka_unit_test(known_psn),
		cmocka_unit_test(over_in_a_second),
	};
	int failed;

	mock_dir_make();
	sim_install();
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	mock_dir_remove();
	return failed;
}
