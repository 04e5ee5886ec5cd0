/* SPDX-License-Identifier: BSD-2-Clause */
/* Unreliable datagrams on the ends of rc.h, whose configuration says IBV_QPT_UD. */
#ifndef TESTS_UD_H
#define TESTS_UD_H

#include "rcop.h"

enum { UD_QKEY = 0x11223344, UD_GRH = 40, UD_MULTICAST_QPN = 0xffffff };

extern const struct rc_config ud_default;

/* Up to a QP in RTS. */
void ud_open(struct rc_end *end, const struct rc_config *config);

/* Opens an end, and learns the other side's address into end->peer. */
void ud_side_open(struct side *side, struct rc_end *end, const struct rc_config *config);

struct ibv_ah *ud_handle(struct rc_end *end, const union ibv_gid *dgid);

struct ud_to {
	struct ibv_ah *ah;
	uint32_t qpn, qkey;
};

/* As rc_post() and rc_do(). */
int ud_post(struct rc_end *end, const struct ud_to *to, const struct rc_op *op);
void ud_do(struct rc_end *end, const struct ud_to *to, const struct rc_op *op);
/* Sends so many bytes, and waits until they are sent. */
void ud_send(struct rc_end *end, const struct ud_to *to, uint64_t id, uint32_t length);

#endif
