/* SPDX-License-Identifier: BSD-2-Clause */
#include "program/newfile.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "common/platform.h"
#include "program/app.h"
#include "program/fault.h"
#include "program/units.h"

#define ATTEMPTS 16

struct newfile {
	int dir;
	int fd;
	bool replace;
	char *name;
	char *shown;
	char temporary[APP_NAME_MAX + 1]; /* empty: the file has no name */
};

/* The name is cut short, not the random part, to stay within NAME_MAX. */
static int draw_name(struct newfile *file)
{
	unsigned char random[4];
	char hex[2 * sizeof(random) + 1];

	if (RAND_bytes(random, sizeof(random)) != 1)
		return fault(FAULT_INTERNAL, "the random generator failed");
	snprintf(file->temporary, sizeof(file->temporary), ".%.200s.%s.part", file->name,
	         format_hex(hex, random, sizeof(random)));
	return 0;
}

static int open_named(struct newfile *file)
{
	for (int i = 0; i < ATTEMPTS; i++) {
		int error = draw_name(file);

		if (error)
			return error;
		file->fd = openat(file->dir, file->temporary,
		                  O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		                  0666);
		if (file->fd >= 0)
			return 0;
		if (errno != EEXIST)
			break;
	}
	file->temporary[0] = '\0';
	return fault_errno(errno, "cannot create '%s'", file->shown);
}

static int open_file(struct newfile *file)
{
	file->fd = platform_open_nameless(file->dir);
	if (file->fd >= 0)
		return 0;
	if (errno == EOPNOTSUPP)
		return open_named(file);
	return fault_errno(errno, "cannot create '%s'", file->shown);
}

static int exists(const struct newfile *file)
{
	return fault(FAULT_EXISTS,
	             "'%s' exists: choose another name, or --force to replace it",
	             file->shown);
}

static int check_target(const struct newfile *file)
{
	struct stat st;

	if (fstatat(file->dir, file->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : fault_errno(errno, "'%s'", file->shown);
	if (S_ISDIR(st.st_mode))
		return fault(FAULT_NOT_A_FILE, "'%s' is a directory: name a file in it",
		             file->shown);
	return file->replace ? 0 : exists(file);
}

/* A disk that is sure to be too small is better said before the transfer than after. */
static int check_space(const struct newfile *file, uint64_t size)
{
	char has[UNITS_TEXT], needs[UNITS_TEXT];
	struct statvfs disk;
	uint64_t room;

	if (size == APP_SIZE_UNKNOWN || fstatvfs(file->dir, &disk) < 0)
		return 0;
	room = (uint64_t)disk.f_bavail * disk.f_frsize;
	if (!disk.f_blocks || size <= room)
		return 0;
	return fault(
	        FAULT_NO_SPACE,
	        "no space for '%s': it has %s, the disk has %s left: make room there",
	        file->shown, format_size(needs, size), format_size(has, room));
}

static int prepare(struct newfile *file, const char *name, const char *shown,
                   uint64_t size)
{
	int error;

	file->name = strdup(name);
	file->shown = strdup(shown);
	if (!file->name || !file->shown)
		return fault(FAULT_MEMORY, "out of memory");
	error = check_target(file);
	return error ? error : check_space(file, size);
}

static int create(int dirfd, const char *name, const char *shown, bool replace,
                  uint64_t size, int (*open_it)(struct newfile *), struct newfile **out)
{
	struct newfile *file = calloc(1, sizeof(*file));
	int error;

	if (!file) {
		close(dirfd);
		return fault(FAULT_MEMORY, "out of memory");
	}
	file->dir = dirfd;
	file->fd = -1;
	file->replace = replace;
	error = prepare(file, name, shown, size);
	if (!error)
		error = open_it(file);
	if (error)
		newfile_free(file);
	else
		*out = file;
	return error;
}

int newfile_create(int dirfd, const char *name, const char *shown, bool replace,
                   uint64_t size, struct newfile **out)
{
	return create(dirfd, name, shown, replace, size, open_file, out);
}

int newfile_create_named(int dirfd, const char *name, const char *shown, bool replace,
                         uint64_t size, struct newfile **out)
{
	return create(dirfd, name, shown, replace, size, open_named, out);
}

bool newfile_is_in(const struct newfile *file, int dirfd)
{
	struct stat own, other;

	return fstat(file->dir, &own) == 0 && fstat(dirfd, &other) == 0 &&
	       own.st_dev == other.st_dev && own.st_ino == other.st_ino;
}

static int write_failed(const struct newfile *file)
{
	if (errno == ENOSPC || errno == EDQUOT)
		return fault(FAULT_NO_SPACE,
		             "the disk is full, '%s' was not stored: make room there and "
		             "try again",
		             file->shown);
	if (errno == EFBIG)
		return fault(FAULT_TOO_LARGE,
		             "'%s' is larger than a file may be there (file system or "
		             "ulimit -f)",
		             file->shown);
	return fault_errno(errno, "cannot write '%s'", file->shown);
}

int newfile_append(struct newfile *file, const void *data, size_t length)
{
	const char *at = data;

	while (length > 0) {
		ssize_t written = write(file->fd, at, length);

		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return write_failed(file);
		at += written;
		length -= (size_t)written;
	}
	return 0;
}

/* A nameless file cannot replace another: it takes a name beside it first. */
static int name_temporarily(struct newfile *file)
{
	for (int i = 0; i < ATTEMPTS; i++) {
		int error = draw_name(file);

		if (error)
			return error;
		if (platform_link(file->fd, file->dir, file->temporary) == 0)
			return 0;
		if (errno != EEXIST)
			break;
	}
	file->temporary[0] = '\0';
	return fault_errno(errno, "cannot name '%s'", file->shown);
}

static int place_over(struct newfile *file)
{
	int error = file->temporary[0] ? 0 : name_temporarily(file);

	if (error)
		return error;
	if (renameat(file->dir, file->temporary, file->dir, file->name) < 0)
		return errno == EISDIR
		               ? check_target(file)
		               : fault_errno(errno, "cannot name '%s'", file->shown);
	file->temporary[0] = '\0';
	return 0;
}

static int place_new(struct newfile *file)
{
	int failed;

	if (file->temporary[0])
		failed = linkat(file->dir, file->temporary, file->dir, file->name, 0);
	else
		failed = platform_link(file->fd, file->dir, file->name);
	if (failed)
		return errno == EEXIST
		               ? exists(file)
		               : fault_errno(errno, "cannot name '%s'", file->shown);
	return 0;
}

static int sync_fd(const struct newfile *file, int fd)
{
	if (fsync(fd) == 0 || errno == EINVAL || errno == EROFS)
		return 0;
	if (errno == ENOSPC || errno == EDQUOT)
		return write_failed(file);
	return fault_errno(errno, "cannot write '%s' to the disk", file->shown);
}

/* The handle on the directory may be one that only names it (O_PATH). */
static int sync_directory(const struct newfile *file)
{
	int fd = openat(file->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int error;

	if (fd < 0)
		return errno == EACCES ? 0 : fault_errno(errno, "'%s'", file->shown);
	error = sync_fd(file, fd);
	close(fd);
	return error;
}

int newfile_publish(struct newfile *file, bool sync)
{
	int error = sync ? sync_fd(file, file->fd) : 0;

	if (!error)
		error = file->replace ? place_over(file) : place_new(file);
	if (error)
		return error;
	if (file->temporary[0] && unlinkat(file->dir, file->temporary, 0) == 0)
		file->temporary[0] = '\0';
	return sync ? sync_directory(file) : 0;
}

void newfile_free(struct newfile *file)
{
	if (!file)
		return;
	if (file->temporary[0])
		unlinkat(file->dir, file->temporary, 0);
	if (file->fd >= 0)
		close(file->fd);
	close(file->dir);
	free(file->name);
	free(file->shown);
	free(file);
}
