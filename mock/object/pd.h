/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Protection domains: a number that keys, queue pairs and receive queues must share. A
 * parent domain stands for one, and adds a thread domain and allocators to it.
 */
#ifndef MOCK_OBJECT_PD_H
#define MOCK_OBJECT_PD_H

#include <infiniband/verbs.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include "base/list.h"

struct td {
	struct ibv_td ibv;
	_Atomic uint32_t users; /* parent domains */
};

struct pd {
	struct ibv_pd ibv;      /* a parent domain has the handle of its domain */
	struct pd *root;        /* itself, or what it is the parent domain of */
	_Atomic uint32_t users; /* what was made with it, and its parent domains */
	bool of_cm;             /* the connection manager's own (object/ah.h) */
	/* Of a parent domain. */
	struct td *td;
	struct ibv_parent_domain_init_attr attr;
	/* Of a domain that is none. */
	pthread_mutex_t lock;
	struct list qps;  /* struct qp.pd_node: QPs that may move data under its keys */
	struct list srqs; /* struct srq.pd_node */
};

/* The protection domain itself, also of a parent domain. */
static inline struct pd *to_pd(struct ibv_pd *pd)
{
	return container_of(pd, struct pd, ibv)->root;
}

static inline bool pd_is_parent(struct ibv_pd *pd)
{
	return to_pd(pd) != container_of(pd, struct pd, ibv);
}

/* An object is made with it, or gone: with a parent domain, that is what stays. */
static inline void pd_use(struct ibv_pd *pd)
{
	atomic_fetch_add(&container_of(pd, struct pd, ibv)->users, 1);
}

static inline void pd_unuse(struct ibv_pd *pd)
{
	atomic_fetch_sub(&container_of(pd, struct pd, ibv)->users, 1);
}

int pd_alloc(struct ibv_context *context, struct pd **pd);
/* As ibv_alloc_parent_domain(3): -EINVAL for objects of another context or unknown
 * attributes, -ENOMEM. */
int pd_alloc_parent(struct ibv_context *context,
                    const struct ibv_parent_domain_init_attr *attr, struct pd **pd);
/* Either; -EBUSY while anything is in it. */
int pd_free(struct ibv_pd *ibv);

/*
 * Zeroed memory for a queue of an object made with that domain: from the parent domain's
 * allocator, if it has one and that does not ask for ours. NULL when there is none.
 */
void *pd_memory_alloc(struct ibv_pd *ibv, size_t size, bool *custom);
void pd_memory_free(struct ibv_pd *ibv, void *memory, bool custom);

int td_alloc(struct ibv_context *context, struct td **td);
int td_free(struct td *td);

static inline struct td *to_td(struct ibv_td *td)
{
	return container_of(td, struct td, ibv);
}

#endif
