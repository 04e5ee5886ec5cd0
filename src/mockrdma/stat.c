// SPDX-License-Identifier: BSD-2-Clause
/*
 * mockrdma stat: what the processes of this host counted, and the host as a whole. The
 * last row of the library's is the host's.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mockrdma/command.h"
#include "mockrdma/host.h"
#include "mockrdma/table.h"

struct options {
	bool json;
	bool watch;
	bool all; /* zeros too */
};

static bool is_name(const char *column)
{
	return strcmp(column, "pid") == 0 || strcmp(column, "program") == 0;
}

static void counters_json(const struct table *table, size_t row, struct json *json)
{
	const struct cell *cells = &table->cells[row * table->width];

	json_open(json, "counters", '{');
	for (unsigned int i = 0; i < table->width; i++)
		if (!is_name(table->columns[i]))
			json_uint(json, table->columns[i], cells[i].number);
	json_close(json, '}');
}

static int print_json(const struct table *table)
{
	int pid = table_column(table, "pid"), program = table_column(table, "program");
	struct json json = { 0 };

	json_open(&json, NULL, '{');
	json_open(&json, "processes", '[');
	for (size_t row = 0; row + 1 < table->rows; row++) {
		const struct cell *cells = &table->cells[row * table->width];

		json_open(&json, NULL, '{');
		if (pid >= 0)
			json_uint(&json, "pid", cells[pid].number);
		if (program >= 0)
			json_string(&json, "program", cells[program].text);
		counters_json(table, row, &json);
		json_close(&json, '}');
	}
	json_close(&json, ']');
	json_open(&json, "host", '{');
	if (table->rows)
		counters_json(table, table->rows - 1, &json);
	json_close(&json, '}');
	json_close(&json, '}');
	return json_print(&json);
}

/* The host's, and how much came since the last time. */
static void print_host(const struct table *table, const uint64_t *before, bool all)
{
	const struct cell *cells = &table->cells[(table->rows - 1) * table->width];

	for (unsigned int i = 0; i < table->width; i++) {
		if (is_name(table->columns[i]) || (!all && !cells[i].number))
			continue;
		printf("%-24s %20" PRIu64, table->columns[i], cells[i].number);
		if (before)
			printf(" %+16" PRId64 "/s",
			       (int64_t)(cells[i].number - before[i]));
		putchar('\n');
	}
}

static int print_text(const struct table *table, const uint64_t *before, bool all)
{
	if (!table->rows)
		puts("no process uses the mock on this host");
	else
		print_host(table, before, all);
	return fflush(stdout) ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* What was counted so far, for the next time; nothing when memory is short. */
static void remember(const struct table *table, uint64_t **before)
{
	free(*before);
	*before = table->rows ? calloc(table->width, sizeof(**before)) : NULL;
	for (unsigned int i = 0; *before && i < table->width; i++)
		(*before)[i] = table->cells[(table->rows - 1) * table->width + i].number;
}

static int show(mockrdma_inspect_function *inspect, const struct options *options,
                uint64_t **before)
{
	struct table table = { 0 };
	int err = inspect("counters", table_add, &table), status;

	if (err)
		status = host_failed(err);
	else if (options->json)
		status = print_json(&table);
	else
		status = print_text(&table, *before, options->all);
	if (!err)
		remember(&table, before);
	table_free(&table);
	return status;
}

static int watch(mockrdma_inspect_function *inspect, const struct options *options)
{
	uint64_t *before = NULL;
	int status = show(inspect, options, &before);

	while (status == EXIT_SUCCESS && options->watch) {
		sleep(1);
		if (!options->json)
			puts("");
		status = show(inspect, options, &before);
	}
	free(before);
	return status;
}

int command_stat(int argc, char **argv)
{
	mockrdma_inspect_function *inspect;
	struct options options = { 0 };

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--json") == 0)
			options.json = true;
		else if (strcmp(argv[i], "-w") == 0)
			options.watch = true;
		else if (strcmp(argv[i], "-a") == 0)
			options.all = true;
		else
			return usage_error("stat takes -a, -w and --json, not '%s'",
			                   argv[i]);
	}
	inspect = host_inspect();
	return inspect ? watch(inspect, &options) : EXIT_FAILURE;
}
