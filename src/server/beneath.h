/* SPDX-License-Identifier: BSD-2-Clause */
/* Opening files below a directory, and nowhere else. */
#ifndef SERVER_BENEATH_H
#define SERVER_BENEATH_H

/*
 * Opens `path` (relative) under `dirfd`: never outside of it, and through no symbolic
 * link, whatever others do to the tree meanwhile. Flags as for open(2), without O_CREAT;
 * a device or a FIFO does not block. A descriptor, or a negative errno: -ELOOP for a
 * symbolic link, -EXDEV for a path that leaves.
 */
int open_beneath(int dirfd, const char *path, int flags);

/* The same by one openat(2) for each part of the path, for kernels before 5.6. */
int open_beneath_stepwise(int dirfd, const char *path, int flags);

#endif
