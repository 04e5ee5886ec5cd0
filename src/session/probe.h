/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SESSION_PROBE_H
#define SESSION_PROBE_H

#include <infiniband/verbs.h>
#include <stdbool.h>

/*
 * Whether a QP of another protection domain can receive through a shared receive queue of
 * `pd`. By the specification it can (IBA 10.2.3.1: the SRQ's domain covers its buffers),
 * but not every device follows it. Asked by doing it, on a connection of the device to
 * itself; takes up to half a second where the answer is no.
 */
bool probe_shared_receive(struct ibv_context *verbs, struct ibv_pd *pd, uint8_t port,
                          const struct ibv_port_attr *attr, const union ibv_gid *gid,
                          uint8_t gid_index);

#endif
