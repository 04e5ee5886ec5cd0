/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The registry: one small shared file per user and network namespace (MOCKRDMA_DIR, by
 * default below /dev/shm). It knows the processes on the mock, who owns each QP number,
 * and who listens where. A process killed at any instant leaves nothing that the next one
 * does not clean up.
 */
#ifndef MOCK_HOST_REGISTRY_H
#define MOCK_HOST_REGISTRY_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include "host/peer.h"

/* Where an object of some process on this host is. */
struct host_place {
	uint32_t slot;
	uint64_t generation;
	seg_off off;
};

/*
 * Joins this host, starts the engine; counted, so each caller pairs it with
 * host_detach(). After a fork the child is not attached, and starts afresh. Returns 0 or
 * -errno, after logging one sentence that says what to do.
 */
int host_attach(void);
void host_detach(void);

/*
 * Draws an unpredictable 24-bit QP number (IBA 3.5.3; never 0, 1 or 0xffffff) that no
 * process on this host uses, and records that the QP is at off of our segment. -ENOMEM
 * when none can be had.
 */
int registry_qpn_alloc(seg_off off, uint32_t *qpn);
void registry_qpn_free(uint32_t qpn);
/* 0 and its place, or -ENOENT. The process may have died since. No lock. */
int registry_qpn_find(uint32_t qpn, struct host_place *place);

/* The same for SRQ numbers, which are of the same space but found by themselves. */
int registry_srqn_alloc(seg_off off, uint32_t *srqn);
int registry_srqn_find(uint32_t srqn, struct host_place *place);

/*
 * XRC domains that processes share by the inode that they name; inode 0 names none. Who
 * has the same one has the same number. -ENOENT without DOMAIN_CREATE when nobody has it
 * open, -EEXIST with DOMAIN_EXCLUSIVE when somebody has, -ENOMEM.
 */
enum { DOMAIN_CREATE = 1, DOMAIN_EXCLUSIVE = 2 };
struct registry_domain {
	uint64_t number;
	uint32_t entry;
};
int registry_domain_open(uint64_t device, uint64_t inode, unsigned int how,
                         struct registry_domain *domain);
void registry_domain_close(const struct registry_domain *domain);
/* Whether a living process has it open. */
bool registry_domain_exists(uint64_t device, uint64_t inode);

/*
 * Multicast groups: the QPs of the host that are attached to a GID. -EEXIST when the QP
 * is already, -ENOENT when it is not, -ENOMEM.
 */
#define REGISTRY_GROUP_MEMBERS 65536 /* of all groups together */
int registry_group_join(const uint8_t gid[16], uint32_t qpn, seg_off off);
int registry_group_leave(const uint8_t gid[16], uint32_t qpn);
void registry_group_leave_all(uint32_t qpn);
/* Another one each time that any group of the host changes. A load, no lock. */
uint64_t registry_group_version(void);
struct group_member {
	struct host_place place;
	uint32_t qpn;
};
/* How many there are; those that there is room for are filled in, as of that version. */
unsigned int registry_group_members(const uint8_t gid[16], struct group_member *members,
                                    unsigned int room, uint64_t *version);

/*
 * Listeners of the connection manager: an address (wildcard allowed), a port and a port
 * space (enum rdma_port_space) each, bound to an id that its owner chose.
 */
struct listener_key {
	struct sockaddr_storage addr; /* with port; INADDR_ANY or in6addr_any for all */
	int port_space;
	bool reuse_addr; /* RDMA_OPTION_ID_REUSEADDR */
	bool af_only;    /* RDMA_OPTION_ID_AFONLY, for IPv6 wildcards */
};

/*
 * Reserves address and port (0: picks a free ephemeral one and writes it into the key)
 * for an id of the caller's, and returns the binding's handle. -EADDRINUSE or
 * -EADDRNOTAVAIL when a live process has it, as the kernel's rdma_cm tells them apart;
 * -EACCES for ports below 1024.
 */
int registry_bind(struct listener_key *key, uint32_t id, uint32_t *binding);
void registry_unbind(uint32_t binding);
/* Marks a binding as accepting connection requests, or no longer. -EADDRINUSE etc. when
 * another shares the port. */
int registry_listen(uint32_t binding, bool listening);
/* Who listens for this destination: the process and its id. -ENOENT, as -ECONNREFUSED
 * would say. */
int registry_find_listener(const struct sockaddr *dst, int port_space,
                           struct host_place *place, uint32_t *id);

/*
 * UDP port 4791, which all processes of the host have one socket for: who receives a
 * packet that is another's puts it into that one's ring, and rings at its relay, a socket
 * with this name (host/bell.h).
 *
 * A process says these before it has the port, and then that it has; others that look for
 * the port ask it.
 */
void registry_port_begin(uint64_t relay, seg_off ring);
void registry_port_have(void);
void registry_port_end(void);
/* Of a process: false when it has none, or is gone. No lock. */
bool registry_relay(uint32_t slot, uint64_t generation, uint64_t *relay, seg_off *ring);
/* Other processes from slot *next on that said so: false after the last. */
struct port_owner {
	uint64_t relay;
	int pid;
	bool has_port;
};
bool registry_port_next(uint32_t *next, struct port_owner *owner);
/* Whether we are the only one. */
bool registry_port_alone(void);
/*
 * One at a time takes packets from the port and relays them, so that they stay in their
 * order. False while another process is at it; it is not waited for if it is stopped or
 * dead. One thread of a process at a time.
 */
bool registry_port_turn(void);
void registry_port_turn_over(void);

#endif
