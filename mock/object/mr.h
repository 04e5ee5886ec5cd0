/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory regions. The table of keys is in the segment, so that a peer's requester can
 * check a key of ours and learn where the memory is.
 *
 *   key:  31            8 7       0
 *        +---------------+---------+
 *        |     index     |   tag   |   both drawn at random; the low byte is the
 * consumer's
 *        +---------------+---------+   for memory windows of type 2 (IBA 10.6.7.2)
 */
#ifndef MOCK_OBJECT_MR_H
#define MOCK_OBJECT_MR_H

#include <infiniband/verbs.h>
#include <stdatomic.h>
#include "host/peer.h"
#include "object/pd.h"

/* Shared. Memory of an entry is only ever used for entries, since a stale look-up may
 * read it. */
struct mr_entry {
	_Atomic uint32_t key; /* 0: free */
	uint32_t pd;          /* handle of the owner's struct pd */
	uint32_t access;      /* enum ibv_access_flags */
	uint32_t reserved;
	uint64_t iova; /* the first address as work requests name it */
	uint64_t length;
	uint64_t va; /* the first address in the owner's memory */
	seg_off next_free;
	uint64_t pad[2];
};

struct mr {
	struct ibv_mr ibv;
	seg_off entry;
};

static inline struct mr *to_mr(struct ibv_mr *mr)
{
	return container_of(mr, struct mr, ibv);
}

/*
 * Registers length bytes at addr, known to work requests from iova on, or from 0 on when
 * they are zero-based. Nothing is pinned, so on-demand paging comes by itself. -EINVAL
 * for flags that are unknown, or remote write or atomic without local write
 * (IBA 10.6.3.1); -EFAULT for memory that an adapter could not pin; -ENOMEM.
 */
int mr_register(struct pd *pd, void *addr, size_t length, uint64_t iova,
                unsigned int access, struct mr **mr);

/*
 * Takes the key out of the table, and waits until no responder or requester moves data
 * under it. settle() is transport's way of waiting for one QP.
 */
void mr_unregister(struct mr *mr, void (*settle)(struct pd *pd));

/*
 * The entry of a key of that process, if it is live, of that protection domain, gives all
 * rights asked for, and covers the range; *va is then the owner's address of it.
 * Otherwise NULL (IBA 10.6.3, C10-73).
 */
const struct mr_entry *mr_check(const struct peer *owner, uint32_t key, uint32_t pd,
                                uint32_t access, uint64_t addr, uint64_t length,
                                uint64_t *va);

#endif
