/* SPDX-License-Identifier: BSD-2-Clause */
/* Entries of a directory of the server, or its exports. */
#ifndef CLIENT_LISTING_H
#define CLIENT_LISTING_H

#include "client/client.h"

struct listed {
	enum app_entry_kind kind;
	uint64_t size;
	int64_t changed;
	char name[APP_NAME_MAX + 1];
};

struct listing {
	struct listed *entries;
	size_t count;
	size_t room;
};

/* All of it, sorted by name. `path` "": the exports. */
int listing_get(struct client *client, const char *path, struct listing *out);
void listing_clear(struct listing *listing);

/* The name of the one export that takes files, if there is one. */
int listing_only_export(struct client *client, char *out, size_t size);

#endif
