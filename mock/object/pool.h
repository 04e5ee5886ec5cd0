/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Blocks of the segment that are only ever used for one kind of object, and stay: whoever
 * comes late finds another object of that kind in one, or none. All that ever were are on
 * a list, for those who look into the segment of another process, alive or dead.
 */
#ifndef MOCK_OBJECT_POOL_H
#define MOCK_OBJECT_POOL_H

#include <pthread.h>
#include "host/segment.h"

struct pool {
	size_t size; /* of a block, whose first member is the seg_off of the next */
	size_t list; /* where the segment's head has the first one */
	pthread_mutex_t lock;
	seg_off *free;
	size_t count, room;
	uint64_t generation; /* of the segment they are in */
};

#define POOL_INIT(type, member)                                                      \
	{                                                                            \
		.size = sizeof(type), .list = offsetof(struct segment_head, member), \
		.lock = PTHREAD_MUTEX_INITIALIZER                                    \
	}

/* A block that is zeroed, or as its last user left it. -ENOMEM. */
int pool_take(struct pool *pool, seg_off *off);
void pool_give(struct pool *pool, seg_off off);

#endif
