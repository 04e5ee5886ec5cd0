/* SPDX-License-Identifier: BSD-2-Clause */
/* What POSIX.1-2008 lacks or leaves open, and each system has in a way of its own.
 * Failures are -1 and errno. */
#ifndef COMMON_PLATFORM_H
#define COMMON_PLATFORM_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

/* Sockets that children that are executed do not get, and (STREAM) that do not block. */
int platform_stream_socket(int family);
int platform_datagram_socket(int family);
int platform_accept(int listener);
/* Of two that are connected, and block. */
int platform_stream_pair(int ends[2]);

/* Without a name in the directory until platform_link() gives it one; EOPNOTSUPP: not
 * here. */
int platform_open_nameless(int dir);
int platform_link(int fd, int dir, const char *name);
/* A directory, to name files in: no right to read it is needed where that can be had. */
int platform_open_directory(const char *path);
void platform_will_read_on(int fd);
/* To the nanosecond. */
bool platform_same_mtime(const struct stat *a, const struct stat *b);

/* A child of the process must not take the pages away from under the device. */
void platform_keep_from_children(void *address, size_t size);

bool platform_has_aes(void);
const char *platform_program_name(void);
const char *platform_error_text(int number, char *text, size_t size);

#endif
