/* SPDX-License-Identifier: BSD-2-Clause */
/* The multicast groups that an id is in: rdma_join_multicast(3), rdma_leave_multicast(3).
 */
#ifndef MOCK_CM_MULTICAST_H
#define MOCK_CM_MULTICAST_H

#include "cm/id.h"

struct membership {
	struct list node; /* of the id's, under the lock */
	struct sockaddr_storage addr;
	union ibv_gid mgid;
	void *context;
	bool send_only;       /* the queue pair gets nothing of it */
	bool attached;        /* the queue pair is; under the lock */
	unsigned int in_hand; /* events that the program has; under the lock */
};

/*
 * The event MULTICAST_JOIN follows, or MULTICAST_ERROR. -EINVAL for an id that is not for
 * datagrams, has no device, or is past asking for a route; and for an address of no
 * family that is served.
 */
int multicast_join(struct cm_id *id, const struct sockaddr *addr, bool send_only,
                   void *context);
/* -EADDRNOTAVAIL when the id is not in that group. Waits until its events are
 * acknowledged. */
int multicast_leave(struct cm_id *id, const struct sockaddr *addr);

/* In the program's thread, when it gets the event: the queue pair is attached now. */
int multicast_joined(struct cm_id *id, struct membership *member);
/* The queue pair is about to go. */
void multicast_detach_all(struct cm_id *id);
/* The id goes. */
void multicast_forget(struct cm_id *id);

#endif
