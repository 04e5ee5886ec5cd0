/* SPDX-License-Identifier: BSD-2-Clause */
/* Addresses: what an id is bound to, and where it leads. */
#ifndef MOCK_CM_ADDR_H
#define MOCK_CM_ADDR_H

#include <stdint.h>
#include <sys/socket.h>
#include "cm/far.h"
#include "cm/id.h"
#include "object/gid.h"

/* 0 for a family that is not served. */
socklen_t addr_length(const struct sockaddr *addr);
uint16_t addr_port(const struct sockaddr *addr);
/* IBA annex A11: of a port space and a port. */
uint64_t addr_service_id(enum rdma_port_space ps, const struct sockaddr *addr);
/* As the RDMA IP CM header has it; the IP version. */
uint8_t addr_to_wire(const struct sockaddr *addr, uint8_t ip[16]);
/* -EAFNOSUPPORT for another version. */
int addr_from_wire(uint8_t version, const uint8_t ip[16], uint16_t port,
                   struct sockaddr_storage *addr);

/* The GID that packets of that address start from: 127.0.0.0/8 is one. */
int addr_gid(const union ibv_gid *gid, struct gid_entry *entry);

/* rdma_bind_addr(3) */
int addr_bind(struct cm_id *id, const struct sockaddr *addr);
/* Under the lock. As the kernel's rdma_cm does for an id that needs any port. */
int addr_bind_locked(struct cm_id *id, const struct sockaddr *addr);
/* rdma_resolve_addr(3), rdma_resolve_route(3): they are done, and their events there,
 * before they return. */
int addr_resolve(struct cm_id *id, const struct sockaddr *src,
                 const struct sockaddr *dst);
int addr_resolve_route(struct cm_id *id);

/* Under the lock: both addresses are there; the id is on the device now, with its GIDs.
 */
void addr_set_device(struct cm_id *id);
/* Whether a device of this process has the address. */
bool addr_has_device(const struct sockaddr *addr);
void addr_set_route(struct cm_id *id);
/* The path MTU from the id's address to there. */
enum ibv_mtu addr_mtu(const struct cm_id *id, const struct far *far);

#endif
