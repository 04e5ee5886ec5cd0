/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rdma_resolve_addrinfo(3): addresses of names, without waiting for whoever is asked.
 * Each lookup is a thread, since the resolver has no other way to be asked while one does
 * something else; what it finds is left with the id.
 */
#ifndef MOCK_CM_LOOKUP_H
#define MOCK_CM_LOOKUP_H

#include <rdma/rdma_cma.h>

struct cm_id;
struct lookup;

/*
 * Begins one, which ends in an event. -EBUSY while the id has one under way, -EOPNOTSUPP
 * of a subnet administrator, which RoCE has none of.
 */
int lookup_start(struct cm_id *id, const char *node, const char *service,
                 const struct rdma_addrinfo *hints);
/* Gives away what the last one found: -ENODATA when there is nothing, or not any more. */
int lookup_take(struct cm_id *id, struct rdma_addrinfo **info);

#endif
