/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Keys: the table of what L_Keys and R_Keys stand for. It is in the segment, so that a
 * peer's requester can check a key of ours and learn where the memory is.
 *
 *   key:  31            8 7       0
 *        +---------------+---------+
 *        |     index     |   tag   |   both drawn at random; the low byte is the
 *        +---------------+---------+   consumer's for memory windows (IBA 10.6.7.2)
 */
#ifndef MOCK_OBJECT_KEY_H
#define MOCK_OBJECT_KEY_H

#include <infiniband/verbs.h>
#include <stdatomic.h>
#include <stdbool.h>
#include "host/peer.h"

/* In struct mr_entry.access, beside enum ibv_access_flags (without the optional ones). */
enum key_kind {
	KEY_LOCAL = 1 << 20,   /* good as an L_Key */
	KEY_SPECIAL = 1 << 21, /* mr_check() has to look twice */
	KEY_WINDOW = 1 << 22,  /* special; any number may come and go under one index */
	KEY_TYPE_2 = 1 << 23,  /* a window that its consumer invalidates */
	KEY_NULL = 1 << 24,    /* special; discards what is written, reads as zeros */
	KEY_DEVICE = 1 << 25,  /* of device memory */
	KEY_RIGHTS = KEY_LOCAL - 1,
};

/*
 * Shared. Memory of an entry is only ever used for entries, since a stale look-up may
 * read it.
 */
struct mr_entry {
	_Atomic uint32_t key; /* 0: not valid */
	uint32_t pd;          /* handle of the owner's struct pd */
	_Atomic uint32_t access;
	_Atomic uint32_t qpn;  /* a window of type 2: the QP that it is bound to */
	_Atomic uint64_t iova; /* the first address as work requests name it */
	_Atomic uint64_t length;
	_Atomic uint64_t va; /* the first address in the owner's memory */
	seg_off next_free;
	_Atomic uint32_t version; /* of a window: odd while its owner changes it */
	uint32_t windows; /* the owner's: how many were bound to this region last */
	seg_off parent;   /* the owner's: the region that a window was bound to last */
};

/* The owner's changes of the table and of its entries exclude each other. */
void keys_lock(void);
void keys_unlock(void);

/*
 * An index of its own, with an entry in which only the kind and the protection domain are
 * set; no key is valid yet. *key is one for it. The lock is held. -ENOMEM beyond
 * MOCKRDMA_MAX_MR, or when there is no room.
 */
int key_alloc(uint32_t pd, uint32_t access, seg_off *off, uint32_t *key);
/* Takes the index out of the table; peers may still be using what they found. */
void key_retire(uint32_t key);
/* Gives the entry back: nobody can be using it. The lock is held. */
void key_free(seg_off entry);

/* The entry that has the key's index, whatever its tag. */
struct mr_entry *key_find(const struct peer *owner, uint32_t key);

static inline bool key_is_valid(const struct mr_entry *entry, uint32_t key)
{
	return entry && atomic_load_explicit(&entry->key, memory_order_acquire) == key;
}

/*
 * The entry of a key of that process, if it is live, of that protection domain, gives all
 * rights asked for, and covers the range; *va is then the owner's address of it.
 * Otherwise NULL (IBA 10.6.3, C10-73). KEY_LOCAL is a right, too. Of a window, see mw.h.
 */
const struct mr_entry *mr_check(const struct peer *owner, uint32_t key, uint32_t pd,
                                uint32_t access, uint64_t addr, uint64_t length,
                                uint64_t *va);

/*
 * The regions and windows of a process, by the descriptor of its segment, for those who
 * look: each() gets a copy, and stops the walk when it does not return 0.
 */
int key_each(int segment, int (*each)(void *arg, const struct mr_entry *mr), void *arg);

#endif
