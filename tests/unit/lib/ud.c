// SPDX-License-Identifier: BSD-2-Clause
#include <arpa/inet.h>
#include <stdlib.h>

#include "check.h"
#include "ud.h"

const struct rc_config ud_default = {
	.type = IBV_QPT_UD,
	.send_depth = 64,
	.recv_depth = 64,
	.send_sges = 4,
	.recv_sges = 4,
	.inline_size = 64,
	.cq_depth = 256,
	.buffer_size = 64 * 1024,
	.mr_access = IBV_ACCESS_LOCAL_WRITE,
	.qkey = UD_QKEY,
};

void ud_open(struct rc_end *end, const struct rc_config *config)
{
	rc_open(end, config);
	rc_to_init(end);
	rc_to_rtr(end, &end->self);
	rc_to_rts(end);
}

void ud_side_open(struct side *side, struct rc_end *end, const struct rc_config *config)
{
	srandom((unsigned int)side->other);
	ud_open(end, config);
	side_put(side, &end->self, sizeof(end->self));
	side_get(side, &end->peer, sizeof(end->peer));
	side_meet(side);
}

struct ibv_ah *ud_handle(struct rc_end *end, const union ibv_gid *dgid)
{
	struct ibv_ah_attr attr = { .is_global = 1,
		                    .port_num = RC_PORT,
		                    .grh = { .dgid = *dgid,
		                             .sgid_index = (uint8_t)end->gid_index,
		                             .hop_limit = 63,
		                             .flow_label = 0x54321,
		                             .traffic_class = 0x68 } };

	return CHECK_OBJECT(ibv_create_ah(end->pd, &attr));
}

static int post_extended(struct rc_end *end, const struct ud_to *to,
                         const struct rc_op *op, const struct ibv_sge *sges, int count)
{
	struct ibv_qp_ex *qpx = end->qpx;

	ibv_wr_start(qpx);
	qpx->wr_id = op->id;
	qpx->wr_flags = op->flags;
	if (op->opcode == IBV_WR_SEND)
		ibv_wr_send(qpx);
	else
		ibv_wr_send_imm(qpx, htonl(op->imm));
	if (to->ah)
		ibv_wr_set_ud_addr(qpx, to->ah, to->qpn, to->qkey);
	if (op->flags & IBV_SEND_INLINE)
		ibv_wr_set_inline_data(qpx, (void *)(uintptr_t)sges->addr, sges->length);
	else
		ibv_wr_set_sge_list(qpx, (size_t)count, sges);
	return ibv_wr_complete(qpx);
}

int ud_post(struct rc_end *end, const struct ud_to *to, const struct rc_op *op)
{
	struct ibv_sge own = rc_sge(end, op->offset, op->length);
	struct ibv_send_wr *bad = NULL;
	struct ibv_send_wr wr = {
		.wr_id = op->id,
		.sg_list = op->sges ? (struct ibv_sge *)op->sges : &own,
		.num_sge = op->sges     ? op->sge_count
		           : op->length ? 1
		                        : 0,
		.opcode = op->opcode,
		.send_flags = op->flags,
		.imm_data = htonl(op->imm),
		.wr = { .ud = { to->ah, to->qpn, to->qkey } },
	};
	int err;

	if (end->qpx)
		return post_extended(end, to, op, wr.sg_list, wr.num_sge);
	err = ibv_post_send(end->qp, &wr, &bad);
	if (err)
		CHECK(bad == &wr);
	return err;
}

void ud_do(struct rc_end *end, const struct ud_to *to, const struct rc_op *op)
{
	CHECK_EQ(ud_post(end, to, op), 0);
}

void ud_send(struct rc_end *end, const struct ud_to *to, uint64_t id, uint32_t length)
{
	ud_do(end, to,
	      &(struct rc_op){ .opcode = IBV_WR_SEND,
	                       .id = id,
	                       .flags = IBV_SEND_SIGNALED,
	                       .length = length });
	rc_sent(end, id);
}
