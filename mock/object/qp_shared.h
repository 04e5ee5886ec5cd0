/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a responder needs of a QP, in its owner's segment. Whoever runs the responder
 * holds the lock: the peer's requester for the local link, the owner for packets from the
 * network.
 *
 * The memory is only ever used for this struct, and stays: a requester that comes late
 * finds another QP number in it, or none.
 */
#ifndef MOCK_OBJECT_QP_SHARED_H
#define MOCK_OBJECT_QP_SHARED_H

#include <infiniband/verbs.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include "host/counters.h"
#include "host/owner_lock.h"
#include "host/segment.h"
#include "object/async.h"

struct qp_shared {
	/* All of the process's, from segment_head.qp_list: what is cleaned up after it
	 * dies. */
	seg_off next;
	_Atomic uint32_t qpn;   /* 0: unused */
	uint32_t handle;        /* of the owner's struct qp */
	_Atomic uint32_t state; /* enum ibv_qp_state; changed under lock */
	uint32_t dest_qpn;
	uint32_t pd; /* handle */
	uint32_t access;
	seg_off rq;
	seg_off recv_cq;
	uint8_t min_rnr_timer;
	uint8_t max_dest_rd_atomic;
	uint8_t rq_is_shared;  /* an SRQ: its own lock guards it */
	uint8_t transport;     /* enum bth_transport */
	uint8_t type;          /* enum ibv_qp_type */
	uint8_t device;        /* in the head of the segment */
	uint8_t has_flows;     /* UD */
	uint32_t qkey;         /* UD */
	union ibv_gid sgid;    /* packets must come to this address … */
	union ibv_gid dgid;    /* … from that one */
	uint64_t rtr_executed; /* requests executed when the connection began */
	union {
		seg_off target; /* XRC: struct target_shared */
		seg_off flows;  /* UD: first struct flow_rule */
	};
	_Atomic seg_off
	        wire;        /* what packets need: struct wire_responder, once one came */
	uint32_t connection; /* how many there were: tells packets' state of the last */
	uint8_t path_mtu;    /* enum ibv_mtu */
	/* Packets are (object/protection.h): set in INIT, cleared by RESET, under the
	 * lock.
	 */
	_Atomic uint8_t is_protected;

	/* Written for each request; on a cache line apart from what the owner reads. */
	struct owner_lock lock __attribute__((aligned(CACHE_LINE)));
	_Atomic uint32_t epsn; /* the PSN expected next (IBA 9.7.1.2) */
	async_due due;         /* tell by INBOX_QP */
	uint8_t established;   /* the first request came before the QP was in RTS */
	uint8_t psn_nak_sent;  /* one NAK for each gap (IBA 9.7.5.1.3) */
	/* Counted by the holder of the lock: what comes with each request, here … */
	tally executed[2];       /* without and with a receive */
	tally executed_bytes[2]; /* of the requests, of their responses */

	/* … what the owner's requester counts … */
	tally requester[COUNT_RESPONDER - COUNT_REQUESTER]
	        __attribute__((aligned(CACHE_LINE)));
	/* … and the responder's other ones. They go on when the block is used again. */
	tally responder[COUNT_DERIVED - COUNT_DUPLICATE]
	        __attribute__((aligned(CACHE_LINE)));
	tally executed_unacked;
};

_Static_assert(offsetof(struct qp_shared, requester) - offsetof(struct qp_shared, lock) ==
                       CACHE_LINE,
               "what each request writes is one cache line");

/* Requests that were executed, ever. The responder's lock is held. */
static inline uint64_t qp_executed(const struct qp_shared *qp)
{
	return atomic_load_explicit(&qp->executed[0], memory_order_relaxed) +
	       atomic_load_explicit(&qp->executed[1], memory_order_relaxed);
}

/* For the requester: its lock is held. */
static inline void count_requester(struct qp_shared *qp, enum counter which,
                                   uint64_t more)
{
	tally_add(&qp->requester[which - COUNT_REQUESTER], more);
}

/* For the responder, what is not an executed request: its lock is held. */
static inline void count_responder(struct qp_shared *qp, enum counter which)
{
	tally_add(&qp->responder[which - COUNT_DUPLICATE], 1);
}

#endif
