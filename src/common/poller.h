/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Waiting for many descriptors, for a time, and for another thread, each a descriptor
 * that can be waited for in turn: epoll, timerfd and eventfd on Linux, kqueue on macOS.
 * POSIX has no such thing.
 */
#ifndef COMMON_POLLER_H
#define COMMON_POLLER_H

#include <stdbool.h>
#include <stdint.h>

/* The values are those of epoll. */
#define POLLER_IN    0x001u
#define POLLER_OUT   0x004u
#define POLLER_ERR   0x008u
#define POLLER_HUP   0x010u
#define POLLER_RDHUP 0x2000u /* the peer writes no more */

#define POLLER_MOST 64 /* events taken at a time */

struct poller_event {
	uint32_t events;
	void *data;
};

/* All return a descriptor or 0, or a negative errno. */
int poller_open(void);
int poller_add(int poller, int fd, uint32_t events, void *data);
int poller_change(int poller, int fd, uint32_t events, void *data);
void poller_remove(int poller, int fd);
/* How many came within the time (-1: whenever), at most POLLER_MOST. */
int poller_wait(int poller, struct poller_event *events, int timeout_ms);

/* Readable from the time of clock_us() on that was set last, until it is cleared, which
 * says whether it was. */
int alarm_open(void);
void alarm_set(int fd, uint64_t at_us);
bool alarm_clear(int fd);

/* Readable once it is raised, by any thread, until it is cleared. */
int notice_open(void);
void notice_raise(int fd);
void notice_clear(int fd);

#endif
