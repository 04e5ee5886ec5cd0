/* SPDX-License-Identifier: BSD-2-Clause */
#include "object/async.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/uio.h>
#include <unistd.h>
#include "base/log.h"
#include "base/refs.h"
#include "base/util.h"
#include "host/engine.h"
#include "object/cq.h"
#include "object/device.h"
#include "object/qp.h"
#include "object/srq.h"

struct async_item {
	struct list node;
	struct ibv_async_event event;
};

struct async_queue {
	int fd;           /* readable as often as there are events */
	struct refs refs; /* the context's, and each thread that waits for an event */
	pthread_mutex_t lock;
	struct list events; /* under lock */
};

int async_open(struct context *context)
{
	struct async_queue *made = calloc(1, sizeof(*made));
	int err;

	if (!made)
		return -ENOMEM;
	made->fd = eventfd(0, EFD_CLOEXEC | EFD_SEMAPHORE);
	if (made->fd < 0) {
		err = -errno;
		free(made);
		return err;
	}
	refs_init(&made->refs);
	pthread_mutex_init(&made->lock, NULL);
	list_init(&made->events);
	context->async = made;
	context->vctx.context.async_fd = made->fd;
	return 0;
}

static void put_queue(void *arg)
{
	struct async_queue *queue = arg;

	if (!refs_put(&queue->refs))
		return;
	close(queue->fd);
	pthread_mutex_destroy(&queue->lock);
	free(queue);
}

void async_close(struct context *context)
{
	struct async_queue *queue = context->async;
	struct list *at, *next;

	pthread_mutex_lock(&queue->lock);
	list_for_each_safe (at, next, &queue->events)
		free(list_entry(at, struct async_item, node));
	list_init(&queue->events);
	pthread_mutex_unlock(&queue->lock);
	put_queue(queue);
}

void async_raise(struct context *context, const struct ibv_async_event *event)
{
	struct async_item *item = malloc(sizeof(*item));
	struct async_queue *queue = context->async;
	const uint64_t one = 1;

	if (!item)
		return;
	item->event = *event;
	pthread_mutex_lock(&queue->lock);
	list_add_tail(&queue->events, &item->node);
	if (write(queue->fd, &one, sizeof(one)) < 0)
		list_del(&item->node);
	else
		item = NULL;
	pthread_mutex_unlock(&queue->lock);
	free(item);
}

void async_raise_due(struct context *context, async_due *due,
                     struct ibv_async_event event)
{
	/* As one leads to the other; the rest come alone. */
	static const uint8_t order[] = {
		IBV_EVENT_COMM_EST,
		IBV_EVENT_QP_REQ_ERR,
		IBV_EVENT_CQ_ERR,
		IBV_EVENT_QP_ACCESS_ERR,
		IBV_EVENT_QP_FATAL,
		IBV_EVENT_SRQ_LIMIT_REACHED,
		IBV_EVENT_QP_LAST_WQE_REACHED,
	};
	uint32_t types = atomic_exchange(due, 0);

	for (unsigned int i = 0; i < ARRAY_SIZE(order); i++) {
		if (!(types & 1u << order[i]))
			continue;
		event.event_type = order[i];
		async_raise(context, &event);
	}
}

struct told {
	uint32_t object; /* enum async_object */
	uint32_t handle;
};

COLD void async_tell(const struct peer *owner, enum async_object object, uint32_t handle,
                     async_due *due, enum ibv_event_type type)
{
	struct told told = { object, handle };

	atomic_fetch_or(due, 1u << type);
	inbox_tell(owner, INBOX_ASYNC, &told, sizeof(told));
}

/* In the engine: something is due of one object, or perhaps of any. */
static void on_told(struct peer *from, const void *body, uint32_t length)
{
	const struct told *told = body;

	(void)from;
	if (!told) {
		cq_look_all();
		srq_look_all();
	} else if (length == sizeof(*told) && told->object == ASYNC_CQ) {
		cq_look(told->handle);
	} else if (length == sizeof(*told) && told->object == ASYNC_SRQ) {
		srq_look(told->handle);
	}
}

void async_init(void)
{
	inbox_handle(INBOX_ASYNC, on_told);
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

static bool take(struct async_queue *queue, struct ibv_async_event *event)
{
	struct async_item *item = NULL;
	uint32_t *delivered;

	pthread_mutex_lock(&queue->lock);
	if (!list_empty(&queue->events)) {
		item = list_entry(queue->events.next, struct async_item, node);
		list_del(&item->node);
		*event = item->event;
		delivered = delivered_of(event);
		if (delivered)
			++*delivered;
	}
	pthread_mutex_unlock(&queue->lock);
	free(item);
	return item;
}

static int wait_next(struct async_queue *queue, struct ibv_async_event *event)
{
	uint64_t one;

	do {
		if (read(queue->fd, &one, sizeof(one)) < 0)
			return -errno;
	} while (!take(queue, event)); /* a dropped event leaves its count behind */
	return 0;
}

int async_next(struct context *context, struct ibv_async_event *event)
{
	struct async_queue *queue = context->async;
	int err;

	refs_get(&queue->refs);
	pthread_cleanup_push(put_queue, queue);
	err = wait_next(queue, event);
	pthread_cleanup_pop(1);
	return err;
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
	struct async_queue *queue = context->async;
	struct list *at, *next;

	pthread_mutex_lock(&queue->lock);
	list_for_each_safe (at, next, &queue->events) {
		struct async_item *item = list_entry(at, struct async_item, node);

		if (delivered_of(&item->event) != delivered)
			continue;
		list_del(&item->node);
		free(item);
		take_back(queue->fd);
	}
	pthread_mutex_unlock(&queue->lock);
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
