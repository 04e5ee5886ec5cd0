/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Completion channels. Which CQs have events is a queue in the owner's segment, where a
 * peer's requester puts them; the descriptor is a bell that rings while the queue is not
 * empty.
 */
#ifndef MOCK_OBJECT_CHANNEL_H
#define MOCK_OBJECT_CHANNEL_H

#include <infiniband/verbs.h>
#include <pthread.h>
#include <stdatomic.h>
#include "base/refs.h"
#include "host/peer.h"

struct channel_shared {
	struct host_lock lock;
	uint64_t bell;
	seg_off first, last; /* struct cq_shared with events, linked by next_pending */
};

struct channel {
	struct ibv_comp_channel ibv;
	struct channel_shared *sh; /* NULL once destroyed */
	seg_off off;
	pthread_mutex_t lock; /* of those who take events: keeps sh */
	struct refs refs;     /* the program's, and each thread that waits for an event */
	_Atomic uint32_t users; /* CQs on it */
};

static inline struct channel *to_channel(struct ibv_comp_channel *channel)
{
	return container_of(channel, struct channel, ibv);
}

int channel_create(struct ibv_context *context, struct channel **channel);
/* -EBUSY while a CQ is on it. A thread that still waits on it goes on waiting, as it
 * would in the kernel. */
int channel_destroy(struct channel *channel);

/* One event of a CQ of that process, whose channel this is. By any process. */
void channel_notify(const struct peer *owner, seg_off channel, seg_off cq);

/*
 * The next event's CQ, which cannot go before the event is acknowledged. Waits as the
 * descriptor's flags say: -EAGAIN, -EINTR.
 */
int channel_next(struct channel *channel, struct ibv_cq **cq);

/* Drops a CQ's events that nobody has taken. */
void channel_forget(struct channel *channel, seg_off cq);

#endif
