/* SPDX-License-Identifier: BSD-2-Clause */
#include "api/tables.h"

void tables_fill(struct context *context)
{
	struct verbs_context *vctx = &context->vctx;

	vctx->query_device_ex = table_query_device_ex;
	vctx->query_port = table_query_port;
	vctx->query_rt_values = table_query_rt_values;
	vctx->create_cq_ex = table_create_cq_ex;
	vctx->create_qp_ex = table_create_qp_ex;
	vctx->context.ops.poll_cq = table_poll_cq;
	vctx->context.ops.req_notify_cq = table_req_notify_cq;
	vctx->context.ops.post_send = table_post_send;
	vctx->context.ops.post_recv = table_post_recv;
	vctx->context.ops.post_srq_recv = table_post_srq_recv;
}
