/* SPDX-License-Identifier: BSD-2-Clause */
/* Sizes, durations, hexadecimal, JSON, faults, SHA-256. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/check.h"
#include "program/fault.h"
#include "program/json.h"
#include "program/sha256.h"
#include "program/units.h"
#include "srdma.h"

static void test_sizes(void **state)
{
	static const struct {
		const char *text;
		uint64_t bytes;
	} good[] = {
		{ "0", 0 },
		{ "4096", 4096 },
		{ "64k", 65536 },
		{ "64 KiB", 65536 },
		{ "1.5M", 3 << 19 },
		{ "2GiB", UINT64_C(2) << 30 },
		{ "3T", UINT64_C(3) << 40 },
		{ "18446744073709551614", UINT64_MAX - 1 },
	};
	static const char *const bad[] = {
		"",
		"k",
		"-1",
		"+1",
		" 1",
		"1 2",
		"1x",
		"1.5",
		"1.",
		"1.k",
		"0x10",
		"99999999999999999999",
		"18446744073709551615k",
		"1kk",
	};
	uint64_t bytes;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		CHECK_EQ(parse_size(good[i].text, &bytes), 0);
		CHECK_EQ(bytes, good[i].bytes);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		bytes = 77;
		if (parse_size(bad[i], &bytes) == 0)
			fail_msg("'%s' was taken for %llu", bad[i],
			         (unsigned long long)bytes);
		CHECK_EQ(bytes, 77);
	}
}

static void test_durations(void **state)
{
	uint64_t ms;

	(void)state;
	CHECK_EQ(parse_duration("10", &ms), 0);
	CHECK_EQ(ms, 10000);
	CHECK_EQ(parse_duration("500ms", &ms), 0);
	CHECK_EQ(ms, 500);
	CHECK_EQ(parse_duration("0.5s", &ms), 0);
	CHECK_EQ(ms, 500);
	CHECK_EQ(parse_duration("2m", &ms), 0);
	CHECK_EQ(ms, 120000);
	CHECK_EQ(parse_duration("1h", &ms), 0);
	CHECK_EQ(ms, 3600000);
	CHECK(parse_duration("1d", &ms) < 0);
	CHECK(parse_duration("soon", &ms) < 0);
}

static void test_counts(void **state)
{
	uint64_t count;

	(void)state;
	CHECK_EQ(parse_count("18446744073709551615", &count), 0);
	CHECK(count == UINT64_MAX);
	CHECK(parse_count("18446744073709551616", &count) < 0);
	CHECK(parse_count("1k", &count) < 0);
	CHECK(parse_count("", &count) < 0);
}

static void test_formats(void **state)
{
	char text[UNITS_TEXT], hex[9];

	(void)state;
	assert_string_equal(format_size(text, 0), "0 B");
	assert_string_equal(format_size(text, 1023), "1023 B");
	assert_string_equal(format_size(text, 1536), "1.5 KiB");
	assert_string_equal(format_size(text, UINT64_C(1) << 40), "1.0 TiB");
	assert_string_equal(format_size(text, (1 << 20) - 1), "1.0 MiB");
	assert_string_equal(format_size(text, UINT64_MAX), "16.0 EiB");
	assert_string_equal(format_rate(text, 3 << 20, 2000000), "1.5 MiB/s");
	assert_string_equal(format_rate(text, 5, 0), "0 B/s");
	assert_string_equal(format_duration(text, 999), "999 us");
	assert_string_equal(format_duration(text, 1500), "1.5 ms");
	assert_string_equal(format_duration(text, 2500000), "2.50 s");
	assert_string_equal(format_duration(text, 185000000), "3 min 05 s");
	assert_string_equal(format_hex(hex, "\x00\x0f\xf0\xff", 4), "000ff0ff");
}

static void test_json(void **state)
{
	struct json json = { 0 }, part = { 0 };

	(void)state;
	json_string(&part, "a", "b");
	json_uint(&part, "c", UINT64_MAX);
	json_open(&json, NULL, '{');
	json_bool(&json, "yes", true);
	json_open(&json, "list", '[');
	json_int(&json, NULL, -5);
	json_string(&json, NULL, NULL);
	json_open(&json, NULL, '{');
	json_close(&json, '}');
	json_close(&json, ']');
	json_double(&json, "half", 0.5);
	json_double(&json, "none", (double)NAN);
	json_members(&json, &part);
	json_close(&json, '}');
	assert_string_equal(
	        json_text(&json),
	        "{\"yes\":true,\"list\":[-5,null,{}],\"half\":0.5,\"none\":null,"
	        "\"a\":\"b\",\"c\":18446744073709551615}");
	json_free(&json);
	json_free(&part);
}

static void check_escape(const char *text, size_t length, const char *expected)
{
	struct json json = { 0 };

	json_bytes(&json, NULL, text, length);
	assert_string_equal(json_text(&json), expected);
	json_free(&json);
}

static void test_json_escapes(void **state)
{
	(void)state;
	check_escape("a\"b\\c", 5, "\"a\\\"b\\\\c\"");
	check_escape("\n\t\x01\x7f", 4, "\"\\u000a\\u0009\\u0001\\u007f\"");
	check_escape("a\0b", 3, "\"a\\u0000b\"");
	/* UTF-8 of each length stays … */
	check_escape("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", 9,
	             "\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\"");
	/* … what is none does not: lone, overlong, surrogate, too large, cut short. */
	check_escape("\x80", 1, "\"\\ufffd\"");
	check_escape("\xc0\xaf", 2, "\"\\ufffd\\ufffd\"");
	check_escape("\xed\xa0\x80", 3, "\"\\ufffd\\ufffd\\ufffd\"");
	check_escape("\xf4\x90\x80\x80", 4, "\"\\ufffd\\ufffd\\ufffd\\ufffd\"");
	check_escape("\xe2\x82", 2, "\"\\ufffd\\ufffd\"");
	check_escape("\xe2\x82x", 3, "\"\\ufffd\\ufffdx\"");
}

static void test_faults(void **state)
{
	(void)state;
	CHECK_EQ(fault(FAULT_BUSY, "no %s for %d", "room", 7), -FAULT_BUSY);
	assert_string_equal(fault_text(), "no room for 7");
	CHECK_EQ(fault_errno(ENOSPC, "'%s'", "x"), -FAULT_NO_SPACE);
	assert_string_equal(fault_text(), "'x': No space left on device");
	CHECK_EQ(fault_errno(EACCES, "x"), -FAULT_DENIED);
	CHECK_EQ(fault_errno(ECHILD, "x"), -FAULT_IO);
	CHECK_EQ(fault_srdma_text(SRDMA_ECERT, "the certificate …"), -FAULT_CERTIFICATE);
	assert_string_equal(fault_text(), "the certificate …");
	CHECK_EQ(fault_srdma_text(SRDMA_ENETWORK, NULL), -FAULT_NETWORK);
	assert_string_equal(fault_text(), srdma_strerror(SRDMA_ENETWORK));
	CHECK_EQ(fault_srdma_text(-999, NULL), -FAULT_INTERNAL);
	assert_string_equal(fault_name(-FAULT_NO_SPACE), "no_space");
	assert_string_equal(fault_name(FAULT_NO_SPACE), "no_space");
	assert_string_equal(fault_name(-9999), "unknown");
	CHECK_EQ(fault_from_wire(FAULT_NO_SPACE), -FAULT_NO_SPACE);
	CHECK_EQ(fault_from_wire(0), -FAULT_PROTOCOL);
	CHECK_EQ(fault_from_wire(FAULT_CERTIFICATE), -FAULT_PROTOCOL);
	CHECK_EQ(fault_from_wire(65535), -FAULT_PROTOCOL);
}

/* FIPS 180-2, appendix B.1. */
static void test_sha256(void **state)
{
	struct sha256 *sha = sha256_new();
	uint8_t whole[SHA256_BYTES], parts[SHA256_BYTES];
	char hex[SHA256_TEXT];

	(void)state;
	CHECK_EQ(sha256_of("abc", 3, whole), 0);
	assert_string_equal(
	        format_hex(hex, whole, sizeof(whole)),
	        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	CHECK(sha != NULL);
	CHECK_EQ(sha256_update(sha, "a", 1), 0);
	CHECK_EQ(sha256_update(sha, "", 0), 0);
	CHECK_EQ(sha256_update(sha, "bc", 2), 0);
	CHECK_EQ(sha256_finish(sha, parts), 0);
	CHECK_BYTES(parts, whole, sizeof(whole));
	sha256_free(sha);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sizes),  cmocka_unit_test(test_durations),
		cmocka_unit_test(test_counts), cmocka_unit_test(test_formats),
		cmocka_unit_test(test_json),   cmocka_unit_test(test_json_escapes),
		cmocka_unit_test(test_faults), cmocka_unit_test(test_sha256),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
