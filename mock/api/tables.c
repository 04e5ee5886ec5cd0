/* SPDX-License-Identifier: BSD-2-Clause */
#include "api/tables.h"

static void fill_xrc(struct verbs_context *vctx)
{
	vctx->open_qp = table_open_qp;
	vctx->open_xrcd = table_open_xrcd;
	vctx->close_xrcd = table_close_xrcd;
	vctx->create_srq_ex = table_create_srq_ex;
	vctx->get_srq_num = table_get_srq_num;
}

static void fill_flows(struct verbs_context *vctx)
{
	vctx->ibv_create_flow = table_create_flow;
	vctx->ibv_destroy_flow = table_destroy_flow;
	vctx->create_counters = table_create_counters;
	vctx->destroy_counters = table_destroy_counters;
	vctx->attach_counters_point_flow = table_attach_counters_point_flow;
	vctx->read_counters = table_read_counters;
}

void tables_fill(struct context *context)
{
	struct verbs_context *vctx = &context->vctx;

	vctx->query_device_ex = table_query_device_ex;
	vctx->query_port = table_query_port;
	vctx->query_rt_values = table_query_rt_values;
	vctx->create_cq_ex = table_create_cq_ex;
	vctx->create_qp_ex = table_create_qp_ex;
	vctx->alloc_td = table_alloc_td;
	vctx->dealloc_td = table_dealloc_td;
	vctx->alloc_parent_domain = table_alloc_parent_domain;
	vctx->advise_mr = table_advise_mr;
	vctx->alloc_null_mr = table_alloc_null_mr;
	vctx->alloc_dm = table_alloc_dm;
	vctx->free_dm = table_free_dm;
	vctx->reg_dm_mr = table_reg_dm_mr;
	vctx->context.ops.alloc_mw = table_alloc_mw;
	vctx->context.ops.bind_mw = table_bind_mw;
	vctx->context.ops.dealloc_mw = table_dealloc_mw;
	fill_xrc(vctx);
	fill_flows(vctx);
	vctx->context.ops.poll_cq = table_poll_cq;
	vctx->context.ops.req_notify_cq = table_req_notify_cq;
	vctx->context.ops.post_send = table_post_send;
	vctx->context.ops.post_recv = table_post_recv;
	vctx->context.ops.post_srq_recv = table_post_srq_recv;
}
