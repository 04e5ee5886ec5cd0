/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The engine: one thread in each process on the mock, which serves what no caller is
 * waiting for: timers, messages from other processes, the death of peers. It sleeps
 * otherwise.
 */
#ifndef MOCK_HOST_ENGINE_H
#define MOCK_HOST_ENGINE_H

#include <stdbool.h>
#include <stdint.h>
#include "host/peer.h"

/* CLOCK_MONOTONIC, nanoseconds. */
uint64_t now_ns(void);

/*
 * A timer. fire() runs in the engine or in a thread that polls, without locks held, once
 * per arming. Arming again moves the deadline. All but fire() from any thread.
 */
struct timer {
	uint64_t deadline; /* now_ns() clock; 0 when not armed */
	void (*fire)(struct timer *timer);
	unsigned int index; /* place in the engine's heap */
};

void timer_init(struct timer *timer, void (*fire)(struct timer *timer));
int timer_arm(struct timer *timer, uint64_t deadline);
/* Not armed afterwards; fire() may still be running. Locks that fire() takes may be held.
 */
void timer_cancel(struct timer *timer);
/* As timer_cancel(), and waits until fire() does not run. No lock that fire() takes may
 * be held. */
void timer_cancel_sync(struct timer *timer);
/*
 * For threads that poll: fires what is due, so that nothing waits for the engine to get a
 * core. Costs next to nothing when no timer is armed. The caller holds no lock.
 */
void timers_poll(void);
/*
 * For tests: time is what now() says, and timers fire in timers_run() (host/inside.h)
 * when a test calls it, nowhere else.
 * Called before there are any.
 */
void timers_simulate(uint64_t (*now)(void));
/* When the next one is due; 0: none is armed. */
uint64_t timers_first(void);

/* What an inbox message asks for; each kind has one handler, run in the owner's engine.
 */
enum inbox_kind {
	INBOX_QP,    /* transport: something happened to our QP where a peer ran it */
	INBOX_CM,    /* cm: a message of the connection manager */
	INBOX_ASYNC, /* object: the same of a CQ or an SRQ */
	INBOX_KINDS,
};

/* The body is valid during the call; from is counted by the caller, NULL if it died
 * meanwhile. */
typedef void inbox_handler(struct peer *from, const void *body, uint32_t length);

void inbox_handle(enum inbox_kind kind, inbox_handler *handler);

/* Puts a message into a process's inbox and rings its bell. -EAGAIN when it is full,
 * -ESRCH when it died. Any thread. */
int inbox_post(const struct peer *to, enum inbox_kind kind, const void *body,
               uint32_t length);

/*
 * As inbox_post(), for a message that only says where to look: when there is no room, the
 * handler is called once with nobody and without a body, to look everywhere.
 */
void inbox_tell(const struct peer *to, enum inbox_kind kind, const void *body,
                uint32_t length);

/*
 * A descriptor that the engine looks at: ready() runs there when there is something to
 * read. The descriptor is the engine's from engine_add() on, and closed in the end.
 */
struct engine_source {
	int fd;
	void (*ready)(struct engine_source *source);
	/*
	 * Of one that stays as long as this process is on the host: ready() runs without
	 * a lock of the engine's, so that it may wait for locks under which others call
	 * engine_add(). The process left, or is a child: the descriptor is closed.
	 */
	void (*gone)(struct engine_source *source);
	uint32_t events;  /* of epoll_ctl(2); 0: EPOLLIN */
	struct list node; /* the engine's */
};

void engine_add(struct engine_source *source);
/* Not looked at until it is resumed. Of one with gone(), which was added. Any thread. */
void engine_pause(struct engine_source *source);
void engine_resume(struct engine_source *source);
/* After it returns, ready() neither runs nor will run. Not from within ready(). Of one
 * that is not there, nothing. */
void engine_remove(struct engine_source *source);

/* Called by the engine as the last that it does, when the process exits or leaves the
 * host; the process counts as alive until then. */
void engine_last_words(void (*say)(void));

/* Whether the caller is the engine thread. */
bool in_engine(void);

#endif
