/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A session's end of the RDMA connection: a protection domain and an RC queue pair of its
 * own. What the peer must know of it travels as a frame_endpoint, over TLS only.
 */
#ifndef SESSION_VERBS_ENDPOINT_H
#define SESSION_VERBS_ENDPOINT_H

#include "common/list.h"

#include "session/adapter.h"
#include "session/frame.h"
#include "session/transport.h"

/*
 * A completion in error tells its wr_id, QP and status only (IBA 11.4.2.1): the wr_id
 * must tell a send, an odd number, from a receive, the address of its buffer.
 */
#define VERBS_IS_SEND(wr_id)    ((wr_id)&1)
#define VERBS_SEND_ID(sequence) ((uint64_t)(sequence) << 1 | 1)
#define VERBS_SEQUENCE(wr_id)   ((wr_id) >> 1)

struct verbs_endpoint {
	struct endpoint base;
	struct list node; /* of the adapter's table */
	struct adapter *adapter;
	struct adapter_gid gid;
	struct ibv_pd *pd;
	struct ibv_qp *qp;
	struct window *windows; /* none until a grant needs one */
	uint32_t qpn;
	struct verbs_pool pool; /* only where the receive queue is not shared */
	unsigned claimed;       /* shared receive buffers counted on */
	int reserved;           /* entries of the CQ */
	uint32_t psn;           /* our starting PSN; wiped once it is in force */
	uint32_t peer_psn;      /* the peer's; wiped likewise */
	unsigned rights;        /* IBV_ACCESS_… of the QP */
	uint8_t reads;          /* in flight, each way, before the peer has its say */
};

static inline struct verbs_endpoint *to_verbs(const struct endpoint *endpoint)
{
	return container_of(endpoint, struct verbs_endpoint, base);
}

/*
 * PD, QP, receive buffers and a PSN; the QP is in RESET and known to the adapter. On
 * failure nothing is left.
 */
int verbs_open(struct adapter *adapter, const struct adapter_gid *gid,
               const struct endpoint_plan *plan, struct verbs_endpoint **out);

/*
 * Destroy the QP: when this returns the device touches nothing of the session. Messages
 * that the session has stay readable until verbs_free(). The PD goes with
 * verbs_free() too, after the caller's own registrations.
 */
void verbs_destroy_qp(struct verbs_endpoint *endpoint);
void verbs_free(struct verbs_endpoint *endpoint);

/* *direct*: to RTS by what both sides exchanged. */
int verbs_connect(struct verbs_endpoint *endpoint, const struct frame_endpoint *peer);

/*
 * *cm*: one step to INIT, RTR or RTS with the attributes that the connection manager
 * gave, our rights and the exchanged PSNs in place of its own.
 */
int verbs_step(struct verbs_endpoint *endpoint, struct ibv_qp_attr *attr, int mask);

/*
 * Read back that the PSNs in force are the ones exchanged, then wipe them. Before any
 * traffic: both move with it. SRDMA_EINTERNAL if they are not.
 */
int verbs_check_psn(struct verbs_endpoint *endpoint);

/* Start an operation. SRDMA_ESYSTEM. */
int verbs_post(struct endpoint *endpoint, struct ibv_send_wr *wr);

/* "RTS": what the device says now; "" when it says nothing. */
void verbs_state(const struct verbs_endpoint *endpoint, char *text, size_t size);

/* Whether the session receives from the worker's shared queue. */
bool verbs_is_shared(const struct verbs_endpoint *endpoint);

#endif
