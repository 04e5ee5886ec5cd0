/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Entries for systemd's journal, by its own protocol: one datagram each, of fields with
 * names. https://systemd.io/JOURNAL_NATIVE_PROTOCOL/
 */
#ifndef PROGRAM_JOURNAL_H
#define PROGRAM_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>

#define JOURNAL_SOCKET "/run/systemd/journal/socket"

struct journal;

/*
 * To the socket at this path. -FAULT_CONFIG, with a sentence, when nobody listens there.
 * The journal may restart later: each entry finds it anew.
 */
int journal_open(const char *path, struct journal **out);
void journal_free(struct journal *journal);

/* One entry at a time: begin, its fields, send. */
struct journal_entry {
	char bytes[4096];
	size_t used;
	bool full; /* a field did not fit, and is left out */
};

/* `name` in capitals; the value may have any bytes. */
void journal_field(struct journal_entry *entry, const char *name, const char *value);

/* Any thread. False: it did not get there. */
bool journal_send(struct journal *journal, const struct journal_entry *entry);

#endif
