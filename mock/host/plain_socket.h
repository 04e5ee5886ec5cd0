/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A socket of the kernel's, whatever stands in front of the C library: a preload library
 * that turns a program's sockets into others (librspreload does) must not get ours.
 */
#ifndef MOCK_HOST_PLAIN_SOCKET_H
#define MOCK_HOST_PLAIN_SOCKET_H

#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Of datagrams, closed by exec(); -1 with errno. */
static inline int plain_socket(int family)
{
	return (int)syscall(SYS_socket, family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
}

#endif
