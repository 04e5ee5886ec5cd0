/* SPDX-License-Identifier: BSD-2-Clause */
/* RC, UC and UD queue pairs for tests: an end holds everything that one side of a
 * connection needs.
 */
#ifndef TESTS_RC_H
#define TESTS_RC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <infiniband/verbs.h>

#include "sides.h"

enum {
	RC_PORT = 1,
	RC_ALL_ACCESS = IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE |
	                IBV_ACCESS_REMOTE_READ | IBV_ACCESS_REMOTE_ATOMIC,
};

struct rc_end;

struct rc_config {
	enum ibv_qp_type type; /* RC, UC, UD or XRC_SEND */
	uint32_t qkey;         /* UD */
	uint32_t send_depth, recv_depth, send_sges, recv_sges, inline_size;
	int cq_depth;
	bool signal_all;
	bool shared_receive; /* receives come from a shared receive queue */
	bool channel;        /* both CQs tell one completion channel */
	bool extended_cqs;   /* made by ibv_create_cq_ex(), with … */
	uint64_t wc_flags;   /* … these */
	uint32_t cq_flags;
	bool extended; /* post by ibv_wr_*, not by ibv_post_send() */
	size_t buffer_size;
	int mr_access;
	unsigned int qp_access;
	enum ibv_mtu mtu;
	uint8_t timeout, retries, rnr_retries, rnr_timer;
	uint8_t reads_out, reads_in; /* max_rd_atomic, max_dest_rd_atomic */
	/* In INIT, when the peer is known; may be NULL. */
	void (*before_rtr)(struct rc_end *end);
};

extern const struct rc_config rc_default;

/* What the peer must know, and may in a test be told wrongly. */
struct rc_address {
	union ibv_gid gid;
	uint32_t qpn, psn;
	uint32_t rkey;
	uint64_t buffer;
};

struct rc_end {
	struct rc_config config;
	struct ibv_context *context;
	struct ibv_pd *pd;
	struct ibv_comp_channel *channel;
	struct ibv_cq *send_cq, *recv_cq;
	struct ibv_cq_ex *send_cqx, *recv_cqx; /* the same CQs, if extended */
	struct ibv_srq *srq;
	struct ibv_qp *qp;
	struct ibv_qp_ex *qpx; /* the same QP, if extended */
	struct ibv_mr *mr;
	uint8_t *buffer;
	int gid_index;
	struct rc_address self, peer;
};

struct ibv_context *rc_open_device(void);

/* The index of the GID that is this address, a RoCE v2 one; -1 when there is none. */
int rc_find_gid(struct ibv_context *context, const char *address);

/* Up to a QP in RESET and a registered buffer of zeroes. */
void rc_open(struct rc_end *end, const struct rc_config *config);
void rc_close(struct rc_end *end);

/* The same in a context and a protection domain of the caller's, who keeps them. */
void rc_open_in(struct rc_end *end, const struct rc_config *config,
                struct ibv_context *context, struct ibv_pd *pd);
void rc_close_in(struct rc_end *end);

void rc_to_init(struct rc_end *end);
void rc_to_rtr(struct rc_end *end, const struct rc_address *peer);
void rc_to_rts(struct rc_end *end);
void rc_connect(struct rc_end *end, const struct rc_address *peer);
void rc_to_error(struct rc_end *end);
void rc_to_reset(struct rc_end *end);

enum ibv_qp_state rc_state(struct rc_end *end);
void rc_expect_state(struct rc_end *end, enum ibv_qp_state state);

/* The attributes that rc_to_rtr() and rc_to_rts() set, with their masks. */
int rc_init_attributes(const struct rc_end *end, struct ibv_qp_attr *attr);
int rc_rtr_attributes(const struct rc_end *end, struct ibv_qp_attr *attr);
int rc_rts_attributes(const struct rc_end *end, struct ibv_qp_attr *attr);

/* Two ends in one process. */
struct rc_pair {
	struct rc_end a, b;
};

void rc_pair_open(struct rc_pair *pair, const struct rc_config *config);
void rc_pair_close(struct rc_pair *pair);

/* Two ends in two sides: opens one end and connects it to that of the other side. */
void rc_side_open(struct side *side, struct rc_end *end, const struct rc_config *config);

/* Waits until the other side is done too, since closing first would fail its requests. */
void rc_side_close(struct side *side, struct rc_end *end);

#endif
