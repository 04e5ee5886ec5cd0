// SPDX-License-Identifier: BSD-2-Clause
/* A bad network is one that can be predicted, from its seed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "host/engine.h"
#include "host/inside.h"
#include "host/registry.h"
#include "host/settings.h"
#include "lib/netns.h"
#include "link/dice.h"
#include "link/net.h"
#include "mock_dir.h"
#include "object/gid.h"
#include "wire/icrc.h"
#include "wire/roce.h"

enum { PACKETS = 3000, SEED = 4711, LENGTH = 64, PATIENCE_S = 60 };

static uint64_t simulated = 1000000000;

static uint64_t simulated_now(void)
{
	return simulated;
}

static struct {
	uint32_t psn[2 * PACKETS];
	_Atomic unsigned int count;
} came, expected;

static uint32_t qpn;

static void take_packet(const struct net_path *path, const void *bth, size_t length)
{
	uint8_t whole[LENGTH + ICRC_LENGTH] = { 0 };
	struct roce roce;

	(void)path;
	assert_int_equal(length, LENGTH);
	memcpy(whole, bth, length);
	assert_int_equal(roce_decode(whole, sizeof(whole), &roce), ROCE_OK);
	assert_in_range(came.count, 0, 2 * PACKETS - 1);
	came.psn[came.count++] = roce.psn;
}

static void arrives(uint32_t psn)
{
	assert_in_range(expected.count, 0, 2 * PACKETS - 1);
	expected.psn[expected.count++] = psn;
}

/* Those that wait for others to overtake them, in the order in which they came. */
static struct {
	uint32_t psn[BEHIND_MOST + 1];
	unsigned int behind[BEHIND_MOST + 1];
	bool wrong[BEHIND_MOST + 1];
	unsigned int count;
} late;

static void pass_late(void)
{
	unsigned int left = 0;

	for (unsigned int i = 0; i < late.count; i++) {
		if (--late.behind[i]) {
			late.psn[left] = late.psn[i];
			late.wrong[left] = late.wrong[i];
			late.behind[left++] = late.behind[i];
		} else if (!late.wrong[i]) {
			arrives(late.psn[i]);
		}
	}
	late.count = left;
}

/* What the dice say of each packet, and the counts that come of it. */
static void predict(uint64_t counts[4])
{
	const struct odds odds = {
		.loss = 50000, .duplicate = 70000, .reorder = 65000, .corrupt = 12500
	};
	struct dice dice = { SEED };

	for (uint32_t psn = 0; psn < PACKETS; psn++) {
		struct fate fate = dice_throw(&dice, &odds);

		counts[0] += fate.lost;
		if (fate.lost)
			continue;
		counts[1] += fate.twice;
		counts[2] += fate.behind > 0;
		counts[3] += fate.corrupted;
		if (fate.behind) {
			assert_in_range(late.count, 0, BEHIND_MOST);
			late.psn[late.count] = psn;
			late.wrong[late.count] = fate.corrupted;
			late.behind[late.count++] = fate.behind;
		} else {
			if (!fate.corrupted)
				arrives(psn);
			pass_late();
		}
		if (fate.twice)
			arrives(psn);
	}
	for (unsigned int i = 0; i < late.count; i++)
		if (!late.wrong[i])
			arrives(late.psn[i]);
}

static void send_one(uint32_t psn)
{
	static const union ibv_gid here = { .raw = { [10] = 0xff, 0xff, 127, 0, 0, 1 } };
	const struct net_path path = { .local = here, .remote = here };
	const struct roce roce = {
		.opcode = RC_SEND_ONLY, .pkey = 0xffff, .dest_qpn = qpn, .psn = psn
	};
	uint8_t data[LENGTH] = { 0 };
	struct net_packet packet = { .part = { { data, LENGTH } }, .parts = 1 };

	roce_encode(&roce, data, ROCE_HEADERS_MAX);
	assert_int_equal(net_udp.send(&path, &packet, 1), 1);
}

static uint64_t counter(enum counter which)
{
	return segment_head()->net[which - COUNT_NET];
}

/* Until so many have come, good and bad. */
static void await_packets(unsigned int count)
{
	time_t begun = time(NULL);

	while (counter(COUNT_NET_RCVD) + counter(COUNT_DROP_ICRC) < count) {
		if (time(NULL) > begun + PATIENCE_S)
			fail_msg("%u of %u packets came", came.count, count);
		net_udp.poll();
	}
}

static void as_predicted(void **state)
{
	uint64_t counts[4] = { 0 };

	(void)state;
	predict(counts);
	for (uint32_t psn = 0; psn < PACKETS; psn++) {
		send_one(psn);
		while (net_udp.poll())
			;
	}
	/* Those that wait for more in vain go after a while. */
	simulated += 10000000;
	timers_run();
	await_packets(expected.count + (unsigned int)counts[3]);
	assert_int_equal(came.count, expected.count);
	assert_memory_equal(came.psn, expected.psn,
	                    expected.count * sizeof(expected.psn[0]));
	assert_int_equal(counter(COUNT_DISTURB_LOST), counts[0]);
	assert_int_equal(counter(COUNT_DISTURB_DUPLICATED), counts[1]);
	assert_int_equal(counter(COUNT_DISTURB_REORDERED), counts[2]);
	assert_int_equal(counter(COUNT_DISTURB_CORRUPTED), counts[3]);
	assert_int_equal(counter(COUNT_DROP_ICRC), counts[3]);
}

static void odds_are_kept(void **state)
{
	const struct odds odds = {
		.loss = 5000, .duplicate = 500000, .reorder = ODDS_ALL, .corrupt = 0
	};
	struct dice dice = { 1 };
	unsigned int lost = 0, twice = 0, behind[BEHIND_MOST + 1] = { 0 };

	(void)state;
	for (unsigned int i = 0; i < 100000; i++) {
		struct fate fate = dice_throw(&dice, &odds);

		lost += fate.lost;
		twice += fate.twice;
		behind[fate.behind]++;
		assert_false(fate.corrupted);
	}
	assert_in_range(lost, 400, 600);
	assert_in_range(twice, 49000, 51000);
	assert_int_equal(behind[0], 0);
	for (unsigned int i = 1; i <= BEHIND_MOST; i++)
		assert_in_range(behind[i], 32000, 35000);
}

static void settings_are_read(void **state)
{
	(void)state;
	assert_int_equal(settings()->loss, 50000);
	assert_int_equal(settings()->duplicate, 70000);
	assert_int_equal(settings()->reorder, 65000);
	assert_int_equal(settings()->corrupt, 12500);
	assert_int_equal(settings()->delay_ns, 0);
	assert_int_equal(settings()->seed, SEED);
}

static int setup(void **state)
{
	static const struct net_takers takers = { .packet = take_packet };
	int err = host_attach();

	(void)state;
	if (!err)
		err = gid_refresh();
	net_set_takers(&takers);
	if (!err)
		err = registry_qpn_alloc(64, &qpn);
	return err ? err : net_start();
}

static int teardown(void **state)
{
	(void)state;
	registry_qpn_free(qpn);
	host_detach();
	return mock_dir_entries();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(settings_are_read),
		cmocka_unit_test(odds_are_kept),
		cmocka_unit_test(as_predicted),
	};
	int failed;

	netns_enter();
	mock_dir_make();
	timers_simulate(simulated_now);
	setenv("MOCKRDMA_LOSS", "5", 1);
	setenv("MOCKRDMA_DUPLICATE", "7.", 1);
	setenv("MOCKRDMA_REORDER", "6.5", 1);
	setenv("MOCKRDMA_CORRUPT", "1.25", 1);
	setenv("MOCKRDMA_SEED", "4711", 1);
	failed = cmocka_run_group_tests(tests, setup, teardown);
	mock_dir_remove();
	return failed;
}
