/* SPDX-License-Identifier: BSD-2-Clause */
#include "cm/send.h"

#include "base/log.h"
#include "host/engine.h"

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
