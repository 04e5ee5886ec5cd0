/* SPDX-License-Identifier: BSD-2-Clause */
/* Asynchronous events of a context: queued with their object, read through a real
 * descriptor. */
#ifndef MOCK_OBJECT_ASYNC_H
#define MOCK_OBJECT_ASYNC_H

#include <infiniband/verbs.h>
#include <stdatomic.h>
#include <stdint.h>

struct context;
struct peer;

/*
 * Events that are due, a bit for each enum ibv_event_type, in the shared part of an
 * object: whoever runs its responder sets them, and tells the owner's engine to look.
 */
typedef _Atomic uint32_t async_due;

enum async_object { ASYNC_CQ, ASYNC_SRQ };

/* Once per process. */
void async_init(void);

/* An event of a CQ or SRQ of that process, by its handle there. By any process. */
void async_tell(const struct peer *owner, enum async_object object, uint32_t handle,
                async_due *due, enum ibv_event_type type);

/* Queues what is due of the object that event->element names; as async_raise(). */
void async_raise_due(struct context *context, async_due *due,
                     struct ibv_async_event event);

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
