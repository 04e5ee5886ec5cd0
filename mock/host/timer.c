// SPDX-License-Identifier: BSD-2-Clause
/* The engine's timers: a binary heap by deadline, under one lock. */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

#include "host/engine.h"
#include "host/inside.h"

enum { LOOKS_PER_CLOCK = 8 }; /* reading the clock costs more than an empty poll */

static struct {
	pthread_mutex_t lock;
	pthread_cond_t idle;
	struct timer **at; /* from 1 on: the children of n are 2n and 2n+1 */
	unsigned int count, room;
	struct timer *firing;
	bool running;     /* someone fires what is due … */
	pthread_t runner; /* … and it is this thread */
	uint64_t wake_at; /* what the engine was told; 0: it will ask */
} heap = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.idle = PTHREAD_COND_INITIALIZER,
};

/* The first deadline, for those who only look; 0: none. Written under the heap's lock. */
static _Atomic uint64_t first_deadline;

static uint64_t (*simulated)(void);

void timers_simulate(uint64_t (*now)(void))
{
	simulated = now;
}

uint64_t timers_first(void)
{
	return atomic_load_explicit(&first_deadline, memory_order_relaxed);
}

uint64_t now_ns(void)
{
	struct timespec now;

	if (unlikely(simulated))
		return simulated();
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

static void publish_first(void)
{
	atomic_store_explicit(&first_deadline, heap.count ? heap.at[1]->deadline : 0,
	                      memory_order_relaxed);
}

static void put(unsigned int index, struct timer *timer)
{
	heap.at[index] = timer;
	timer->index = index;
}

static void sift_up(unsigned int index, struct timer *timer)
{
	while (index > 1 && heap.at[index / 2]->deadline > timer->deadline) {
		put(index, heap.at[index / 2]);
		index /= 2;
	}
	put(index, timer);
}

static void sift_down(unsigned int index, struct timer *timer)
{
	unsigned int child;

	while ((child = 2 * index) <= heap.count) {
		if (child < heap.count &&
		    heap.at[child + 1]->deadline < heap.at[child]->deadline)
			child++;
		if (heap.at[child]->deadline >= timer->deadline)
			break;
		put(index, heap.at[child]);
		index = child;
	}
	put(index, timer);
}

static void take_out(struct timer *timer)
{
	unsigned int index = timer->index;
	struct timer *last = heap.at[heap.count--];

	timer->deadline = 0;
	if (last != timer) {
		if (index > 1 && heap.at[index / 2]->deadline > last->deadline)
			sift_up(index, last);
		else
			sift_down(index, last);
	}
	publish_first();
}

static int make_room(void)
{
	unsigned int room = heap.room ? 2 * heap.room : 64;
	struct timer **at;

	if (heap.count + 1 < heap.room)
		return 0;
	at = realloc(heap.at, room * sizeof(struct timer *));
	if (!at)
		return -ENOMEM;
	heap.at = at;
	heap.room = room;
	return 0;
}

/* The engine asks by itself when it has fired what is due. */
static void tell_engine(void)
{
	uint64_t first = heap.count ? heap.at[1]->deadline : 0;

	if (!first || in_engine() || simulated || (heap.wake_at && heap.wake_at <= first))
		return;
	heap.wake_at = first;
	engine_wake_at(first);
}

void timer_init(struct timer *timer, void (*fire)(struct timer *timer))
{
	*timer = (struct timer){ .fire = fire };
}

int timer_arm(struct timer *timer, uint64_t deadline)
{
	int err;

	pthread_mutex_lock(&heap.lock);
	err = make_room();
	if (!err) {
		if (timer->deadline)
			take_out(timer);
		timer->deadline = deadline ? deadline : 1;
		sift_up(++heap.count, timer);
		publish_first();
		tell_engine();
	}
	pthread_mutex_unlock(&heap.lock);
	return err;
}

void timer_cancel(struct timer *timer)
{
	pthread_mutex_lock(&heap.lock);
	if (timer->deadline)
		take_out(timer);
	pthread_mutex_unlock(&heap.lock);
}

void timer_cancel_sync(struct timer *timer)
{
	pthread_mutex_lock(&heap.lock);
	for (;;) {
		if (timer->deadline)
			take_out(timer);
		if (heap.firing != timer || pthread_equal(heap.runner, pthread_self()))
			break;
		pthread_cond_wait(&heap.idle, &heap.lock);
	}
	pthread_mutex_unlock(&heap.lock);
}

/* After fire() the timer may be gone. */
static void fire(struct timer *timer)
{
	take_out(timer);
	heap.firing = timer;
	pthread_mutex_unlock(&heap.lock);
	timer->fire(timer);
	pthread_mutex_lock(&heap.lock);
	heap.firing = NULL;
	pthread_cond_broadcast(&heap.idle);
}

/* One thread at a time, so that a timer that is cancelled is waited for in one place. */
static void fire_due(void)
{
	uint64_t now = now_ns();
	int cancel;

	/* The thread may be the program's, and cancelled in what fire() calls. */
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
	heap.running = true;
	heap.runner = pthread_self();
	while (heap.count && heap.at[1]->deadline <= now)
		fire(heap.at[1]);
	heap.running = false;
	pthread_setcancelstate(cancel, NULL);
}

void timers_run(void)
{
	uint64_t first;

	if (simulated && in_engine())
		return;
	pthread_mutex_lock(&heap.lock);
	while (heap.running)
		pthread_cond_wait(&heap.idle, &heap.lock);
	fire_due();
	first = heap.count ? heap.at[1]->deadline : 0;
	heap.wake_at = first;
	if (first && !simulated)
		engine_wake_at(first);
	pthread_cond_broadcast(&heap.idle);
	pthread_mutex_unlock(&heap.lock);
}

void timers_poll(void)
{
	static _Thread_local unsigned int looks;
	uint64_t first = timers_first();

	if (!first || simulated || ++looks % LOOKS_PER_CLOCK || now_ns() < first)
		return;
	if (pthread_mutex_trylock(&heap.lock))
		return;
	if (!heap.running) {
		fire_due();
		pthread_cond_broadcast(&heap.idle);
	}
	pthread_mutex_unlock(&heap.lock);
}

void timers_discard(void)
{
	for (unsigned int i = 1; i <= heap.count; i++)
		heap.at[i]->deadline = 0;
	free(heap.at);
	heap.at = NULL;
	heap.count = heap.room = 0;
	heap.wake_at = 0;
	heap.running = false;
	publish_first();
}

void timers_fork(enum fork_stage stage)
{
	if (stage == FORK_BEFORE)
		pthread_mutex_lock(&heap.lock);
	if (stage == FORK_CHILD)
		timers_discard();
	if (stage != FORK_BEFORE)
		pthread_mutex_unlock(&heap.lock);
}
