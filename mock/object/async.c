/* SPDX-License-Identifier: BSD-2-Clause */
#include "object/async.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/uio.h>
#include <unistd.h>
#include "base/log.h"
#include "object/cq.h"
#include "object/device.h"
#include "object/qp.h"
#include "object/srq.h"

struct async_item {
	struct list node;
	struct ibv_async_event event;
};

int async_open(struct context *context)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_SEMAPHORE);

	if (fd < 0)
		return -errno;
	context->vctx.context.async_fd = fd;
	pthread_mutex_init(&context->async_lock, NULL);
	list_init(&context->async_events);
	return 0;
}

void async_close(struct context *context)
{
	struct list *at, *next;

	list_for_each_safe (at, next, &context->async_events)
		free(list_entry(at, struct async_item, node));
	close(context->vctx.context.async_fd);
	pthread_mutex_destroy(&context->async_lock);
}

void async_raise(struct context *context, const struct ibv_async_event *event)
{
	struct async_item *item = malloc(sizeof(*item));
	const uint64_t one = 1;

	if (!item)
		return;
	item->event = *event;
	pthread_mutex_lock(&context->async_lock);
	list_add_tail(&context->async_events, &item->node);
	if (write(context->vctx.context.async_fd, &one, sizeof(one)) < 0)
		list_del(&item->node);
	else
		item = NULL;
	pthread_mutex_unlock(&context->async_lock);
	free(item);
}

/* Where the object counts the events that were read, and those acknowledged; NULL for the
 * port's. */
static uint32_t *delivered_of(const struct ibv_async_event *event)
{
	switch (event->event_type) {
	case IBV_EVENT_CQ_ERR: return &to_cq(event->element.cq)->async_delivered;
	case IBV_EVENT_QP_FATAL:
	case IBV_EVENT_QP_REQ_ERR:
	case IBV_EVENT_QP_ACCESS_ERR:
	case IBV_EVENT_QP_LAST_WQE_REACHED:
	case IBV_EVENT_SQ_DRAINED:
	case IBV_EVENT_COMM_EST:
	case IBV_EVENT_PATH_MIG:
	case IBV_EVENT_PATH_MIG_ERR: return &to_qp(event->element.qp)->async_delivered;
	case IBV_EVENT_SRQ_ERR:
	case IBV_EVENT_SRQ_LIMIT_REACHED:
		return &to_srq(event->element.srq)->async_delivered;
	default: return NULL;
	}
}

int async_next(struct context *context, struct ibv_async_event *event)
{
	struct async_item *item = NULL;
	uint32_t *delivered;
	uint64_t one;

	do {
		if (read(context->vctx.context.async_fd, &one, sizeof(one)) < 0)
			return -errno;
		pthread_mutex_lock(&context->async_lock);
		if (!list_empty(&context->async_events)) {
			item = list_entry(context->async_events.next, struct async_item,
			                  node);
			list_del(&item->node);
			delivered = delivered_of(&item->event);
			if (delivered)
				++*delivered;
		}
		pthread_mutex_unlock(&context->async_lock);
	} while (!item); /* a dropped event leaves its count behind */
	*event = item->event;
	free(item);
	return 0;
}

static void ack(pthread_mutex_t *mutex, pthread_cond_t *cond, uint32_t *completed)
{
	pthread_mutex_lock(mutex);
	++*completed;
	pthread_cond_signal(cond);
	pthread_mutex_unlock(mutex);
}

void async_ack(struct ibv_async_event *event)
{
	struct ibv_cq *cq = event->element.cq;
	struct ibv_qp *qp = event->element.qp;
	struct ibv_srq *srq = event->element.srq;

	switch (event->event_type) {
	case IBV_EVENT_CQ_ERR:
		ack(&cq->mutex, &cq->cond, &cq->async_events_completed);
		break;
	case IBV_EVENT_SRQ_ERR:
	case IBV_EVENT_SRQ_LIMIT_REACHED:
		ack(&srq->mutex, &srq->cond, &srq->events_completed);
		break;
	default:
		if (delivered_of(event))
			ack(&qp->mutex, &qp->cond, &qp->events_completed);
	}
}

/*
 * The descriptor is readable once less. A reader that has taken the count already finds
 * the queue without the event, and waits again; so this must not wait.
 */
static void take_back(int fd)
{
	uint64_t one;
	struct iovec iov = { &one, sizeof(one) };

	if (preadv2(fd, &iov, 1, -1, RWF_NOWAIT) < 0)
		mock_debug("an event was read as its object went");
}

/* Takes the object's unread events out of the queue. */
static void drop_unread(struct context *context, const uint32_t *delivered)
{
	struct list *at, *next;

	pthread_mutex_lock(&context->async_lock);
	list_for_each_safe (at, next, &context->async_events) {
		struct async_item *item = list_entry(at, struct async_item, node);

		if (delivered_of(&item->event) != delivered)
			continue;
		list_del(&item->node);
		free(item);
		take_back(context->vctx.context.async_fd);
	}
	pthread_mutex_unlock(&context->async_lock);
}

static void forget(struct context *context, const uint32_t *delivered,
                   pthread_mutex_t *mutex, pthread_cond_t *cond,
                   const uint32_t *completed)
{
	drop_unread(context, delivered);
	pthread_mutex_lock(mutex);
	while (*completed != *delivered)
		pthread_cond_wait(cond, mutex);
	pthread_mutex_unlock(mutex);
}

void async_forget_qp(struct context *context, struct ibv_qp *qp)
{
	forget(context, &to_qp(qp)->async_delivered, &qp->mutex, &qp->cond,
	       &qp->events_completed);
}

void async_forget_cq(struct context *context, struct ibv_cq *cq)
{
	forget(context, &to_cq(cq)->async_delivered, &cq->mutex, &cq->cond,
	       &cq->async_events_completed);
}

void async_forget_srq(struct context *context, struct ibv_srq *srq)
{
	forget(context, &to_srq(srq)->async_delivered, &srq->mutex, &srq->cond,
	       &srq->events_completed);
}
