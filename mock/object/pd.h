/* SPDX-License-Identifier: BSD-2-Clause */
/* Protection domains: a number that keys, queue pairs and receive queues must share. */
#ifndef MOCK_OBJECT_PD_H
#define MOCK_OBJECT_PD_H

#include <infiniband/verbs.h>
#include <pthread.h>
#include <stdatomic.h>
#include "base/list.h"

struct pd {
	struct ibv_pd ibv;
	_Atomic uint32_t users; /* MRs, QPs and SRQs in it */
	pthread_mutex_t lock;
	struct list qps;  /* struct qp.pd_node: QPs that may move data under its keys */
	struct list srqs; /* struct srq.pd_node */
};

static inline struct pd *to_pd(struct ibv_pd *pd)
{
	return container_of(pd, struct pd, ibv);
}

int pd_alloc(struct ibv_context *context, struct pd **pd);
/* -EBUSY while anything is in it. */
int pd_free(struct pd *pd);

#endif
