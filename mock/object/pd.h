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
#include "base/refs.h"

struct td {
	struct ibv_td ibv;
	_Atomic uint32_t users; /* parent domains */
};

struct pd {
	struct ibv_pd
	        ibv;     /* a parent domain and an import have the handle of the domain */
	struct pd *root; /* itself, or what it is the parent domain or an import of */
	bool import;
	_Atomic uint32_t users; /* what was made with it, and its parent domains */
	struct refs refs;       /* of the struct: see object/import.h */
	bool of_cm;             /* the connection manager's own (object/ah.h) */
	/* Of a parent domain. */
	struct td *td;
	struct ibv_parent_domain_init_attr attr;
	/* Of a domain that is neither. */
	uint64_t opening; /* object/import.h */
	_Atomic bool gone;
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
	return to_pd(pd) != container_of(pd, struct pd, ibv) &&
	       !container_of(pd, struct pd, ibv)->import;
}

/* An object is made with it, or gone: with a parent domain, that is what stays. */
void pd_use(struct ibv_pd *ibv);
void pd_unuse(struct ibv_pd *ibv);

int pd_alloc(struct ibv_context *context, struct pd **pd);
/* As ibv_alloc_parent_domain(3): -EINVAL for objects of another context or unknown
 * attributes, -ENOMEM. */
int pd_alloc_parent(struct ibv_context *context,
                    const struct ibv_parent_domain_init_attr *attr, struct pd **pd);
/* Any of them: -EBUSY while anything is in it, -EINVAL when it is gone already. With an
 * import, its domain goes. */
int pd_free(struct ibv_pd *ibv);
/* As ibv_import_pd(3): -ENOENT when this context's opening has no such domain. */
int pd_import(struct ibv_context *context, uint32_t handle, struct pd **pd);
void pd_unimport(struct ibv_pd *ibv);

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
