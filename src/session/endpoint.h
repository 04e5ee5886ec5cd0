/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A session's end of the RDMA connection: a protection domain and an RC queue pair of its
 * own. What the peer must know of it travels as a frame_endpoint, over TLS only.
 */
#ifndef SESSION_ENDPOINT_H
#define SESSION_ENDPOINT_H

#include "session/adapter.h"
#include "session/frame.h"
#include "session/message.h"

/*
 * A completion in error tells its wr_id, QP and status only (IBA 11.4.2.1): the wr_id
 * must tell a send, an odd number, from a receive, the address of its buffer.
 */
#define ENDPOINT_IS_SEND(wr_id)    ((wr_id)&1)
#define ENDPOINT_SEND_ID(sequence) ((uint64_t)(sequence) << 1 | 1)
#define ENDPOINT_SPARE_SENDS       4 /* credits and the proof, beside the caller's own */
#define ENDPOINT_SPARE_RECEIVES    4

struct endpoint {
	struct list node; /* of the adapter's table */
	struct adapter *adapter;
	struct adapter_gid gid;
	struct ibv_pd *pd;
	struct ibv_qp *qp;
	uint32_t qpn;
	struct pool pool;  /* only where the receive queue is not shared */
	unsigned claimed;  /* shared receive buffers counted on */
	int reserved;      /* entries of the CQ */
	uint32_t psn;      /* our starting PSN; wiped once it is in force */
	uint32_t peer_psn; /* the peer's; wiped likewise */
	unsigned rights;   /* IBV_ACCESS_… of the QP */
	uint8_t reads;     /* in flight, each way, before the peer has its say */
	uint32_t inline_max;
	void (*completed)(struct endpoint *endpoint, const struct ibv_wc *wc);
	/* The QP failed, with no completion to show it. */
	void (*broke)(struct endpoint *endpoint, const char *why);
};

struct endpoint_sizes {
	unsigned sends;    /* work requests in flight */
	unsigned receives; /* buffers that the peer may count on */
	size_t message;    /* bytes of each */
	unsigned reads;
	bool shared;    /* use the shared receive queue where there is one */
	bool one_sided; /* the peer may be granted access by RDMA */
};

/*
 * Receive buffers of a session: for messages that the peer has credit for, some beside
 * them, and where messages are sealed for the answers that it may wait for.
 */
static inline unsigned endpoint_receives(const uint64_t *number, bool sealed)
{
	return (unsigned)(number[SRDMA_OPT_CREDITS] + ENDPOINT_SPARE_RECEIVES +
	                  (sealed ? number[SRDMA_OPT_READ_DEPTH] : 0));
}

/* Bytes of each, with all that a seal may add, in whole cache lines. */
static inline size_t endpoint_message_room(const uint64_t *number)
{
	return (number[SRDMA_OPT_MESSAGE_SIZE] + MESSAGE_ROOM + 63) & ~(size_t)63;
}

/*
 * PD, QP, receive buffers and a PSN; the QP is in RESET and known to the adapter. On
 * failure nothing is left.
 */
int endpoint_open(struct endpoint *endpoint, struct adapter *adapter,
                  const struct adapter_gid *gid, const struct endpoint_sizes *sizes);

/*
 * Destroy the QP: when this returns the device touches nothing of the session. Messages
 * that the session has stay readable until endpoint_free(). The PD goes with
 * endpoint_free() too, after the caller's own registrations.
 */
void endpoint_destroy_qp(struct endpoint *endpoint);
void endpoint_free(struct endpoint *endpoint);

/* What the peer must know. Contains the PSN. */
void endpoint_describe(const struct endpoint *endpoint, struct frame_endpoint *out);

/* *direct*: to RTS by what both sides exchanged. */
int endpoint_connect(struct endpoint *endpoint, const struct frame_endpoint *peer,
                     const struct options *options);

/*
 * *cm*: one step to INIT, RTR or RTS with the attributes that the connection manager
 * gave, our rights and the exchanged PSNs in place of its own.
 */
int endpoint_step(struct endpoint *endpoint, struct ibv_qp_attr *attr, int mask);

/*
 * Read back that the PSNs in force are the ones exchanged, then wipe them. Before any
 * traffic: both move with it. SRDMA_EINTERNAL if they are not.
 */
int endpoint_check_psn(struct endpoint *endpoint);

/* "RTS": what the device says now; "" when it says nothing. */
void endpoint_state(const struct endpoint *endpoint, char *text, size_t size);

/* Whether the session receives from the worker's shared queue. */
bool endpoint_is_shared(const struct endpoint *endpoint);

#endif
