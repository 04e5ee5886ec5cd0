/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The far end of a connection, or of a single message: a process of this host, whose
 * inbox takes messages as they are, or whoever answers on QP 1 of an address, who gets
 * MADs. The state machine does not know the difference. All under the lock.
 */
#ifndef MOCK_CM_FAR_H
#define MOCK_CM_FAR_H

#include "host/peer.h"
#include "link/net.h"
#include "wire/mad.h"

struct cm_id;
struct far;

struct carrier {
	/* Once: what is lost is lost. -EAGAIN: not at the moment; -ESRCH: the far end
	 * died; -errno. */
	int (*send)(const struct far *to, const struct mad *mad);
	bool (*same)(const struct far *a, const struct far *b);
	bool loses; /* what it takes need not arrive */
};

/* inbox.c, mads.c */
extern const struct carrier carrier_inbox, carrier_mads;

struct far {
	const struct carrier *carrier; /* NULL: there is none */
	struct net_path path; /* of messages in an inbox the traffic class only */
	/* Of an inbox: the process, NULL when it died. A connection counts it. */
	uint32_t slot;
	uint64_t generation;
	struct peer *peer;
};

/* What a process's messages come from; its reference is borrowed. */
struct far far_of_peer(struct peer *peer);
bool far_same(const struct far *a, const struct far *b);
/* A copy that counts what it refers to. -ESRCH */
int far_keep(const struct far *far, struct far *copy);
void far_drop(struct far *far);

/*
 * Who listens where the id leads, counted: a process of this host, or whoever is at that
 * address. -ENOENT: nobody here does.
 */
int far_of_service(const struct cm_id *id, struct far *far);

void inbox_receive(struct peer *from, const void *body, uint32_t length);

/* mads.c: 0 when MADs can be sent and received from now on, or -errno. Not under the
 * lock. */
int mads_start(void);
/* The same for a listener, which without them still serves its own host. */
int mads_start_quietly(void);
/* The network that they go through: net_udp, unless a test has another. */
extern const struct net_ops *mads_net;
/* What a network has to know. */
extern const struct net_takers mads_takers;

#endif
