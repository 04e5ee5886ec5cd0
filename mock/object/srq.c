/* SPDX-License-Identifier: BSD-2-Clause */
#include "object/srq.h"

#include <errno.h>
#include <stdlib.h>
#include "object/async.h"
#include "object/device.h"
#include "object/handle.h"
#include "object/pd.h"
#include "object/srq_xrc.h"

static struct handle_table srqs = HANDLE_TABLE_LIMITED(max_srq);

static int attr_check(const struct ibv_srq_attr *attr)
{
	if (!attr->max_wr || attr->max_wr > settings()->max_srq_wr ||
	    attr->max_sge > settings()->max_sge)
		return -EINVAL;
	return 0;
}

int srq_create(struct ibv_pd *ibv_pd, const struct ibv_srq_init_attr *attr,
               struct srq **srq)
{
	struct pd *pd = to_pd(ibv_pd);
	struct srq *made;
	int err = attr_check(&attr->attr);

	if (err)
		return err;
	made = calloc(1, sizeof(*made));
	if (!made)
		return -ENOMEM;
	err = rq_create(&made->rq, attr->attr.max_wr, attr->attr.max_sge, 0,
	                pd->ibv.handle);
	if (err)
		goto free_made;
	made->ibv.context = ibv_pd->context;
	made->ibv.srq_context = attr->srq_context;
	made->ibv.pd = ibv_pd;
	pthread_mutex_init(&made->ibv.mutex, NULL);
	pthread_cond_init(&made->ibv.cond, NULL);
	list_init(&made->qps);
	err = handle_alloc(&srqs, made, &made->ibv.handle);
	if (err)
		goto destroy_rq;
	made->rq.sh->handle = made->ibv.handle;
	pthread_mutex_lock(&pd->lock);
	list_add_tail(&pd->srqs, &made->pd_node);
	pthread_mutex_unlock(&pd->lock);
	pd_use(ibv_pd);
	*srq = made;
	return 0;
destroy_rq:
	pthread_mutex_destroy(&made->ibv.mutex);
	pthread_cond_destroy(&made->ibv.cond);
	rq_destroy(&made->rq);
free_made:
	free(made);
	return err;
}

int srq_destroy(struct srq *srq)
{
	struct pd *pd = to_pd(srq->ibv.pd);

	if (atomic_load(&srq->users))
		return -EBUSY;
	if (srq->xrcd)
		srq_leave_domain(srq);
	handle_free(&srqs, srq->ibv.handle);
	handle_wait(&srq->holds);
	async_forget_srq(to_context(srq->ibv.context), &srq->ibv);
	pthread_mutex_lock(&pd->lock);
	list_del(&srq->pd_node);
	pthread_mutex_unlock(&pd->lock);
	pd_unuse(srq->ibv.pd);
	rq_destroy(&srq->rq);
	pthread_mutex_destroy(&srq->ibv.mutex);
	pthread_cond_destroy(&srq->ibv.cond);
	free(srq);
	return 0;
}

struct srq *srq_of_handle(uint32_t handle)
{
	return handle_get(&srqs, handle);
}

static void hold(void *object)
{
	atomic_fetch_add(&((struct srq *)object)->holds, 1);
}

static void look(void *object)
{
	struct srq *srq = object;
	struct ibv_async_event event = { .element.srq = &srq->ibv };

	async_raise_due(to_context(srq->ibv.context), &srq->rq.sh->due, event);
	atomic_fetch_sub_explicit(&srq->holds, 1, memory_order_release);
}

void srq_look(uint32_t handle)
{
	void *srq = handle_hold(&srqs, handle, hold);

	if (srq)
		look(srq);
}

void srq_look_all(void)
{
	handle_each(&srqs, hold, look);
}

static void settle_one(void *object)
{
	struct srq *srq = object;

	srq_settle(srq);
	atomic_fetch_sub_explicit(&srq->holds, 1, memory_order_release);
}

void srq_settle_all(void)
{
	handle_each(&srqs, hold, settle_one);
}

int srq_modify(struct srq *srq, const struct ibv_srq_attr *attr, int mask)
{
	bool resize = mask & IBV_SRQ_MAX_WR;

	if ((mask & ~(IBV_SRQ_MAX_WR | IBV_SRQ_LIMIT)) ||
	    (resize && (!attr->max_wr || attr->max_wr > settings()->max_srq_wr)))
		return -EINVAL;
	return rq_modify(&srq->rq, resize ? attr->max_wr : 0,
	                 mask & IBV_SRQ_LIMIT ? &attr->srq_limit : NULL);
}

void srq_query(struct srq *srq, struct ibv_srq_attr *attr)
{
	owner_lock(&srq->rq.lock);
	attr->max_wr = srq->rq.depth;
	owner_unlock(&srq->rq.lock);
	attr->max_sge = srq->rq.sh->max_sge;
	attr->srq_limit = atomic_load_explicit(&srq->rq.sh->limit, memory_order_relaxed);
}
