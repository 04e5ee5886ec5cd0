/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An RDMA device as one worker uses it: a context of its own, one completion queue and
 * channel, and, where the device can do it, one receive queue for all sessions.
 */
#ifndef SESSION_ADAPTER_H
#define SESSION_ADAPTER_H

#include <infiniband/verbs.h>

#include "session/receive.h"
#include "session/worker.h"

struct verbs_endpoint;

/* Receive buffers of a queue pair, or of a shared receive queue. Work requests carry the
 * address of the message as wr_id. */
struct verbs_pool {
	struct pool base;
	struct ibv_pd *pd;
	struct ibv_srq *srq; /* one of the two */
	struct ibv_qp *qp;
};

struct adapter_gid {
	union ibv_gid gid;
	uint32_t index;
	bool routable; /* RoCE v2 */
};

struct adapter {
	struct list node; /* of the worker */
	struct srdma_worker *worker;
	struct ibv_context *verbs;
	struct ibv_device_attr limits;
	struct ibv_port_attr port;
	struct ibv_comp_channel *channel;
	struct ibv_cq *cq;
	struct source completions; /* the channel */
	struct source events;      /* asynchronous events */
	bool armed;

	struct ibv_pd *pd; /* of the shared receive queue */
	struct ibv_srq *srq;
	struct verbs_pool pool; /* its buffers */
	unsigned claims;        /* receive buffers that the sessions count on */
	unsigned shared_most;

	struct adapter_gid *gids;
	unsigned gid_count;

	struct list *endpoints; /* by QP number */
	unsigned buckets;

	int cq_free;            /* entries that no session or shared receive may need */
	struct ibv_wc *pending; /* taken from the CQ, still to be handled: [at, end) */
	unsigned pending_at;
	unsigned pending_end;
	unsigned pending_size;
};

void verbs_pool_init(struct verbs_pool *pool, struct ibv_pd *pd, struct ibv_srq *srq,
                     struct ibv_qp *qp, size_t stride);

/* Whether there is any device, or the one of that name. SRDMA_ENODEVICE. */
int adapter_check(const char *name);

/*
 * The adapter, and the index of the GID on it, that has this local address; opened if
 * need be. SRDMA_ENODEVICE says which address has none.
 */
int adapter_find(struct srdma_worker *worker, const struct sockaddr_storage *local,
                 struct adapter **out, struct adapter_gid *gid);
void adapter_close(struct adapter *adapter);

bool adapter_is_iwarp(const struct adapter *adapter);

/*
 * Whether queue pairs of this device can be connected so (SRDMA_CONNECT_…). Those of
 * iWARP (RFC 5040) run over a TCP connection, which only the connection manager makes.
 * SRDMA_ENODEVICE.
 */
int adapter_check_connect(const struct adapter *adapter, uint64_t connect);

const char *adapter_name(const struct adapter *adapter);

/* Handle what is in the CQ, up to a bound; returns how many completions that was. */
unsigned adapter_poll(struct adapter *adapter);

/* Have the channel signal the next completion. SRDMA_ESYSTEM. */
int adapter_arm(struct adapter *adapter);

/* Completions of this endpoint's QP come to it from now on. */
void adapter_add(struct adapter *adapter, struct verbs_endpoint *endpoint);

/*
 * Take back the shared receive buffers of an endpoint whose QP is in ERR: some devices
 * forget a QP's completions, and with them the buffers, when it is destroyed.
 */
void adapter_drain(struct adapter *adapter, const struct verbs_endpoint *endpoint);

/*
 * Forget an endpoint whose QP was destroyed: none of its completions may be left in the
 * CQ, for the device may give its number to another QP.
 */
void adapter_remove(struct adapter *adapter, struct verbs_endpoint *endpoint);

/* Where those end up when their descriptors are readable. */
void adapter_completions_ready(struct source *source, uint32_t events);
void adapter_events_ready(struct source *source, uint32_t events);

int adapter_init_pending(struct adapter *adapter);

/* The GID that is this address. */
union ibv_gid adapter_gid_of(const struct sockaddr_storage *address);
bool adapter_has_gid(struct adapter *adapter, const union ibv_gid *wanted,
                     struct adapter_gid *out);

/*
 * A session needs `completions` more (or fewer) entries of the CQ: an overrun would end
 * all of them. SRDMA_ELIMIT.
 */
int adapter_reserve(struct adapter *adapter, int completions);

/* A session counts on `count` more (or fewer) shared receive buffers. SRDMA_ENOMEM. */
int adapter_claim(struct adapter *adapter, int count);

#endif
