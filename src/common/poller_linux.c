/* SPDX-License-Identifier: BSD-2-Clause */
#include "common/poller.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

_Static_assert(POLLER_IN == EPOLLIN && POLLER_OUT == EPOLLOUT && POLLER_ERR == EPOLLERR &&
                       POLLER_HUP == EPOLLHUP && POLLER_RDHUP == EPOLLRDHUP,
               "the values are those of epoll");

static int or_errno(int result)
{
	return result < 0 ? -errno : result;
}

int poller_open(void)
{
	return or_errno(epoll_create1(EPOLL_CLOEXEC));
}

int poller_add(int poller, int fd, uint32_t events, void *data)
{
	struct epoll_event event = { .events = events, .data.ptr = data };

	return or_errno(epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event));
}

int poller_change(int poller, int fd, uint32_t events, void *data)
{
	struct epoll_event event = { .events = events, .data.ptr = data };

	return or_errno(epoll_ctl(poller, EPOLL_CTL_MOD, fd, &event));
}

void poller_remove(int poller, int fd)
{
	epoll_ctl(poller, EPOLL_CTL_DEL, fd, NULL);
}

int poller_wait(int poller, struct poller_event *events, int timeout_ms)
{
	struct epoll_event came[POLLER_MOST];
	int count = epoll_wait(poller, came, POLLER_MOST, timeout_ms);

	for (int i = 0; i < count; i++)
		events[i] = (struct poller_event){ came[i].events, came[i].data.ptr };
	return or_errno(count);
}

int alarm_open(void)
{
	return or_errno(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
}

void alarm_set(int fd, uint64_t at_us)
{
	struct itimerspec when = {
		.it_value = { (time_t)(at_us / 1000000),
		              (long)(at_us % 1000000 * 1000) + 1 },
	};

	timerfd_settime(fd, TFD_TIMER_ABSTIME, &when, NULL);
}

bool alarm_clear(int fd)
{
	uint64_t count;

	return read(fd, &count, sizeof(count)) == sizeof(count);
}

int notice_open(void)
{
	return or_errno(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
}

void notice_raise(int fd)
{
	uint64_t one = 1;
	int saved = errno;

	/* It can only fail when the counter is full, and then the descriptor is readable.
	 */
	if (write(fd, &one, sizeof(one)) < 0)
		errno = saved;
}

void notice_clear(int fd)
{
	uint64_t count;

	if (read(fd, &count, sizeof(count)) < 0)
		return; /* nothing was raised */
}
