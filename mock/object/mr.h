/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory regions: what the keys of struct mr_entry (key.h) mostly stand for. */
#ifndef MOCK_OBJECT_MR_H
#define MOCK_OBJECT_MR_H

#include <infiniband/verbs.h>
#include "base/list.h"
#include "base/refs.h"
#include "object/key.h"
#include "object/pd.h"

struct dm;

struct mr {
	struct ibv_mr ibv;
	struct mr *root;  /* itself, or what it is an import of */
	struct refs refs; /* of the struct: see object/import.h */
	/* Of a region that is none. */
	seg_off entry;
	struct dm *dm;    /* whose memory it is, if any device memory's */
	struct list node; /* of all regions, under the keys' lock */
	bool gone;        /* likewise */
};

static inline struct mr *to_mr(struct ibv_mr *mr)
{
	return container_of(mr, struct mr, ibv);
}

/* Transport's way to wait until no responder or requester uses keys of the PD. */
typedef void mr_settle(struct pd *pd);

/*
 * Registers length bytes at addr, known to work requests from iova on, or from 0 on when
 * they are zero-based. Nothing is pinned, so on-demand paging comes by itself. -EINVAL
 * for flags that are unknown, or remote write or atomic without local write
 * (IBA 10.6.3.1); -EOPNOTSUPP for rights to flush, which the device has not; -EFAULT for
 * memory that an adapter could not pin; -ENOMEM.
 */
int mr_register(struct ibv_pd *pd, void *addr, size_t length, uint64_t iova,
                unsigned int access, struct mr **mr);
/* Of device memory, zero-based: its caller has checked the range. */
int mr_register_dm(struct ibv_pd *pd, struct dm *dm, void *addr, size_t length,
                   unsigned int access, struct mr **mr);
/* Gives zeros, and takes anything: good as an L_Key alone. */
int mr_register_null(struct ibv_pd *pd, struct mr **mr);

/*
 * Takes the key out of the table, and waits until nobody moves data under it. -EBUSY,
 * and nothing is changed, while a memory window is bound to it; -EINVAL when it is gone
 * already. With an import, its region goes.
 */
int mr_unregister(struct mr *mr, mr_settle *settle);

/* As ibv_import_mr(3): -ENOENT when the opening of the domain's context has no such
 * region. */
int mr_import(struct ibv_pd *pd, uint32_t handle, struct mr **mr);
void mr_unimport(struct mr *mr);

/*
 * As ibv_rereg_mr(3); what flags do not name is ignored. The keys stay the same, and are
 * not valid meanwhile. Any error leaves the region as it was: -EINVAL, also of an import,
 * -EFAULT as on registering, -EBUSY while a window is bound to it.
 */
int mr_reregister(struct mr *mr, int flags, struct ibv_pd *pd, void *addr, size_t length,
                  unsigned int access, mr_settle *settle);

/* As ibv_advise_mr(3), a prefetch: 0 or -errno. */
int mr_advise(struct pd *pd, enum ibv_advise_mr_advice advice, const struct ibv_sge *list,
              unsigned int count);

#endif
