/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A client that does not keep to the protocol: the server cuts it, or tells it what is
 * wrong, never shows a part of a file, and goes on serving others.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <unistd.h>

#include <cmocka.h>

#include "lib/check.h"
#include "lib/served.h"
#include "program/fault.h"
#include "program/region.h"

static void begin_put(struct srdma_session *session, uint32_t id, uint64_t size)
{
	struct app_message put = { .type = APP_PUT, .id = id, .put.size = size };
	struct app_message ready;

	put.put.path = (struct app_bytes){ "data/new", 8 };
	say(session, &put);
	ready = hear(session);
	CHECK_EQ(ready.type, APP_READY);
	CHECK_EQ(ready.id, id);
}

/*
 * Messages
 */

static void test_noise(void **state)
{
	static const struct {
		const char *bytes;
		size_t length;
	} rows[] = {
		{ "", 0 },
		{ "\x01", 1 },
		{ "\x02\x01\0\0\0\0\0\1x", 9 },         /* version */
		{ "\x01\xff\0\0\0\0\0\1", 8 },          /* type */
		{ "\x01\x0c\0\0\0\0\0\1\xff\xff", 10 }, /* GET, length beyond its end */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct srdma_session *session = dial();

		CHECK_EQ(
		        srdma_send_wait(session, rows[i].bytes, rows[i].length, PATIENCE),
		        0);
		expect_cut(session);
	}
	check_served();
}

static void test_what_only_servers_say(void **state)
{
	static const struct app_message rows[] = {
		{ .type = APP_PONG, .id = 1 },
		{ .type = APP_ECHO, .id = 1 },
		{ .type = APP_SCRATCH_READY, .id = 1 },
		{ .type = APP_DIGEST_IS, .id = 1 },
		{ .type = APP_ENTRIES, .id = 1 },
		{ .type = APP_FOUND, .id = 1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct srdma_session *session = dial();

		say(session, &rows[i]);
		expect_cut(session);
	}
	check_served();
}

/* What belongs to a transfer that is none any more has no effect. */
static void test_late_messages(void **state)
{
	static const enum app_type types[] = { APP_READY, APP_CHUNK, APP_TAKEN,
		                               APP_END,   APP_DONE,  APP_FAIL };
	struct app_message ping = { .type = APP_PING, .id = 9, .payload = { "x", 1 } };
	struct srdma_session *session = dial();

	(void)state;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		struct app_message message = { .type = types[i], .id = 77 };

		say(session, &message);
	}
	say(session, &ping);
	CHECK_EQ(hear(session).type, APP_PONG);
	CHECK_EQ(srdma_close_wait(session, PATIENCE), 0);
	srdma_session_free(session);
}

static void test_digest_out_of_range(void **state)
{
	static const struct {
		uint64_t offset, length;
	} rows[] = { { 4096, 1 }, { 0, 4097 }, { UINT64_MAX, 1 }, { 1, UINT64_MAX } };
	struct app_message scratch = { .type = APP_SCRATCH, .id = 1 };
	struct srdma_session *session = dial();

	(void)state;
	say(session, &scratch);
	CHECK_EQ(hear(session).type, APP_SCRATCH_READY);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct app_message digest = { .type = APP_DIGEST, .id = 2 };

		digest.range.offset = rows[i].offset;
		digest.range.length = rows[i].length;
		say(session, &digest);
		expect_fail(session, 2, FAULT_RANGE);
	}
	srdma_session_free(session);
}

/* Answers that nobody takes stop the questions, not the server; then all of them come. */
static void test_answers_not_taken(void **state)
{
	enum { PINGS = 500 };
	struct app_message ping = { .type = APP_PING };
	struct srdma_session *session = dial();
	uint32_t sent = 0, heard = 0;

	(void)state;
	while (heard < PINGS) {
		uint8_t bytes[64];
		size_t length;
		int error = 0;

		while (sent < PINGS && !error) {
			ping.id = sent + 1;
			length = app_encode(&ping, bytes, sizeof(bytes));
			error = srdma_send_wait(session, bytes, length, 200);
			sent += !error;
		}
		CHECK(!error || error == SRDMA_ETIMEOUT || error == SRDMA_EBLOCKED);
		if (heard == 0)
			CHECK(sent < PINGS); /* the credits are all there is */
		while (heard < sent) {
			struct app_message pong = hear(session);

			CHECK_EQ(pong.type, APP_PONG);
			CHECK_EQ(pong.id, ++heard);
		}
	}
	CHECK_EQ(srdma_close_wait(session, PATIENCE), 0);
	srdma_session_free(session);
}

/*
 * PUT
 */

static void test_chunks_out_of_order(void **state)
{
	static const struct {
		uint64_t size, index;
		uint32_t length;
	} rows[] = {
		{ 1 << 20, 1, 10 },                   /* not the first */
		{ 1 << 20, UINT64_MAX, 10 },          /* … */
		{ 1 << 20, 0, 0 },                    /* empty */
		{ 1 << 20, 0, REGION_SLOT_SIZE + 1 }, /* beyond its slot */
		{ 10, 0, UINT32_MAX },                /* … */
		{ 0, 0, 1 },                          /* there is no slot */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct srdma_session *session = dial();

		begin_put(session, 1, rows[i].size);
		say_chunk(session, 1, rows[i].index, rows[i].length);
		expect_cut(session);
	}
	CHECK_EQ(files_shared(), 0);
	check_served();
}

static void test_end_that_lies(void **state)
{
	struct srdma_session *session = dial();
	struct app_message end = { .type = APP_END, .id = 1 };

	(void)state;
	/* The right length, and another SHA-256. */
	begin_put(session, 1, 4096);
	say_chunk(session, 1, 0, 4096);
	end.end.length = 4096;
	say(session, &end);
	CHECK_EQ(hear(session).type, APP_TAKEN);
	expect_fail(session, 1, FAULT_MISMATCH);
	/* The right SHA-256, of nothing, and another length. */
	begin_put(session, 2, 0);
	end.id = 2;
	end.end.length = 1;
	CHECK_EQ(sha256_of("", 0, end.end.sha256), 0);
	say(session, &end);
	expect_fail(session, 2, FAULT_MISMATCH);
	CHECK_EQ(files_shared(), 0);
	/* Another one goes on to work. */
	begin_put(session, 3, 0);
	end.id = 3;
	end.end.length = 0;
	say(session, &end);
	CHECK_EQ(hear(session).type, APP_DONE);
	CHECK_EQ(files_shared(), 1);
	CHECK_CALL(unlink("share/new"));
	srdma_session_free(session);
}

static void test_twice(void **state)
{
	static const enum app_type types[] = { APP_END, APP_READY, APP_TAKEN, APP_DONE };

	(void)state;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		struct srdma_session *session = dial();
		struct app_message message = { .type = types[i], .id = 1 };

		begin_put(session, 1, 4096);
		say_chunk(session, 1, 0, 4096);
		say(session, &message); /* only END may come, and once */
		try_send(session, &message);
		if (types[i] == APP_END)
			srdma_session_free(
			        session); /* or it had failed before the second */
		else
			expect_cut(session);
	}
	CHECK_EQ(files_shared(), 0);
	check_served();
}

static void test_too_many(void **state)
{
	struct app_message put = { .type = APP_PUT, .id = 1, .put.size = 4096 };
	struct srdma_session *session = dial();
	unsigned ready = 0, busy = 0;

	(void)state;
	put.put.path = (struct app_bytes){ "data/new", 8 };
	for (put.id = 1; put.id <= 10; put.id++) {
		struct app_message message;

		say(session, &put);
		message = hear(session);
		ready += message.type == APP_READY;
		busy += message.type == APP_FAIL && message.fail.fault == FAULT_BUSY;
	}
	CHECK_EQ(ready, 8);
	CHECK_EQ(busy, 2);
	/* One of them again, under the id of another. */
	put.id = 3;
	say(session, &put);
	expect_cut(session);
	CHECK_EQ(files_shared(), 0);
}

static void test_cancel(void **state)
{
	struct app_message put = { .type = APP_PUT, .id = 1, .put.size = 4096 };
	struct app_message cancel = { .type = APP_FAIL,
		                      .id = 1,
		                      .fail.fault = FAULT_CANCELLED };
	struct app_message ping = { .type = APP_PING, .id = 99 };
	struct srdma_session *session = dial();
	struct app_message message;

	(void)state;
	put.put.path = (struct app_bytes){ "data/new", 8 };
	/* Perhaps while it is being opened, perhaps after: never more than eight at once.
	 */
	for (int i = 0; i < 40; i++) {
		put.id = cancel.id = (uint32_t)i + 1;
		say(session, &put);
		say(session, &cancel);
		say(session, &ping);
		do {
			message = hear(session);
			CHECK(message.type != APP_FAIL ||
			      message.fail.fault == FAULT_BUSY);
		} while (message.type != APP_PONG);
	}
	srdma_session_free(session);
	CHECK_EQ(files_shared(), 0);
	check_served();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_noise),
		cmocka_unit_test(test_what_only_servers_say),
		cmocka_unit_test(test_late_messages),
		cmocka_unit_test(test_digest_out_of_range),
		cmocka_unit_test(test_answers_not_taken),
		cmocka_unit_test(test_chunks_out_of_order),
		cmocka_unit_test(test_end_that_lies),
		cmocka_unit_test(test_twice),
		cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_cancel),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
