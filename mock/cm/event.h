/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Event channels. The descriptor is a bell that rings while there are events: other than
 * a counter's, its rings can be taken back without waiting, whatever flags the program
 * gave the descriptor.
 */
#ifndef MOCK_CM_EVENT_H
#define MOCK_CM_EVENT_H

#include <rdma/rdma_cma.h>
#include <stdint.h>
#include "base/list.h"
#include "base/refs.h"
#include "wire/mad.h"

struct cm_id;
struct membership;

/* Those of rdma-core 60 and later, which the headers may not have. */
enum {
	CM_EVENT_ADDRINFO_RESOLVED = RDMA_CM_EVENT_TIMEWAIT_EXIT + 1,
	CM_EVENT_ADDRINFO_ERROR,
	CM_EVENT_USER,
	CM_EVENT_INTERNAL,
};

struct cm_event {
	struct rdma_cm_event rdma;
	struct list node;
	struct cm_id *owner;       /* counts it: for a request the listener */
	struct membership *member; /* counts it too, when it is of a multicast group */
	uint8_t private_data[PRIVATE_MAX];
};

struct cm_channel {
	struct rdma_event_channel rdma;
	struct refs refs; /* the program's, and each thread that waits for an event */
	uint64_t bell;
	struct list events; /* under the lock */
};

static inline struct cm_event *to_cm_event(struct rdma_cm_event *event)
{
	return container_of(event, struct cm_event, rdma);
}

static inline struct cm_channel *to_cm_channel(struct rdma_event_channel *channel)
{
	return container_of(channel, struct cm_channel, rdma);
}

int channel_open(struct cm_channel **channel);
/* A thread that still waits on it goes on waiting, as it would in the kernel. */
void channel_close(struct cm_channel *channel);

/*
 * Under the lock. An event for the id; NULL when there is no memory, which is said in the
 * log. Filled in by the caller, then queued.
 */
struct cm_event *event_new(struct cm_id *id, enum rdma_cm_event_type type, int status);
void event_queue(struct cm_event *event);
/* Both at once. */
void event_raise(struct cm_id *id, enum rdma_cm_event_type type, int status);
/* rdma_write_cm_event(3) */
int event_write(struct cm_id *id, enum rdma_cm_event_type type, int status, uint64_t arg);
/* Of a connection or of datagrams: both kinds of parameters begin with it. */
void event_set_private(struct cm_event *event, const uint8_t *data, uint8_t length);

/* Under the lock: takes the id's events off its channel, onto a list or another channel.
 */
void events_take_back(struct cm_id *id, struct list *onto);
void events_move(struct cm_id *id, struct cm_channel *to);
/* Those of one group, for good. */
void events_drop(struct cm_id *id, const struct membership *member);

/* Waits as the descriptor's flags say: -EAGAIN, -EINTR. */
int event_next(struct cm_channel *channel, struct cm_event **event);
void event_ack(struct cm_event *event);
/* Under the lock: until all that were delivered are acknowledged. */
void events_wait_acked(const struct cm_id *id);
void events_wait_member(const struct membership *member);

/* As rdma_get_cm_event(3): deliver.c does for the id's queue pair what the event calls
 * for. */
int event_deliver(struct cm_channel *channel, struct cm_event **event);

/* After fork(), in the child. */
void events_forget(void);

#endif
