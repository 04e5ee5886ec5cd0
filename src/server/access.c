/* SPDX-License-Identifier: BSD-2-Clause */
#include "server/access.h"

#include <stdlib.h>
#include <string.h>

struct access *access_new(const struct exports *exports)
{
	return calloc(1, sizeof(struct access) + exports->count);
}

struct access *access_new_all(const struct exports *exports)
{
	struct access *access = access_new(exports);

	if (!access)
		return NULL;
	access->rights = ACCESS_ALL;
	memset(access->exports, ACCESS_EXPORT_ALL, exports->count);
	return access;
}

bool access_has(const struct access *access, const struct exports *exports,
                const struct export *export, unsigned rights)
{
	return (access->exports[export - exports->list] & rights) == rights;
}
