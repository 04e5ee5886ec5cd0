/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Device objects, made and destroyed in one place so that they are counted. Destroying
 * takes NULL too; a failure is logged, for it means that something still uses the object.
 */
#ifndef SESSION_DEVICE_H
#define SESSION_DEVICE_H

#include <infiniband/verbs.h>
#include <rdma/rdma_cma.h>
#include <stdbool.h>

/* As the verbs calls of these names: NULL and errno, or the object. */
struct ibv_context *device_open(struct ibv_device *device);
struct ibv_pd *device_alloc_pd(struct ibv_context *verbs);
struct ibv_mr *device_reg_mr(struct ibv_pd *pd, void *address, size_t length,
                             unsigned access);
struct ibv_mr *device_reg_mr_at(struct ibv_pd *pd, void *address, size_t length,
                                uint64_t iova, unsigned access);
struct ibv_mw *device_alloc_mw(struct ibv_pd *pd, enum ibv_mw_type type);
struct ibv_cq *device_create_cq(struct ibv_context *verbs, int size,
                                struct ibv_comp_channel *channel);
struct ibv_srq *device_create_srq(struct ibv_pd *pd, uint32_t size);
struct ibv_qp *device_create_qp(struct ibv_pd *pd, struct ibv_qp_init_attr *init);
struct rdma_cm_id *device_create_id(struct rdma_event_channel *channel, void *context);

/* A connection request brought an id with it. */
void device_adopt_id(struct rdma_cm_id *id);

void device_close(struct ibv_context *verbs);
void device_dealloc_pd(struct ibv_pd *pd);
void device_dereg_mr(struct ibv_mr *mr);
void device_dealloc_mw(struct ibv_mw *mw);
void device_destroy_cq(struct ibv_cq *cq);
void device_destroy_srq(struct ibv_srq *srq);
void device_destroy_qp(struct ibv_qp *qp);
void device_destroy_id(struct rdma_cm_id *id);

/* Whether devices here protect single packets: those of mockrdma do, no adapter does. */
bool device_can_protect(void);
/* In INIT. An errno value; EOPNOTSUPP where they do not. */
struct packet_keys;
int device_protect(struct ibv_qp *qp, const struct packet_keys *keys);

#endif
