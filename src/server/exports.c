/* SPDX-License-Identifier: BSD-2-Clause */
#include "server/exports.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "program/fault.h"
#include "server/beneath.h"

static bool is_name_good(const char *name, size_t length)
{
	if (!length || length > APP_NAME_MAX || name[0] == '.')
		return false;
	for (size_t i = 0; i < length; i++)
		if ((unsigned char)name[i] <= ' ' || name[i] == '/' || name[i] == 0x7f)
			return false;
	return true;
}

static const struct export *find_export(const struct exports *exports, const char *name,
                                        size_t length)
{
	for (unsigned i = 0; i < exports->count; i++)
		if (strlen(exports->list[i].name) == length &&
		    memcmp(exports->list[i].name, name, length) == 0)
			return &exports->list[i];
	return NULL;
}

/* "DIR:ro": the suffix goes, and is what says read-only. */
static bool take_suffix(char *path)
{
	size_t length = strlen(path);

	if (length < 3 || strcmp(path + length - 3, ":ro") != 0)
		return false;
	path[length - 3] = '\0';
	return true;
}

static int check_access(const struct export *export)
{
	if (faccessat(export->fd, ".", R_OK | X_OK, AT_EACCESS) < 0)
		return fault_errno(errno, "cannot share the directory '%s'",
		                   export->path);
	if (!export->read_only && faccessat(export->fd, ".", W_OK, AT_EACCESS) < 0)
		return fault_errno(
		        errno,
		        "cannot write to the directory '%s' (write ':ro' behind "
		        "it to share it read-only)",
		        export->path);
	return 0;
}

int exports_check(const struct exports *exports)
{
	int error = 0;

	for (unsigned i = 0; !error && i < exports->count; i++)
		error = check_access(&exports->list[i]);
	return error;
}

static int open_export(struct export *export)
{
	export->fd = open(export->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (export->fd < 0)
		return fault_errno(errno, "cannot share the directory '%s'",
		                   export->path);
	return check_access(export);
}

static void clear(struct export *export)
{
	free(export->name);
	free(export->path);
	if (export->fd >= 0)
		close(export->fd);
}

static int fill(struct export *export, const char *text, size_t name_length)
{
	export->fd = -1;
	export->name = strndup(text, name_length);
	export->path = strdup(text + name_length + 1);
	if (!export->name || !export->path)
		return fault(FAULT_MEMORY, "out of memory");
	export->read_only = take_suffix(export->path);
	return open_export(export);
}

int exports_add(struct exports *exports, const char *text)
{
	const char *equals = strchr(text, '=');
	size_t name_length = equals ? (size_t)(equals - text) : 0;
	struct export *list, added = { 0 };
	int error;

	if (!equals || !equals[1] || !is_name_good(text, name_length))
		return fault(FAULT_USAGE,
		             "'%s' is not NAME=DIR or NAME=DIR:ro (a NAME has no slash, "
		             "no space and no dot at its start)",
		             text);
	if (find_export(exports, text, name_length))
		return fault(FAULT_USAGE, "there are two exports named '%.*s'",
		             (int)name_length, text);
	if (exports->count == EXPORTS_MAX)
		return fault(FAULT_USAGE, "more than %u exports", EXPORTS_MAX);
	list = realloc(exports->list, (exports->count + 1) * sizeof(*list));
	if (!list)
		return fault(FAULT_MEMORY, "out of memory");
	exports->list = list;
	error = fill(&added, text, name_length);
	if (error)
		clear(&added);
	else
		exports->list[exports->count++] = added;
	return error;
}

void exports_clear(struct exports *exports)
{
	for (unsigned i = 0; i < exports->count; i++)
		clear(&exports->list[i]);
	free(exports->list);
	*exports = (struct exports){ 0 };
}

/*
 * Paths of clients
 */

static int copy_path(const struct app_bytes *path, char *text)
{
	for (size_t i = 0; i < path->length; i++)
		if ((unsigned char)path->at[i] < ' ' || path->at[i] == 0x7f)
			return fault(FAULT_BAD_NAME,
			             "a path must not contain control characters");
	if (path->length > APP_PATH_MAX)
		return fault(FAULT_BAD_NAME, "a path has at most %u bytes", APP_PATH_MAX);
	if (path->length)
		memcpy(text, path->at, path->length);
	text[path->length] = '\0';
	return 0;
}

/* openat2() would refuse them too, but with less to say. */
static int check_components(const char *shown, const char *rest)
{
	while (*rest) {
		size_t length = strcspn(rest, "/");

		if (length == 2 && memcmp(rest, "..", 2) == 0)
			return fault(
			        FAULT_OUTSIDE,
			        "'%s' leaves the export: '..' is not permitted, name the "
			        "file from the export down",
			        shown);
		if (length > APP_NAME_MAX)
			return fault(FAULT_BAD_NAME,
			             "a name in '%s' is longer than %u bytes", shown,
			             APP_NAME_MAX);
		rest += length;
		rest += strspn(rest, "/");
	}
	return 0;
}

static int no_export(const struct exports *exports, const char *name, size_t length)
{
	if (!exports->count)
		return fault(FAULT_NO_EXPORT,
		             "the server shares no directory: it has to be started with "
		             "--export NAME=DIR");
	return fault(FAULT_NO_EXPORT,
	             "there is no export '%.*s': 'ls' without a path shows those that "
	             "there are",
	             (int)(length < 100 ? length : 100), name);
}

int exports_find(const struct exports *exports, const struct app_bytes *path,
                 struct export_path *out)
{
	size_t length;
	int error = copy_path(path, out->text);

	if (error)
		return error;
	if (out->text[0] == '/')
		return fault(FAULT_OUTSIDE,
		             "'%s' is not in an export: a path is EXPORT/NAME, without a "
		             "slash in front",
		             out->text);
	length = strcspn(out->text, "/");
	out->export = find_export(exports, out->text, length);
	if (!out->export)
		return no_export(exports, out->text, length);
	out->rest = out->text + length;
	out->rest += strspn(out->rest, "/");
	error = check_components(out->text, out->rest);
	if (!*out->rest)
		out->rest = ".";
	return error;
}

static int open_failed(int error, const char *shown)
{
	if (error == ELOOP || error == EXDEV)
		return fault(
		        FAULT_OUTSIDE,
		        "'%s' goes through a symbolic link, which exports do not follow",
		        shown);
	if (error == ENOENT)
		return fault(FAULT_NOT_FOUND, "there is no '%s' on the server", shown);
	if (error == ENXIO || error == ENODEV)
		return fault(FAULT_NOT_A_FILE, "'%s' is not a file", shown);
	return fault_errno(error, "cannot open '%s' on the server", shown);
}

int export_open(const struct export_path *path, int flags, int *fd)
{
	int opened = open_beneath(path->export->fd, path->rest, flags);

	if (opened < 0)
		return open_failed(-opened, path->text);
	*fd = opened;
	return 0;
}

int export_open_parent(const struct export_path *path, int *fd, const char **name)
{
	const char *slash = strrchr(path->rest, '/');
	char parent[APP_PATH_MAX + 1] = ".";
	int opened;

	if (path->export->read_only)
		return fault(
		        FAULT_READ_ONLY,
		        "the export '%s' is read-only: choose another, 'ls' shows them",
		        path->export->name);
	if (strcmp(path->rest, ".") == 0 || (slash && !slash[1]))
		return fault(FAULT_BAD_NAME, "'%s' names no file: EXPORT/NAME does",
		             path->text);
	if (slash)
		snprintf(parent, sizeof(parent), "%.*s", (int)(slash - path->rest),
		         path->rest);
	opened = open_beneath(path->export->fd, parent, O_PATH | O_DIRECTORY);
	if (opened < 0)
		return opened == -ENOENT
		               ? fault(FAULT_NOT_FOUND,
		                       "there is no directory for '%s' on the server",
		                       path->text)
		               : open_failed(-opened, path->text);
	*fd = opened;
	*name = slash ? slash + 1 : path->rest;
	return 0;
}
