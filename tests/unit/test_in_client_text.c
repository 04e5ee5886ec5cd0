/* SPDX-License-Identifier: BSD-2-Clause */
/* What the client makes of lines, addresses, samples, and its bar. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "client/command.h"
#include "client/files.h"
#include "client/latency.h"
#include "client/progress.h"
#include "client/words.h"
#include "lib/check.h"
#include "program/app.h"
#include "program/fault.h"

/* Words, each in brackets. */
static const char *words_of(const char *line)
{
	static char copy[256], result[256];
	char *words[WORDS_MAX + 1];
	int count;

	snprintf(copy, sizeof(copy), "%s", line);
	count = split_words(copy, words);
	if (count < 0)
		return fault_text();
	CHECK(words[count] == NULL);
	result[0] = '\0';
	for (int i = 0; i < count; i++) {
		strcat(result, "[");
		strcat(result, words[i]);
		strcat(result, "]");
	}
	return result;
}

static void test_words(void **state)
{
	(void)state;
	assert_string_equal(words_of(""), "");
	assert_string_equal(words_of("  \t "), "");
	assert_string_equal(words_of("put a  b\t"), "[put][a][b]");
	assert_string_equal(words_of("send 'two words' \"and more\""),
	                    "[send][two words][and more]");
	assert_string_equal(words_of("a'b c'd"), "[ab cd]");
	assert_string_equal(words_of("'' x"), "[][x]");
	assert_string_equal(words_of("a\\ b \"c\\\"d\" 'e\\f'"), "[a b][c\"d][e\\f]");
	assert_string_equal(words_of("a # b"), "[a]");
	assert_string_equal(words_of("a#b"), "[a#b]");
	assert_string_equal(words_of("a 'b"), "a ' is not closed");
	assert_string_equal(
	        words_of("1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 "
	                 "23 24 25 26 27 28 29 30 31 32 33"),
	        "more than 32 words");
}

static void check_server(const char *text, const char *expected_host,
                         const char *expected_port)
{
	char *host, *port;

	CHECK_EQ(split_server(text, &host, &port), 0);
	assert_string_equal(host, expected_host);
	assert_string_equal(port, expected_port);
	free(host);
	free(port);
}

static void test_servers(void **state)
{
	static const char *const bad[] = { "",     ":1",     "host:", "[::1",
		                           "[]:1", "[::1]x", "[::1]:" };
	char *host, *port;

	(void)state;
	check_server("host", "host", "4433");
	check_server("host:1", "host", "1");
	check_server("192.0.2.1:http", "192.0.2.1", "http");
	check_server("::1", "::1", "4433");
	check_server("fe80::1%eth0", "fe80::1%eth0", "4433");
	check_server("[::1]", "::1", "4433");
	check_server("[2001:db8::1]:99", "2001:db8::1", "99");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CHECK_EQ(split_server(bad[i], &host, &port), -FAULT_USAGE);
}

static void test_latency(void **state)
{
	uint64_t one[] = { 7 }, hundred[100];
	struct latency l;

	(void)state;
	latency_of(one, 1, &l);
	CHECK(l.min == 7 && l.p50 == 7 && l.p99 == 7 && l.max == 7);
	for (unsigned i = 0; i < 100; i++)
		hundred[i] = (i * 37) % 100 + 1; /* 1 … 100, shuffled */
	latency_of(hundred, 100, &l);
	CHECK_EQ(l.min, 1);
	CHECK_EQ(l.p50, 50);
	CHECK_EQ(l.p90, 90);
	CHECK_EQ(l.p99, 99);
	CHECK_EQ(l.max, 100);
	CHECK(l.mean > 50.4 && l.mean < 50.6);
}

static void test_progress(void **state)
{
	char line[160];

	(void)state;
	progress_format(line, sizeof(line), 120, "file", 512 << 10, 1 << 20, 1000000);
	assert_string_equal(line,
	                    "file                      50% [############............]  "
	                    "512.0 KiB   512.0 KiB/s  00:00:01");
	progress_format(line, sizeof(line), 120, "empty", 0, 0, 0);
	assert_non_null(strstr(line, "100% [########################]"));
	progress_format(line, sizeof(line), 120, "pipe", 1 << 20, APP_SIZE_UNKNOWN,
	                1000000);
	assert_null(strchr(line, '%'));
	assert_non_null(strstr(line, "1.0 MiB/s"));
	progress_format(line, sizeof(line), 20, "narrow", 1, 2, 1);
	CHECK_EQ(strlen(line), 20);
	/* So slow that the time left is out of all bounds. */
	progress_format(line, sizeof(line), 120, "slow", 1, UINT64_C(1) << 60, 1000000);
	assert_non_null(strstr(line, "99:59:59"));
}

static void test_base_name(void **state)
{
	(void)state;
	assert_string_equal(base_name("a/b/c"), "c");
	assert_string_equal(base_name("c"), "c");
	assert_string_equal(base_name("a/"), "");
}

static void test_commands(void **state)
{
	(void)state;
	assert_non_null(command_find("put"));
	assert_null(command_find("PUT"));
	assert_null(command_find(""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words),     cmocka_unit_test(test_servers),
		cmocka_unit_test(test_latency),   cmocka_unit_test(test_progress),
		cmocka_unit_test(test_base_name), cmocka_unit_test(test_commands),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
