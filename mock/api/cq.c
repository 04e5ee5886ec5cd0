/* SPDX-License-Identifier: BSD-2-Clause */
/* ibv_create_comp_channel(3), ibv_create_cq(3), ibv_poll_cq(3), ibv_get_cq_event(3). */
#include <infiniband/verbs.h>
#include "api/api.h"
#include "api/tables.h"
#include "object/cq.h"
#include "transport/transport.h"

MOCK_API struct ibv_comp_channel *ibv_create_comp_channel(struct ibv_context *context)
{
	struct channel *channel;
	int err = context ? channel_create(context, &channel) : -EINVAL;

	return err ? null_result(err) : &channel->ibv;
}

MOCK_API int ibv_destroy_comp_channel(struct ibv_comp_channel *channel)
{
	return verbs_result(channel ? channel_destroy(to_channel(channel)) : -EINVAL);
}

MOCK_API struct ibv_cq *ibv_create_cq(struct ibv_context *context, int cqe,
                                      void *cq_context, struct ibv_comp_channel *channel,
                                      int comp_vector)
{
	struct cq *cq;
	int err = -EINVAL;

	if (context && cqe > 0 && comp_vector >= 0 &&
	    comp_vector < context->num_comp_vectors)
		err = cq_create(context, cqe, cq_context,
		                channel ? to_channel(channel) : NULL, &cq);
	return err ? null_result(err) : cq_base(cq);
}

MOCK_API int ibv_resize_cq(struct ibv_cq *cq, int cqe)
{
	return cq && cqe > 0 ? verbs_result(cq_resize(to_cq(cq), (unsigned int)cqe))
	                     : EINVAL;
}

MOCK_API int ibv_destroy_cq(struct ibv_cq *cq)
{
	return verbs_result(cq ? cq_destroy(to_cq(cq)) : -EINVAL);
}

int table_poll_cq(struct ibv_cq *cq, int count, struct ibv_wc *wc)
{
	return count < 0 || (count && !wc) ? -EINVAL
	                                   : transport_poll(to_cq(cq), count, wc);
}

int table_req_notify_cq(struct ibv_cq *cq, int solicited_only)
{
	if (!cq->channel)
		return 0; /* there is nobody to tell */
	transport_arm(to_cq(cq), solicited_only);
	return 0;
}

MOCK_API int ibv_get_cq_event(struct ibv_comp_channel *channel, struct ibv_cq **cq,
                              void **cq_context)
{
	int err = channel && cq ? channel_next(to_channel(channel), cq) : -EINVAL;

	if (err)
		return errno_result(err);
	if (cq_context)
		*cq_context = (*cq)->cq_context;
	return 0;
}

MOCK_API void ibv_ack_cq_events(struct ibv_cq *cq, unsigned int nevents)
{
	if (!cq)
		return;
	pthread_mutex_lock(&cq->mutex);
	cq->comp_events_completed += nevents;
	pthread_cond_signal(&cq->cond);
	pthread_mutex_unlock(&cq->mutex);
}
