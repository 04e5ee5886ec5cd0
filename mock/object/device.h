/* SPDX-License-Identifier: BSD-2-Clause */
/* The devices (MOCKRDMA_DEVICES), and the contexts that programs open on them. */
#ifndef MOCK_OBJECT_DEVICE_H
#define MOCK_OBJECT_DEVICE_H

#include <infiniband/verbs.h>
#include <pthread.h>
#include <stdbool.h>
#include "base/list.h"
#include "base/util.h"

/* What the device offers, as ibv_query_device() reports it and creation checks it. */
enum {
	/* MOCKRDMA_MAX_… allows no more. */
	DEVICE_MAX_SGE = 30,
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
	unsigned int index;
	char netdev[16]; /* the interface whose addresses it has; empty: all */
};

struct gid_entry;

struct context {
	struct verbs_context vctx; /* its last member is the public struct ibv_context */
	pthread_mutex_t lock;
	struct list qps; /* under lock */
	struct async_queue *async;
	uint64_t opening; /* object/import.h */
	/* Of object/port.c, under its lock. */
	struct list port_node;
	bool port_up; /* what it was told last */
	uint64_t generation;
};

static inline struct context *to_context(struct ibv_context *context)
{
	return container_of(context, struct context, vctx.context);
}

static inline struct device *to_device(struct ibv_device *device)
{
	return container_of(device, struct device, ibv);
}

static inline const struct device *device_of(const struct ibv_context *context)
{
	return to_device(context->device);
}

/* They live as long as the process. */
unsigned int device_count(void);
struct device *device_at(unsigned int index);

/*
 * An entry of the device's GID table: of all of the host's addresses, or those of the
 * interface that it is bound to. -EINVAL beyond the table.
 */
int device_gid(const struct device *device, unsigned int index, struct gid_entry *entry);
/* Where in the device's table an entry is that the device has. */
uint8_t device_gid_index(const struct device *device, const struct gid_entry *entry);
/* The device for the addresses of an interface: bound to it, or to none. NULL: none. */
const struct device *device_for_interface(uint32_t ifindex);
bool device_is_up(const struct device *device);
enum ibv_mtu device_mtu(const struct device *device);

/*
 * Opens a context: joins the host, makes the asynchronous event descriptor. The caller
 * fills in the operation tables. 0 or -errno.
 */
int context_open(struct device *device, struct context **context);
/* All objects of the context are gone by now. */
void context_close(struct context *context);

void device_query(const struct device *device, struct ibv_device_attr *attr);
void device_query_ex(const struct device *device, struct ibv_device_attr_ex *attr);
void device_query_port(const struct device *device, struct ibv_port_attr *attr);
/* What its interface says of its speed, or the least that there is. */
unsigned int device_mbps(const struct device *device);
uint64_t device_guid(const struct device *device);

#endif
