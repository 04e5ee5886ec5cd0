/* SPDX-License-Identifier: BSD-2-Clause */
/* The programs' own messages: whatever decodes encodes to the same bytes again. */
#include <stdlib.h>
#include <string.h>

#include "program/app.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The entries of a list are looked at one by one, by whoever shows them. */
static void walk(struct app_bytes entries)
{
	struct app_entry entry;

	while (app_next_entry(&entries, &entry) > 0)
		;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct app_message message, again;
	uint8_t *room = malloc(size + 1);
	size_t length;

	if (room && !app_decode(data, size, &message)) {
		if (message.type == APP_ENTRIES)
			walk(message.entries.rest);
		length = app_encode(&message, room, size + 1);
		if (length != size || memcmp(room, data, size) ||
		    app_decode(room, length, &again))
			abort();
	}
	free(room);
	return 0;
}
