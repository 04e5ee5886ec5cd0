/* SPDX-License-Identifier: BSD-2-Clause */
/* The device mock0, and the contexts that programs open on it. */
#ifndef MOCK_OBJECT_DEVICE_H
#define MOCK_OBJECT_DEVICE_H

#include <infiniband/verbs.h>
#include <pthread.h>
#include "base/list.h"

/* What the device offers, as ibv_query_device() reports it and creation checks it. */
enum {
	DEVICE_MAX_QP = 1 << 20,
	DEVICE_MAX_QP_WR = 1 << 15,
	DEVICE_MAX_SGE = 30,
	DEVICE_MAX_INLINE = 1024,
	DEVICE_MAX_CQ = 1 << 20,
	DEVICE_MAX_CQE = 1 << 22,
	DEVICE_MAX_MR =
	        (1 << 24) - (1 << 16), /* keys stay hard to guess when all are used */
	DEVICE_MAX_MW = 1 << 20,       /* of the keys that DEVICE_MAX_MR allows */
	DEVICE_MAX_PD = 1 << 20,
	DEVICE_MAX_SRQ = 1 << 20,
	DEVICE_MAX_SRQ_WR = 1 << 15,
	DEVICE_MAX_AH = 1 << 24,
	DEVICE_MAX_RD_ATOMIC = 128,
	DEVICE_MAX_MSG = 1 << 30,
	DEVICE_PORT = 1,
};

struct device {
	struct ibv_device ibv;
	/*
	 * Probes for one vendor's device (mlx5dv_is_supported() and its like) read what
	 * their own libraries keep behind the public struct: they find zeros.
	 */
	char behind[512];
};

struct context {
	struct verbs_context vctx; /* its last member is the public struct ibv_context */
	pthread_mutex_t lock;
	struct list qps; /* under lock */
	struct async_queue *async;
	/* Of object/port.c, under its lock. */
	struct list port_node;
	uint64_t generation;
};

static inline struct context *to_context(struct ibv_context *context)
{
	return container_of(context, struct context, vctx.context);
}

/* The host's one device; lives as long as the process. */
struct device *device_mock0(void);

/*
 * Opens a context: joins the host, makes the asynchronous event descriptor. The caller
 * fills in the operation tables. 0 or -errno.
 */
int context_open(struct device *device, struct context **context);
/* All objects of the context are gone by now. */
void context_close(struct context *context);

void device_query(struct ibv_device_attr *attr);
void device_query_ex(struct ibv_device_attr_ex *attr);
void device_query_port(struct ibv_port_attr *attr);
uint64_t device_guid(void);

#endif
