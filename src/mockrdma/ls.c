// SPDX-License-Identifier: BSD-2-Clause
/* mockrdma ls: what is on this host. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mockrdma/command.h"
#include "mockrdma/host.h"
#include "mockrdma/table.h"

static const struct {
	const char *kind;  /* the library's word */
	const char *title; /* in JSON too */
} kinds[] = {
	{ "process", "processes" },
	{ "device", "devices" },
	{ "qp", "qps" },
	{ "cq", "cqs" },
	{ "mr", "mrs" },
	{ "listener", "listeners" },
};

enum { KINDS = sizeof(kinds) / sizeof(kinds[0]) };

static int show(const struct table *tables, bool as_json)
{
	struct json json = { 0 };
	bool any = false;

	if (as_json) {
		json_open(&json, NULL, '{');
		for (int i = 0; i < KINDS; i++)
			table_json(&tables[i], kinds[i].title, &json);
		json_close(&json, '}');
		return json_print(&json);
	}
	for (int i = 0; i < KINDS; i++) {
		if (any && tables[i].rows)
			puts("");
		any = any || tables[i].rows;
		table_print(&tables[i], kinds[i].title);
	}
	if (!any)
		puts("no process uses the mock on this host");
	return fflush(stdout) ? EXIT_FAILURE : EXIT_SUCCESS;
}

int command_ls(int argc, char **argv)
{
	mockrdma_inspect_function *inspect;
	struct table tables[KINDS] = { 0 };
	bool as_json = argc == 2 && strcmp(argv[1], "--json") == 0;
	int err = 0, status;

	if (argc > 1 && !as_json)
		return usage_error("ls takes --json, not '%s'",
		                   strcmp(argv[1], "--json") ? argv[1] : argv[2]);
	inspect = host_inspect();
	if (!inspect)
		return EXIT_FAILURE;
	for (int i = 0; i < KINDS && !err; i++)
		err = inspect(kinds[i].kind, table_add, &tables[i]);
	status = err ? host_failed(err) : show(tables, as_json);
	for (int i = 0; i < KINDS; i++)
		table_free(&tables[i]);
	return status;
}
