/* SPDX-License-Identifier: BSD-2-Clause */
/* Queue pairs: the owner's side. */
#ifndef MOCK_OBJECT_QP_H
#define MOCK_OBJECT_QP_H

#include <infiniband/verbs.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include "base/list.h"
#include "base/util.h"
#include "host/engine.h"
#include "object/ah.h"
#include "object/cq.h"
#include "object/qp_shared.h"
#include "object/rq.h"

#define PSN_MASK 0xffffffu
#define QPN_MASK 0xffffffu

/* A posted send work request, in the owner's memory. */
struct wqe {
	uint64_t wr_id;
	uint8_t opcode; /* enum ibv_wr_opcode */
	uint8_t flags;  /* enum ibv_send_flags */
	uint16_t num_sge;
	uint32_t imm; /* as on the wire: big endian */
	uint64_t remote_addr;
	uint64_t compare_add;
	uint64_t swap;
	uint32_t rkey;
	uint32_t psn;
	uint64_t length; /* of the payload; beyond DEVICE_MAX_MSG it ends in an error */
	struct ibv_sge sge[]; /* or the payload itself, with IBV_SEND_INLINE */
};

/* Behind each WQE of a UD QP. */
struct wqe_datagram {
	struct av av;
	uint32_t qpn, qkey;
};

/* Behind each WQE of an XRC initiator. */
struct wqe_xrc {
	uint64_t srqn;
};

/* What the send queue waits for; nothing is sent meanwhile. */
enum sq_wait {
	SQ_RUNS,
	SQ_WAITS_CREDIT, /* the responder has no receive: it is not worth asking yet */
	SQ_WAITS_RNR,    /* it said so: the time that it named */
	SQ_WAITS_ANSWER, /* none came: the local ACK timeout */
};

struct sq {
	struct owner_lock lock; /* the requester's */
	char *ring;
	bool custom;   /* the ring is of the parent domain's allocator */
	uint32_t size; /* of the ring: a power of two */
	uint32_t stride;
	uint32_t depth;
	uint32_t max_sge;
	uint32_t max_inline;
	uint32_t posted; /* WQEs put in, modulo 2^32 */
	uint32_t next;   /* the WQE to work on next */
	_Atomic uint32_t
	        completed;    /* WQEs whose completion was polled: their place is free */
	uint32_t psn;         /* of the next new packet */
	bool started;         /* the WQE at next has a PSN: it was sent before */
	bool apart;           /* not the plain path of RC on this host */
	bool long_way;        /* not RC, or all that is sent is to be seen */
	bool blocked;         /* the network has no room */
	bool unacked;         /* UC and UD: what is sent is done */
	bool datagrams;       /* UD: WQEs have a struct wqe_datagram behind them */
	bool xrc;             /* initiator: WQEs have a struct wqe_xrc behind them */
	uint32_t max_message; /* bytes */
	uint32_t operations;  /* 1 << enum ibv_wr_opcode of those that the type has */
	enum sq_wait wait;
	uint64_t wait_until;      /* now_ns() clock */
	bool armed;               /* the retry timer */
	bool probe;               /* ask, credit or not */
	unsigned int retries;     /* left, of retry_cnt */
	unsigned int rnr_retries; /* left, of rnr_retry */
};

struct wr_builder { /* between ibv_wr_start() and ibv_wr_complete() */
	uint32_t posted;
	struct wqe *wqe;
	int err;
};

struct link_ops;
struct wire;
struct recipients;
struct xrcd;
struct protection;

struct qp {
	struct ibv_qp_ex ex; /* its head is struct ibv_qp */
	struct qp_shared *sh;
	seg_off off;
	struct sq sq;
	struct rq rq; /* its own; not used when there is an SRQ */
	struct wr_builder builder;
	struct timer retry_timer;
	pthread_mutex_t modify_lock; /* one thread at a time; before sq.lock */
	struct ibv_qp_attr attr;     /* as set so far; under sq.lock */
	struct ibv_qp_cap cap;
	bool sq_sig_all;
	bool drain_notify; /* SQ_DRAINED is due */
	/* How packets reach the peer: chosen when the address vector is set. */
	const struct link_ops *link;
	struct wire *wire; /* roce link: transport/wire.h */
	/* Its keys, once it was given any; in force while sh->is_protected. */
	struct protection *_Atomic protection;
	struct peer *peer;        /* local link: the owner of dest_qp_num, once found */
	struct qp_shared *remote; /* there */
	struct recipients *recipients; /* local link: whom its last multicast went to */
	struct xrcd *xrcd;             /* XRC target */
	bool opened;                   /* by ibv_open_qp() */
	struct peer *home;             /* if so: where it is */
	uint32_t target_entry;         /* in the registry: that the target is open here */
	_Atomic uint32_t groups;       /* that it is attached to */
	struct list flows;             /* UD: transport/flow.h, under a lock there */
	bool no_own_copies;            /* IBV_QP_CREATE_BLOCK_SELF_MCAST_LB */
	struct list context_node, pd_node, srq_node;
	struct list credit_node; /* under the lock of transport/credit.c */
	_Atomic uint32_t holds;
	uint32_t async_delivered; /* under the asynchronous queue's lock */
};

static inline struct qp *to_qp(struct ibv_qp *qp)
{
	return container_of((struct ibv_qp_ex *)qp, struct qp, ex);
}

static inline struct ibv_qp *qp_base(struct qp *qp)
{
	return &qp->ex.qp_base;
}

static inline enum ibv_qp_state qp_state(const struct qp *qp)
{
	return atomic_load_explicit(&qp->sh->state, memory_order_relaxed);
}

static inline struct wqe *sq_at(const struct sq *sq, uint32_t index)
{
	return (struct wqe *)(sq->ring + (size_t)(index & (sq->size - 1)) * sq->stride);
}

static inline struct wqe_datagram *sq_datagram(const struct sq *sq, struct wqe *wqe)
{
	return (struct wqe_datagram *)((char *)wqe + sq->stride) - 1;
}

static inline struct wqe_xrc *sq_xrc(const struct sq *sq, struct wqe *wqe)
{
	return (struct wqe_xrc *)((char *)wqe + sq->stride) - 1;
}

/* 1 << enum ibv_wr_opcode of what QPs of a type can do; 0 for a type that the device has
 * not. */
uint32_t qp_type_operations(enum ibv_qp_type type);

/* The receive queue that the QP consumes from: its own or the SRQ's. */
struct rq *qp_rq(struct qp *qp);

/*
 * A QP in RESET, with an unpredictable number. -EINVAL for a capability beyond the
 * device's or objects of another context, -EOPNOTSUPP for a type that the device has not,
 * -ENOMEM. attr->cap is set to what was given.
 */
int qp_create(struct ibv_pd *pd, struct xrcd *xrcd, struct ibv_qp_init_attr *attr,
              void (*retry)(struct timer *), struct qp **qp);
/* One more handle of an XRC target, of this process or another, whose reference it takes
 * over. */
int qp_open(struct xrcd *xrcd, uint32_t qpn, struct peer *home, seg_off off,
            void *qp_context, struct qp **qp);
/* The number and the memory of a target: they outlive the handle that it was made with.
 */
void qp_block_free(seg_off off, uint32_t qpn);
/* Nothing runs on the QP any more: its state is RESET, and its timer cancelled. */
void qp_destroy(struct qp *qp);

/* The QP of a handle of this process, if its number is still that one; qp_release() it.
 */
struct qp *qp_hold(uint32_t handle, uint32_t qpn);
void qp_release(struct qp *qp);
/* All of this process; each() releases its. */
void qp_each(void (*each)(struct qp *qp));
/* For the completions that are polled: the handle is known to be live. */
struct qp *qp_of_handle(uint32_t handle);

void qp_query(struct qp *qp, struct ibv_qp_attr *attr, struct ibv_qp_init_attr *init);

/* With what packets that it sends are to be protected; NULL: with nothing. The lock of
 * its requester or of its responder is held, and used for as long. */
static inline struct protection *qp_protection(const struct qp *qp)
{
	return likely(!atomic_load_explicit(&qp->sh->is_protected, memory_order_relaxed))
	               ? NULL
	               : atomic_load(&qp->protection);
}

/* The QP's entries leave both its CQs; what they held of the queues is free again. */
void qp_forget_completions(struct qp *qp);
/* The receive queue that a receive came from. */
struct rq *completion_rq(const struct completion *c);
/* What taking out a completion means to the queue that its work request was on. */
void qp_completion_taken(const struct cqe *entry);

#endif
