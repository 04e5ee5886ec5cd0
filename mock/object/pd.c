/* SPDX-License-Identifier: BSD-2-Clause */
#include "object/pd.h"

#include <errno.h>
#include <stdlib.h>
#include "object/device.h"
#include "object/handle.h"

enum {
	ALLOCATION_ALIGNMENT = 64,
	RESOURCE_SEND_QUEUE = 1, /* what the allocators hear: ours alone */
};

static struct handle_table pds = HANDLE_TABLE_LIMITED(max_pd);

int pd_alloc(struct ibv_context *context, struct pd **pd)
{
	struct pd *made = calloc(1, sizeof(*made));
	int err;

	if (!made)
		return -ENOMEM;
	err = handle_alloc(&pds, made, &made->ibv.handle);
	if (err) {
		free(made);
		return err;
	}
	made->ibv.context = context;
	made->root = made;
	pthread_mutex_init(&made->lock, NULL);
	list_init(&made->qps);
	list_init(&made->srqs);
	*pd = made;
	return 0;
}

static int parent_check(struct ibv_context *context,
                        const struct ibv_parent_domain_init_attr *attr)
{
	const uint32_t known = IBV_PARENT_DOMAIN_INIT_ATTR_ALLOCATORS |
	                       IBV_PARENT_DOMAIN_INIT_ATTR_PD_CONTEXT;

	if (!attr->pd || attr->pd->context != context)
		return -EINVAL;
	if (attr->td && attr->td->context != context)
		return -EINVAL;
	if (attr->comp_mask & ~known)
		return -EINVAL;
	if ((attr->comp_mask & IBV_PARENT_DOMAIN_INIT_ATTR_ALLOCATORS) &&
	    (!attr->alloc || !attr->free))
		return -EINVAL;
	/* Of a parent domain there is no parent domain. */
	return container_of(attr->pd, struct pd, ibv)->root ==
	                       container_of(attr->pd, struct pd, ibv)
	               ? 0
	               : -EINVAL;
}

int pd_alloc_parent(struct ibv_context *context,
                    const struct ibv_parent_domain_init_attr *attr, struct pd **pd)
{
	int err = parent_check(context, attr);
	struct pd *made;

	if (err)
		return err;
	made = calloc(1, sizeof(*made));
	if (!made)
		return -ENOMEM;
	made->ibv = *attr->pd;
	made->root = to_pd(attr->pd);
	made->attr = *attr;
	made->td = attr->td ? to_td(attr->td) : NULL;
	if (made->td)
		atomic_fetch_add(&made->td->users, 1);
	pd_use(attr->pd);
	*pd = made;
	return 0;
}

int pd_free(struct ibv_pd *ibv)
{
	struct pd *pd = container_of(ibv, struct pd, ibv);

	if (atomic_load(&pd->users))
		return -EBUSY;
	if (pd->root == pd) {
		handle_free(&pds, pd->ibv.handle);
		pthread_mutex_destroy(&pd->lock);
	} else {
		if (pd->td)
			atomic_fetch_sub(&pd->td->users, 1);
		pd_unuse(&pd->root->ibv);
	}
	free(pd);
	return 0;
}

static bool has_allocators(const struct pd *pd)
{
	return pd->root != pd &&
	       (pd->attr.comp_mask & IBV_PARENT_DOMAIN_INIT_ATTR_ALLOCATORS);
}

static void *context_of(const struct pd *pd)
{
	return pd->attr.comp_mask & IBV_PARENT_DOMAIN_INIT_ATTR_PD_CONTEXT
	               ? pd->attr.pd_context
	               : NULL;
}

void *pd_memory_alloc(struct ibv_pd *ibv, size_t size, bool *custom)
{
	struct pd *pd = container_of(ibv, struct pd, ibv);
	void *memory = IBV_ALLOCATOR_USE_DEFAULT;

	if (has_allocators(pd))
		memory = pd->attr.alloc(ibv, context_of(pd), size, ALLOCATION_ALIGNMENT,
		                        RESOURCE_SEND_QUEUE);
	*custom = memory != IBV_ALLOCATOR_USE_DEFAULT;
	return *custom ? memory : calloc(1, size);
}

void pd_memory_free(struct ibv_pd *ibv, void *memory, bool custom)
{
	struct pd *pd = container_of(ibv, struct pd, ibv);

	if (custom)
		pd->attr.free(ibv, context_of(pd), memory, RESOURCE_SEND_QUEUE);
	else
		free(memory);
}

int td_alloc(struct ibv_context *context, struct td **td)
{
	struct td *made = calloc(1, sizeof(*made));

	if (!made)
		return -ENOMEM;
	made->ibv.context = context;
	*td = made;
	return 0;
}

int td_free(struct td *td)
{
	if (atomic_load(&td->users))
		return -EBUSY;
	free(td);
	return 0;
}
