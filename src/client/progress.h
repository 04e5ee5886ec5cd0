/* SPDX-License-Identifier: BSD-2-Clause */
/* A bar on standard error where that is a terminal; nothing anywhere else. */
#ifndef CLIENT_PROGRESS_H
#define CLIENT_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct progress {
	const char *name;
	bool shown;
	uint64_t started_us;
	uint64_t drawn_us;
};

void progress_begin(struct progress *progress, const char *name, bool wanted);

/* `total` may be APP_SIZE_UNKNOWN. */
void progress_update(struct progress *progress, uint64_t bytes, uint64_t total);

/* Takes the line away. */
void progress_end(struct progress *progress);

/* The line itself, at most `width` columns. */
void progress_format(char *out, size_t size, unsigned width, const char *name,
                     uint64_t bytes, uint64_t total, uint64_t us);

#endif
