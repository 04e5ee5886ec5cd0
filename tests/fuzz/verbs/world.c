/* SPDX-License-Identifier: BSD-2-Clause */
#include "verbs/world.h"

uint8_t arena[ARENA] __attribute__((aligned(4096)));

void *place(struct world *w, size_t *length)
{
	size_t offset = word(w) % ARENA;

	*length = word(w) % (ARENA - offset) + 1;
	return arena + offset;
}

struct ibv_pd *any_pd(struct world *w)
{
	return PICK(w->pd, w->shared->pd);
}

struct ibv_cq *any_cq(struct world *w)
{
	return PICK(w->cq, w->shared->cq);
}

struct ibv_mr *any_mr(struct world *w)
{
	return PICK(w->mr, w->shared->mr);
}

struct ibv_qp *any_qp(struct world *w)
{
	uint8_t which = byte(w);

	if (which % 2 && w->qp[which / 2 % OWN])
		return w->qp[which / 2 % OWN];
	return w->shared->qp[which / 2 % SHARED_QPS];
}

uint32_t any_key(struct world *w)
{
	struct ibv_mw *mw = w->mw[byte(w) % OWN];

	switch (byte(w) % 4) {
	case 0: return mw ? mw->rkey : 0;
	case 1: return w->shared->peer.rkey;
	default: return (uint32_t)mostly(w, any_mr(w)->lkey);
	}
}

struct ibv_sge any_sge(struct world *w)
{
	size_t length;
	void *at = place(w, &length);

	return (struct ibv_sge){ mostly(w, (uintptr_t)at), mostly(w, length),
		                 any_key(w) };
}
uint32_t any_srq_number(struct world *w)
{
	struct ibv_srq *srq = w->srq[byte(w) % OWN];
	uint32_t number = 0;

	if (srq)
		ibv_get_srq_num(srq, &number);
	return number;
}
