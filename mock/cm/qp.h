/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The queue pair on an id, and what it needs. All in the program's threads, without
 * the lock.
 */
#ifndef MOCK_CM_QP_H
#define MOCK_CM_QP_H

#include "cm/id.h"

struct xrcd;

/*
 * rdma_create_qp(3): pd NULL is the id's own, xrcd NULL that of all ids; queues that are
 * not given are made, with a channel each. The QP is in INIT, one for datagrams in RTS.
 * attr is set to what was given.
 */
int id_create_qp(struct cm_id *id, struct ibv_pd *pd, struct xrcd *xrcd,
                 struct ibv_qp_init_attr *attr);
void id_destroy_qp(struct cm_id *id);
/* rdma_create_srq_ex(3): what an XRC one needs and is not given is made likewise. attr is
 * set to what was used. */
int id_create_srq(struct cm_id *id, struct ibv_srq_init_attr_ex *attr);
int id_destroy_srq(struct cm_id *id);

/* rdma_init_qp_attr(3): -EINVAL when the connection is not as far as attr->qp_state. */
int id_qp_attr(const struct cm_id *id, struct ibv_qp_attr *attr, int *mask);

/* Under the lock: where packets to the peer go. -EADDRNOTAVAIL. */
int id_path_attr(const struct cm_id *id, struct ibv_ah_attr *attr);

/* Whether there is one now, for who does not have the id. */
bool id_has_qp(struct cm_id *id);

/* To RTR and RTS; limits of RDMA_MAX_RESP_RES and RDMA_MAX_INIT_DEPTH are what the peers
 * agreed on. */
int id_qp_ready(struct cm_id *id, uint8_t responder_resources, uint8_t initiator_depth);
/* To ERR: what is posted is flushed. Without a queue pair, nothing. */
int id_qp_fail(struct cm_id *id);
/* Into the group, if there is one: *attached is set under the lock. */
int id_qp_attach(struct cm_id *id, const union ibv_gid *mgid, bool *attached);

#endif
