/* SPDX-License-Identifier: BSD-2-Clause */
/* Shared receive queues of XRC domains: found by number, by requests to any target of the
 * domain (IBA annex A14). */
#include "object/srq_xrc.h"

#include <errno.h>
#include <stdlib.h>
#include "host/registry.h"
#include "object/cq.h"
#include "object/pd.h"
#include "object/srq_shared.h"
#include "object/xrcd.h"

/* Blocks of struct srq_shared that no SRQ uses: they stay such for ever. */
struct spare {
	struct spare *next;
	seg_off off;
	uint64_t generation; /* of the segment that it is in */
};

static struct {
	pthread_mutex_t lock;
	struct spare *free;
} pool = { .lock = PTHREAD_MUTEX_INITIALIZER };

static struct spare *take_spare(void)
{
	struct spare *spare;

	pthread_mutex_lock(&pool.lock);
	spare = pool.free;
	if (spare)
		pool.free = spare->next;
	pthread_mutex_unlock(&pool.lock);
	return spare;
}

static int block_take(seg_off *off)
{
	struct spare *spare;
	bool found = false;

	while (!found && (spare = take_spare())) {
		found = spare->generation == peer_self()->generation;
		*off = spare->off;
		free(spare);
	}
	return found ? 0 : segment_alloc(sizeof(struct srq_shared), off);
}

static void block_give(seg_off off)
{
	struct spare *spare = malloc(sizeof(*spare));

	if (!spare)
		return; /* lost until the process ends */
	pthread_mutex_lock(&pool.lock);
	*spare = (struct spare){ pool.free, off, peer_self()->generation };
	pool.free = spare;
	pthread_mutex_unlock(&pool.lock);
}

static void fill(struct srq *srq)
{
	struct srq_shared *sh = srq->sh;

	sh->handle = srq->ibv.handle;
	sh->pd = srq->ibv.pd->handle;
	sh->domain = srq->xrcd->domain.number;
	sh->rq = srq->rq.off;
	sh->cq = srq->cq->off;
	atomic_store(&sh->number, srq->number);
}

static int join_domain(struct srq *srq, struct xrcd *xrcd, struct cq *cq)
{
	int err = block_take(&srq->off);

	if (err)
		return err;
	srq->sh = segment_ptr(srq->off);
	err = registry_srqn_alloc(srq->off, &srq->number);
	if (err) {
		block_give(srq->off);
		return err;
	}
	srq->xrcd = xrcd;
	srq->cq = cq;
	atomic_fetch_add(&xrcd->users, 1);
	atomic_fetch_add(&cq->users, 1);
	fill(srq);
	return 0;
}

void srq_settle(struct srq *srq)
{
	for (unsigned int i = 0; srq->sh && i < SRQ_LANES; i++)
		owner_lock_settle(&srq->sh->lane[i]);
}

static void forget_one(const struct cqe *entry, void *arg, unsigned int index)
{
	(void)entry;
	(void)arg;
	(void)index;
}

void srq_leave_domain(struct srq *srq)
{
	registry_qpn_free(srq->number);
	atomic_store(&srq->sh->number, 0);
	srq_settle(srq);
	cq_forget(srq->cq, srq->ibv.handle, CQE_SRQ, forget_one, NULL);
	atomic_fetch_sub(&srq->cq->users, 1);
	atomic_fetch_sub(&srq->xrcd->users, 1);
	block_give(srq->off);
}

int srq_create_xrc(struct ibv_pd *pd, const struct ibv_srq_init_attr *attr,
                   struct xrcd *xrcd, struct cq *cq, struct srq **srq)
{
	int err;

	if (xrcd->ibv.context != pd->context || cq_base(cq)->context != pd->context)
		return -EINVAL;
	err = srq_create(pd, attr, srq);
	if (err)
		return err;
	err = join_domain(*srq, xrcd, cq);
	if (err)
		srq_destroy(*srq);
	return err;
}

static enum ibv_srq_type type_of(const struct ibv_srq_init_attr_ex *attr)
{
	return attr->comp_mask & IBV_SRQ_INIT_ATTR_TYPE ? attr->srq_type : IBV_SRQT_BASIC;
}

static int check_ex(const struct ibv_srq_init_attr_ex *attr)
{
	const uint32_t known = IBV_SRQ_INIT_ATTR_TYPE | IBV_SRQ_INIT_ATTR_PD |
	                       IBV_SRQ_INIT_ATTR_XRCD | IBV_SRQ_INIT_ATTR_CQ;
	const uint32_t xrc = IBV_SRQ_INIT_ATTR_XRCD | IBV_SRQ_INIT_ATTR_CQ;
	enum ibv_srq_type type = type_of(attr);

	if ((attr->comp_mask & ~known) ||
	    (type != IBV_SRQT_BASIC && type != IBV_SRQT_XRC))
		return -EOPNOTSUPP;
	if (!(attr->comp_mask & IBV_SRQ_INIT_ATTR_PD) || !attr->pd)
		return -EINVAL;
	if (type == IBV_SRQT_XRC &&
	    ((attr->comp_mask & xrc) != xrc || !attr->xrcd || !attr->cq))
		return -EINVAL;
	return 0;
}

int srq_create_ex(struct ibv_srq_init_attr_ex *attr, struct srq **srq)
{
	struct ibv_srq_init_attr plain = { attr->srq_context, attr->attr };
	int err = check_ex(attr);

	if (err)
		return err;
	if (type_of(attr) == IBV_SRQT_XRC)
		err = srq_create_xrc(attr->pd, &plain, to_xrcd(attr->xrcd),
		                     to_cq(attr->cq), srq);
	else
		err = srq_create(attr->pd, &plain, srq);
	if (!err)
		srq_query(*srq, &attr->attr);
	return err;
}
