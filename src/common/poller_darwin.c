/* SPDX-License-Identifier: BSD-2-Clause */
/* Compiled by scripts/check-portable, never run yet. */
#include "common/poller.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <sys/event.h>
#include <unistd.h>

#include "common/clock.h"

static int or_errno(int result)
{
	return result < 0 ? -errno : result;
}

int poller_open(void)
{
	int fd = kqueue();

	if (fd < 0)
		return -errno;
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	return fd;
}

/* Of each descriptor there are two filters, which are off when nobody waits for them. */
int poller_change(int poller, int fd, uint32_t events, void *data)
{
	struct kevent changes[2];
	uint16_t in = events & (POLLER_IN | POLLER_RDHUP) ? EV_ENABLE : EV_DISABLE;
	uint16_t out = events & POLLER_OUT ? EV_ENABLE : EV_DISABLE;

	EV_SET(&changes[0], (uintptr_t)fd, EVFILT_READ, EV_ADD | in, 0, 0, data);
	EV_SET(&changes[1], (uintptr_t)fd, EVFILT_WRITE, EV_ADD | out, 0, 0, data);
	/* Of a queue, one can wait for reading alone. */
	if (kevent(poller, changes, 1, NULL, 0, NULL))
		return -errno;
	return out == EV_DISABLE
	               ? 0
	               : or_errno(kevent(poller, changes + 1, 1, NULL, 0, NULL));
}

int poller_add(int poller, int fd, uint32_t events, void *data)
{
	return poller_change(poller, fd, events, data);
}

void poller_remove(int poller, int fd)
{
	struct kevent change;

	EV_SET(&change, (uintptr_t)fd, EVFILT_READ, EV_DELETE, 0, 0, NULL);
	kevent(poller, &change, 1, NULL, 0, NULL);
	EV_SET(&change, (uintptr_t)fd, EVFILT_WRITE, EV_DELETE, 0, 0, NULL);
	kevent(poller, &change, 1, NULL, 0, NULL);
}

static uint32_t events_of(const struct kevent *event)
{
	uint32_t events = event->filter == EVFILT_WRITE ? POLLER_OUT : POLLER_IN;

	if (event->flags & EV_EOF)
		events |= event->filter == EVFILT_WRITE ? POLLER_HUP : POLLER_RDHUP;
	if (event->flags & EV_ERROR || (event->flags & EV_EOF && event->fflags))
		events |= POLLER_ERR;
	return events;
}

int poller_wait(int poller, struct poller_event *events, int timeout_ms)
{
	struct timespec time = { timeout_ms / 1000, timeout_ms % 1000 * 1000000L };
	struct kevent came[POLLER_MOST];
	int count =
	        kevent(poller, NULL, 0, came, POLLER_MOST, timeout_ms < 0 ? NULL : &time);

	for (int i = 0; i < count; i++)
		events[i] = (struct poller_event){ events_of(&came[i]), came[i].udata };
	return or_errno(count);
}

/* An alarm and a notice are queues of their own, in which there is one filter. */
static bool take(int queue)
{
	struct timespec now = { 0, 0 };
	struct kevent came;

	return kevent(queue, NULL, 0, &came, 1, &now) == 1;
}

int alarm_open(void)
{
	return poller_open();
}

void alarm_set(int fd, uint64_t at_us)
{
	uint64_t now = clock_us();
	struct kevent change;

	EV_SET(&change, 1, EVFILT_TIMER, EV_ADD | EV_ONESHOT, NOTE_USECONDS,
	       (intptr_t)(at_us > now ? at_us - now : 1), NULL);
	kevent(fd, &change, 1, NULL, 0, NULL);
}

bool alarm_clear(int fd)
{
	return take(fd);
}

int notice_open(void)
{
	struct kevent change;
	int fd = poller_open();

	if (fd < 0)
		return fd;
	EV_SET(&change, 1, EVFILT_USER, EV_ADD | EV_CLEAR, 0, 0, NULL);
	if (kevent(fd, &change, 1, NULL, 0, NULL)) {
		int error = -errno;

		close(fd);
		return error;
	}
	return fd;
}

void notice_raise(int fd)
{
	struct kevent change;
	int saved = errno;

	EV_SET(&change, 1, EVFILT_USER, 0, NOTE_TRIGGER, 0, NULL);
	if (kevent(fd, &change, 1, NULL, 0, NULL) < 0)
		errno = saved;
}

void notice_clear(int fd)
{
	take(fd);
}
