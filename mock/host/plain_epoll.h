/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * epoll(7) of the kernel's, for the reason that plain_socket.h has: since rdma-core 65
 * librspreload makes these rsockets' own, which would ask librdmacm, and that us.
 */
#ifndef MOCK_HOST_PLAIN_EPOLL_H
#define MOCK_HOST_PLAIN_EPOLL_H

#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifdef __SANITIZE_THREAD__ /* it has to see what one thread tells another by them */
#define plain_epoll_create()                 epoll_create1(EPOLL_CLOEXEC)
#define plain_epoll_ctl                      epoll_ctl
#define plain_epoll_wait(poll, events, most) epoll_wait(poll, events, most, -1)
#else

static inline int plain_epoll_create(void)
{
	return (int)syscall(SYS_epoll_create1, EPOLL_CLOEXEC);
}

static inline int plain_epoll_ctl(int poll, int what, int fd, struct epoll_event *event)
{
	return (int)syscall(SYS_epoll_ctl, poll, what, fd, event);
}

/* Without a time limit. */
static inline int plain_epoll_wait(int poll, struct epoll_event *events, int most)
{
	return (int)syscall(SYS_epoll_pwait, poll, events, most, -1, NULL, 0);
}

#endif
#endif
