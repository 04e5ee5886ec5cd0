/* SPDX-License-Identifier: BSD-2-Clause */
/* A thread that serves sessions: an event loop around an srdma worker. */
#ifndef SERVER_LOOP_H
#define SERVER_LOOP_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "common/list.h"
#include "server/server.h"

/* What the user pointer of a session is: a loop until the client is known, then a peer.
 */
struct owner {
	bool is_peer;
};

struct loop {
	struct owner owner;
	struct server *server;
	unsigned number;
	struct srdma_worker *worker;
	struct event_base *base;
	struct event *readable; /* the worker's descriptor */
	struct event *sweep;    /* from time to time: who is idle? */
	pthread_t thread;
	bool started;
	bool draining;
	bool drain_over; /* and its time is up */
	struct event *deadline;
	struct event *counting; /* each second, for who asks for metrics */
	struct list peers;
	struct policy *policy; /* the thread's own reference */
	/* About right: for the acceptor, which adds those on their way. */
	_Atomic unsigned sessions;
	_Atomic unsigned handshakes; /* of these, whose clients are not known yet */
	/* Handed over; and not taken up yet, or what has to give way is not closed. */
	_Atomic unsigned arriving;
	unsigned taken_up; /* since that was counted; the thread's own */
};

/* The settings of the server's context are taken over: its limit of sessions too. */
int loop_new(struct server *server, unsigned number, struct loop **out);
int loop_start(struct loop *loop);

/* Main thread: no new requests; the thread ends when its sessions have. */
void loop_drain(struct loop *loop);

/* Main thread: from now on it is this policy, for those who are there too. */
int loop_set_policy(struct loop *loop, struct policy *policy);

/* After the thread's end, or without a start. */
void loop_join(struct loop *loop);
void loop_free(struct loop *loop);

#endif
