/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The directories that the server shares, each under a name. A path of a client is
 * EXPORT/NAME/…, and is resolved so that it cannot lead out of the export: no "..", no
 * symbolic link, and no race around either. Read-only once the server runs: any thread.
 */
#ifndef SERVER_EXPORTS_H
#define SERVER_EXPORTS_H

#include <stdbool.h>
#include <stddef.h>

#include "program/app.h"

#define EXPORTS_MAX 256

struct export
{
	char *name;
	char *path;
	int fd; /* of the directory */
	bool read_only;
};

struct exports {
	struct export *list;
	unsigned count;
};

/* A path of a client in two parts; both may be empty. */
struct export_path {
	const struct export *export;
	char text[APP_PATH_MAX + 1]; /* as given, for people */
	const char *rest;            /* in `text`, behind the export; "." for itself */
};

/*
 * "NAME=DIR" or "NAME=DIR:ro". Opens the directory. 0 or a fault whose sentence says what
 * is wrong with it.
 */
int exports_add(struct exports *exports, const char *text);
/* Whether this process, as it is now, can use them. */
int exports_check(const struct exports *exports);
void exports_clear(struct exports *exports);

/*
 * Takes a client's path apart. FAULT_NO_EXPORT, FAULT_OUTSIDE, FAULT_BAD_NAME. What is
 * there on the disk is not looked at.
 */
int exports_find(const struct exports *exports, const struct app_bytes *path,
                 struct export_path *out);

/* Opens what the path names, `flags` as for open(2). *fd, or a fault. May block. */
int export_open(const struct export_path *path, int flags, int *fd);

/*
 * Opens the directory that holds what the path names, which need not exist. `name` points
 * into `path`. FAULT_READ_ONLY for such an export. May block.
 */
int export_open_parent(const struct export_path *path, int *fd, const char **name);

#endif
