/* SPDX-License-Identifier: BSD-2-Clause */
/* Messages of the programs: each type there and back, and nothing malformed gets through.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/check.h"
#include "program/app.h"
#include "program/fault.h"

enum { ROOM = 8192 };

/* One of each and two of PUT, every field different from zero. */
static const struct app_message samples[] = {
	{ .type = APP_PING, .id = 1, .payload = { "ping", 4 } },
	{ .type = APP_PONG, .id = 2, .payload = { "pong!", 5 } },
	{ .type = APP_TEXT, .id = 3, .payload = { "text", 4 } },
	{ .type = APP_ECHO, .id = 4, .payload = { "echo", 4 } },
	{ .type = APP_SCRATCH, .id = 5 },
	{ .type = APP_SCRATCH_READY, .id = 6, .length = 65536 },
	{ .type = APP_DIGEST, .id = 7, .range = { 0x1122334455667788, 99 } },
	{ .type = APP_DIGEST_IS, .id = 8, .digest = { 1, 2, 3 } },
	{ .type = APP_LIST, .id = 9, .path = { "data/dir", 8 } },
	{ .type = APP_ENTRIES, .id = 10, .entries = { true, { NULL, 0 } } },
	{ .type = APP_PUT,
	  .id = 11,
	  .put = { .size = 1 << 30, .flags = APP_PUT_REPLACE, .path = { "data/x", 6 } } },
	{ .type = APP_GET, .id = 12, .path = { "data/x", 6 } },
	{ .type = APP_FOUND, .id = 13, .found = { 12345, -5 } },
	{ .type = APP_READY, .id = 14, .ready = { .slot_size = 262144, .slots = 16 } },
	{ .type = APP_CHUNK, .id = 15, .chunk = { 77, 4096 } },
	{ .type = APP_TAKEN, .id = 16, .taken = 78 },
	{ .type = APP_END, .id = 17, .end = { 123456789, { 4, 5, 6 } } },
	{ .type = APP_DONE, .id = 18, .end = { 123456789, { 7, 8, 9 } } },
	{ .type = APP_PUT,
	  .id = 12,
	  .put = { 77, APP_PUT_RESUMABLE, { "data/x", 6 }, "0123456789abcde" } },
	{ .type = APP_FEATURES, .id = 13, .features = 0x80000001 },
	{ .type = APP_RESUME, .id = 14, .ready = { 4096, 2, 1 << 20, { 1, 2, 3 } } },
	{ .type = APP_FAIL, .id = 0xffffffff, .fail = { FAULT_NO_SPACE, { "full", 4 } } },
};

#define SAMPLES (sizeof(samples) / sizeof(samples[0]))

/* That nothing was lost: what was decoded encodes to the same bytes. */
static void test_there_and_back(void **state)
{
	uint8_t first[ROOM], second[ROOM];
	struct app_message message;

	(void)state;
	CHECK_EQ(SAMPLES, APP_TYPES);
	for (size_t i = 0; i < SAMPLES; i++) {
		size_t length = app_encode(&samples[i], first, sizeof(first));

		CHECK(length >= APP_HEADER);
		CHECK_EQ(app_decode(first, length, &message), 0);
		CHECK_EQ(message.type, samples[i].type);
		CHECK_EQ(message.id, samples[i].id);
		CHECK_EQ(app_encode(&message, second, sizeof(second)), length);
		CHECK_BYTES(second, first, length);
	}
	CHECK_EQ(app_decode(first, app_encode(&samples[10], first, ROOM), &message), 0);
	CHECK_EQ(message.put.size, 1 << 30);
	CHECK_EQ(message.put.flags, APP_PUT_REPLACE);
	CHECK_EQ(message.put.path.length, 6);
	CHECK_BYTES(message.put.path.at, "data/x", 6);
}

/* The bytes are what docs/files.md says, not just what the decoder understands. */
static void test_bytes(void **state)
{
	static const uint8_t expected[] = {
		1, 15, 0, 0, 0, 0, 0, 15, 0, 0, 0, 0, 0, 0, 0, 77, 0, 0, 16, 0,
	};
	uint8_t chunk[sizeof(expected)];

	(void)state;
	CHECK_EQ(app_encode(&samples[14], chunk, sizeof(chunk)), sizeof(expected));
	CHECK_BYTES(chunk, expected, sizeof(expected));
	CHECK_EQ(app_encode(&samples[14], chunk, sizeof(chunk) - 1), 0);
}

static bool has_payload(enum app_type type)
{
	return type == APP_PING || type == APP_PONG || type == APP_TEXT ||
	       type == APP_ECHO || type == APP_ENTRIES;
}

/* Any shorter or longer message is refused, whatever the type; the buffer ends there. */
static void test_lengths(void **state)
{
	uint8_t bytes[ROOM];
	struct app_message message;

	(void)state;
	for (size_t i = 0; i < SAMPLES; i++) {
		size_t length = app_encode(&samples[i], bytes, sizeof(bytes));
		size_t least = has_payload(samples[i].type) ? APP_HEADER : length;

		if (samples[i].type == APP_ENTRIES)
			least = APP_HEADER + 1;
		for (size_t cut = 0; cut < least; cut++) {
			uint8_t *exact = malloc(cut + 1);

			memcpy(exact, bytes, cut);
			CHECK_EQ(app_decode(exact, cut, &message), -FAULT_PROTOCOL);
			free(exact);
		}
		if (has_payload(samples[i].type))
			continue;
		bytes[length] = 0;
		CHECK_EQ(app_decode(bytes, length + 1, &message), -FAULT_PROTOCOL);
	}
}

static void test_headers(void **state)
{
	uint8_t bytes[ROOM];
	size_t length = app_encode(&samples[0], bytes, sizeof(bytes));
	struct app_message message;

	(void)state;
	bytes[0] = 2;
	CHECK_EQ(app_decode(bytes, length, &message), -FAULT_PROTOCOL);
	assert_non_null(strstr(fault_text(), "version 2"));
	bytes[0] = 1;
	for (unsigned type = 0; type < 256; type++) {
		bytes[1] = (uint8_t)type;
		if (type == 0 || type >= APP_TYPES)
			CHECK_EQ(app_decode(bytes, length, &message), -FAULT_PROTOCOL);
	}
	bytes[1] = APP_PING;
	bytes[3] = 1; /* reserved */
	CHECK_EQ(app_decode(bytes, length, &message), -FAULT_PROTOCOL);
}

static void test_limits(void **state)
{
	static char long_text[APP_PATH_MAX + 2];
	struct app_message message = { .type = APP_GET };
	uint8_t bytes[ROOM];
	size_t length;

	(void)state;
	memset(long_text, 'x', sizeof(long_text));
	message.path = (struct app_bytes){ long_text, APP_PATH_MAX };
	length = app_encode(&message, bytes, sizeof(bytes));
	CHECK_EQ(app_decode(bytes, length, &message), 0);
	message.path.at = long_text;
	message.path.length = APP_PATH_MAX + 1;
	CHECK_EQ(app_encode(&message, bytes, sizeof(bytes)), 0);
	/* By hand, since the encoder refuses. */
	bytes[8] = (APP_PATH_MAX + 1) >> 8;
	bytes[9] = (APP_PATH_MAX + 1) & 0xff;
	CHECK_EQ(app_decode(bytes, length + 1, &message), -FAULT_PROTOCOL);
	/* An unknown flag of PUT. */
	length = app_encode(&samples[10], bytes, sizeof(bytes));
	bytes[APP_HEADER + 8 + 3] |= 2;
	CHECK_EQ(app_decode(bytes, length, &message), -FAULT_PROTOCOL);
}

static void test_entries(void **state)
{
	static const struct app_entry given[] = {
		{ APP_ENTRY_FILE, 5, -1, { "file", 4 } },
		{ APP_ENTRY_DIRECTORY, 0, 1700000000, { "dir", 3 } },
		{ APP_ENTRY_EXPORT_READ_ONLY, 0, 0, { "x", 1 } },
	};
	uint8_t body[256];
	struct app_bytes rest = { (char *)body, 0 };
	struct app_entry entry;
	size_t used = 0, full;

	(void)state;
	for (size_t i = 0; i < 3; i++)
		used = app_add_entry(&given[i], body, used, sizeof(body));
	rest.length = used;
	for (size_t i = 0; i < 3; i++) {
		CHECK_EQ(app_next_entry(&rest, &entry), 1);
		CHECK_EQ(entry.kind, given[i].kind);
		CHECK_EQ(entry.size, given[i].size);
		CHECK_EQ(entry.changed, given[i].changed);
		CHECK_EQ(entry.name.length, given[i].name.length);
		CHECK_BYTES(entry.name.at, given[i].name.at, entry.name.length);
	}
	CHECK_EQ(app_next_entry(&rest, &entry), 0);
	/* Full: nothing is added, not even a part. */
	full = app_add_entry(&given[0], body, used, used + 10);
	CHECK_EQ(full, 0);
	/* Cut short, without a name, of no kind. */
	rest = (struct app_bytes){ (char *)body, 10 };
	CHECK_EQ(app_next_entry(&rest, &entry), -FAULT_PROTOCOL);
	body[17] = 0;
	rest = (struct app_bytes){ (char *)body, used };
	CHECK_EQ(app_next_entry(&rest, &entry), -FAULT_PROTOCOL);
	body[17] = 4;
	body[0] = APP_ENTRY_KINDS;
	rest = (struct app_bytes){ (char *)body, used };
	CHECK_EQ(app_next_entry(&rest, &entry), -FAULT_PROTOCOL);
}

/* Whatever the bytes: an answer, nothing read beyond them (the sanitizers watch). */
static void test_noise(void **state)
{
	uint32_t seed = 1;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		size_t i = (size_t)round % SAMPLES;
		uint8_t bytes[ROOM];
		size_t length = app_encode(&samples[i], bytes, sizeof(bytes));
		struct app_message message;
		uint8_t *exact;

		for (int flips = 0; flips < 3; flips++) {
			seed = seed * 1664525 + 1013904223;
			bytes[2 + (seed >> 8) % (length - 2)] ^= (uint8_t)(seed >> 24);
		}
		length -= (seed >> 4) % 4 ? 0 : (seed >> 6) % length;
		exact = malloc(length + 1);
		memcpy(exact, bytes, length);
		if (app_decode(exact, length, &message) == 0)
			CHECK(app_encode(&message, bytes, sizeof(bytes)) == length);
		free(exact);
	}
}

static void test_names(void **state)
{
	(void)state;
	for (unsigned type = 1; type < APP_TYPES; type++)
		assert_string_not_equal(app_type_name(type), "unknown");
	assert_string_equal(app_type_name(0), "unknown");
	assert_string_equal(app_type_name(APP_TYPES), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_there_and_back), cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_lengths),        cmocka_unit_test(test_headers),
		cmocka_unit_test(test_limits),         cmocka_unit_test(test_entries),
		cmocka_unit_test(test_noise),          cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
