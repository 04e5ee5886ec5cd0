/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory windows (IBA 10.6.7): keys that stand for a part of a region, with rights of
 * their own, and that come and go by work requests. Type 1 belongs to its protection
 * domain; type 2 is 2B, which belongs to the QP that bound it as well.
 */
#ifndef MOCK_OBJECT_MW_H
#define MOCK_OBJECT_MW_H

#include <infiniband/verbs.h>
#include "base/list.h"
#include "object/key.h"
#include "object/pd.h"

struct mw {
	struct ibv_mw ibv;
	seg_off entry;
	uint32_t key; /* one that has its index */
	struct list node;
};

static inline struct mw *to_mw(struct ibv_mw *mw)
{
	return container_of(mw, struct mw, ibv);
}

/* Rights that a bind may ask for. */
#define MW_RIGHTS                                                                      \
	(IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_REMOTE_READ | IBV_ACCESS_REMOTE_ATOMIC | \
	 IBV_ACCESS_ZERO_BASED)

/* What a bind asks for. */
struct mw_bind {
	uint32_t rkey; /* that it is to have; the tag is the consumer's */
	uint32_t lkey; /* of the region; 0: none, for an unbind */
	uint32_t access;
	uint64_t addr; /* as work requests name it in the region */
	uint64_t length;
};

/* Not bound. -EINVAL for an unknown type, -ENOMEM. */
int mw_alloc(struct ibv_pd *pd, enum ibv_mw_type type, struct mw **mw);
/* settle() waits for responders that use a window of the PD. */
void mw_free(struct mw *mw, void (*settle)(uint32_t pd));

/*
 * The owner's QP binds; -EINVAL, and nothing has changed, where that is a memory window
 * bind error (IBA 10.6.7.2, C10-72 to 75). *stale says whether a key that was valid is
 * not any more: whoever uses it has to be waited for.
 */
int mw_bind(uint32_t pd, uint32_t qpn, const struct mw_bind *bind, bool *stale);

/*
 * The key of a window of type 2 is not valid any more (IBA 10.6.7.2.6): for a local
 * invalidate, or a SEND with invalidate that arrived on the QP. -EINVAL when it is not
 * one that this QP may invalidate. Whoever uses it holds the lock of the QP's responder.
 */
int mw_invalidate(const struct peer *owner, uint32_t pd, uint32_t qpn, uint32_t rkey);

/* As mr_check(), for what came to that QP with a key that is no region's. */
bool mw_check(const struct peer *owner, uint32_t key, uint32_t pd, uint32_t qpn,
              uint32_t access, uint64_t addr, uint64_t length, uint64_t *va);

/* Whether a window is bound to the region. The keys' lock is held. */
bool mw_any_bound(seg_off region);

#endif
