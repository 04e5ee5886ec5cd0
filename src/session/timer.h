/* SPDX-License-Identifier: BSD-2-Clause */
/* Timers of one worker: a heap by time, so that setting and cancelling cost log(n). */
#ifndef SESSION_TIMER_H
#define SESSION_TIMER_H

#include <stdbool.h>
#include <stdint.h>

struct timer {
	uint64_t at;   /* µs, as clock_us() */
	unsigned slot; /* in the heap, from 1; 0: not set */
	void (*expired)(struct timer *timer);
};

struct timers {
	struct timer **heap; /* from 1 */
	unsigned used;
	unsigned size;
};

/* Room for `count` timers in all, so that timer_set() cannot fail. SRDMA_ENOMEM. */
int timers_reserve(struct timers *timers, unsigned count);
void timers_clear(struct timers *timers);

/* Also for a timer that is set already. */
void timer_set(struct timers *timers, struct timer *timer, uint64_t at);

/* Also for a timer that is not set. */
void timer_cancel(struct timers *timers, struct timer *timer);

/* When the first one expires; UINT64_MAX: none is set. */
uint64_t timers_first(const struct timers *timers);

/* Call those that expired by `now`, each no longer set then; returns how many. */
unsigned timers_run(struct timers *timers, uint64_t now);

#endif
