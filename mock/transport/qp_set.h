/* SPDX-License-Identifier: BSD-2-Clause */
/* QPs of this process that something is to be done about soon, by any thread. Blocks of
 * QPs stay what they are: whoever takes one out looks, with its lock, what it is now. */
#ifndef MOCK_TRANSPORT_QP_SET_H
#define MOCK_TRANSPORT_QP_SET_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include "object/qp_shared.h"

enum { QP_SET_MOST = 64 };

struct qp_set {
	pthread_mutex_t lock;
	uint64_t generation; /* of this process, in which they were put in */
	struct qp_shared *qp[QP_SET_MOST];
	_Atomic unsigned int count;
};

#define QP_SET_EMPTY                              \
	{                                         \
		.lock = PTHREAD_MUTEX_INITIALIZER \
	}

static inline bool qp_set_is_empty(const struct qp_set *set)
{
	return !atomic_load_explicit(&set->count, memory_order_relaxed);
}

/* False when it is full, or another thread is at it: no lock is waited for. */
bool qp_set_put(struct qp_set *set, struct qp_shared *qp);
/* Takes all out: how many. */
unsigned int qp_set_take(struct qp_set *set, struct qp_shared **all);
/* The same, but none when another thread is at it. */
unsigned int qp_set_try_take(struct qp_set *set, struct qp_shared **all);

#endif
