/* SPDX-License-Identifier: BSD-2-Clause */
/* Asynchronous events of a context: queued with their object, read through a real
 * descriptor. */
#ifndef MOCK_OBJECT_ASYNC_H
#define MOCK_OBJECT_ASYNC_H

#include <infiniband/verbs.h>

struct context;

int async_open(struct context *context);
/* A thread that still waits for an event goes on waiting, as it would in the kernel. */
void async_close(struct context *context);

/* Queues an event; what it concerns must stay until the event is acknowledged. Any
 * thread. */
void async_raise(struct context *context, const struct ibv_async_event *event);

/* As ibv_get_async_event(): waits, unless the descriptor is non-blocking. 0 or -errno. */
int async_next(struct context *context, struct ibv_async_event *event);

/* Counts an event as done with, and wakes who destroys the object. */
void async_ack(struct ibv_async_event *event);

/* Drops the object's events that nobody has read, and waits until those read are
 * acknowledged. */
void async_forget_qp(struct context *context, struct ibv_qp *qp);
void async_forget_cq(struct context *context, struct ibv_cq *cq);
void async_forget_srq(struct context *context, struct ibv_srq *srq);

#endif
