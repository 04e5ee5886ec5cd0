/* SPDX-License-Identifier: BSD-2-Clause */
#include "session/timer.h"

#include <stdlib.h>

#include "session/error.h"

int timers_reserve(struct timers *timers, unsigned count)
{
	unsigned size = timers->size ? timers->size : 16;
	struct timer **heap;

	if (count < timers->size)
		return 0;
	while (size <= count)
		size *= 2;
	heap = realloc(timers->heap, size * sizeof(*heap));
	if (!heap)
		return fail(SRDMA_ENOMEM, "out of memory for timers");
	timers->heap = heap;
	timers->size = size;
	return 0;
}

void timers_clear(struct timers *timers)
{
	free(timers->heap);
	*timers = (struct timers){ 0 };
}

static void place(struct timers *timers, struct timer *timer, unsigned slot)
{
	timers->heap[slot] = timer;
	timer->slot = slot;
}

static void rise(struct timers *timers, struct timer *timer)
{
	unsigned slot = timer->slot;

	while (slot > 1 && timers->heap[slot / 2]->at > timer->at) {
		place(timers, timers->heap[slot / 2], slot);
		slot /= 2;
	}
	place(timers, timer, slot);
}

static void sink(struct timers *timers, struct timer *timer)
{
	unsigned slot = timer->slot, child;

	while ((child = 2 * slot) <= timers->used) {
		if (child < timers->used &&
		    timers->heap[child + 1]->at < timers->heap[child]->at)
			child++;
		if (timers->heap[child]->at >= timer->at)
			break;
		place(timers, timers->heap[child], slot);
		slot = child;
	}
	place(timers, timer, slot);
}

void timer_set(struct timers *timers, struct timer *timer, uint64_t at)
{
	timer->at = at;
	if (!timer->slot)
		place(timers, timer, ++timers->used);
	rise(timers, timer);
	sink(timers, timer);
}

void timer_cancel(struct timers *timers, struct timer *timer)
{
	struct timer *last;

	if (!timer->slot)
		return;
	last = timers->heap[timers->used--];
	if (last != timer) {
		place(timers, last, timer->slot);
		rise(timers, last);
		sink(timers, last);
	}
	timer->slot = 0;
}

uint64_t timers_first(const struct timers *timers)
{
	return timers->used ? timers->heap[1]->at : UINT64_MAX;
}

unsigned timers_run(struct timers *timers, uint64_t now)
{
	unsigned count = 0;

	while (timers->used && timers->heap[1]->at <= now) {
		struct timer *timer = timers->heap[1];

		timer_cancel(timers, timer);
		timer->expired(timer);
		count++;
	}
	return count;
}
