/* SPDX-License-Identifier: BSD-2-Clause */
#include "cm/send.h"

#include <errno.h>
#include <stdlib.h>
#include "base/list.h"
#include "base/log.h"
#include "cm/lock.h"
#include "host/engine.h"
#include "host/settings.h"

enum { NS_PER_MS = 1000000 };

/* A message for a peer whose inbox is full, or a network that takes none. */
struct kept {
	struct list node;
	struct far to;
	uint64_t deadline;
	struct mad message;
};

static struct list all_kept;
static struct timer timer;

static int by_carrier(const struct far *to, const struct mad *message)
{
	return to->carrier->send(to, message);
}

int (*message_carrier)(const struct far *to, const struct mad *message) = by_carrier;

int message_send(const struct far *to, const struct mad *message)
{
	char text[160];

	if (mock_log_level >= MOCK_LOG_DEBUG) {
		mad_print(message, text, sizeof(text));
		mock_debug("cm#%08x: sends %s", message->local_id, text);
	}
	return message_carrier(to, message);
}

/*
 * What waits
 */

static void try_again_soon(void)
{
	if (timer_arm(&timer, now_ns() + NS_PER_MS))
		mock_error(
		        "no memory for a timer: messages of the connection manager are "
		        "lost");
}

/* Whether it is done with, sent or not. */
static bool try_again(const struct kept *kept)
{
	return message_send(&kept->to, &kept->message) != -EAGAIN ||
	       now_ns() >= kept->deadline;
}

static void on_timer(struct timer *fired)
{
	struct list *at, *next;

	(void)fired;
	cm_enter();
	list_for_each_safe (at, next, &all_kept) {
		struct kept *kept = list_entry(at, struct kept, node);

		if (!try_again(kept))
			continue;
		list_del(&kept->node);
		far_drop(&kept->to);
		free(kept);
	}
	if (!list_empty(&all_kept))
		try_again_soon();
	cm_leave();
}

/* What cannot be kept is lost, as on a wire. */
static void keep(const struct far *to, const struct mad *message)
{
	struct kept *kept = malloc(sizeof(*kept));

	if (!kept)
		return;
	if (far_keep(to, &kept->to)) {
		free(kept);
		return;
	}
	kept->message = *message;
	kept->deadline = now_ns() + NS_PER_MS * settings()->cm_response_timeout_ms;
	if (!all_kept.next) {
		list_init(&all_kept);
		timer_init(&timer, on_timer);
	}
	if (list_empty(&all_kept))
		try_again_soon();
	list_add_tail(&all_kept, &kept->node);
}

void message_deliver(const struct far *to, const struct mad *message)
{
	if (message_send(to, message) == -EAGAIN)
		keep(to, message);
}

void messages_forget(void)
{
	all_kept.next = NULL;
}
