/* SPDX-License-Identifier: BSD-2-Clause */
/* ls: the exports of the server, or what is in a directory of one. */
#include <string.h>
#include <time.h>

#include "client/command.h"
#include "client/listing.h"
#include "client/printable.h"
#include "program/units.h"

static const char *const kinds[APP_ENTRY_KINDS] = {
	[APP_ENTRY_FILE] = "file",
	[APP_ENTRY_DIRECTORY] = "directory",
	[APP_ENTRY_OTHER] = "other",
	[APP_ENTRY_EXPORT] = "export",
	[APP_ENTRY_EXPORT_READ_ONLY] = "export, read-only",
};

static bool is_export(const struct listed *entry)
{
	return entry->kind == APP_ENTRY_EXPORT ||
	       entry->kind == APP_ENTRY_EXPORT_READ_ONLY;
}

static void print_entry(const struct listed *entry)
{
	char size[UNITS_TEXT] = "-", when[32] = "";
	time_t changed = (time_t)entry->changed;
	struct tm local;

	if (entry->kind == APP_ENTRY_FILE)
		format_size(size, entry->size);
	if (!is_export(entry) && localtime_r(&changed, &local))
		strftime(when, sizeof(when), "%Y-%m-%d %H:%M", &local);
	if (is_export(entry))
		printf("%-18s ", kinds[entry->kind]);
	else
		printf("%-10s %10s  %16s  ", kinds[entry->kind], size, when);
	print_printable(stdout, entry->name, strlen(entry->name));
	puts(entry->kind == APP_ENTRY_DIRECTORY ? "/" : "");
}

static void add_json(struct json *json, const struct listed *entry)
{
	json_open(json, NULL, '{');
	json_string(json, "name", entry->name);
	json_string(json, "kind", is_export(entry) ? "export" : kinds[entry->kind]);
	if (is_export(entry)) {
		json_bool(json, "read_only", entry->kind == APP_ENTRY_EXPORT_READ_ONLY);
	} else {
		json_uint(json, "size", entry->size);
		json_int(json, "changed", entry->changed);
	}
	json_close(json, '}');
}

static int run(struct call *call)
{
	struct json *json = &call->report->json;
	struct listing listing;
	int error =
	        listing_get(call->client, call->count ? call->words[0] : "", &listing);

	if (error)
		return error;
	json_open(json, "entries", '[');
	for (size_t i = 0; i < listing.count; i++) {
		add_json(json, &listing.entries[i]);
		if (!call->report->as_json)
			print_entry(&listing.entries[i]);
	}
	json_close(json, ']');
	listing_clear(&listing);
	return 0;
}

const struct command ls_command = {
	.name = "ls",
	.arguments = "[EXPORT[/DIR]]",
	.help = "list the server's exports, or a directory in one",
	.most = 1,
	.repeats = true,
	.run = run,
};
