/* SPDX-License-Identifier: BSD-2-Clause */
#include "program/journal.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/platform.h"
#include "program/fault.h"

struct journal {
	int fd;
	struct sockaddr_un to;
};

static int absent(const char *path)
{
	return fault_errno(errno,
	                   "no journal at '%.80s': is systemd-journald running? "
	                   "--log-format text and json need none",
	                   path);
}

int journal_open(const char *path, struct journal **out)
{
	struct journal *journal = calloc(1, sizeof(*journal));
	int error = 0;

	if (!journal)
		return fault(FAULT_MEMORY, "out of memory");
	journal->to.sun_family = AF_UNIX;
	strncpy(journal->to.sun_path, path, sizeof(journal->to.sun_path) - 1);
	journal->fd = platform_datagram_socket(AF_UNIX);
	if (journal->fd < 0)
		error = fault_errno(errno, "cannot make a socket");
	/* Only to see that there is one; it is let go of again. */
	else if (connect(journal->fd, (const struct sockaddr *)&journal->to,
	                 sizeof(journal->to)) < 0)
		error = absent(path);
	else if (connect(journal->fd, &(const struct sockaddr){ .sa_family = AF_UNSPEC },
	                 sizeof(struct sockaddr)) < 0)
		error = fault_errno(errno, "cannot let go of %s", path);
	if (error)
		journal_free(journal);
	else
		*out = journal;
	return error;
}

void journal_free(struct journal *journal)
{
	if (!journal)
		return;
	if (journal->fd >= 0)
		close(journal->fd);
	free(journal);
}

static void put(struct journal_entry *entry, const void *bytes, size_t length)
{
	memcpy(entry->bytes + entry->used, bytes, length);
	entry->used += length;
}

/* NAME=value, or, for a value of several lines, NAME, its length in 8 bytes, value. */
void journal_field(struct journal_entry *entry, const char *name, const char *value)
{
	size_t length = strlen(value);
	size_t needs = strlen(name) + 1 + sizeof(uint64_t) + length + 1;

	if (needs > sizeof(entry->bytes) - entry->used) {
		entry->full = true;
		return;
	}
	put(entry, name, strlen(name));
	if (strchr(value, '\n')) {
		put(entry, "\n", 1);
		for (unsigned shift = 0; shift < 64; shift += 8)
			put(entry,
			    &(const char){ (char)((uint64_t)length >> shift & 0xff) }, 1);
	} else {
		put(entry, "=", 1);
	}
	put(entry, value, length);
	put(entry, "\n", 1);
}

bool journal_send(struct journal *journal, const struct journal_entry *entry)
{
	ssize_t sent;

	do {
		sent = sendto(journal->fd, entry->bytes, entry->used, MSG_NOSIGNAL,
		              (const struct sockaddr *)&journal->to, sizeof(journal->to));
	} while (sent < 0 && errno == EINTR);
	return sent == (ssize_t)entry->used;
}
