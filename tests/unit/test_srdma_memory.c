/* SPDX-License-Identifier: BSD-2-Clause */
/* Buffers, grants, one-sided operations: what is allowed, what is not, and taking it
 * back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/check.h"
#include "lib/deadline.h"
#include "lib/duo.h"
#include "lib/pki.h"

#define SIZE 100000
#define BOTH (SRDMA_RIGHT_READ | SRDMA_RIGHT_WRITE)

static struct duo duo;
static uint8_t ours[SIZE], theirs[SIZE];
static struct srdma_buffer *our_buffer, *their_buffer;

static void fill(uint8_t *bytes, unsigned seed)
{
	for (size_t i = 0; i < SIZE; i++)
		bytes[i] = (uint8_t)((i * 2654435761u + seed) >> 13);
}

static void start(void)
{
	duo_open(&duo);
	duo_start(&duo);
	duo_connect(&duo);
	fill(ours, 1);
	fill(theirs, 2);
	CHECK_SRDMA(srdma_buffer_register(duo.client.session, ours, SIZE, &our_buffer));
	CHECK_SRDMA(
	        srdma_buffer_register(duo.server.session, theirs, SIZE, &their_buffer));
}

/* The server lets the client into its buffer. */
static struct srdma_grant *grant(size_t offset, size_t length, unsigned rights,
                                 uint64_t tag)
{
	unsigned before = duo.client.grants;
	struct srdma_grant *grant;

	CHECK_SRDMA(srdma_grant(duo.server.session, their_buffer, offset, length, rights,
	                        tag, &grant));
	DUO_UNTIL(&duo, duo.client.grants == before + 1);
	CHECK_EQ(srdma_remote_tag(duo.client.remote), tag);
	CHECK_EQ(srdma_remote_length(duo.client.remote), length);
	CHECK_EQ(srdma_remote_rights(duo.client.remote), rights);
	CHECK(srdma_remote_find(duo.client.session, tag) == duo.client.remote);
	return grant;
}

static void wait_done(unsigned count)
{
	DUO_UNTIL(&duo, duo.client.completions == count);
}

static void write_and_read(void **state)
{
	static uint8_t before[SIZE];
	struct srdma_session_stats stats;
	int mark;

	(void)state;
	start();
	memcpy(before, theirs, SIZE);
	grant(5000, 70001, BOTH, 77);
	CHECK_SRDMA(srdma_write(duo.client.session, our_buffer, 3, duo.client.remote, 1,
	                        70000, &mark));
	wait_done(1);
	CHECK_EQ(duo.client.failures, 0);
	CHECK(duo.client.last_op == &mark);
	CHECK_BYTES(theirs + 5001, ours + 3, 70000);
	/* Not one byte beside it. */
	CHECK_BYTES(theirs, before, 5001);
	CHECK_BYTES(theirs + 75001, before + 75001, SIZE - 75001);
	fill(theirs, 3);
	CHECK_SRDMA(srdma_read(duo.client.session, our_buffer, 9, duo.client.remote, 0,
	                       70001, &mark));
	wait_done(2);
	CHECK_BYTES(ours + 9, theirs + 5000, 70001);
	srdma_session_stats(duo.client.session, &stats, sizeof(stats));
	CHECK_EQ(stats.writes, 1);
	CHECK_EQ(stats.bytes_read, 70001);
	duo_close(&duo);
}

static void send_from_a_registered_buffer(void **state)
{
	int mark;

	(void)state;
	start();
	CHECK_SRDMA(srdma_send_buffer(duo.client.session, our_buffer, 100, 16384, &mark));
	CHECK_EQ(srdma_buffer_unregister(our_buffer), SRDMA_EBLOCKED);
	DUO_UNTIL(&duo, duo.server.messages == 1 && duo.client.completions == 1);
	CHECK_BYTES(duo.server.last, ours + 100, 16384);
	CHECK_EQ(srdma_send_buffer(duo.client.session, our_buffer, SIZE - 1, 2, NULL),
	         SRDMA_EINVAL);
	CHECK_SRDMA(srdma_buffer_unregister(our_buffer));
	duo_close(&duo);
}

/* Refused here already, so that a mistake does not cost the session. */
static void outside_of_the_grant(void **state)
{
	struct srdma_session *s;
	struct srdma_remote *r;

	(void)state;
	start();
	grant(0, 1000, SRDMA_RIGHT_READ, 1);
	s = duo.client.session;
	r = duo.client.remote;
	CHECK_EQ(srdma_write(s, our_buffer, 0, r, 0, 10, NULL), SRDMA_ERIGHTS);
	CHECK_EQ(srdma_read(s, our_buffer, 0, r, 0, 1001, NULL), SRDMA_ERIGHTS);
	CHECK_EQ(srdma_read(s, our_buffer, 0, r, 1000, 1, NULL), SRDMA_ERIGHTS);
	CHECK_EQ(srdma_read(s, our_buffer, 0, r, SIZE_MAX, 2, NULL), SRDMA_ERIGHTS);
	CHECK_EQ(srdma_read(s, our_buffer, SIZE - 5, r, 0, 6, NULL), SRDMA_EINVAL);
	CHECK_EQ(srdma_read(s, our_buffer, SIZE_MAX, r, 0, 2, NULL), SRDMA_EINVAL);
	CHECK_EQ(srdma_read(s, our_buffer, 0, r, 0, 0, NULL), SRDMA_EINVAL);
	CHECK_EQ(srdma_read(s, their_buffer, 0, r, 0, 1, NULL), SRDMA_EINVAL);
	CHECK_SRDMA(srdma_read(s, our_buffer, 0, r, 999, 1, NULL));
	DUO_UNTIL(&duo, ours[0] == theirs[999]);
	CHECK(!duo.client.closed && !duo.server.closed);
	duo_close(&duo);
}

static void wrong_grants(void **state)
{
	struct srdma_grant *g;
	struct srdma_session *s;

	(void)state;
	start();
	s = duo.server.session;
	CHECK_EQ(srdma_grant(s, their_buffer, 0, 0, BOTH, 0, &g), SRDMA_EINVAL);
	CHECK_EQ(srdma_grant(s, their_buffer, 0, 10, 0, 0, &g), SRDMA_EINVAL);
	CHECK_EQ(srdma_grant(s, their_buffer, 0, 10, 8, 0, &g), SRDMA_EINVAL);
	CHECK_EQ(srdma_grant(s, their_buffer, SIZE, 1, BOTH, 0, &g), SRDMA_EINVAL);
	CHECK_EQ(srdma_grant(s, our_buffer, 0, 1, BOTH, 0, &g), SRDMA_EINVAL);
	duo_close(&duo);
}

/* Memory that the process may only read can be sent and granted for reading, no more. */
static void read_only_memory(void **state)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	uint8_t *memory = mmap(NULL, page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct srdma_buffer *buffer;
	struct srdma_grant *g;

	(void)state;
	CHECK(memory != MAP_FAILED);
	start();
	if (srdma_buffer_register(duo.server.session, memory, page, &buffer)) {
		CHECK(strstr(srdma_detail(), "cannot register") != NULL);
	} else if (srdma_grant(duo.server.session, buffer, 0, page, BOTH, 0, &g)) {
		CHECK_SRDMA(srdma_grant(duo.server.session, buffer, 0, page,
		                        SRDMA_RIGHT_READ, 0, &g));
	}
	duo_close(&duo);
	munmap(memory, page);
}

/* Revocation waits for what is under way, and then neither library nor device lets anyone
 * in. */
static void revoke_in_order(void **state)
{
	struct srdma_grant *g;
	struct srdma_remote *r;

	(void)state;
	start();
	g = grant(0, SIZE, BOTH, 5);
	r = duo.client.remote;
	for (int i = 0; i < 8; i++)
		CHECK_SRDMA(
		        srdma_write(duo.client.session, our_buffer, 0, r, 0, SIZE, &g));
	CHECK_SRDMA(srdma_grant_revoke(g));
	CHECK_EQ(srdma_buffer_unregister(their_buffer), SRDMA_EBLOCKED);
	DUO_UNTIL(&duo, duo.server.releases == 1);
	CHECK_EQ(duo.server.released_tag, 5);
	CHECK_EQ(duo.client.revokes, 1);
	CHECK_EQ(duo.client.completions_at_revoke, 8);
	CHECK_EQ(duo.client.failures, 0);
	CHECK(srdma_remote_find(duo.client.session, 5) == NULL);
	CHECK_SRDMA(srdma_buffer_unregister(their_buffer));
	CHECK(!duo.client.closed && !duo.server.closed);
	duo_close(&duo);
}

static void revoke_now(void **state)
{
	struct srdma_grant *g;

	(void)state;
	start();
	g = grant(0, SIZE, BOTH, 5);
	CHECK_SRDMA(srdma_grant_revoke_now(g));
	CHECK_SRDMA(srdma_buffer_unregister(their_buffer));
	/* The client has not heard of it: its library lets it through, the server's
	 * library or device does not. */
	CHECK_SRDMA(srdma_write(duo.client.session, our_buffer, 0, duo.client.remote, 0,
	                        10, &g));
	DUO_UNTIL(&duo, duo.client.closed && duo.server.closed);
	CHECK_EQ(duo.client.failures, 1);
	CHECK(duo.client.code == SRDMA_EPROTOCOL
	              ? !duo_protection
	              : duo.client.code == SRDMA_ENETWORK ||
	                        duo.client.code == SRDMA_EVANISHED);
	CHECK(duo.client.last_status == duo.client.code);
	CHECK_EQ(duo.server.releases, 0);
	duo_close(&duo);
}

/* The peer that does not confirm has its time; then it is over by force. */
static void revoke_of_a_silent_peer(void **state)
{
	struct srdma_grant *g;
	uint64_t end;

	(void)state;
	duo_open(&duo);
	CHECK_SRDMA(srdma_context_set_number(duo.server.context, SRDMA_OPT_CLOSE_TIMEOUT,
	                                     100));
	duo_start(&duo);
	duo_connect(&duo);
	CHECK_SRDMA(
	        srdma_buffer_register(duo.server.session, theirs, SIZE, &their_buffer));
	g = grant(0, SIZE, BOTH, 9);
	CHECK_SRDMA(srdma_grant_revoke(g));
	end = deadline_in(PATIENCE_MS);
	while (!duo.server.releases) {
		CHECK(!deadline_passed(end));
		CHECK(srdma_worker_run(duo.server.worker, 50) >= 0);
	}
	CHECK_EQ(duo.server.released_tag, 9);
	CHECK_SRDMA(srdma_buffer_unregister(their_buffer));
	/* A late confirmation is in order. */
	DUO_UNTIL(&duo, duo.client.revokes == 1);
	for (int i = 0; i < 5; i++)
		duo_turn(&duo);
	CHECK(!duo.server.closed);
	CHECK_EQ(duo.server.releases, 1);
	duo_close(&duo);
}

static void limit_of_grants(void **state)
{
	struct srdma_grant *g[4];

	(void)state;
	duo_open(&duo);
	CHECK_SRDMA(
	        srdma_context_set_number(duo.client.context, SRDMA_OPT_MAX_GRANTS, 3));
	duo_start(&duo);
	duo_connect(&duo);
	CHECK_SRDMA(
	        srdma_buffer_register(duo.server.session, theirs, SIZE, &their_buffer));
	for (int i = 0; i < 3; i++)
		g[i] = grant(0, 10, BOTH, 0);
	CHECK_EQ(srdma_grant(duo.server.session, their_buffer, 0, 10, BOTH, 0, &g[3]),
	         SRDMA_ELIMIT);
	CHECK_SRDMA(srdma_grant_revoke(g[1]));
	DUO_UNTIL(&duo, duo.server.releases == 1);
	g[3] = grant(0, 10, BOTH, 0);
	CHECK(!duo.client.closed);
	duo_close(&duo);
}

/* More operations than there are slots: told to wait, and told when to go on. */
static void more_operations_than_slots(void **state)
{
	enum { COUNT = 500 };
	unsigned started = 0, blocked = 0;

	(void)state;
	start();
	grant(0, SIZE, BOTH, 1);
	while (started < COUNT) {
		int code = srdma_read(duo.client.session, our_buffer, started * 8,
		                      duo.client.remote, started * 8, 8, &started);

		if (code == SRDMA_EBLOCKED) {
			unsigned before = duo.client.writable;

			blocked++;
			DUO_UNTIL(&duo, duo.client.writable > before);
			continue;
		}
		CHECK_SRDMA(code);
		started++;
	}
	wait_done(COUNT);
	CHECK(blocked > 0);
	CHECK_BYTES(ours, theirs, COUNT * 8);
	duo_close(&duo);
}

static void end_of_session_ends_everything(void **state)
{
	(void)state;
	start();
	grant(0, SIZE, BOTH, 1);
	for (int i = 0; i < 8; i++)
		CHECK_SRDMA(srdma_write(duo.client.session, our_buffer, 0,
		                        duo.client.remote, 0, SIZE, &duo));
	srdma_session_abort(duo.client.session, "enough");
	DUO_UNTIL(&duo, duo.client.closed && duo.server.closed);
	CHECK_EQ(duo.client.completions, 8);
	CHECK_EQ(srdma_write(duo.client.session, our_buffer, 0, duo.client.remote, 0, 1,
	                     NULL),
	         SRDMA_ECLOSED);
	CHECK_SRDMA(srdma_buffer_unregister(our_buffer));
	duo_close(&duo);
}

/* Who closes answers what the other has under way. */
static void close_while_accessed(void **state)
{
	int mark;

	(void)state;
	start();
	grant(0, SIZE, BOTH, 1);
	for (int i = 0; i < 8; i++)
		CHECK_SRDMA((i & 1 ? srdma_read
		                   : srdma_write)(duo.client.session, our_buffer, 0,
		                                  duo.client.remote, 0, SIZE, &mark));
	srdma_session_close(duo.server.session);
	DUO_UNTIL(&duo, duo.client.closed && duo.server.closed);
	CHECK_EQ(duo.client.code, SRDMA_ECLOSED);
	CHECK_EQ(duo.server.code, SRDMA_ECLOSED);
	CHECK_EQ(duo.client.completions, 8);
	CHECK_EQ(duo.client.failures, 0);
	duo_close(&duo);
}

/* What was written before a message was sent is there when that is. */
static void write_comes_before_message(void **state)
{
	int code;

	(void)state;
	start();
	grant(0, SIZE, BOTH, 1);
	CHECK_SRDMA(srdma_write(duo.client.session, our_buffer, 0, duo.client.remote, 0,
	                        SIZE, NULL));
	while ((code = srdma_send(duo.client.session, "x", 1, NULL)) == SRDMA_EBLOCKED)
		duo_turn(&duo);
	CHECK_SRDMA(code);
	DUO_UNTIL(&duo, duo.server.messages == 1);
	CHECK_BYTES(theirs, ours, SIZE);
	duo_close(&duo);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(write_and_read),
		cmocka_unit_test(send_from_a_registered_buffer),
		cmocka_unit_test(outside_of_the_grant),
		cmocka_unit_test(wrong_grants),
		cmocka_unit_test(read_only_memory),
		cmocka_unit_test(revoke_in_order),
		cmocka_unit_test(revoke_now),
		cmocka_unit_test(revoke_of_a_silent_peer),
		cmocka_unit_test(limit_of_grants),
		cmocka_unit_test(more_operations_than_slots),
		cmocka_unit_test(end_of_session_ends_everything),
		cmocka_unit_test(close_while_accessed),
		cmocka_unit_test(write_comes_before_message),
	};

	return DUO_SEALED_AND_CLEAR(tests, pki_set_up, pki_tear_down);
}
