/* SPDX-License-Identifier: BSD-2-Clause */
#include "object/srq.h"

#include <errno.h>
#include <stdlib.h>
#include "object/async.h"
#include "object/device.h"
#include "object/handle.h"
#include "object/pd.h"

static struct handle_table srqs = HANDLE_TABLE_INIT;

static int attr_check(const struct ibv_srq_attr *attr)
{
	if (!attr->max_wr || attr->max_wr > DEVICE_MAX_SRQ_WR ||
	    attr->max_sge > DEVICE_MAX_SGE)
		return -EINVAL;
	return 0;
}

int srq_create(struct pd *pd, const struct ibv_srq_init_attr *attr, struct srq **srq)
{
	struct srq *made;
	int err = attr_check(&attr->attr);

	if (err)
		return err;
	made = calloc(1, sizeof(*made));
	if (!made)
		return -ENOMEM;
	err = rq_create(&made->rq, attr->attr.max_wr, attr->attr.max_sge, pd->ibv.handle);
	if (err)
		goto free_made;
	err = handle_alloc(&srqs, made, &made->ibv.handle);
	if (err)
		goto destroy_rq;
	made->ibv.context = pd->ibv.context;
	made->ibv.srq_context = attr->srq_context;
	made->ibv.pd = &pd->ibv;
	pthread_mutex_init(&made->ibv.mutex, NULL);
	pthread_cond_init(&made->ibv.cond, NULL);
	list_init(&made->qps);
	pthread_mutex_lock(&pd->lock);
	list_add_tail(&pd->srqs, &made->pd_node);
	pthread_mutex_unlock(&pd->lock);
	atomic_fetch_add(&pd->users, 1);
	*srq = made;
	return 0;
destroy_rq:
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
	async_forget_srq(to_context(srq->ibv.context), &srq->ibv);
	pthread_mutex_lock(&pd->lock);
	list_del(&srq->pd_node);
	pthread_mutex_unlock(&pd->lock);
	atomic_fetch_sub(&pd->users, 1);
	handle_free(&srqs, srq->ibv.handle);
	rq_destroy(&srq->rq);
	pthread_mutex_destroy(&srq->ibv.mutex);
	pthread_cond_destroy(&srq->ibv.cond);
	free(srq);
	return 0;
}

void srq_query(struct srq *srq, struct ibv_srq_attr *attr)
{
	attr->max_wr = srq->rq.depth;
	attr->max_sge = srq->rq.sh->max_sge;
	attr->srq_limit = srq->limit;
}
