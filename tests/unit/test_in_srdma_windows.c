/* SPDX-License-Identifier: BSD-2-Clause */
/* What a peer reaches by itself: by which key, from when, until when, and what a device
 * without memory windows makes of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/check.h"
#include "lib/deadline.h"
#include "lib/duo.h"
#include "lib/pki.h"
#include "session/session.h"
#include "session/verbs_endpoint.h"

enum { SIZE = 20000, OFFSET = 5000, LENGTH = 10000, MANY = 64, FEW = 4 };

#define BOTH (SRDMA_RIGHT_READ | SRDMA_RIGHT_WRITE)

static struct duo duo;
static uint8_t ours[SIZE], theirs[SIZE];
static struct srdma_buffer *our_buffer, *their_buffer;

/* The server's transport, as it is, but for what it exposes: that is noted. */
static struct transport spied;
static struct exposure exposed;
static uint64_t misplaced; /* added to where it says that its memory begins */

static int spy(struct endpoint *endpoint, void *address, size_t length, unsigned rights,
               struct exposure *out)
{
	int error = transport_verbs.expose(endpoint, address, length, rights, out);

	out->region.address += misplaced;
	exposed = *out;
	return error;
}

static int open_pki(void **state)
{
	(void)state;
	duo_protection = SRDMA_PROTECTION_NONE;
	pki_open();
	return 0;
}

static uint64_t window_count(void)
{
	struct srdma_objects objects;

	srdma_objects(&objects, sizeof(objects));
	return objects.memory_windows;
}

static void start(unsigned send_depth)
{
	memset(ours, 1, SIZE);
	memset(theirs, 2, SIZE);
	misplaced = 0;
	duo_open(&duo);
	CHECK_SRDMA(srdma_context_set_number(duo.server.context, SRDMA_OPT_SEND_DEPTH,
	                                     send_depth));
	duo_start(&duo);
	duo_connect(&duo);
	CHECK_EQ(window_count(), 0);
	spied = transport_verbs;
	spied.expose = spy;
	duo.server.session->endpoint->transport = &spied;
	CHECK_SRDMA(srdma_buffer_register(duo.client.session, ours, SIZE, &our_buffer));
	CHECK_SRDMA(
	        srdma_buffer_register(duo.server.session, theirs, SIZE, &their_buffer));
}

static void finish(void)
{
	duo_close(&duo);
	CHECK_EQ(window_count(), 0);
}

static struct srdma_grant *begin_grant(void)
{
	struct srdma_grant *grant;

	CHECK_SRDMA(srdma_grant(duo.server.session, their_buffer, OFFSET, LENGTH, BOTH, 5,
	                        &grant));
	return grant;
}

static struct srdma_grant *grant(void)
{
	unsigned before = duo.client.grants;
	struct srdma_grant *grant = begin_grant();

	DUO_UNTIL(&duo, duo.client.grants == before + 1);
	return grant;
}

static void write_granted(void)
{
	unsigned before = duo.client.completions;

	memset(ours, ours[0] + 1, SIZE);
	CHECK_SRDMA(srdma_write(duo.client.session, our_buffer, 0, duo.client.remote, 0,
	                        LENGTH, &duo));
	DUO_UNTIL(&duo, duo.client.completions == before + 1);
	CHECK_EQ(duo.client.failures, 0);
	CHECK_BYTES(theirs + OFFSET, ours, LENGTH);
}

/* What the client's library would not do: by a key of the test's choice. */
static void write_with(const struct exposure *to, uint32_t key)
{
	const struct op write = { .user = &duo, .bytes = 8, .kind = SRDMA_OP_WRITE };

	memset(ours, 99, SIZE);
	CHECK_SRDMA(data_access(duo.client.session, our_buffer, 0, to->region.address,
	                        key, &write));
}

static void expect_refused(const struct exposure *to, uint32_t key)
{
	write_with(to, key);
	DUO_UNTIL(&duo, duo.client.closed && duo.server.closed);
	CHECK_EQ(duo.client.failures, 1);
	CHECK_EQ(theirs[OFFSET] == 99, false);
}

static uint32_t key_of_region(const struct exposure *exposure)
{
	return ((const struct ibv_mr *)exposure->region.handle)->rkey;
}

/*
 * With windows
 */

static void key_is_of_a_window(void **state)
{
	(void)state;
	start(64);
	grant();
	CHECK_EQ(window_count(), 1);
	CHECK(exposed.window && key_of_region(&exposed) != exposed.region.key);
	write_granted();
	expect_refused(&exposed, key_of_region(&exposed));
	finish();
}

/* By an operation, and the window serves the next grant, by another key. */
static void revoked_in_order(void **state)
{
	struct srdma_grant *granted;
	struct exposure first;

	(void)state;
	start(64);
	granted = grant();
	first = exposed;
	write_granted();
	CHECK_SRDMA(srdma_grant_revoke(granted));
	CHECK_EQ(srdma_buffer_unregister(their_buffer), SRDMA_EBLOCKED);
	DUO_UNTIL(&duo, duo.server.releases == 1);
	CHECK_EQ(window_count(), 1);
	grant();
	CHECK_EQ(window_count(), 1);
	CHECK(exposed.window == first.window && exposed.region.key != first.region.key);
	write_granted();
	expect_refused(&first, (uint32_t)first.region.key);
	finish();
}

static void revoked_at_once(void **state)
{
	struct srdma_grant *granted;

	(void)state;
	start(64);
	granted = grant();
	write_granted();
	CHECK_SRDMA(srdma_grant_revoke_now(granted));
	CHECK_EQ(window_count(), 0);
	expect_refused(&exposed, (uint32_t)exposed.region.key);
	finish();
}

/* Before the device is through with it: the peer never hears of what is revoked at once.
 */
static void revoked_before_it_is_bound(void **state)
{
	(void)state;
	start(64);
	CHECK_SRDMA(srdma_grant_revoke_now(begin_grant()));
	CHECK_SRDMA(srdma_grant_revoke(begin_grant()));
	DUO_UNTIL(&duo, duo.server.releases == 1);
	CHECK_EQ(duo.client.grants, 1);
	CHECK_EQ(duo.client.revokes, 1);
	CHECK_SRDMA(srdma_buffer_unregister(their_buffer));
	CHECK(!duo.server.closed && !duo.client.closed);
	finish();
}

static void check_in_flight(void)
{
	CHECK(data_in_flight(duo.server.session) <= duo.server.session->data.ring);
}

/* As many as there may be, at once, where hardly any has room: beside a caller that takes
 * every entry that it gets. */
static void grant_many(struct srdma_grant **grants)
{
	unsigned before = duo.client.grants;
	uint64_t end = deadline_in(PATIENCE_MS);

	for (int i = 0; i < MANY; i++) {
		grants[i] = begin_grant();
		check_in_flight();
	}
	while (duo.client.grants < before + MANY) {
		while (srdma_session_writable(duo.server.session))
			CHECK_SRDMA(srdma_send(duo.server.session, "x", 1, NULL));
		check_in_flight();
		duo_turn(&duo);
		CHECK(!duo.server.closed && !duo.client.closed && !deadline_passed(end));
	}
	CHECK_EQ(window_count(), MANY);
}

static void many_at_a_time(void **state)
{
	struct srdma_grant *grants[MANY];

	(void)state;
	start(FEW);
	for (int round = 0; round < 4; round++) {
		unsigned before = duo.server.releases;

		grant_many(grants);
		write_granted();
		for (int i = 0; i < MANY; i++)
			CHECK_SRDMA((i % 4 == 0 ? srdma_grant_revoke_now
			                        : srdma_grant_revoke)(grants[i]));
		DUO_UNTIL(&duo, duo.server.releases == before + MANY * 3 / 4 &&
		                        !duo.server.session->grant_count);
		CHECK(window_count() <= FEW);
		CHECK(!duo.server.closed && !duo.client.closed);
	}
	finish();
}

/* Those that wait for room can be taken back, and the session can end, at any time. */
static void ended_while_they_wait(void **state)
{
	struct srdma_grant *grants[MANY];

	(void)state;
	start(FEW);
	for (int i = 0; i < MANY; i++)
		grants[i] = begin_grant();
	CHECK(duo.server.session->grants_waiting > 0);
	for (int i = 1; i < MANY; i += 2)
		CHECK_SRDMA(srdma_grant_revoke_now(grants[i]));
	srdma_session_abort(duo.server.session, "enough");
	DUO_UNTIL(&duo, duo.server.closed && duo.client.closed);
	CHECK_EQ(window_count(), 0);
	finish();
}

static void closed_while_they_wait(void **state)
{
	(void)state;
	start(FEW);
	for (int i = 0; i < MANY; i++)
		begin_grant();
	srdma_session_close(duo.server.session);
	DUO_UNTIL(&duo, duo.server.closed && duo.client.closed);
	CHECK_EQ(duo.server.code, SRDMA_ECLOSED);
	CHECK_EQ(duo.client.code, SRDMA_ECLOSED);
	finish();
}

static void expect_bind_fails(int code, const char *sentence)
{
	begin_grant();
	DUO_UNTIL(&duo, duo.server.closed);
	CHECK_EQ(duo.server.code, code);
	if (!strstr(duo.server.reason, sentence))
		check_failed(__FILE__, __LINE__, "'%s'", duo.server.reason);
	CHECK_EQ(duo.client.grants, 0);
	finish();
}

static void queue_pair_in_error(void **state)
{
	struct ibv_qp_attr attr = { .qp_state = IBV_QPS_ERR };

	(void)state;
	start(64);
	CHECK_EQ(ibv_modify_qp(to_verbs(duo.server.session->endpoint)->qp, &attr,
	                       IBV_QP_STATE),
	         0);
	expect_bind_fails(SRDMA_ENETWORK, "the queue pair to client");
}

static void device_that_refuses(void **state)
{
	(void)state;
	start(64);
	misplaced = 1 << 20;
	expect_bind_fails(SRDMA_ESYSTEM, "could not bind");
}

/* Nothing is exposed where messages are sealed. */
static void none_where_sealed(void **state)
{
	(void)state;
	duo_protection = 0;
	start(64);
	duo_protection = SRDMA_PROTECTION_NONE;
	exposed = (struct exposure){ 0 };
	grant();
	write_granted();
	CHECK(!exposed.region.handle);
	CHECK_EQ(window_count(), 0);
	finish();
}

/*
 * Without
 */

/* Then the key is the region's, which also shows that it is one worth refusing. */
static void by_regions(void **state)
{
	struct srdma_grant *granted;

	(void)state;
	start(64);
	granted = grant();
	CHECK(!exposed.window);
	write_granted();
	write_with(&exposed, key_of_region(&exposed));
	DUO_UNTIL(&duo, theirs[OFFSET] == 99 && duo.client.completions == 2);
	CHECK_SRDMA(srdma_grant_revoke(granted));
	DUO_UNTIL(&duo, duo.server.releases == 1);
	memset(theirs, 2, SIZE);
	granted = grant();
	CHECK_SRDMA(srdma_grant_revoke_now(granted));
	expect_refused(&exposed, (uint32_t)exposed.region.key);
	finish();
}

/* All that the device has, held by somebody else. */
static struct ibv_mw *windows[FEW];

static struct ibv_pd *take_all_windows(void)
{
	struct ibv_device **devices = CHECK_OBJECT(ibv_get_device_list(NULL));
	struct ibv_pd *pd =
	        CHECK_OBJECT(ibv_alloc_pd(CHECK_OBJECT(ibv_open_device(devices[0]))));

	ibv_free_device_list(devices);
	for (int i = 0; i < FEW; i++)
		windows[i] = CHECK_OBJECT(ibv_alloc_mw(pd, IBV_MW_TYPE_2));
	return pd;
}

static void give_back(struct ibv_pd *pd)
{
	struct ibv_context *context = pd->context;

	for (int i = 0; i < FEW; i++)
		CHECK_EQ(ibv_dealloc_mw(windows[i]), 0);
	CHECK_EQ(ibv_dealloc_pd(pd), 0);
	CHECK_EQ(ibv_close_device(context), 0);
}

static void none_is_left(void **state)
{
	struct ibv_pd *pd = take_all_windows();

	by_regions(state);
	give_back(pd);
}

/* A device is as its settings say for the life of a process: each in one of its own. */
static int run_with_windows(const char *count, int (*tests)(void))
{
	int status = -1;
	pid_t child;

	fflush(NULL);
	child = fork();
	if (!child) {
		setenv("MOCKRDMA_MAX_MW", count, 1);
		exit(tests() != 0);
	}
	if (child < 0 || waitpid(child, &status, 0) != child)
		return 1;
	return status != 0;
}

static int without(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(by_regions) };

	return cmocka_run_group_tests_name("no windows", tests, open_pki, pki_tear_down);
}

static int with_few(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(none_is_left) };

	return cmocka_run_group_tests_name("few windows", tests, open_pki, pki_tear_down);
}

static int with_windows(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(key_is_of_a_window),
		cmocka_unit_test(revoked_in_order),
		cmocka_unit_test(revoked_at_once),
		cmocka_unit_test(revoked_before_it_is_bound),
		cmocka_unit_test(many_at_a_time),
		cmocka_unit_test(ended_while_they_wait),
		cmocka_unit_test(closed_while_they_wait),
		cmocka_unit_test(queue_pair_in_error),
		cmocka_unit_test(device_that_refuses),
		cmocka_unit_test(none_where_sealed),
	};

	return cmocka_run_group_tests_name("windows", tests, open_pki, pki_tear_down);
}

int main(void)
{
	return run_with_windows("0", without) + run_with_windows("4", with_few) +
	       run_with_windows("1M", with_windows);
}
