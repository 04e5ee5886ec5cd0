/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * This process's segment: the shared mapping that holds all state that a peer's requester
 * needs to run our responders (QPs, receive queues, CQs, the MR table). Only its owner
 * allocates in it; peers map it whole, on first use. Offsets, never pointers, are stored
 * in it.
 */
#ifndef MOCK_HOST_SEGMENT_H
#define MOCK_HOST_SEGMENT_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include "host/counters.h"
#include "host/lock.h"
#include "host/owner_lock.h"

typedef uint64_t seg_off; /* bytes from the start of a segment; 0 is "none" */

#define INBOX_SLOTS    256
#define INBOX_BODY_MAX 488

struct inbox_slot {
	uint32_t kind;       /* enum inbox_kind */
	uint32_t from;       /* sender's index in the registry's process table */
	uint64_t generation; /* sender's generation there */
	uint32_t length;
	uint32_t reserved;
	uint8_t body[INBOX_BODY_MAX];
};

/* Messages for the owner's engine: many senders, under lock; the engine is the one
 * reader. */
struct inbox {
	struct host_lock lock;
	_Atomic uint32_t head; /* next to read: moved by the owner */
	_Atomic uint32_t
	        tail; /* next to write: moved under the lock, after the slot is whole */
	_Atomic uint32_t missed; /* kinds of which one found no room: see inbox_tell() */
	struct inbox_slot slot[INBOX_SLOTS];
};

/* A device that the process has, for those who look. */
#define SEGMENT_DEVICES     8
#define SEGMENT_DEVICE_NAME 32
struct segment_device {
	char name[SEGMENT_DEVICE_NAME];
	char netdev[16]; /* empty: all */
};

/* At offset 0 of each segment. */
struct segment_head {
	uint32_t magic;
	uint32_t version;
	uint64_t size;            /* of the mapping that peers make, bytes */
	_Atomic uint64_t backed;  /* bytes of it that exist: more as the owner allocates;
	                           * no block lies across what it once was */
	uint64_t bell;            /* of the owner's engine (host/bell.h) */
	_Atomic seg_off mr_table; /* object/key.h: root of the key table */
	_Atomic seg_off qp_list;  /* object/pool.h: first of all struct qp_shared … */
	_Atomic seg_off cq_list;  /* … and struct cq_shared */
	struct segment_device device[SEGMENT_DEVICES]; /* until one without a name */
	struct owner_lock
	        atomic_lock; /* atomics on this process's memory, one at a time */
	struct inbox inbox;
	_Atomic uint64_t net[COUNTERS_NET]; /* host/counters.h: from COUNT_NET on */
};

/*
 * Allocates size bytes of zeroed memory, aligned to 64, backed by real memory (so that no
 * later touch can fail). Returns 0 and the offset, or -ENOMEM with nothing changed.
 * Any thread.
 */
int segment_alloc(size_t size, seg_off *off);

/* Gives back what segment_alloc() gave, with the same size. */
void segment_free(seg_off off, size_t size);

/* Where an offset of our own segment is in this process. Valid from host_attach() on. */
void *segment_ptr(seg_off off);

struct segment_head *segment_head(void);

/* For this process, what is counted from COUNT_NET on. Any thread. */
void count_net(enum counter counter, uint64_t more);

#endif
