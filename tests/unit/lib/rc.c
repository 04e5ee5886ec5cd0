// SPDX-License-Identifier: BSD-2-Clause
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "check.h"
#include "protect.h"
#include "rc.h"

const struct rc_config rc_default = {
	.type = IBV_QPT_RC,
	.send_depth = 64,
	.recv_depth = 64,
	.send_sges = 4,
	.recv_sges = 4,
	.inline_size = 64,
	.cq_depth = 256,
	.buffer_size = 64 * 1024,
	.mr_access = RC_ALL_ACCESS,
	.qp_access = RC_ALL_ACCESS,
	.mtu = IBV_MTU_1024,
	.timeout = 14, /* 67 ms */
	.retries = 7,
	.rnr_retries = 7, /* for ever */
	.rnr_timer = 12,  /* 0.64 ms */
	.reads_out = 4,
	.reads_in = 4,
};

struct ibv_context *rc_open_device(void)
{
	struct ibv_device **list = CHECK_OBJECT(ibv_get_device_list(NULL));
	struct ibv_context *context;

	CHECK(list[0]);
	context = CHECK_OBJECT(ibv_open_device(list[0]));
	ibv_free_device_list(list);
	return context;
}

static union ibv_gid gid_of_address(const char *address)
{
	union ibv_gid gid = { .raw = { [10] = 0xff, [11] = 0xff } };

	if (inet_pton(AF_INET, address, gid.raw + 12) == 1)
		return gid;
	CHECK_EQ(inet_pton(AF_INET6, address, gid.raw), 1);
	return gid;
}

int rc_find_gid(struct ibv_context *context, const char *address)
{
	union ibv_gid wanted = gid_of_address(address);
	struct ibv_port_attr port;

	CHECK_EQ(ibv_query_port(context, RC_PORT, &port), 0);
	for (int i = 0; i < port.gid_tbl_len; i++) {
		struct ibv_gid_entry entry;

		if (ibv_query_gid_ex(context, RC_PORT, (uint32_t)i, &entry, 0) == 0 &&
		    entry.gid_type == IBV_GID_TYPE_ROCE_V2 &&
		    memcmp(&entry.gid, &wanted, sizeof(wanted)) == 0)
			return i;
	}
	return -1;
}

static struct ibv_cq *open_cq(struct rc_end *end, struct ibv_cq_ex **extended)
{
	const struct rc_config *config = &end->config;
	struct ibv_cq_init_attr_ex attr = {
		.cqe = (uint32_t)config->cq_depth,
		.channel = end->channel,
		.wc_flags = config->wc_flags,
		.comp_mask = IBV_CQ_INIT_ATTR_MASK_FLAGS,
		.flags = config->cq_flags,
	};

	if (!config->extended_cqs)
		return CHECK_OBJECT(ibv_create_cq(end->context, config->cq_depth, NULL,
		                                  end->channel, 0));
	*extended = CHECK_OBJECT(ibv_create_cq_ex(end->context, &attr));
	return ibv_cq_ex_to_cq(*extended);
}

static void open_queues(struct rc_end *end)
{
	const struct rc_config *config = &end->config;

	if (config->channel)
		end->channel = CHECK_OBJECT(ibv_create_comp_channel(end->context));
	end->send_cq = open_cq(end, &end->send_cqx);
	end->recv_cq = open_cq(end, &end->recv_cqx);
	if (config->shared_receive) {
		struct ibv_srq_init_attr srq = {
			.attr = { .max_wr = config->recv_depth,
			          .max_sge = config->recv_sges },
		};

		end->srq = CHECK_OBJECT(ibv_create_srq(end->pd, &srq));
	}
}

static void open_qp(struct rc_end *end)
{
	const struct rc_config *config = &end->config;
	struct ibv_qp_init_attr_ex attr = {
		.send_cq = end->send_cq,
		.recv_cq = end->recv_cq,
		.srq = end->srq,
		.cap = { .max_send_wr = config->send_depth,
		         .max_recv_wr = end->srq ? 0 : config->recv_depth,
		         .max_send_sge = config->send_sges,
		         .max_recv_sge = end->srq ? 0 : config->recv_sges,
		         .max_inline_data = config->inline_size },
		.qp_type = config->type,
		.sq_sig_all = config->signal_all,
		.comp_mask = IBV_QP_INIT_ATTR_PD | IBV_QP_INIT_ATTR_SEND_OPS_FLAGS,
		.pd = end->pd,
		.send_ops_flags = IBV_QP_EX_WITH_SEND | IBV_QP_EX_WITH_SEND_WITH_IMM,
	};

	if (config->type != IBV_QPT_UD)
		attr.send_ops_flags |=
		        IBV_QP_EX_WITH_RDMA_WRITE | IBV_QP_EX_WITH_RDMA_WRITE_WITH_IMM;
	if (config->type == IBV_QPT_RC || config->type == IBV_QPT_XRC_SEND)
		attr.send_ops_flags |= IBV_QP_EX_WITH_RDMA_READ |
		                       IBV_QP_EX_WITH_ATOMIC_CMP_AND_SWP |
		                       IBV_QP_EX_WITH_ATOMIC_FETCH_AND_ADD;
	if (config->type == IBV_QPT_RC)
		attr.send_ops_flags |= IBV_QP_EX_WITH_SEND_WITH_INV |
		                       IBV_QP_EX_WITH_LOCAL_INV | IBV_QP_EX_WITH_BIND_MW |
		                       IBV_QP_EX_WITH_ATOMIC_WRITE;

	if (config->extended) {
		end->qp = CHECK_OBJECT(ibv_create_qp_ex(end->context, &attr));
		end->qpx = CHECK_OBJECT(ibv_qp_to_qp_ex(end->qp));
		return;
	}
	/* The first members of the two structures are the same by design of the API. */
	end->qp = CHECK_OBJECT(ibv_create_qp(end->pd, (struct ibv_qp_init_attr *)&attr));
}

static void open_buffer(struct rc_end *end)
{
	end->buffer = mmap(NULL, end->config.buffer_size, PROT_READ | PROT_WRITE,
	                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	CHECK(end->buffer != MAP_FAILED);
	end->mr = CHECK_OBJECT(ibv_reg_mr(end->pd, end->buffer, end->config.buffer_size,
	                                  end->config.mr_access));
}

void rc_open(struct rc_end *end, const struct rc_config *config)
{
	struct ibv_context *context = rc_open_device();

	rc_open_in(end, config, context, CHECK_OBJECT(ibv_alloc_pd(context)));
}

void rc_open_in(struct rc_end *end, const struct rc_config *config,
                struct ibv_context *context, struct ibv_pd *pd)
{
	*end = (struct rc_end){ .config = *config, .context = context, .pd = pd };
	open_queues(end);
	open_qp(end);
	open_buffer(end);
	end->gid_index = rc_find_gid(end->context, "127.0.0.1");
	CHECK(end->gid_index >= 0);
	end->self = (struct rc_address){
		.qpn = end->qp->qp_num,
		.psn = (uint32_t)random() & 0xffffff,
		.rkey = end->mr->rkey,
		.buffer = (uintptr_t)end->buffer,
	};
	CHECK_EQ(ibv_query_gid(end->context, RC_PORT, end->gid_index, &end->self.gid), 0);
}

void rc_close(struct rc_end *end)
{
	rc_close_in(end);
	CHECK_EQ(ibv_dealloc_pd(end->pd), 0);
	CHECK_EQ(ibv_close_device(end->context), 0);
}

void rc_close_in(struct rc_end *end)
{
	if (end->qp)
		CHECK_EQ(ibv_destroy_qp(end->qp), 0);
	if (end->srq)
		CHECK_EQ(ibv_destroy_srq(end->srq), 0);
	CHECK_EQ(ibv_destroy_cq(end->send_cq), 0);
	CHECK_EQ(ibv_destroy_cq(end->recv_cq), 0);
	if (end->channel)
		CHECK_EQ(ibv_destroy_comp_channel(end->channel), 0);
	if (end->mr)
		CHECK_EQ(ibv_dereg_mr(end->mr), 0);
	munmap(end->buffer, end->config.buffer_size);
}

int rc_init_attributes(const struct rc_end *end, struct ibv_qp_attr *attr)
{
	*attr = (struct ibv_qp_attr){
		.qp_state = IBV_QPS_INIT,
		.pkey_index = 0,
		.port_num = RC_PORT,
		.qp_access_flags = end->config.qp_access,
		.qkey = end->config.qkey,
	};
	return IBV_QP_STATE | IBV_QP_PKEY_INDEX | IBV_QP_PORT |
	       (end->config.type == IBV_QPT_UD ? IBV_QP_QKEY : IBV_QP_ACCESS_FLAGS);
}

int rc_rtr_attributes(const struct rc_end *end, struct ibv_qp_attr *attr)
{
	*attr = (struct ibv_qp_attr){
		.qp_state = IBV_QPS_RTR,
		.path_mtu = end->config.mtu,
		.dest_qp_num = end->peer.qpn,
		.rq_psn = end->peer.psn,
		.max_dest_rd_atomic = end->config.reads_in,
		.min_rnr_timer = end->config.rnr_timer,
		.ah_attr = { .is_global = 1,
		             .port_num = RC_PORT,
		             .grh = { .dgid = end->peer.gid,
		                      .sgid_index = (uint8_t)end->gid_index,
		                      .hop_limit = 64 } },
	};
	if (end->config.type == IBV_QPT_UD)
		return IBV_QP_STATE;
	return IBV_QP_STATE | IBV_QP_AV | IBV_QP_PATH_MTU | IBV_QP_DEST_QPN |
	       IBV_QP_RQ_PSN |
	       (end->config.type == IBV_QPT_RC
	                ? IBV_QP_MAX_DEST_RD_ATOMIC | IBV_QP_MIN_RNR_TIMER
	                : 0);
}

int rc_rts_attributes(const struct rc_end *end, struct ibv_qp_attr *attr)
{
	*attr = (struct ibv_qp_attr){
		.qp_state = IBV_QPS_RTS,
		.sq_psn = end->self.psn,
		.timeout = end->config.timeout,
		.retry_cnt = end->config.retries,
		.rnr_retry = end->config.rnr_retries,
		.max_rd_atomic = end->config.reads_out,
	};
	return IBV_QP_STATE | IBV_QP_SQ_PSN |
	       (end->config.type == IBV_QPT_RC || end->config.type == IBV_QPT_XRC_SEND
	                ? IBV_QP_TIMEOUT | IBV_QP_RETRY_CNT | IBV_QP_RNR_RETRY |
	                          IBV_QP_MAX_QP_RD_ATOMIC
	                : 0);
}

void rc_to_init(struct rc_end *end)
{
	struct ibv_qp_attr attr;
	int mask = rc_init_attributes(end, &attr);

	CHECK_EQ(ibv_modify_qp(end->qp, &attr, mask), 0);
}

void rc_to_rtr(struct rc_end *end, const struct rc_address *peer)
{
	struct ibv_qp_attr attr;
	int mask;

	end->peer = *peer;
	if (end->config.before_rtr)
		end->config.before_rtr(end);
	else if (rc_all_protected() && rc_can_be_protected(end))
		rc_protect(end);
	mask = rc_rtr_attributes(end, &attr);
	CHECK_EQ(ibv_modify_qp(end->qp, &attr, mask), 0);
}

void rc_to_rts(struct rc_end *end)
{
	struct ibv_qp_attr attr;
	int mask = rc_rts_attributes(end, &attr);

	CHECK_EQ(ibv_modify_qp(end->qp, &attr, mask), 0);
}

void rc_connect(struct rc_end *end, const struct rc_address *peer)
{
	rc_to_init(end);
	rc_to_rtr(end, peer);
	rc_to_rts(end);
}

static void move_to(struct rc_end *end, enum ibv_qp_state state)
{
	struct ibv_qp_attr attr = { .qp_state = state };

	CHECK_EQ(ibv_modify_qp(end->qp, &attr, IBV_QP_STATE), 0);
}

void rc_to_error(struct rc_end *end)
{
	move_to(end, IBV_QPS_ERR);
}

void rc_to_reset(struct rc_end *end)
{
	move_to(end, IBV_QPS_RESET);
}

enum ibv_qp_state rc_state(struct rc_end *end)
{
	struct ibv_qp_init_attr init;
	struct ibv_qp_attr attr;

	CHECK_EQ(ibv_query_qp(end->qp, &attr, IBV_QP_STATE, &init), 0);
	CHECK_EQ(end->qp->state, attr.qp_state);
	return attr.qp_state;
}

void rc_expect_state(struct rc_end *end, enum ibv_qp_state state)
{
	CHECK_EQ(rc_state(end), state);
}

void rc_pair_open(struct rc_pair *pair, const struct rc_config *config)
{
	rc_open(&pair->a, config);
	rc_open(&pair->b, config);
	rc_connect(&pair->a, &pair->b.self);
	rc_connect(&pair->b, &pair->a.self);
}

void rc_pair_close(struct rc_pair *pair)
{
	rc_close(&pair->a);
	rc_close(&pair->b);
}

void rc_side_open(struct side *side, struct rc_end *end, const struct rc_config *config)
{
	struct rc_address peer;

	srandom((unsigned int)side->other);
	rc_open(end, config);
	side_put(side, &end->self, sizeof(end->self));
	side_get(side, &peer, sizeof(peer));
	rc_connect(end, &peer);
	side_meet(side);
}

void rc_side_close(struct side *side, struct rc_end *end)
{
	side_meet(side);
	rc_close(end);
}
