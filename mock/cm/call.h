/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The calls of librdmacm that make and end connections, as a program means them: the
 * connection's state machine, and the id's queue pair along with it.
 */
#ifndef MOCK_CM_CALL_H
#define MOCK_CM_CALL_H

#include "cm/id.h"

/*
 * Of a synchronous id, waits for the event that ends what was begun, and answers for it:
 * -ECONNREFUSED, -ETIMEDOUT and so on. Of any other, returns at once.
 */
int call_complete(struct cm_id *id);

int call_resolve_addr(struct cm_id *id, const struct sockaddr *src,
                      const struct sockaddr *dst);
int call_resolve_route(struct cm_id *id);
/* As lookup_start(). */
int call_resolve_addrinfo(struct cm_id *id, const char *node, const char *service,
                          const struct rdma_addrinfo *hints);
int call_connect(struct cm_id *id, const struct rdma_conn_param *param);
int call_accept(struct cm_id *id, const struct rdma_conn_param *param);
int call_reject(struct cm_id *id, enum reject_reason reason, const void *data,
                uint8_t length);
int call_establish(struct cm_id *id);
int call_disconnect(struct cm_id *id);
int call_notify(struct cm_id *id, enum ibv_event_type event);

int call_join(struct cm_id *id, const struct sockaddr *addr, bool send_only,
              void *context);

/* sync.c: rdma_create_ep(3) and what belongs to it. */
int ep_create(const struct rdma_addrinfo *info, struct ibv_pd *pd,
              struct ibv_qp_init_attr *attr, struct cm_id **id);
void ep_destroy(struct cm_id *id);
int ep_get_request(struct cm_id *listener, struct cm_id **id);

/* addrinfo.c: 0 or -errno; *code is what getaddrinfo(3) answered. */
int addrinfo_get(const char *node, const char *service, const struct rdma_addrinfo *hints,
                 struct rdma_addrinfo **info, int *code);
/* Of the flags only some; refuses what no addrinfo_get() takes. */
int addrinfo_copy_hints(const struct rdma_addrinfo *hints, int flags,
                        struct rdma_addrinfo **copy);
void addrinfo_free(struct rdma_addrinfo *info);

#endif
