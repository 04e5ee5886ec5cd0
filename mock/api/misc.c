/* SPDX-License-Identifier: BSD-2-Clause */
/* ibv_fork_init(3) and what programs read of sysfs. */
#include <fcntl.h>
#include <infiniband/verbs.h>
#include <stdio.h>
#include <unistd.h>
#include "api/api.h"
#include "api/private_verbs.h"

/* A child of fork has its own copy of all memory, and the mock pins none: nothing to
 * arrange. */
MOCK_API int ibv_fork_init(void)
{
	return 0;
}

/* For rdma-core's own libraries; no installed header declares them. */
MOCK_API int ibv_dontfork_range(void *base, size_t size)
{
	(void)base;
	(void)size;
	return 0;
}

MOCK_API int ibv_dofork_range(void *base, size_t size)
{
	(void)base;
	(void)size;
	return 0;
}

MOCK_API enum ibv_fork_status ibv_is_fork_initialized(void)
{
	return IBV_FORK_UNNEEDED;
}

MOCK_API const char *ibv_get_sysfs_path(void)
{
	return "/sys";
}

/* The first line of a file below dir, without its end of line; -1 when there is none. */
MOCK_API int ibv_read_sysfs_file(const char *dir, const char *file, char *buf,
                                 size_t size)
{
	char path[512];
	ssize_t got;
	int fd;

	if (!dir || !file || (!buf && size))
		return errno_result(-EINVAL);
	if (snprintf(path, sizeof(path), "%s/%s", dir, file) >= (int)sizeof(path))
		return -1;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	got = read(fd, buf, size);
	close(fd);
	if (got > 0 && buf[got - 1] == '\n')
		buf[--got] = '\0';
	else if (got >= 0 && (size_t)got < size)
		buf[got] = '\0';
	return got;
}
