/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Completion queues: a ring in the owner's segment. Requesters of any process put entries
 * in, under the producers' lock; only the owner takes them out, so polling shares no lock
 * with a peer.
 */
#ifndef MOCK_OBJECT_CQ_H
#define MOCK_OBJECT_CQ_H

#include <infiniband/verbs.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include "host/owner_lock.h"
#include "host/peer.h"
#include "object/async.h"
#include "object/channel.h"
#include "object/handle.h"
#include "wire/grh.h"

#define CQE_INLINE_MAX 64

/* A completion as it is put in. */
struct completion {
	_Atomic uint32_t
	        turn;     /* in the ring: index + 1 of the entry that is whole here */
	uint8_t status;   /* enum ibv_wc_status */
	uint8_t opcode;   /* enum ibv_wc_opcode, less IBV_WC_RECV: see CQE_RECV */
	uint8_t wc_flags; /* enum ibv_wc_flags */
	uint8_t flags;    /* enum cqe_flags */
	uint64_t wr_id;
	uint32_t byte_len;
	uint32_t imm; /* as on the wire: big endian */
	uint32_t qp_num;
	uint32_t src_qp;
	uint32_t qp;  /* handle of the owner's struct qp */
	uint32_t wqe; /* send: how many WQEs have completed with this one, modulo 2^32 */
	uint64_t place_va; /* where inline_data belongs in the owner's memory */
	uint32_t place_lkey;
	uint32_t vendor_err;
};

/* As it lies in the ring; the first cache line carries 8 bytes of payload. */
struct cqe {
	struct completion c;
	uint8_t inline_data[CQE_INLINE_MAX]; /* a small SEND, until it is polled */
	uint64_t timestamp;                  /* now_ns() clock, with CQ_TIMESTAMPS */
};

enum cqe_flags {
	CQE_RECV = 1 << 0,      /* a receive completion: opcode gets IBV_WC_RECV added */
	CQE_INLINE = 1 << 1,    /* byte_len bytes of inline_data wait to be placed */
	CQE_SOLICITED = 1 << 2, /* wakes who asked for solicited events only */
	CQE_DEAD = 1 << 3,      /* of a QP that is gone: skipped */
	CQE_SRQ = 1 << 4,       /* out of an XRC SRQ: qp is that one's handle */
	CQE_HEADER = 1 << 5,    /* with CQE_INLINE: the datagram's header, not counted in
	                         * byte_len, is behind the receive, which wqe says */
	CQE_IPV4 = 1 << 6,      /* of a datagram: its header is of IPv4, not IPv6 */
};

/* What ibv_create_cq_ex(3) asked for. */
enum cq_flags {
	CQ_TIMESTAMPS = 1 << 0,     /* each entry says when it was put in */
	CQ_IGNORE_OVERRUN = 1 << 1, /* an entry that finds no room is lost, no more */
};

enum cq_armed { CQ_NOT_ARMED, CQ_ARMED_SOLICITED, CQ_ARMED_ANY };

/* Shared; cache lines as in struct rq_shared. */
struct cq_shared {
	seg_off next;         /* all of the process's: object/pool.h */
	uint32_t size;        /* entries of the ring, a power of two */
	uint32_t handle;      /* owner's struct cq; 0: unused */
	uint32_t flags;       /* enum cq_flags; set before any QP uses it */
	_Atomic seg_off ring; /* changed, as size is, under both locks */
	seg_off channel;
	async_due due;
	seg_off next_pending; /* under the channel's lock, as events */
	uint32_t events;
	_Atomic uint32_t armed; /* enum cq_armed */
	struct owner_lock lock /* producers' */ __attribute__((aligned(CACHE_LINE)));
	uint32_t tail;      /* entries put in, modulo 2^32; under lock */
	uint32_t head_seen; /* what producers last saw of head; under lock */
	_Atomic uint32_t overrun;
	_Atomic uint32_t head
	        __attribute__((aligned(CACHE_LINE))); /* entries taken out */
};

struct cq {
	struct ibv_cq_ex ex; /* its head is struct ibv_cq */
	struct cq_shared *sh;
	struct cqe *ring; /* under lock */
	/* The ring that it was made with stays, for those who look without a lock. */
	seg_off first;
	const struct cqe *first_ring;
	uint32_t first_size;
	_Atomic bool resized;
	seg_off off;
	struct owner_lock lock;    /* of those who poll */
	_Atomic uint32_t head;     /* changed under lock */
	_Atomic uint32_t users;    /* QPs that complete to it */
	_Atomic uint32_t holds;    /* of the engine, while it looks */
	struct ibv_pd *parent;     /* domain, if it was made with one */
	const struct cqe *current; /* from cq_poll_begin() on: under lock */
	_Atomic uintptr_t poller;  /* the thread that has a batch open; 0: none */
	uint32_t events_delivered; /* completion events; under the base struct's mutex */
	uint32_t async_delivered;  /* under the asynchronous queue's lock */
};

static inline enum ibv_wc_opcode completion_opcode(const struct completion *c)
{
	return (enum ibv_wc_opcode)(c->opcode + (c->flags & CQE_RECV ? IBV_WC_RECV : 0));
}

/*
 * The remote address of a datagram comprises which kind of packet it came by (IBA annex
 * A17, 17.4.5.1). ibv_poll_cq(3) has no place for that, and RoCE no service level:
 * adapters, and programs like UCX, keep it there. Bit 3: with UDP; below, 1 is IPv6 and 2
 * IPv4.
 */
static inline uint8_t completion_sl(const struct completion *c)
{
	if (!(c->wc_flags & IBV_WC_GRH))
		return 0;
	return c->flags & CQE_IPV4 ? 0xa : 0x9;
}

/* What the receiver gets: the payload, and a datagram's header in front of it. */
static inline uint32_t completion_length(const struct completion *c)
{
	return c->byte_len + (c->flags & CQE_HEADER ? GRH_LENGTH : 0);
}

static inline struct ibv_cq *cq_base(struct cq *cq)
{
	return ibv_cq_ex_to_cq(&cq->ex);
}

static inline struct cq *to_cq(struct ibv_cq *cq)
{
	return container_of((struct ibv_cq_ex *)cq, struct cq, ex);
}

int cq_create(struct ibv_context *context, unsigned int entries, void *cq_context,
              struct channel *channel, struct cq **cq);
/* -EBUSY while a QP uses it. Waits until its events are acknowledged. */
int cq_destroy(struct cq *cq);
/* Raises what is due of the one with that handle, if there is one, or of all. */
void cq_look(uint32_t handle);
void cq_look_all(void);
/* The CQ of an event that was just taken: counted until it is acknowledged. */
struct ibv_cq *cq_event_taken(uint32_t handle);

/*
 * Puts a completion into a CQ of that process, and wakes the owner if it asked for it.
 * Any process, any thread. -EOVERFLOW when the ring is full: the entry is lost and the CQ
 * in error (IBA C11-39). data is the payload when the entry says CQE_INLINE.
 */
int cq_push(const struct peer *owner, seg_off cq, const struct completion *entry,
            const void *data);

/*
 * The same in two steps, for who fills in the entry where it lies: all of struct
 * completion but turn, and the payload. NULL, with nothing held, when this is not the
 * moment for it: cq_push() knows what to do then. cq_commit() follows, soon.
 */
struct cqe *cq_reserve(const struct peer *owner, struct cq_shared *sh);
void cq_commit(const struct peer *owner, struct cq_shared *sh, seg_off cq,
               struct cqe *entry);

/*
 * Takes out up to count entries; each() turns one into a work completion in the caller's
 * form. Returns how many, or -EBUSY within a batch of this thread. The owner's threads.
 */
typedef void cq_each(const struct cqe *entry, void *arg, unsigned int index);
int cq_poll(struct cq *cq, unsigned int count, cq_each *each, void *arg);

/*
 * The same one by one: the entry that is current stays in the ring until the next is
 * taken. The lock of those who poll is held from a cq_poll_begin() that found one until
 * cq_poll_end(). -ENOENT, and nothing held after the first, when there is none; -EBUSY
 * when this thread has a batch open already, -EINVAL when there is none to go on with.
 */
int cq_poll_begin(struct cq *cq);
int cq_poll_next(struct cq *cq);
void cq_poll_end(struct cq *cq);

/*
 * Room for at least so many entries, with those that are there; peers may be putting in
 * more meanwhile. A queue never gets smaller. -EINVAL for none, for more than the device
 * has or for less than what waits to be polled; -ENOMEM with nothing changed.
 */
int cq_resize(struct cq *cq, unsigned int entries);

bool cq_resized_is_empty(struct cq *cq);

/* As far as a look without the lock can tell. */
static inline bool cq_is_empty(struct cq *cq)
{
	uint32_t head = atomic_load_explicit(&cq->head, memory_order_relaxed);
	const struct cqe *next = &cq->first_ring[head & (cq->first_size - 1)];

	if (unlikely(atomic_load_explicit(&cq->resized, memory_order_acquire)))
		return cq_resized_is_empty(cq);
	return atomic_load_explicit(&next->c.turn, memory_order_acquire) != head + 1;
}

void cq_arm(struct cq *cq, bool solicited_only);

/* Entries of this QP, or with CQE_SRQ this SRQ, are not to be polled any more; each() is
 * told of them. */
void cq_forget(struct cq *cq, uint32_t handle, uint8_t of, cq_each *each, void *arg);

#endif
