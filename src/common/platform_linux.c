/* SPDX-License-Identifier: BSD-2-Clause */
#include "common/platform.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#if defined(__aarch64__)
#include <sys/auxv.h>
#endif

int platform_stream_socket(int family)
{
	return socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

int platform_datagram_socket(int family)
{
	return socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
}

int platform_accept(int listener)
{
	return accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
}

int platform_stream_pair(int ends[2])
{
	return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends);
}

int platform_open_nameless(int dir)
{
	int fd = openat(dir, ".", O_WRONLY | O_TMPFILE | O_CLOEXEC, 0666);

	/* What kernels and file systems without O_TMPFILE say. */
	if (fd < 0 && (errno == EISDIR || errno == EINVAL || errno == ENOENT))
		errno = EOPNOTSUPP;
	return fd;
}

/* Without a privilege only /proc gives a nameless file a name. */
int platform_link(int fd, int dir, const char *name)
{
	char proc[40];

	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
	if (linkat(AT_FDCWD, proc, dir, name, AT_SYMLINK_FOLLOW) == 0)
		return 0;
	if (errno != ENOENT)
		return -1;
	return linkat(fd, "", dir, name, AT_EMPTY_PATH);
}

int platform_open_directory(const char *path)
{
	return open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

void platform_will_read_on(int fd)
{
	posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
}

bool platform_same_mtime(const struct stat *a, const struct stat *b)
{
	return a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	       a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

void platform_keep_from_children(void *address, size_t size)
{
	madvise(address, size, MADV_DONTFORK);
}

bool platform_has_aes(void)
{
#if defined(__x86_64__) || defined(__i386__)
	return __builtin_cpu_supports("aes") && __builtin_cpu_supports("pclmul");
#elif defined(__aarch64__)
	return getauxval(AT_HWCAP) & (1ul << 3); /* HWCAP_AES */
#else
	return false;
#endif
}

const char *platform_program_name(void)
{
	return program_invocation_short_name;
}

const char *platform_error_text(int number, char *text, size_t size)
{
	return strerror_r(number, text, size);
}
