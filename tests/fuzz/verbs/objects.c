/* SPDX-License-Identifier: BSD-2-Clause */
#include "verbs/world.h"

#include <fcntl.h>

void change_pd(struct world *w)
{
	struct ibv_pd **at = &w->pd[byte(w) % OWN];

	if (!*at)
		*at = ibv_alloc_pd(w->shared->context);
	else if (!ibv_dealloc_pd(*at))
		*at = NULL;
}

static struct ibv_cq *make_cq(struct world *w, bool *extended)
{
	struct ibv_cq_init_attr_ex init = {
		.cqe = (uint32_t)(number(w) & 0xffff),
		.channel = byte(w) % 2 ? w->shared->channel : NULL,
		.comp_vector = (uint32_t)mostly(w, 0),
		.wc_flags = mostly(w, byte(w)),
		.comp_mask = (uint32_t)mostly(w, byte(w) & 1),
		.flags = (uint32_t)mostly(w, byte(w) & 3),
	};

	*extended = byte(w) % 2;
	if (*extended)
		return (struct ibv_cq *)ibv_create_cq_ex(w->shared->context, &init);
	return ibv_create_cq(w->shared->context, (int)init.cqe, w, init.channel,
	                     (int)init.comp_vector);
}

void change_cq(struct world *w)
{
	unsigned int which = byte(w) % OWN;
	struct ibv_cq **at = &w->cq[which];

	if (!*at)
		*at = make_cq(w, &w->extended[which]);
	else if (byte(w) < 100)
		ibv_resize_cq(*at, (int)number(w));
	else if (!ibv_destroy_cq(*at))
		*at = NULL;
}

void poll_extended(struct world *w)
{
	unsigned int which = byte(w) % OWN;
	struct ibv_poll_cq_attr attr = { (uint32_t)mostly(w, 0) };
	struct ibv_cq_ex *cq = (struct ibv_cq_ex *)w->cq[which];

	if (!cq || !w->extended[which] || ibv_start_poll(cq, &attr))
		return;
	do {
		ibv_wc_read_opcode(cq);
		ibv_wc_read_byte_len(cq);
		ibv_wc_read_imm_data(cq);
		ibv_wc_read_completion_ts(cq);
		ibv_wc_read_wc_flags(cq);
	} while (byte(w) < 200 && !ibv_next_poll(cq));
	ibv_end_poll(cq);
}

void change_xrcd(struct world *w)
{
	struct ibv_xrcd **at = &w->xrcd[byte(w) % OWN];
	struct ibv_xrcd_init_attr init = { (uint32_t)mostly(w, 3), -1,
		                           (int)mostly(w, O_CREAT) };

	if (!*at)
		*at = ibv_open_xrcd(w->shared->context, &init);
	else if (!ibv_close_xrcd(*at))
		*at = NULL;
}

static struct ibv_srq *make_srq(struct world *w)
{
	struct ibv_srq_init_attr_ex init = {
		.attr = { (uint32_t)number(w) & 0xffff, (uint32_t)mostly(w, 2), 0 },
		.comp_mask = (uint32_t)mostly(w, byte(w) & 0xf),
		.srq_type = (enum ibv_srq_type)mostly(w, byte(w) % 3),
		.pd = any_pd(w),
		.xrcd = w->xrcd[byte(w) % OWN],
		.cq = any_cq(w),
	};

	if (byte(w) % 2)
		return ibv_create_srq_ex(w->shared->context, &init);
	return ibv_create_srq(init.pd, (struct ibv_srq_init_attr *)&init);
}

void change_srq(struct world *w)
{
	struct ibv_srq **at = &w->srq[byte(w) % OWN];
	struct ibv_srq_attr attr = { (uint32_t)number(w) & 0xffff, 2, byte(w) };

	if (!*at)
		*at = make_srq(w);
	else if (byte(w) < 100)
		ibv_modify_srq(*at, &attr, (int)number(w));
	else if (!ibv_destroy_srq(*at))
		*at = NULL;
}

/* No more than the arena may ever be reached. */
void change_mr(struct world *w)
{
	struct ibv_mr **at = &w->mr[byte(w) % OWN];
	unsigned int access = (unsigned int)mostly(w, byte(w) & 0x3f);
	int flags = (int)mostly(w, byte(w) % 8);
	size_t length;
	void *memory = place(w, &length);

	if (*at && byte(w) < 100) {
		ibv_rereg_mr(*at, flags, any_pd(w), memory, length, (int)access);
	} else if (*at) {
		if (!ibv_dereg_mr(*at))
			*at = NULL;
	} else if (byte(w) < 30) {
		*at = ibv_alloc_null_mr(any_pd(w));
	} else if (byte(w) < 60 && w->dm[0]) {
		*at = ibv_reg_dm_mr(any_pd(w), w->dm[0], number(w), number(w), access);
	} else if (byte(w) < 30) {
		*at = ibv_reg_mr(any_pd(w), (void *)(uintptr_t)number(w), length,
		                 (int)(access & ~IBV_ACCESS_ON_DEMAND));
	} else {
		*at = ibv_reg_mr_iova2(any_pd(w), memory, length,
		                       mostly(w, (uintptr_t)memory), access);
	}
}

void change_mw(struct world *w)
{
	struct ibv_mw **at = &w->mw[byte(w) % OWN];

	if (!*at)
		*at = ibv_alloc_mw(any_pd(w),
		                   (enum ibv_mw_type)mostly(w, 1 + byte(w) % 2));
	else if (!ibv_dealloc_mw(*at))
		*at = NULL;
}

void change_dm(struct world *w)
{
	struct ibv_dm **at = &w->dm[byte(w) % OWN];
	struct ibv_alloc_dm_attr attr = { number(w), (uint32_t)mostly(w, 3),
		                          (uint32_t)mostly(w, 0) };
	uint64_t offset = number(w);
	size_t length = byte(w);

	if (!*at) {
		*at = ibv_alloc_dm(w->shared->context, &attr);
	} else if (byte(w) < 200) {
		ibv_memcpy_to_dm(*at, offset, arena, length);
		ibv_memcpy_from_dm(arena, *at, offset, length);
	} else if (!ibv_free_dm(*at)) {
		*at = NULL;
	}
}

static struct ibv_qp *make_qp(struct world *w, struct ibv_pd *pd)
{
	static const enum ibv_qp_type types[] = { IBV_QPT_RC, IBV_QPT_UC, IBV_QPT_UD,
		                                  IBV_QPT_XRC_SEND, IBV_QPT_XRC_RECV };
	struct ibv_qp_init_attr_ex init = {
		.send_cq = any_cq(w),
		.recv_cq = any_cq(w),
		.cap = { (uint32_t)number(w) & 0x1ff, (uint32_t)number(w) & 0x1ff,
		         (uint32_t)mostly(w, 2), (uint32_t)mostly(w, 2),
		         (uint32_t)mostly(w, 64) },
		.qp_type = (enum ibv_qp_type)mostly(w, types[byte(w) % 5]),
		.sq_sig_all = byte(w) % 2,
		.comp_mask = (uint32_t)mostly(w, IBV_QP_INIT_ATTR_PD |
		                                         IBV_QP_INIT_ATTR_SEND_OPS_FLAGS),
		.pd = pd,
		.xrcd = w->xrcd[byte(w) % OWN],
		.send_ops_flags = mostly(w, IBV_QP_EX_WITH_SEND),
	};

	if (init.qp_type == IBV_QPT_XRC_RECV)
		init.comp_mask = (uint32_t)mostly(w, IBV_QP_INIT_ATTR_XRCD);

	if (byte(w) % 4 == 0)
		init.srq = PICK(w->srq, w->shared->srq);
	if (byte(w) % 2)
		return ibv_create_qp_ex(w->shared->context, &init);
	return ibv_create_qp(pd, (struct ibv_qp_init_attr *)&init);
}

void change_qp(struct world *w)
{
	struct ibv_qp **at = &w->qp[byte(w) % OWN];

	if (!*at)
		*at = make_qp(w, any_pd(w));
	else if (!ibv_destroy_qp(*at))
		*at = NULL;
}

/* What is made in an import's domain goes before it, or after. */
void import(struct world *w)
{
	struct ibv_context *context = w->shared->context;
	struct ibv_pd *pd =
	        ibv_import_pd(context, (uint32_t)mostly(w, any_pd(w)->handle));
	struct ibv_mr *mr, *own;
	bool early = byte(w) % 2;

	if (!pd)
		return;
	mr = ibv_import_mr(pd, (uint32_t)mostly(w, any_mr(w)->handle));
	if (mr)
		ibv_unimport_mr(mr);
	own = ibv_reg_mr(pd, arena, 64, IBV_ACCESS_LOCAL_WRITE);
	if (early)
		ibv_unimport_pd(pd);
	if (own)
		MUST(!ibv_dereg_mr(own));
	if (!early)
		ibv_unimport_pd(pd);
}
