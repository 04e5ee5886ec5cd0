/* SPDX-License-Identifier: BSD-2-Clause */
/* What one client may do: what the policy's rules that name it give it, in sum. */
#ifndef SERVER_ACCESS_H
#define SERVER_ACCESS_H

#include <stdbool.h>
#include <stdint.h>

#include "server/exports.h"
#include "server/limits.h"

enum access_right {
	ACCESS_PING = 1,
	ACCESS_SEND = 2,
	ACCESS_SCRATCH_READ = 4,
	ACCESS_SCRATCH_WRITE = 8,
	ACCESS_ALL = 15,
};

/* On one export. */
enum access_export_right {
	ACCESS_LS = 1,
	ACCESS_GET = 2,
	ACCESS_PUT = 4,     /* new files */
	ACCESS_REPLACE = 8, /* in place of existing ones */
	ACCESS_EXPORT_ALL = 15,
};

struct access {
	unsigned rights;
	struct limits limits; /* what rules say of them */
	uint8_t exports[];    /* by the export's number */
};

/* Without any right, for that many exports; for free(). NULL: out of memory. */
struct access *access_new(const struct exports *exports);
struct access *access_new_all(const struct exports *exports);

bool access_has(const struct access *access, const struct exports *exports,
                const struct export *export, unsigned rights);

#endif
