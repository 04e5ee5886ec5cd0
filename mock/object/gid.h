/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The port's GID table: one RoCE v2 entry for each IPv4 (mapped) and IPv6 address of the
 * network namespace, loopback included (IBA annex A17); and within it one for each
 * interface, for devices that are bound to one. An entry keeps its index in both while
 * its address stays.
 */
#ifndef MOCK_OBJECT_GID_H
#define MOCK_OBJECT_GID_H

#include <infiniband/verbs.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#define GID_TABLE_SIZE 256

static inline bool gid_equal(const union ibv_gid *a, const union ibv_gid *b)
{
	return a->global.subnet_prefix == b->global.subnet_prefix &&
	       a->global.interface_id == b->global.interface_id;
}

struct gid_entry {
	union ibv_gid gid; /* all zero: the entry is empty */
	uint32_t ifindex;
	uint16_t index; /* among all of the host's */
	uint16_t own;   /* among those of its interface */
};

/* Reads the addresses anew. 0, or -errno with the table as it was. Any thread. */
int gid_refresh(void);
/* As gid_refresh(), unless that was just done. */
int gid_refresh_old(void);
/* -EINVAL beyond the table; an empty entry is a GID of zeros. As of the last refresh. */
int gid_get(unsigned int index, struct gid_entry *entry);
/* The same in the table of one interface. */
int gid_get_own(uint32_t ifindex, unsigned int own, struct gid_entry *entry);
/* 0, or -ENOENT. As of the last refresh. */
int gid_find(const union ibv_gid *gid, struct gid_entry *entry);
/* Whether packets to this GID stay on this host (127.0.0.0/8 as a whole does). */
bool gid_is_local(const union ibv_gid *gid);

/* Whether nobody but this host can be there: 127.0.0.0/8, ::1. */
bool gid_is_loopback(const union ibv_gid *gid);
/* Whether it is a group's: an IPv6 multicast address, or a mapped IPv4 one. */
bool gid_is_multicast(const union ibv_gid *gid);
/* The Ethernet address that packets to it carry. -EHOSTUNREACH when it is neither this
 * host's nor a group's. */
int gid_mac(const union ibv_gid *gid, uint8_t mac[6]);

/* -EAFNOSUPPORT for anything but AF_INET and AF_INET6. */
int gid_from_sockaddr(const struct sockaddr *addr, union ibv_gid *gid);
/* Port 0. */
void gid_to_sockaddr(const union ibv_gid *gid, struct sockaddr_storage *addr);

/*
 * Whether an interface of the port is up: one that has an address, and is not loopback.
 * Loopback counts where there is no other.
 */
bool gid_port_is_up(void);
/*
 * The same of one interface, by its name. Whether it is up; the largest RoCE path MTU
 * that it carries, and its speed in Mb/s as of now, 0 when it does not say.
 */
bool gid_interface_is_up(const char *netdev);
enum ibv_mtu gid_interface_mtu(const char *netdev);
unsigned int gid_interface_speed(const char *netdev);
/* The fastest of those that are up, but for loopback. */
unsigned int gid_port_speed(void);
/* Another number whenever an entry has changed. */
uint64_t gid_version(void);

/* The largest RoCE path MTU that the port's interfaces carry. */
enum ibv_mtu gid_active_mtu(void);

#endif
