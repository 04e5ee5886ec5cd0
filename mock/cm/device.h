/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What all ids of the process share: a context of each device and a protection domain on
 * it. Open from first use to the end of the process, since programs go on using both
 * after their last id is gone.
 */
#ifndef MOCK_CM_DEVICE_H
#define MOCK_CM_DEVICE_H

#include <infiniband/verbs.h>
#include <stdint.h>

struct context;
struct device;
struct xrcd;

/* Opens a context with the operations that programs call: set by the layer above. */
extern int (*cm_open_context)(struct device *device, struct context **context);

/* 0, or -errno when the host cannot be joined. No lock held. */
int cm_device_open(void);
/* Valid from then on. */
struct ibv_context *cm_device_context(const struct device *device);
struct ibv_pd *cm_device_pd(const struct device *device);
/* The XRC domain of ids whose program has none of its own; made on first use. */
int cm_device_xrcd(const struct device *device, struct xrcd **xrcd);

/* How many forks led to this process: what was made before one is the parent's. */
uint32_t cm_forks(void);

#endif
