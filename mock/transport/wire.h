/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The transports over a network that loses packets (IBA 9.7): what the synchronous path
 * of requester.c and responder.c need not do. A requester has a window of packets without
 * an answer, and sends again from the oldest; a responder keeps a message's receive and
 * place between its packets, and what it needs to answer READs and atomics once more.
 */
#ifndef MOCK_TRANSPORT_WIRE_H
#define MOCK_TRANSPORT_WIRE_H

#include "link/roce.h"
#include "object/device.h"
#include "transport/transport.h"
#include "transport/wire_guess.h"

enum {
	/* READs are asked for in parts of so many packets, so that the window bounds what
	 * comes back. */
	READ_PART = 32,
	WINDOW_FIRST = 64,
	WINDOW_LEAST = 4,
	WINDOW_MOST = 1024,
};

/* The requester's; under qp->sq.lock. sq.next is the oldest WQE without an answer. */
struct wire {
	struct net_path path;
	struct wire_guesses guesses;
	uint8_t transport; /* enum bth_transport */
	uint32_t mtu;      /* bytes */
	/* What to send next: this packet of this WQE. */
	uint32_t send, packet;
	uint32_t numbered; /* WQEs before this one have their PSNs */
	uint32_t una;      /* the oldest PSN without an answer */
	uint32_t high;     /* the one after the furthest that was sent */
	uint32_t reads;    /* READs and atomics that were asked for */
	/* Flow control, in packets: shrinks when some are lost, grows when they arrive.
	 */
	uint32_t window, threshold, grown;
	uint32_t unasked; /* sent since one asked for an acknowledgement */
	/* End-to-end credits (IBA 9.7.7.2): messages begun, and how many may be. */
	uint32_t messages, limit;
	bool limited;
	/* Missing responses were asked for again from here on. */
	bool missed;
	uint32_t missed_at;
	/* now_ns() clock; 0: not set. */
	uint64_t expires; /* the local ACK timeout … */
	uint64_t again_at; /* … and before it, when the network seems to have lost some */
	unsigned int agains;
	uint64_t armed_for; /* what the retry timer was last set to here */
	uint64_t timed_at;  /* this PSN was sent then */
	uint32_t timed;
	uint32_t fresh; /* PSNs from here on were sent at most once */
	/* Smoothed: how long an answer takes, 0: not known yet; how far it is off that.
	 */
	uint64_t round_trip, deviation;
};

static inline int32_t psn_diff(uint32_t a, uint32_t b)
{
	return (int32_t)((a - b) << 8) >> 8;
}

static inline bool psn_before(uint32_t a, uint32_t b)
{
	return psn_diff(a, b) < 0;
}

static inline uint32_t psn_add(uint32_t psn, uint32_t more)
{
	return (psn + more) & PSN_MASK;
}

static inline uint32_t packets_for(uint64_t length, uint32_t mtu)
{
	return length ? (uint32_t)((length + mtu - 1) / mtu) : 1;
}

/* The PSN of what is to be sent next. */
static inline uint32_t wire_next_psn(const struct qp *qp)
{
	const struct wire *wire = qp->wire;

	return wire->send == wire->numbered
	               ? qp->sq.psn
	               : psn_add(sq_at(&qp->sq, wire->send)->psn, wire->packet);
}

static inline uint32_t wire_in_flight(const struct qp *qp)
{
	return (wire_next_psn(qp) - qp->wire->una) & PSN_MASK;
}

/* wire_qp.c: what changing a QP entails. */
int wire_set_path(struct qp *qp, const struct ibv_ah_attr *av);
void wire_begin(struct qp *qp);
/* The send queue was emptied. */
void wire_flushed(struct qp *qp);
struct net_path wire_path(const union ibv_gid *from, const union ibv_gid *to,
                          const struct ibv_global_route *grh);

/* wire_send.c: the requester; the lock of qp->sq is held. */
void wire_run(struct qp *qp);
/* Goes on at that PSN, from which on nothing has been answered. */
void wire_seek(struct qp *qp, uint32_t psn);
/* What a work request is: enum opcode_mask, 0 for one that sends nothing. */
unsigned int wire_mask(const struct wqe *wqe);

/* wire_datagram.c: the one at sq.next, and with it those behind that may go along. How
 * many went; what did not waits for room. */
unsigned int wire_send_datagrams(struct qp *qp, struct wqe *wqe,
                                 const struct packet *packet);
/* To the members of its group on other hosts, if this process reaches any. */
void wire_send_to_group(const struct packet *packet);

/* wire_owed.c: a poll finds nothing: acknowledgements that waited for that go. No lock is
 * held. */
void wire_owed_look(void);

/* wire_credit.c: … and what receives were posted since is told. */
void wire_credit_look(void);

/* wire_answer.c: the completer; the lock of qp->sq is held. */
void wire_answer(struct qp *qp, const struct net_path *path, const struct roce *answer);

/* wire_timer.c: the same. */
void wire_arm(struct qp *qp);
void wire_fire(struct qp *qp);
/* There was progress: the retries begin anew. */
void wire_progress(struct qp *qp, uint32_t packets);
/* Some were lost: from the oldest on again, and fewer at a time. */
void wire_again(struct qp *qp);

/* wire_receive.c: what the network gives. */
extern const struct net_takers wire_takers;

#endif
