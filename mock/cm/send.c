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

/* A message for a peer whose inbox is full. */
struct kept {
	struct list node;
	struct peer *peer; /* a reference */
	uint64_t deadline;
	struct message message;
};

static struct list all_kept;
static struct timer timer;

static int to_inbox(struct peer *to, const struct message *message)
{
	return inbox_post(to, INBOX_CM, message, sizeof(*message));
}

int (*message_carrier)(struct peer *to, const struct message *message) = to_inbox;

int message_send(struct peer *to, const struct message *message)
{
	static const char *const names[MESSAGE_KINDS] = {
		"REQ", "REP", "RTU", "REJ", "DREQ", "DREP", "SIDR_REQ", "SIDR_REP",
	};
	struct message out = *message;

	out.slot = peer_self()->slot;
	out.generation = peer_self()->generation;
	mock_debug("cm#%08x: sends %s to process %d", out.local_id, names[out.kind],
	           (int)to->pid);
	return message_carrier(to, &out);
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
	return message_send(kept->peer, &kept->message) != -EAGAIN ||
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
		peer_put(kept->peer);
		free(kept);
	}
	if (!list_empty(&all_kept))
		try_again_soon();
	cm_leave();
}

/* What cannot be kept is lost, as on a wire. */
static void keep(const struct peer *to, const struct message *message)
{
	struct kept *kept = malloc(sizeof(*kept));

	if (!kept)
		return;
	if (peer_get(to->slot, to->generation, &kept->peer)) {
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

void message_deliver(struct peer *to, const struct message *message)
{
	if (message_send(to, message) == -EAGAIN)
		keep(to, message);
}

void messages_forget(void)
{
	all_kept.next = NULL;
}
