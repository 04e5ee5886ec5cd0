// SPDX-License-Identifier: BSD-2-Clause
/*
 * Every packet is put into one queue, by when it is to go out; most at once. One that
 * others overtake waits until enough of them have been put there, or for a while when no
 * more come.
 */
#include "link/net_disturb.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "base/log.h"
#include "host/counters.h"
#include "host/engine.h"
#include "host/random.h"
#include "host/segment.h"
#include "host/settings.h"
#include "link/dice.h"

enum {
	OVERTAKEN_NS = 1000000, /* the longest wait to be overtaken */
	QUEUE_MOST = 16384,     /* packets; what is beyond that is lost */
	MASKED_BYTE = 4,        /* of the BTH: ICRC does not cover it */
};

struct held {
	struct list node;
	uint64_t due;
	unsigned int behind;
	struct net_path path;
	net_emit *emit;
	size_t length;
	uint8_t data[];
};

static struct {
	pthread_mutex_t lock;
	pthread_once_t once;
	struct odds odds;
	struct dice dice;
	bool wanted;
	struct list queue;
	unsigned int length;
	struct timer timer;
} net = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.once = PTHREAD_ONCE_INIT,
	.queue = { &net.queue, &net.queue },
};

static void run_due(uint64_t now);

static void fire(struct timer *timer)
{
	(void)timer;
	pthread_mutex_lock(&net.lock);
	run_due(now_ns());
	pthread_mutex_unlock(&net.lock);
}

static void before_fork(void)
{
	pthread_mutex_lock(&net.lock);
}

static void in_parent(void)
{
	pthread_mutex_unlock(&net.lock);
}

static void in_child(void)
{
	pthread_mutex_init(&net.lock, NULL);
}

static void read_settings(void)
{
	const struct settings *s = settings();

	net.odds = (struct odds){ .loss = s->loss,
		                  .duplicate = s->duplicate,
		                  .reorder = s->reorder,
		                  .corrupt = s->corrupt,
		                  .delay = s->delay_ns };
	net.wanted = s->loss || s->duplicate || s->reorder || s->corrupt || s->delay_ns;
	net.dice.state = s->seed ? s->seed : random_u32();
	timer_init(&net.timer, fire);
	if (!net.wanted)
		return;
	pthread_atfork(before_fork, in_parent, in_child);
	mock_info("packets are disturbed; MOCKRDMA_SEED=%llu does it again",
	          (unsigned long long)net.dice.state);
}

bool net_disturb_wanted(void)
{
	pthread_once(&net.once, read_settings);
	return net.wanted;
}

/* --- the queue; the lock is held ------------------------------------------------------
 */

static void put(struct held *held, uint64_t due)
{
	struct list *after = net.queue.prev;

	held->due = due;
	while (after != &net.queue && list_entry(after, struct held, node)->due > due)
		after = after->prev;
	/* in front of the one behind it */
	list_add_tail(after->next, &held->node);
}

static void drop(struct held *held)
{
	list_del(&held->node);
	net.length--;
	free(held);
}

static void run_due(uint64_t now)
{
	while (!list_empty(&net.queue)) {
		struct held *first = list_entry(net.queue.next, struct held, node);

		if (first->due > now) {
			timer_arm(&net.timer, first->due);
			return;
		}
		first->emit(&first->path, first->data, first->length);
		drop(first);
	}
}

static struct held *copy_of(const struct net_path *path, const uint8_t *data,
                            size_t length, net_emit *emit)
{
	struct held *held =
	        net.length < QUEUE_MOST ? malloc(sizeof(*held) + length) : NULL;

	if (!held)
		return NULL;
	*held = (struct held){ .path = *path, .emit = emit, .length = length };
	memcpy(held->data, data, length);
	net.length++;
	return held;
}

/* One more has passed those that wait for it. */
static void overtake(uint64_t due)
{
	struct list *at, *next;

	list_for_each_safe (at, next, &net.queue) {
		struct held *held = list_entry(at, struct held, node);

		if (!held->behind || --held->behind)
			continue;
		list_del(&held->node);
		put(held, due);
	}
}

static void corrupt(struct held *held, uint32_t bit)
{
	size_t byte = bit / 8 % held->length;

	if (byte == MASKED_BYTE)
		byte++;
	held->data[byte] ^= (uint8_t)(1 << bit % 8);
	count_net(COUNT_DISTURB_CORRUPTED, 1);
}

static void put_copy(const struct fate *fate, struct held *held, uint64_t due)
{
	if (fate->corrupted)
		corrupt(held, fate->bit);
	if (fate->behind) {
		count_net(COUNT_DISTURB_REORDERED, 1);
		held->behind = fate->behind;
		put(held, due + OVERTAKEN_NS);
	} else {
		put(held, due);
		overtake(due);
	}
}

void net_disturb(const struct net_path *path, const uint8_t *data, size_t length,
                 net_emit *emit)
{
	struct held *held, *twin;
	struct fate fate;
	uint64_t now;

	pthread_mutex_lock(&net.lock);
	now = now_ns();
	fate = dice_throw(&net.dice, &net.odds);
	held = fate.lost ? NULL : copy_of(path, data, length, emit);
	twin = held && fate.twice ? copy_of(path, data, length, emit) : NULL;
	if (held)
		put_copy(&fate, held, now + net.odds.delay);
	else
		count_net(COUNT_DISTURB_LOST, 1);
	if (twin) {
		put(twin, now + net.odds.delay);
		count_net(COUNT_DISTURB_DUPLICATED, 1);
	}
	run_due(now);
	pthread_mutex_unlock(&net.lock);
}

void net_disturb_flush(void)
{
	if (pthread_mutex_trylock(&net.lock))
		return;
	run_due(UINT64_MAX);
	pthread_mutex_unlock(&net.lock);
}

void net_disturb_forget(void)
{
	while (!list_empty(&net.queue))
		drop(list_entry(net.queue.next, struct held, node));
	timer_init(&net.timer, fire);
}
