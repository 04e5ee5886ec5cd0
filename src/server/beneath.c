/* SPDX-License-Identifier: BSD-2-Clause */
#include "server/beneath.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ALWAYS   (O_CLOEXEC | O_NOCTTY | O_NONBLOCK)
#define ATTEMPTS 8 /* the kernel gives up when a rename crosses the walk */

static int open_in_kernel(int dirfd, const char *path, int flags)
{
	/* O_PATH permits few flags beside it. */
	struct open_how how = {
		.flags = (unsigned)flags | (flags & O_PATH ? O_CLOEXEC : ALWAYS),
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};
	long fd = -1;

	for (int i = 0; i < ATTEMPTS; i++) {
		fd = syscall(SYS_openat2, dirfd, path, &how, sizeof(how));
		if (fd >= 0 || (errno != EAGAIN && errno != EINTR))
			break;
	}
	return fd < 0 ? -errno : (int)fd;
}

/*
 * With O_PATH a symbolic link is opened itself, instead of failing; O_DIRECTORY and a
 * real open refuse it.
 */
static int step(int dirfd, const char *name, int flags)
{
	struct stat st;
	int fd = openat(dirfd, name, flags | O_NOFOLLOW | O_CLOEXEC);

	if (fd >= 0 || errno != ENOTDIR)
		return fd < 0 ? -errno : fd;
	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(st.st_mode))
		return -ELOOP;
	return -ENOTDIR;
}

static int flags_of_step(const char *behind, bool last, int flags)
{
	if (!last)
		return O_PATH | O_DIRECTORY;
	if (flags & O_PATH)
		return flags | O_DIRECTORY;
	return flags | ALWAYS | (*behind == '/' ? O_DIRECTORY : 0);
}

static int step_along(int dirfd, const char *part, size_t length, int flags)
{
	char name[NAME_MAX + 1];

	if (!length || length > NAME_MAX)
		return length ? -ENAMETOOLONG : -ENOENT;
	if (length == 2 && memcmp(part, "..", 2) == 0)
		return -EXDEV;
	memcpy(name, part, length);
	name[length] = '\0';
	return step(dirfd, name, flags);
}

int open_beneath_stepwise(int dirfd, const char *path, int flags)
{
	int at = dirfd;

	for (;;) {
		size_t length = strcspn(path, "/");
		const char *behind = path + length;
		const char *rest = behind + strspn(behind, "/");
		bool last = !*rest;
		int next =
		        step_along(at, path, length, flags_of_step(behind, last, flags));

		if (at != dirfd)
			close(at);
		if (next < 0 || last)
			return next;
		at = next;
		path = rest;
	}
}

int open_beneath(int dirfd, const char *path, int flags)
{
	int fd = open_in_kernel(dirfd, path, flags);

	/* What kernels without it, and filters that do not know it, say. */
	if (fd == -ENOSYS || fd == -EPERM)
		return open_beneath_stepwise(dirfd, path, flags);
	return fd;
}
