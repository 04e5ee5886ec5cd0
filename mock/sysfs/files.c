// SPDX-License-Identifier: BSD-2-Clause
#include "sysfs/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

int files_directory(int at, const char *path)
{
	char part[PATH_MAX];

	for (const char *end = strchr(path, '/');; end = strchr(end + 1, '/')) {
		size_t length = end ? (size_t)(end - path) : strlen(path);

		if (length >= sizeof(part))
			return -ENAMETOOLONG;
		memcpy(part, path, length);
		part[length] = '\0';
		if (mkdirat(at, part, 0755) && errno != EEXIST)
			return -errno;
		if (!end)
			return 0;
	}
}

static int write_new(int at, const char *path, const char *text)
{
	int fd = openat(at, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0444);
	int err;

	if (fd < 0)
		return -errno;
	err = dprintf(fd, "%s\n", text) < 0 ? -EIO : 0;
	close(fd);
	return err;
}

int files_write(int at, const char *path, const char *text)
{
	static const char fresh[] = "new";
	int err = write_new(at, fresh, text);

	if (!err && renameat(at, fresh, at, path))
		err = -errno;
	if (err)
		unlinkat(at, fresh, 0);
	return err;
}

int files_link(int at, const char *path, const char *target)
{
	return symlinkat(target, at, path) && errno != EEXIST ? -errno : 0;
}

static int delete_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	remove(path);
	return 0;
}

void files_remove(const char *path)
{
	nftw(path, delete_one, 8, FTW_DEPTH | FTW_PHYS);
}

void files_remove_unlocked(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	struct stat st;

	if (fd < 0)
		return;
	if (fstat(fd, &st) == 0 && st.st_uid == geteuid() &&
	    flock(fd, LOCK_EX | LOCK_NB) == 0)
		files_remove(path);
	close(fd);
}

void files_each(const char *directory, const char *prefix, void (*each)(const char *path))
{
	DIR *dir = opendir(directory);
	const struct dirent *entry;
	char path[PATH_MAX];

	while (dir && (entry = readdir(dir))) {
		int length =
		        snprintf(path, sizeof(path), "%s/%s", directory, entry->d_name);

		if (strncmp(entry->d_name, prefix, strlen(prefix)) == 0 && length > 0 &&
		    (size_t)length < sizeof(path))
			each(path);
	}
	if (dir)
		closedir(dir);
}
