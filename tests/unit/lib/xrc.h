/* SPDX-License-Identifier: BSD-2-Clause */
/* Extended reliable connections for tests: what a process has of a domain, and an
 * initiator. */
#ifndef TESTS_XRC_H
#define TESTS_XRC_H

#include "rcop.h"

enum { XRC_BUFFER = 16384, XRC_LENGTH = 300 };

/* What a process has of a domain: a shared receive queue and memory, and perhaps the
 * target. */
struct xrc_share {
	struct ibv_context *context;
	struct ibv_pd *pd;
	struct ibv_xrcd *xrcd;
	struct ibv_cq *cq;
	struct ibv_srq *srq;
	struct ibv_mr *mr;
	struct ibv_qp *qp;
	uint8_t *buffer;
	uint32_t srqn;
};

/* What an initiator must know of one. */
struct xrc_address {
	struct rc_address rc;
	uint32_t srqn, reserved;
};

enum {
	XRC_TO_INIT =
	        IBV_QP_STATE | IBV_QP_PKEY_INDEX | IBV_QP_PORT | IBV_QP_ACCESS_FLAGS,
	XRC_TO_RTR = IBV_QP_STATE | IBV_QP_AV | IBV_QP_PATH_MTU | IBV_QP_DEST_QPN |
	             IBV_QP_RQ_PSN | IBV_QP_MAX_DEST_RD_ATOMIC | IBV_QP_MIN_RNR_TIMER,
	XRC_TO_RTS = IBV_QP_STATE | IBV_QP_TIMEOUT | IBV_QP_SQ_PSN,
};

/* All in one process: an initiator, and a share with the target. */
struct xrc_both {
	struct rc_end initiator;
	struct xrc_share share;
};

struct ibv_xrcd *xrc_open_domain(struct ibv_context *context, int fd, int oflags);
struct ibv_srq *xrc_create_srq(struct xrc_share *share);
void xrc_share_open(struct xrc_share *share, int fd);
void xrc_share_close(struct xrc_share *share);
void xrc_create_target(struct xrc_share *share);
struct ibv_qp *xrc_open_target(struct xrc_share *share, uint32_t qpn);
void xrc_post_receive(struct xrc_share *share, uint64_t id, size_t offset,
                      uint32_t length);
struct ibv_qp_attr xrc_target_attr(const struct rc_end *initiator,
                                   enum ibv_qp_state state);
int xrc_move(struct ibv_qp *qp, const struct rc_end *initiator, enum ibv_qp_state state,
             int mask);
void xrc_connect_target(struct xrc_share *share, const struct rc_end *initiator);
struct rc_config xrc_initiator_config(void);
struct xrc_address xrc_address_of(const struct xrc_share *share, uint32_t qpn,
                                  const union ibv_gid *gid);
void xrc_both_open(struct xrc_both *both, const struct rc_config *config);
void xrc_both_close(struct xrc_both *both);
struct rc_op xrc_send_op(uint64_t id, uint32_t srqn);
void xrc_send_to(struct rc_end *initiator, uint64_t id, uint32_t srqn);
enum ibv_qp_state xrc_state_of(struct ibv_qp *qp);
void xrc_expect_receive(struct xrc_both *both, struct xrc_share *share, uint64_t id,
                        uint32_t length);

#endif
