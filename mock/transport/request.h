/* SPDX-License-Identifier: BSD-2-Clause */
/* A request while the responder works on it; the responder's lock is held all the time.
 */
#ifndef MOCK_TRANSPORT_REQUEST_H
#define MOCK_TRANSPORT_REQUEST_H

#include "link/packet.h"
#include "object/qp.h"
#include "object/rq.h"

/* What becomes of a request. */
enum outcome {
	RESP_DONE,      /* executed: acknowledge */
	RESP_DUPLICATE, /* executed before: acknowledge again */
	RESP_DROP,      /* say nothing */
	RESP_PSN_NAK,   /* something before it is missing */
	RESP_RNR,       /* no receive is posted */
	RESP_INVALID,   /* NAK-Invalid Request */
	RESP_ACCESS,    /* NAK-Remote Access Error */
	RESP_OPERATION, /* NAK-Remote Operational Error */
};

struct request {
	struct peer *owner;
	struct qp_shared *qp;
	const struct packet *packet;
	unsigned int mask;      /* enum opcode_mask */
	uint64_t original;      /* what an atomic found */
	union rwqe_copy *copy;  /* room for a receive out of an SRQ */
	const struct rwqe *wqe; /* the receive that it takes */
};

/* deliver.c: into the owner's receive queue and completion queue. */

/* Takes the next receive, if the request needs one (IBA 9.7.5.2.8 when there is none). */
enum outcome take_receive(struct request *req);
enum outcome deliver_send(struct request *req);
/*
 * A small datagram whose receive begins with room for all of it: where its header goes,
 * to be placed with the rest by the owner's poll. NULL for any other.
 */
uint8_t *deliver_header_room(const struct request *req);
enum outcome deliver_datagram_inline(const struct request *req);
/* Completes the receive with an error; its message is not delivered. */
void deliver_failure(const struct request *req, enum ibv_wc_status status);
/* Completes the receive that a WRITE with immediate took, if it took one: as the WRITE
 * went, or, where it was refused, not at all if the receive can stay. */
enum outcome deliver_immediate(struct request *req, enum outcome written,
                               enum ibv_wc_status status);

/* Completes the receive that was taken, in that way. */
enum outcome deliver_end(const struct request *req, enum ibv_wc_status status);

/* responder.c: whether the QP is there, and the packet is for it … */
enum outcome check_state(const struct request *req);
/* … and is one that it takes (IBA 9.7.4.1.6). */
enum outcome check_operation(const struct request *req);
/* Counts what was not executed, and ends the connection when that is fatal: the syndrome
 * of the answer. qp is the QP itself, also where the request has an XRC view of it. */
uint8_t responder_conclude(const struct request *req, struct qp_shared *qp,
                           enum outcome outcome);
uint8_t responder_end(const struct peer *owner, struct qp_shared *qp,
                      enum outcome outcome);

/* execute.c: on the owner's memory. */
/* What a RETH or AtomicETH names, if it may be used so (IBA 9.7.4.1.5). */
bool remote_memory(const struct request *req, uint32_t access, uint64_t length,
                   struct iovec *iov);
/* The key that a SEND brings is not valid any more; RESP_ACCESS, and the receive has
 * completed, when it may not do that. */
enum outcome invalidate(const struct request *req);
enum outcome execute(struct request *req);
enum outcome execute_read(struct request *req);

/* What comes of peer_read() or peer_write(). */
enum outcome after_copy(const struct request *req, int err);

/* The responder's lock is held. */
static inline void psn_advance(struct qp_shared *qp)
{
	uint32_t psn = atomic_load_explicit(&qp->epsn, memory_order_relaxed);

	atomic_store_explicit(&qp->epsn, (psn + 1) & PSN_MASK, memory_order_relaxed);
}

static inline void count_executed(struct qp_shared *qp, unsigned int mask,
                                  uint64_t length)
{
	tally_add(&qp->executed[(mask & OP_RECV) != 0], 1);
	tally_add(&qp->executed_bytes[(mask & (OP_READ | OP_ATOMIC)) != 0], length);
	if (unlikely(mask & OP_UNACKED))
		tally_add(&qp->executed_unacked, 1);
}

/* Drops it, for a reason that is counted. */
enum outcome drop(const struct request *req, enum counter why);

#endif
