/* SPDX-License-Identifier: BSD-2-Clause */
#include "object/mr.h"

#include <errno.h>
#include <stdlib.h>
#include "object/device.h"
#include "object/dm.h"
#include "object/memory.h"
#include "object/mw.h"
#include "object/null.h"

enum {
	/* Of rdma-core 45 on, for persistent memory. */
	ACCESS_FLUSH_GLOBAL = 1 << 8,
	ACCESS_FLUSH_PERSISTENT = 1 << 9,
};

static int access_check(unsigned int access)
{
	const unsigned int known = IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE |
	                           IBV_ACCESS_REMOTE_READ | IBV_ACCESS_REMOTE_ATOMIC |
	                           IBV_ACCESS_MW_BIND | IBV_ACCESS_ZERO_BASED |
	                           IBV_ACCESS_ON_DEMAND | IBV_ACCESS_HUGETLB |
	                           IBV_ACCESS_OPTIONAL_RANGE;

	if (access & (ACCESS_FLUSH_GLOBAL | ACCESS_FLUSH_PERSISTENT))
		return -EOPNOTSUPP;
	if (access & ~known)
		return -EINVAL;
	if ((access & (IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_REMOTE_ATOMIC)) &&
	    !(access & IBV_ACCESS_LOCAL_WRITE))
		return -EINVAL;
	return 0;
}

static int range_check(void *addr, size_t length, uint64_t iova, unsigned int access)
{
	if ((uintptr_t)addr + length < (uintptr_t)addr || iova + length < iova)
		return -EINVAL;
	if (access & IBV_ACCESS_ON_DEMAND)
		return 0;
	return memory_check(addr, length, access & IBV_ACCESS_LOCAL_WRITE);
}

/* The entry's key becomes valid, with what it stands for now. */
static void publish(const struct mr *mr, uint64_t iova, uint32_t access)
{
	struct mr_entry *entry = segment_ptr(mr->entry);

	entry->pd = mr->ibv.pd->handle;
	atomic_store_explicit(&entry->access, access, memory_order_relaxed);
	atomic_store_explicit(&entry->iova, access & IBV_ACCESS_ZERO_BASED ? 0 : iova,
	                      memory_order_relaxed);
	atomic_store_explicit(&entry->length, mr->ibv.length, memory_order_relaxed);
	atomic_store_explicit(&entry->va, (uintptr_t)mr->ibv.addr, memory_order_relaxed);
	atomic_store_explicit(&entry->key, mr->ibv.lkey, memory_order_release);
}

static struct list all = LIST_INIT(all); /* under the keys' lock */

static int create(struct ibv_pd *pd, void *addr, size_t length, uint64_t iova,
                  uint32_t access, struct mr **mr)
{
	struct mr *made = calloc(1, sizeof(*made));
	int err;

	if (!made)
		return -ENOMEM;
	made->ibv = (struct ibv_mr){
		.context = pd->context, .pd = pd, .addr = addr, .length = length
	};
	made->root = made;
	refs_init(&made->refs);
	keys_lock();
	err = key_alloc(pd->handle, access, &made->entry, &made->ibv.lkey);
	if (!err) {
		publish(made, iova, access);
		list_add_tail(&all, &made->node);
	}
	keys_unlock();
	if (err) {
		free(made);
		return err;
	}
	made->ibv.rkey = made->ibv.lkey;
	made->ibv.handle = made->ibv.lkey >> 8;
	pd_use(pd);
	*mr = made;
	return 0;
}

int mr_register(struct ibv_pd *pd, void *addr, size_t length, uint64_t iova,
                unsigned int access, struct mr **mr)
{
	int err = access_check(access);

	if (!err)
		err = range_check(addr, length, iova, access);
	return err ? err
	           : create(pd, addr, length, iova, (access & KEY_RIGHTS) | KEY_LOCAL,
	                    mr);
}

int mr_register_dm(struct ibv_pd *pd, struct dm *dm, void *addr, size_t length,
                   unsigned int access, struct mr **mr)
{
	int err = access_check(access);

	if (!err)
		err = create(pd, addr, length, 0,
		             (access & KEY_RIGHTS) | KEY_LOCAL | KEY_DEVICE, mr);
	if (err)
		return err;
	(*mr)->dm = dm;
	(*mr)->ibv.addr = NULL; /* not the host's to use */
	atomic_fetch_add(&dm->users, 1);
	return 0;
}

int mr_register_null(struct ibv_pd *pd, struct mr **mr)
{
	int err = null_prepare();

	if (!err)
		err = create(pd, (void *)(uintptr_t)null_sink(), SIZE_MAX, 0,
		             IBV_ACCESS_LOCAL_WRITE | KEY_LOCAL | KEY_SPECIAL | KEY_NULL,
		             mr);
	if (err)
		return err;
	(*mr)->ibv.addr = NULL;
	(*mr)->ibv.rkey = 0; /* not for peers */
	return 0;
}

/* Nobody has the struct any more. */
static void put(struct mr *mr)
{
	struct mr *root = mr->root;

	if (!refs_put(&mr->refs))
		return;
	free(mr);
	if (root != mr)
		put(root);
}

/* No look-up finds the key any more. */
static int retire(struct mr *mr)
{
	int err = 0;

	keys_lock();
	if (mr->gone)
		err = -EINVAL;
	else if (mw_any_bound(mr->entry))
		err = -EBUSY;
	if (!err) {
		mr->gone = true;
		list_del(&mr->node);
		key_retire(mr->ibv.lkey);
	}
	keys_unlock();
	return err;
}

int mr_unregister(struct mr *mr, mr_settle *settle)
{
	struct mr *root = mr->root;
	struct ibv_pd *pd = root->ibv.pd;
	int err = retire(root);

	if (err)
		return err;
	settle(to_pd(pd));
	keys_lock();
	key_free(root->entry);
	keys_unlock();
	pd_unuse(pd);
	if (root->dm)
		atomic_fetch_sub(&root->dm->users, 1);
	put(mr);
	return 0;
}

/* The lock is held. */
static struct mr *find(uint64_t opening, uint32_t handle)
{
	struct list *at;

	list_for_each (at, &all) {
		struct mr *mr = list_entry(at, struct mr, node);

		if (mr->ibv.handle == handle && to_pd(mr->ibv.pd)->opening == opening)
			return mr;
	}
	return NULL;
}

int mr_import(struct ibv_pd *pd, uint32_t handle, struct mr **mr)
{
	struct mr *made = calloc(1, sizeof(*made)), *root;

	if (!made)
		return -ENOMEM;
	keys_lock();
	root = find(to_pd(pd)->opening, handle);
	if (root) {
		refs_get(&root->refs);
		made->ibv = root->ibv;
	}
	keys_unlock();
	if (!root) {
		free(made);
		return -ENOENT;
	}
	made->ibv.context = pd->context;
	made->ibv.pd = pd;
	made->ibv.addr = NULL; /* as the manual page has it */
	made->root = root;
	refs_init(&made->refs);
	*mr = made;
	return 0;
}

/* Whoever registered the region comes here too, when it was deregistered elsewhere. */
void mr_unimport(struct mr *mr)
{
	bool done;

	keys_lock();
	done = mr->root != mr || mr->gone;
	keys_unlock();
	if (done)
		put(mr);
}

/* What the region is to be, and whether it can be so. */
static int rereg_check(const struct mr *mr, int flags, const struct ibv_mr *wanted,
                       unsigned int access, uint32_t kind)
{
	int err;

	if (!flags || (flags & ~IBV_REREG_MR_FLAGS_SUPPORTED) ||
	    (kind & (KEY_SPECIAL | KEY_DEVICE)))
		return -EINVAL;
	if ((flags & IBV_REREG_MR_CHANGE_TRANSLATION) &&
	    (!wanted->addr || !wanted->length))
		return -EINVAL;
	if (!wanted->pd || wanted->pd->context != mr->ibv.context)
		return -EINVAL;
	err = access_check(access);
	if (!err && (flags & ~IBV_REREG_MR_CHANGE_PD))
		err = range_check(wanted->addr, wanted->length, (uintptr_t)wanted->addr,
		                  access);
	return err;
}

/* Nobody may see half of the change: the key is not valid while it is made. */
static int change(struct mr *mr, const struct ibv_mr *wanted, uint64_t iova,
                  uint32_t access, mr_settle *settle)
{
	struct mr_entry *entry = segment_ptr(mr->entry);
	struct ibv_pd *old = mr->ibv.pd;

	keys_lock();
	if (mw_any_bound(mr->entry)) {
		keys_unlock();
		return -EBUSY;
	}
	atomic_store(&entry->key, 0);
	keys_unlock();
	settle(to_pd(old));
	if (wanted->pd != old)
		settle(to_pd(wanted->pd));
	mr->ibv = *wanted;
	keys_lock();
	publish(mr, iova, access);
	keys_unlock();
	pd_use(wanted->pd);
	pd_unuse(old);
	return 0;
}

int mr_reregister(struct mr *mr, int flags, struct ibv_pd *pd, void *addr, size_t length,
                  unsigned int access, mr_settle *settle)
{
	const struct mr_entry *entry = segment_ptr(mr->root->entry);
	uint32_t now = atomic_load(&entry->access);
	uint64_t iova = atomic_load(&entry->iova);
	struct ibv_mr wanted = mr->ibv;
	int err;

	if (mr->root != mr)
		return -EINVAL;
	if (!(flags & IBV_REREG_MR_CHANGE_ACCESS))
		access = now & KEY_RIGHTS;
	if (flags & IBV_REREG_MR_CHANGE_PD)
		wanted.pd = pd;
	if (flags & IBV_REREG_MR_CHANGE_TRANSLATION) {
		wanted.addr = addr;
		wanted.length = length;
		iova = (uintptr_t)addr;
	}
	err = rereg_check(mr, flags, &wanted, access, now);
	if (err)
		return err;
	return change(mr, &wanted, iova, (access & KEY_RIGHTS) | KEY_LOCAL, settle);
}

static int advise_one(struct pd *pd, enum ibv_advise_mr_advice advice,
                      const struct ibv_sge *sge)
{
	bool write = advice == IBV_ADVISE_MR_ADVICE_PREFETCH_WRITE;
	const struct mr_entry *entry = key_find(peer_self(), sge->lkey);
	uint32_t access;
	uint64_t va;

	if (!key_is_valid(entry, sge->lkey))
		return -EFAULT;
	access = atomic_load(&entry->access);
	if (!(access & KEY_LOCAL) || !(access & IBV_ACCESS_ON_DEMAND))
		return -EINVAL; /* a window, or memory that is all there already */
	if (entry->pd != pd->ibv.handle || (write && !(access & IBV_ACCESS_LOCAL_WRITE)))
		return -EPERM;
	if (!mr_check(peer_self(), sge->lkey, pd->ibv.handle, KEY_LOCAL, sge->addr,
	              sge->length, &va))
		return -EFAULT;
	return advice == IBV_ADVISE_MR_ADVICE_PREFETCH_NO_FAULT
	               ? 0
	               : memory_fetch((void *)(uintptr_t)va, sge->length, write);
}

int mr_advise(struct pd *pd, enum ibv_advise_mr_advice advice, const struct ibv_sge *list,
              unsigned int count)
{
	int err = 0;

	keys_lock(); /* no region goes while it is looked at */
	for (unsigned int i = 0; i < count && !err; i++)
		err = advise_one(pd, advice, &list[i]);
	keys_unlock();
	return err;
}
