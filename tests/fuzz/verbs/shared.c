/* SPDX-License-Identifier: BSD-2-Clause */
/* The objects that all threads have. */
#include "verbs/world.h"

#include <fcntl.h>

static struct ibv_qp *shared_qp(struct shared *s, enum ibv_qp_type type, bool srq)
{
	const uint64_t windows = IBV_QP_EX_WITH_LOCAL_INV | IBV_QP_EX_WITH_BIND_MW;
	struct ibv_qp_init_attr_ex init = {
		.send_cq = s->cq,
		.recv_cq = s->cq,
		.srq = srq ? s->srq : NULL,
		.cap = { 16, 16, 3, 2, 128 },
		.qp_type = type,
		.comp_mask = IBV_QP_INIT_ATTR_PD | IBV_QP_INIT_ATTR_SEND_OPS_FLAGS,
		.pd = s->pd,
		.send_ops_flags =
		        IBV_QP_EX_WITH_SEND | (type == IBV_QPT_UD ? 0 : windows),
	};
	struct ibv_qp *qp = ibv_create_qp_ex(s->context, &init);

	MUST(qp);
	return qp;
}

static int find_gid(struct ibv_context *context, union ibv_gid *gid)
{
	struct ibv_gid_entry entry;

	for (uint32_t i = 0; i < 256; i++) {
		if (ibv_query_gid_ex(context, 1, i, &entry, 0))
			continue;
		*gid = entry.gid;
		return (int)i;
	}
	return -1;
}

void begin_shared(struct shared *s)
{
	struct ibv_device **list = ibv_get_device_list(NULL);
	struct ibv_srq_init_attr srq = { .attr = { 32, 2, 0 } };
	struct ibv_qp_attr attr;

	MUST(list && list[0]);
	s->context = ibv_open_device(list[0]);
	ibv_free_device_list(list);
	MUST(s->context);
	MUST(!fcntl(s->context->async_fd, F_SETFL, O_NONBLOCK));
	s->channel = ibv_create_comp_channel(s->context);
	MUST(s->channel && !fcntl(s->channel->fd, F_SETFL, O_NONBLOCK));
	s->gid_index = find_gid(s->context, &s->self.gid);
	s->pd = ibv_alloc_pd(s->context);
	s->cq = ibv_create_cq(s->context, 256, NULL, s->channel, 0);
	s->srq = ibv_create_srq(s->pd, &srq);
	s->mr = ibv_reg_mr(s->pd, arena, ARENA,
	                   IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE |
	                           IBV_ACCESS_REMOTE_READ | IBV_ACCESS_REMOTE_ATOMIC |
	                           IBV_ACCESS_MW_BIND);
	MUST(s->gid_index >= 0 && s->pd && s->cq && s->srq && s->mr);
	attr = attributes(s, 0, &s->self.gid);
	s->ah = ibv_create_ah(s->pd, &attr.ah_attr);
	MUST(s->ah);
	for (int i = 0; i < SHARED_QPS; i++)
		s->qp[i] = shared_qp(s,
		                     i == 4            ? IBV_QPT_UD
		                     : i >= 2 && i < 4 ? IBV_QPT_UC
		                                       : IBV_QPT_RC,
		                     i == 1);
	s->self.qpn = s->qp[CROSS]->qp_num;
	s->self.rkey = s->mr->rkey;
	s->self.arena = (uintptr_t)arena;
}

void connect_shared(struct shared *s)
{
	static const int to[SHARED_QPS] = { 1, 0, 3, 2, 4, CROSS };

	for (int i = 0; i < SHARED_QPS; i++)
		MUST(!to_rts(s, s->qp[i], i == CROSS ? s->peer.qpn : s->qp[to[i]]->qp_num,
		             &s->self.gid));
}

void end_shared(struct shared *s)
{
	struct world w = { .shared = s };

	for (int i = 0; i < SHARED_QPS; i++)
		MUST(!ibv_destroy_qp(s->qp[i]));
	look_for_events(&w);
	MUST(!ibv_destroy_ah(s->ah));
	MUST(!ibv_destroy_srq(s->srq));
	MUST(!ibv_destroy_cq(s->cq));
}

void close_shared(struct shared *s)
{
	MUST(!ibv_dereg_mr(s->mr));
	MUST(!ibv_dealloc_pd(s->pd));
	MUST(!ibv_destroy_comp_channel(s->channel));
	MUST(!ibv_close_device(s->context));
}
