/* SPDX-License-Identifier: BSD-2-Clause */
/* Command lines against a table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/check.h"
#include "program/cli.h"
#include "program/fault.h"
#include "srdma.h"

struct target {
	bool flag;
	char *text;
	uint64_t count, size, time;
	unsigned connect;
	unsigned protection;
	enum srdma_log_level level;
};

static const struct option_spec specs[] = {
	{ "flag", 'f', NULL, "a flag", option_flag, OPTION_AT(struct target, flag) },
	{ "text", 't', "TEXT", "a text", option_text, OPTION_AT(struct target, text) },
	{ "count", 'n', "N", "a number", option_count, OPTION_AT(struct target, count), 1,
	  9 },
	{ "size", 0, "SIZE", "a size", option_size, OPTION_AT(struct target, size), 1,
	  1 << 20 },
	{ "time", 0, "TIME", "a time", option_duration, OPTION_AT(struct target, time), 0,
	  10000 },
	{ "connect", 0, "HOW", "how", option_connect, OPTION_AT(struct target, connect) },
	{ "protection", 0, "HOW", "how", option_protection,
	  OPTION_AT(struct target, protection) },
	{ "level", 0, "LEVEL", "level", option_log_level, OPTION_AT(struct target, level),
	  .command_line_only = true },
	OPTIONS_END,
};

enum { WORDS = 16 };

/* The words that are left, joined by spaces, or what is wrong. */
static const char *take(struct target *target, int most_words, const char *line)
{
	static char copy[256], result[512];
	struct cli cli = { .tables = { { specs, target } }, .most_words = most_words };
	char *argv[WORDS + 1] = { (char *)"program" };
	int argc = 1, words = 0;

	snprintf(copy, sizeof(copy), "%s", line);
	for (char *word = strtok(copy, " "); word; word = strtok(NULL, " "))
		argv[argc++] = word;
	if (cli_take(&cli, argc, argv, &words))
		return fault_text();
	result[0] = '\0';
	for (int i = 0; i < words; i++)
		snprintf(result + strlen(result), sizeof(result) - strlen(result), "%s%s",
		         i ? " " : "", argv[i + 1]);
	return result;
}

static void test_forms(void **state)
{
	struct target t = { 0 };

	(void)state;
	assert_string_equal(
	        take(&t, 0, "a --text=x -n5 b --flag c --size 2k --time 1.5s"), "a b c");
	assert_string_equal(t.text, "x");
	CHECK_EQ(t.count, 5);
	CHECK(t.flag);
	CHECK_EQ(t.size, 2048);
	CHECK_EQ(t.time, 1500);
	assert_string_equal(take(&t, 0, "-n 7 -t yy -f - -- --text z"), "- --text z");
	CHECK_EQ(t.count, 7);
	assert_string_equal(t.text, "yy");
	assert_string_equal(take(&t, 0, "--connect cm --level debug"), "");
	CHECK_EQ(t.connect, SRDMA_CONNECT_CM);
	CHECK_EQ(t.level, SRDMA_LOG_DEBUG);
	assert_string_equal(take(&t, 0, "--connect any"), "");
	CHECK_EQ(t.connect, SRDMA_CONNECT_CM | SRDMA_CONNECT_DIRECT);
	assert_string_equal(take(&t, 0, "--protection sealed"), "");
	CHECK_EQ(t.protection, SRDMA_PROTECTION_SEALED);
	assert_string_equal(take(&t, 0, "--protection none,aes-256-gcm"), "");
	CHECK_EQ(t.protection, SRDMA_PROTECTION_NONE | SRDMA_PROTECTION_AES_256_GCM);
	assert_string_equal(take(&t, 0, "--text= "), "");
	assert_string_equal(t.text, "");
	cli_clear(specs, &t);
	assert_null(t.text);
}

/* Behind so many words everything is a word: options of a command that is to come. */
static void test_most_words(void **state)
{
	struct target t = { 0 };

	(void)state;
	assert_string_equal(take(&t, 2, "-n1 host -n2 command -n3 --nothing"),
	                    "host command -n3 --nothing");
	CHECK_EQ(t.count, 2);
}

static void test_mistakes(void **state)
{
	static const struct {
		const char *line, *sentence;
	} rows[] = {
		{ "--nothing", "there is no option --nothing" },
		{ "--fla", "there is no option --fla" },
		{ "-x", "there is no option -x" },
		{ "--text", "--text needs a value: --text TEXT" },
		{ "-t", "--text needs a value: --text TEXT" },
		{ "--flag=yes", "--flag takes no value" },
		{ "-fx", "--flag takes no value" },
		{ "-n 0", "--count: '0' is not a number from 1 to 9" },
		{ "-n 10", "--count: '10' is not a number from 1 to 9" },
		{ "-n five", "--count: 'five' is not a number from 1 to 9" },
		{ "--connect wires", "--connect: 'wires' is none of direct, cm, any" },
		{ "--protection none,",
		  "--protection: '' is none of sealed, aes-256-gcm, chacha20-poly1305, "
		  "none" },
		{ "--level loud", "--level: 'loud' is none of error, warn, info, debug" },
	};
	struct target t = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_string_equal(take(&t, 0, rows[i].line), rows[i].sentence);
	assert_non_null(strstr(take(&t, 0, "--size 2M"),
	                       "'2M' is not a size from 1 B to 1.0 MiB"));
	assert_non_null(strstr(take(&t, 0, "--time 11"),
	                       "'11' is not a time from 0 us to 10.00 s"));
	CHECK_EQ(t.count, 0);
}

static void test_by_name(void **state)
{
	struct target t = { 0 };

	(void)state;
	CHECK_EQ(cli_set(specs, &t, "text", "x = y"), 0);
	assert_string_equal(t.text, "x = y");
	CHECK_EQ(cli_set(specs, &t, "flag", "no"), 0);
	CHECK(!t.flag);
	CHECK_EQ(cli_set(specs, &t, "flag", "yes"), 0);
	CHECK(t.flag);
	CHECK_EQ(cli_set(specs, &t, "flag", "maybe"), -FAULT_USAGE);
	assert_string_equal(fault_text(), "flag: 'maybe' is neither yes nor no");
	CHECK_EQ(cli_set(specs, &t, "level", "debug"), -FAULT_USAGE);
	assert_string_equal(fault_text(), "there is no setting 'level'");
	CHECK_EQ(cli_set(specs, &t, "count", "x"), -FAULT_USAGE);
	assert_string_equal(fault_text(), "count: 'x' is not a number from 1 to 9");
	cli_clear(specs, &t);
}

static void test_help(void **state)
{
	static const struct option_spec long_ones[] = {
		{ "a-very-long-option-name", 'x', "ARGUMENT",
		  "a help that is much longer than what is left of a line behind the "
		  "name of "
		  "the option, so that it has to be broken",
		  option_flag, OPTION_AT(struct target, flag) },
		OPTIONS_END,
	};
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	(void)state;
	cli_help(out, specs, 0);
	cli_help(out, long_ones, 4);
	fclose(out);
	assert_non_null(strstr(text, "  -f, --flag                a flag\n"));
	assert_non_null(strstr(text, "      --size SIZE           a size\n"));
	assert_non_null(strstr(text, "      -x, --a-very-long-option-name ARGUMENT\n"));
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
		CHECK(strlen(line) <= 80);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forms),    cmocka_unit_test(test_most_words),
		cmocka_unit_test(test_mistakes), cmocka_unit_test(test_by_name),
		cmocka_unit_test(test_help),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
