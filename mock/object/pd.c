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
	made->ibv.context = context;
	made->root = made;
	made->opening = to_context(context)->opening;
	refs_init(&made->refs);
	pthread_mutex_init(&made->lock, NULL);
	list_init(&made->qps);
	list_init(&made->srqs);
	err = handle_alloc(&pds, made, &made->ibv.handle);
	if (err) {
		pthread_mutex_destroy(&made->lock);
		free(made);
		return err;
	}
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
	return pd_is_parent(attr->pd) ? -EINVAL : 0;
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

/* Nobody has the struct any more. */
static void put(struct pd *pd)
{
	struct pd *root = pd->root;

	if (!refs_put(&pd->refs))
		return;
	if (root == pd)
		pthread_mutex_destroy(&pd->lock);
	free(pd);
	if (root != pd)
		put(root);
}

/* Through an import its domain is used, and the struct is wanted as long. */
void pd_use(struct ibv_pd *ibv)
{
	struct pd *pd = container_of(ibv, struct pd, ibv);

	if (pd->import) {
		refs_get(&pd->refs);
		pd = pd->root;
	}
	atomic_fetch_add(&pd->users, 1);
}

void pd_unuse(struct ibv_pd *ibv)
{
	struct pd *pd = container_of(ibv, struct pd, ibv);

	atomic_fetch_sub(pd->import ? &pd->root->users : &pd->users, 1);
	if (pd->import)
		put(pd);
}

static void free_parent(struct pd *pd)
{
	if (pd->td)
		atomic_fetch_sub(&pd->td->users, 1);
	pd_unuse(pd->attr.pd);
	free(pd);
}

int pd_free(struct ibv_pd *ibv)
{
	struct pd *pd = container_of(ibv, struct pd, ibv), *root = to_pd(ibv);

	if (atomic_load(pd->import ? &root->users : &pd->users))
		return -EBUSY;
	if (pd_is_parent(ibv)) {
		free_parent(pd);
		return 0;
	}
	if (atomic_exchange(&root->gone, true))
		return -EINVAL;
	handle_free(&pds, root->ibv.handle);
	put(pd);
	return 0;
}

static void hold(void *object)
{
	refs_get(&((struct pd *)object)->refs);
}

int pd_import(struct ibv_context *context, uint32_t handle, struct pd **pd)
{
	struct pd *root = handle_hold(&pds, handle, hold), *made;

	if (!root)
		return -ENOENT;
	if (root->opening != to_context(context)->opening) {
		put(root);
		return -ENOENT;
	}
	made = calloc(1, sizeof(*made));
	if (!made) {
		put(root);
		return -ENOMEM;
	}
	made->ibv.context = context;
	made->ibv.handle = handle;
	made->root = root;
	made->import = true;
	refs_init(&made->refs);
	*pd = made;
	return 0;
}

/* Whoever allocated the domain comes here too, when it was deallocated elsewhere. */
void pd_unimport(struct ibv_pd *ibv)
{
	struct pd *pd = container_of(ibv, struct pd, ibv);

	if (pd->import || (pd->root == pd && atomic_load(&pd->gone)))
		put(pd);
}

static bool has_allocators(const struct pd *pd)
{
	return pd->root != pd && !pd->import &&
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
	/* Not cleared, which would take memory for requests that are never posted. */
	return *custom ? memory : malloc(size);
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
