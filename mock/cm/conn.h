/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One connection's state machine (IBA 12.9): what is sent, what is waited for, and which
 * events its id gets. All under the lock.
 */
#ifndef MOCK_CM_CONN_H
#define MOCK_CM_CONN_H

#include <rdma/rdma_cma.h>
#include "base/list.h"
#include "cm/far.h"
#include "host/engine.h"
#include "host/peer.h"
#include "wire/mad.h"

struct cm_id;

enum {
	COUNT_MAX_3BIT = 7,
	TIMEOUT_MAX = 31, /* 5 bits */
};

enum conn_state {
	CONN_NONE, /* nothing was sent or received yet */
	CONN_REQ_SENT,
	CONN_REQ_RCVD,
	CONN_REP_SENT,
	CONN_REP_RCVD,
	CONN_ESTABLISHED,
	CONN_DREQ_SENT,
	CONN_DREQ_RCVD,
	CONN_TIMEWAIT,
	/* Datagrams: no connection, a question and its answer. */
	CONN_SIDR_REQ_SENT,
	CONN_SIDR_REQ_RCVD,
	CONN_SIDR_ANSWERED,
	CONN_CLOSED, /* refused, given up, or over */
	CONN_STATES,
};

struct conn {
	enum conn_state state;
	uint32_t local_id, remote_id;
	struct list local_node, remote_node, qpn_node; /* in the tables of conns.c */
	struct far far;
	struct peer_watch watch; /* of a process of this host */
	bool watched;
	/* What waits for an answer, and is sent again when none comes. */
	struct mad sent;
	struct timer timer;
	uint64_t deadline;      /* 0: nothing is waited for */
	uint64_t retries;       /* left */
	bool busy;              /* the peer took it not: that was no try */
	uint64_t tid, dreq_tid; /* transaction ids: of the REQ, and of the peer's DREQ */
	uint64_t response_timeout; /* how long an answer may take, ns … */
	uint8_t max_retries;       /* … and how often it is asked for again */
	/* What both have agreed on, as a queue pair needs it. */
	uint32_t local_qpn, remote_qpn;
	uint32_t qkey; /* of datagrams, once it is agreed on */
	uint32_t rq_psn, sq_psn;
	uint8_t responder_resources, initiator_depth;
	uint8_t retry_count, rnr_retry_count;
	uint8_t ack_timeout;
	uint8_t path_mtu; /* enum ibv_mtu */
};

/* struct rdma_conn_param, whole, in memory of our own. */
struct conn_param {
	struct rdma_conn_param rdma;
	uint8_t private_data[PRIVATE_MAX];
};

void conn_init(struct conn *conn);

/* The consumer's calls. -EINVAL in a state that does not permit them. */
int conn_connect(struct cm_id *id, const struct conn_param *param);
int conn_accept(struct cm_id *id, const struct conn_param *param);
int conn_reject(struct cm_id *id, enum reject_reason reason, const uint8_t *data,
                uint8_t length);
int conn_establish(struct cm_id *id);
/* *told: the event DISCONNECTED was raised before. */
int conn_disconnect(struct cm_id *id, bool *told);
/* Receive without an RTU: the peer's data has come. -EISCONN when that is known. */
int conn_data_came(struct cm_id *id);

/* sidr.c: the same for datagrams. */
int sidr_connect(struct cm_id *id, const struct conn_param *param);
int sidr_accept(struct cm_id *id, const struct conn_param *param);
int sidr_reject(struct cm_id *id, const uint8_t *data, uint8_t length);

/* The id goes: tells the peer, once, and takes part in nothing any more. */
void conn_abandon(struct cm_id *id);
/* Then without the lock: nothing of it runs any more. */
void conn_release(struct conn *conn);

/* receive.c: from whichever carrier. */
void message_receive(const struct far *from, const struct mad *message);
/* listen.c: a REQ, or SIDR_REQ, that is not a repetition. */
void listen_request(const struct far *from, const struct mad *message);
/* sidr.c */
void sidr_on_req(const struct far *from, struct conn *conn, const struct mad *message);
void sidr_on_rep(const struct far *from, struct conn *conn, const struct mad *message);
void sidr_refuse(const struct far *to, const struct mad *about, enum sidr_status status);
/* The question has no answer any more. */
void sidr_fail(struct conn *conn, int status);
int listen_start(struct cm_id *id, int backlog);

/* conns.c */
struct conn *conn_find(uint32_t local_id);
struct conn *conn_find_remote(const struct far *far, uint32_t remote_id);
/* Who has, as far as we know, that queue pair of the far end's connected to it. */
struct conn *conn_find_qpn(const struct far *far, uint32_t qpn);
/* Draws its id. */
void conns_add(struct conn *conn);
void conns_set_qpn(struct conn *conn, uint32_t remote_qpn);
void conns_remove(struct conn *conn);
void conns_forget(void);

/* Between those files. */
/* Known to the tables from here on; a process's death will be noticed. Takes over far, if
 * it succeeds. -ENOMEM. */
int conn_open(struct conn *conn, struct far *far, uint32_t remote_id);
/* Sends what conn->sent holds now and goes on doing so until there is an answer. */
void conn_send_until_answer(struct conn *conn, enum conn_state state);
void conn_answered(struct conn *conn);
void conn_send(struct conn *conn, enum mad_kind kind);
/* What is sent now may take longer than the peer expected. */
void conn_ask_patience(struct conn *conn, enum mad_about about);
/* The peer asks for that. */
void conn_be_patient(struct conn *conn, uint8_t service_timeout);
void conn_close(struct conn *conn);
void conn_disconnected(struct conn *conn);
void conn_enter_timewait(struct conn *conn);
/* The far end has forgotten it. */
void conn_gone_stale(struct conn *conn);
void conn_rejected(struct conn *conn, const struct mad *message);
/*
 * Opens the way to whoever listens where the id leads. -ENOENT when nobody does: the id
 * is in use all the same, and has its refusal coming. -EINVAL before its route is known.
 */
int conn_reach_service(struct cm_id *id);
void conn_fill_route(const struct cm_id *id, struct mad_route *route);
/* To whoever sent a message that belongs to no connection. */
void reject_message(const struct far *to, const struct mad *about,
                    enum reject_reason reason);
struct cm_id *conn_id(struct conn *conn);

#endif
