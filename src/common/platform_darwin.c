/* SPDX-License-Identifier: BSD-2-Clause */
/* Compiled by scripts/check-portable, never run yet. */
#include "common/platform.h"

#include <errno.h>
#include <fcntl.h>
#include <mach/vm_inherit.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

/* Between the call before and this one another thread may fork: there is no way without.
 */
static int keep(int fd, bool blocks)
{
	if (fd < 0)
		return fd;
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	if (!blocks)
		fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	return fd;
}

int platform_stream_socket(int family)
{
	return keep(socket(family, SOCK_STREAM, 0), false);
}

int platform_datagram_socket(int family)
{
	return keep(socket(family, SOCK_DGRAM, 0), true);
}

int platform_accept(int listener)
{
	return keep(accept(listener, NULL, NULL), false);
}

int platform_stream_pair(int ends[2])
{
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends))
		return -1;
	keep(ends[0], true);
	keep(ends[1], true);
	return 0;
}

int platform_open_nameless(int dir)
{
	(void)dir;
	errno = EOPNOTSUPP;
	return -1;
}

int platform_link(int fd, int dir, const char *name)
{
	(void)fd;
	(void)dir;
	(void)name;
	errno = EOPNOTSUPP;
	return -1;
}

int platform_open_directory(const char *path)
{
	return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

void platform_will_read_on(int fd)
{
	fcntl(fd, F_RDAHEAD, 1);
}

bool platform_same_mtime(const struct stat *a, const struct stat *b)
{
	return a->st_mtimespec.tv_sec == b->st_mtimespec.tv_sec &&
	       a->st_mtimespec.tv_nsec == b->st_mtimespec.tv_nsec;
}

void platform_keep_from_children(void *address, size_t size)
{
	minherit(address, size, VM_INHERIT_NONE);
}

/* Each Mac that runs a macOS of today has it. */
bool platform_has_aes(void)
{
	return true;
}

const char *platform_program_name(void)
{
	return getprogname();
}

const char *platform_error_text(int number, char *text, size_t size)
{
	return strerror_r(number, text, size) ? "unknown error" : text;
}
