/* SPDX-License-Identifier: BSD-2-Clause */
#include "client/listing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct question {
	struct exchange exchange;
	struct listing *listing;
};

static int append(struct listing *listing, const struct app_entry *entry)
{
	struct listed *listed;

	if (listing->count == listing->room) {
		size_t room = listing->room * 2 + 64;
		struct listed *entries =
		        realloc(listing->entries, room * sizeof(*entries));

		if (!entries)
			return fault(FAULT_MEMORY, "out of memory for the list");
		listing->entries = entries;
		listing->room = room;
	}
	listed = &listing->entries[listing->count++];
	listed->kind = entry->kind;
	listed->size = entry->size;
	listed->changed = entry->changed;
	memcpy(listed->name, entry->name.at, entry->name.length);
	listed->name[entry->name.length] = '\0';
	return 0;
}

static void on_entries(struct exchange *exchange, const struct app_message *message)
{
	struct question *question = container_of(exchange, struct question, exchange);
	struct app_bytes rest = message->entries.rest;
	struct app_entry entry;
	int more = 1, error = 0;

	if (message->type != APP_ENTRIES)
		return;
	while (!error && (more = app_next_entry(&rest, &entry)) > 0)
		error = append(question->listing, &entry);
	if (more < 0)
		error = more;
	if (error) {
		exchange->result = error;
		snprintf(exchange->text, sizeof(exchange->text), "%s", fault_text());
	}
	exchange->done = error || message->entries.last;
}

static int by_name(const void *a, const void *b)
{
	const struct listed *x = a, *y = b;

	return strcmp(x->name, y->name);
}

int listing_get(struct client *client, const char *path, struct listing *out)
{
	struct question question = { .exchange.answer = on_entries, .listing = out };
	struct app_message request = { .type = APP_LIST, .path = { path, strlen(path) } };
	int error;

	*out = (struct listing){ 0 };
	error = client_ask(client, &question.exchange, &request);
	if (error)
		listing_clear(out);
	else if (out->count)
		qsort(out->entries, out->count, sizeof(*out->entries), by_name);
	return error;
}

void listing_clear(struct listing *listing)
{
	free(listing->entries);
	*listing = (struct listing){ 0 };
}

int listing_only_export(struct client *client, char *out, size_t size)
{
	struct listing listing;
	unsigned writable = 0;
	int error = listing_get(client, "", &listing);

	if (error)
		return error;
	for (size_t i = 0; i < listing.count; i++) {
		if (listing.entries[i].kind != APP_ENTRY_EXPORT)
			continue;
		snprintf(out, size, "%s", listing.entries[i].name);
		writable++;
	}
	if (!listing.count)
		error = fault(FAULT_NO_EXPORT,
		              "the server shares no directory: it has to be "
		              "started with --export NAME=DIR");
	else if (!writable)
		error = fault(FAULT_READ_ONLY, "all exports of the server are read-only");
	else if (writable > 1)
		error = fault(FAULT_USAGE,
		              "the server has %u exports that take files: say which, "
		              "EXPORT/NAME ('ls' shows them)",
		              writable);
	listing_clear(&listing);
	return error;
}
