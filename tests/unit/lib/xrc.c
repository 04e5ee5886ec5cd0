// SPDX-License-Identifier: BSD-2-Clause
#include "xrc.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

#include "check.h"

struct ibv_xrcd *xrc_open_domain(struct ibv_context *context, int fd, int oflags)
{
	struct ibv_xrcd_init_attr attr = { .comp_mask = IBV_XRCD_INIT_ATTR_FD |
		                                        IBV_XRCD_INIT_ATTR_OFLAGS,
		                           .fd = fd,
		                           .oflags = oflags };

	return ibv_open_xrcd(context, &attr);
}

struct ibv_srq *xrc_create_srq(struct xrc_share *share)
{
	struct ibv_srq_init_attr_ex attr = {
		.attr = { .max_wr = 16, .max_sge = 2 },
		.comp_mask = IBV_SRQ_INIT_ATTR_TYPE | IBV_SRQ_INIT_ATTR_PD |
		             IBV_SRQ_INIT_ATTR_XRCD | IBV_SRQ_INIT_ATTR_CQ,
		.srq_type = IBV_SRQT_XRC,
		.pd = share->pd,
		.xrcd = share->xrcd,
		.cq = share->cq,
	};

	return ibv_create_srq_ex(share->context, &attr);
}

/* fd: a file whose domain it is, or -1 for one of its own. */
void xrc_share_open(struct xrc_share *share, int fd)
{
	*share = (struct xrc_share){ .context = rc_open_device() };
	share->pd = CHECK_OBJECT(ibv_alloc_pd(share->context));
	share->xrcd = CHECK_OBJECT(xrc_open_domain(share->context, fd, O_CREAT));
	share->cq = CHECK_OBJECT(ibv_create_cq(share->context, 64, NULL, NULL, 0));
	share->srq = CHECK_OBJECT(xrc_create_srq(share));
	CHECK_EQ(ibv_get_srq_num(share->srq, &share->srqn), 0);
	share->buffer = mmap(NULL, XRC_BUFFER, PROT_READ | PROT_WRITE,
	                     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(share->buffer != MAP_FAILED);
	share->mr = CHECK_OBJECT(
	        ibv_reg_mr(share->pd, share->buffer, XRC_BUFFER, RC_ALL_ACCESS));
}

void xrc_share_close(struct xrc_share *share)
{
	if (share->qp)
		CHECK_EQ(ibv_destroy_qp(share->qp), 0);
	CHECK_EQ(ibv_destroy_srq(share->srq), 0);
	CHECK_EQ(ibv_destroy_cq(share->cq), 0);
	CHECK_EQ(ibv_close_xrcd(share->xrcd), 0);
	CHECK_EQ(ibv_dereg_mr(share->mr), 0);
	CHECK_EQ(ibv_dealloc_pd(share->pd), 0);
	CHECK_EQ(ibv_close_device(share->context), 0);
	munmap(share->buffer, XRC_BUFFER);
}

void xrc_create_target(struct xrc_share *share)
{
	struct ibv_qp_init_attr_ex attr = { .qp_type = IBV_QPT_XRC_RECV,
		                            .comp_mask = IBV_QP_INIT_ATTR_XRCD,
		                            .xrcd = share->xrcd };

	share->qp = CHECK_OBJECT(ibv_create_qp_ex(share->context, &attr));
}

struct ibv_qp *xrc_open_target(struct xrc_share *share, uint32_t qpn)
{
	struct ibv_qp_open_attr attr = {
		.comp_mask = IBV_QP_OPEN_ATTR_NUM | IBV_QP_OPEN_ATTR_XRCD |
		             IBV_QP_OPEN_ATTR_TYPE | IBV_QP_OPEN_ATTR_CONTEXT,
		.qp_num = qpn,
		.xrcd = share->xrcd,
		.qp_context = share,
		.qp_type = IBV_QPT_XRC_RECV,
	};

	return ibv_open_qp(share->context, &attr);
}

void xrc_post_receive(struct xrc_share *share, uint64_t id, size_t offset,
                      uint32_t length)
{
	struct ibv_sge sge = { (uintptr_t)share->buffer + offset, length,
		               share->mr->lkey };
	struct ibv_recv_wr wr = { .wr_id = id, .sg_list = &sge, .num_sge = 1 }, *bad;

	CHECK_EQ(ibv_post_srq_recv(share->srq, &wr, &bad), 0);
}

struct ibv_qp_attr xrc_target_attr(const struct rc_end *initiator,
                                   enum ibv_qp_state state)
{
	return (struct ibv_qp_attr){
		.qp_state = state,
		.port_num = RC_PORT,
		.qp_access_flags = RC_ALL_ACCESS,
		.path_mtu = IBV_MTU_1024,
		.dest_qp_num = initiator->self.qpn,
		.rq_psn = initiator->self.psn,
		.max_dest_rd_atomic = 4,
		.min_rnr_timer = 12,
		.timeout = 14,
		.ah_attr = { .is_global = 1,
		             .port_num = RC_PORT,
		             .grh = { .dgid = initiator->self.gid,
		                      .sgid_index = (uint8_t)initiator->gid_index } },
	};
}

int xrc_move(struct ibv_qp *qp, const struct rc_end *initiator, enum ibv_qp_state state,
             int mask)
{
	struct ibv_qp_attr attr = xrc_target_attr(initiator, state);

	return ibv_modify_qp(qp, &attr, mask);
}

void xrc_connect_target(struct xrc_share *share, const struct rc_end *initiator)
{
	CHECK_EQ(xrc_move(share->qp, initiator, IBV_QPS_INIT, XRC_TO_INIT), 0);
	CHECK_EQ(xrc_move(share->qp, initiator, IBV_QPS_RTR, XRC_TO_RTR), 0);
	CHECK_EQ(xrc_move(share->qp, initiator, IBV_QPS_RTS, XRC_TO_RTS), 0);
}

struct rc_config xrc_initiator_config(void)
{
	struct rc_config config = rc_default;

	config.type = IBV_QPT_XRC_SEND;
	config.timeout = 10;
	config.retries = 2;
	return config;
}

/* It goes through a socket, and so no byte of it is left to chance. */
struct xrc_address xrc_address_of(const struct xrc_share *share, uint32_t qpn,
                                  const union ibv_gid *gid)
{
	struct xrc_address address;

	memset(&address, 0, sizeof(address));
	address.rc.gid = *gid;
	address.rc.qpn = qpn;
	address.rc.psn = 1;
	address.rc.rkey = share->mr->rkey;
	address.rc.buffer = (uintptr_t)share->buffer;
	address.srqn = share->srqn;
	return address;
}

void xrc_both_open(struct xrc_both *both, const struct rc_config *config)
{
	struct xrc_address address;

	rc_open(&both->initiator, config);
	xrc_share_open(&both->share, -1);
	xrc_create_target(&both->share);
	address = xrc_address_of(&both->share, both->share.qp->qp_num,
	                         &both->initiator.self.gid);
	rc_connect(&both->initiator, &address.rc);
	xrc_connect_target(&both->share, &both->initiator);
}

void xrc_both_close(struct xrc_both *both)
{
	rc_close(&both->initiator);
	xrc_share_close(&both->share);
}

struct rc_op xrc_send_op(uint64_t id, uint32_t srqn)
{
	return (struct rc_op){ .opcode = IBV_WR_SEND,
		               .id = id,
		               .flags = IBV_SEND_SIGNALED,
		               .length = XRC_LENGTH,
		               .srqn = srqn };
}

void xrc_send_to(struct rc_end *initiator, uint64_t id, uint32_t srqn)
{
	struct rc_op op = xrc_send_op(id, srqn);

	rc_do(initiator, &op);
	rc_sent(initiator, id);
}

enum ibv_qp_state xrc_state_of(struct ibv_qp *qp)
{
	struct ibv_qp_init_attr init;
	struct ibv_qp_attr attr;

	CHECK_EQ(ibv_query_qp(qp, &attr, IBV_QP_STATE, &init), 0);
	CHECK_EQ(init.qp_type, IBV_QPT_XRC_RECV);
	return attr.qp_state;
}

void xrc_expect_receive(struct xrc_both *both, struct xrc_share *share, uint64_t id,
                        uint32_t length)
{
	struct ibv_wc wc = rc_expect(share->cq, id, IBV_WC_SUCCESS);

	CHECK_EQ(wc.byte_len, length);
	CHECK_EQ(wc.qp_num, both->share.qp->qp_num);
	CHECK_EQ(wc.src_qp, both->initiator.self.qpn);
}
