/* SPDX-License-Identifier: BSD-2-Clause */
/* Messages between processes of this host: decoded, through their inboxes. */
#include "base/log.h"
#include "cm/conn.h"
#include "cm/far.h"
#include "host/engine.h"

/* The sender stands in it too: it may be gone when the message is read. */
struct letter {
	uint32_t slot;
	uint8_t traffic_class;
	uint64_t generation;
	struct mad mad;
};

_Static_assert(sizeof(struct letter) <= INBOX_BODY_MAX, "a message fits an inbox");

static int send_letter(const struct far *to, const struct mad *mad)
{
	const struct letter letter = {
		.slot = peer_self()->slot,
		.generation = peer_self()->generation,
		.traffic_class = to->path.traffic_class,
		.mad = *mad,
	};

	return inbox_post(to->peer, INBOX_CM, &letter, sizeof(letter));
}

static bool same_process(const struct far *a, const struct far *b)
{
	return a->slot == b->slot && a->generation == b->generation;
}

const struct carrier carrier_inbox = {
	.send = send_letter,
	.same = same_process,
};

static bool is_whole(const struct peer *from, const struct letter *letter,
                     uint32_t length)
{
	return length == sizeof(*letter) && letter->mad.kind < MAD_KINDS &&
	       (!from ||
	        (from->slot == letter->slot && from->generation == letter->generation));
}

void inbox_receive(struct peer *from, const void *body, uint32_t length)
{
	const struct letter *letter = body;
	struct far far;

	if (!is_whole(from, letter, length)) {
		mock_warn("a message to the connection manager makes no sense and is "
		          "dropped");
		return;
	}
	far = (struct far){
		.carrier = &carrier_inbox,
		.slot = letter->slot,
		.generation = letter->generation,
		.peer = from,
		.path.traffic_class = letter->traffic_class,
	};
	message_receive(&far, &letter->mad);
}
