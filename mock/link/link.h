/* SPDX-License-Identifier: BSD-2-Clause */
/* How packets reach the peer. */
#ifndef MOCK_LINK_LINK_H
#define MOCK_LINK_LINK_H

#include "host/peer.h"
#include "link/packet.h"
#include "object/qp.h"

#define CREDIT_UNKNOWN UINT32_MAX

struct link_ops {
	const char *name;
	bool packets; /* asynchronous: see link/roce.h; send() and credit() are NULL */
	/*
	 * Carries a request of the QP, whose requester's lock is held, to its responder,
	 * and fills in what came back. A request or an answer that gets lost is a reply
	 * that was not sent.
	 */
	void (*send)(struct qp *qp, const struct packet *packet, struct reply *reply);
	/*
	 * End-to-end credits (IBA 9.7.7.2): how many receives the responder has posted,
	 * as far as can be told without asking, and how many its queue holds.
	 * CREDIT_UNKNOWN where it cannot.
	 */
	uint32_t (*credit)(struct qp *qp, uint32_t *room);
	/* The QP's destination changes: forget what was found of the last one. */
	void (*unbind)(struct qp *qp);
};

/* Runs the responder of a QP of that process on a request: transport's, given at start.
 */
typedef void link_deliver(struct peer *owner, struct qp_shared *qp,
                          const struct packet *packet, struct reply *reply);

extern link_deliver *link_to_responder;

/* The link for a destination, or NULL when none reaches it. */
const struct link_ops *link_choose(const union ibv_gid *dgid);

extern const struct link_ops link_local, link_local_captured;

#endif
