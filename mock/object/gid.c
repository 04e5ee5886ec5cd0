/* SPDX-License-Identifier: BSD-2-Clause */
#include "object/gid.h"

#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "base/log.h"
#include "base/util.h"
#include "host/engine.h"
#include "host/plain_socket.h"

struct candidate {
	struct gid_entry entry;
	unsigned int rank; /* where it goes when the table is first filled */
};

static pthread_mutex_t gid_lock = PTHREAD_MUTEX_INITIALIZER;
static struct gid_entry gid_table[GID_TABLE_SIZE];
static unsigned int gid_max_mtu;
static bool gid_is_up;
static uint64_t gid_changes;
static _Atomic uint64_t gid_read_at; /* now_ns() clock */

enum { GID_AGE_NS = 20 * 1000 * 1000 }; /* programs read all entries, one by one */

static const union ibv_gid gid_zero;

static bool gid_is_ipv4(const union ibv_gid *gid)
{
	return IN6_IS_ADDR_V4MAPPED((const struct in6_addr *)gid->raw);
}

int gid_from_sockaddr(const struct sockaddr *addr, union ibv_gid *gid)
{
	memset(gid, 0, sizeof(*gid));
	switch (addr->sa_family) {
	case AF_INET:
		gid->raw[10] = gid->raw[11] = 0xff;
		memcpy(&gid->raw[12], &((const struct sockaddr_in *)addr)->sin_addr, 4);
		return 0;
	case AF_INET6:
		memcpy(gid->raw, &((const struct sockaddr_in6 *)addr)->sin6_addr, 16);
		return 0;
	}
	return -EAFNOSUPPORT;
}

void gid_to_sockaddr(const union ibv_gid *gid, struct sockaddr_storage *addr)
{
	memset(addr, 0, sizeof(*addr));
	if (gid_is_ipv4(gid)) {
		struct sockaddr_in *sin = (struct sockaddr_in *)addr;

		sin->sin_family = AF_INET;
		memcpy(&sin->sin_addr, &gid->raw[12], 4);
	} else {
		struct sockaddr_in6 *sin6 = (struct sockaddr_in6 *)addr;

		sin6->sin6_family = AF_INET6;
		memcpy(&sin6->sin6_addr, gid->raw, 16);
	}
}

/*
 * The order that Soft-RoCE users know: an interface's link-local address, then IPv4, then
 * other IPv6; loopback after all real interfaces.
 */
static unsigned int gid_rank(const struct ifaddrs *ifa, const struct gid_entry *entry)
{
	unsigned int kind = 2;

	if (IN6_IS_ADDR_LINKLOCAL((const struct in6_addr *)entry->gid.raw))
		kind = 0;
	else if (gid_is_ipv4(&entry->gid))
		kind = 1;
	return ((ifa->ifa_flags & IFF_LOOPBACK) ? 1u << 31 : 0) |
	       (entry->ifindex & 0xffffff) << 2 | kind;
}

static int by_rank(const void *a, const void *b)
{
	unsigned int ra = ((const struct candidate *)a)->rank;
	unsigned int rb = ((const struct candidate *)b)->rank;

	return ra < rb ? -1 : ra > rb;
}

static unsigned int collect(const struct ifaddrs *list, struct candidate *found)
{
	unsigned int count = 0;

	for (const struct ifaddrs *ifa = list; ifa && count < GID_TABLE_SIZE;
	     ifa = ifa->ifa_next) {
		struct candidate *c = &found[count];

		if (!ifa->ifa_addr || !(ifa->ifa_flags & IFF_UP) ||
		    gid_from_sockaddr(ifa->ifa_addr, &c->entry.gid))
			continue;
		c->entry.ifindex = if_nametoindex(ifa->ifa_name);
		c->rank = gid_rank(ifa, &c->entry);
		count++;
	}
	qsort(found, count, sizeof(*found), by_rank);
	return count;
}

static bool is_among(const struct gid_entry *entry, const struct candidate *found,
                     unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		if (gid_equal(&entry->gid, &found[i].entry.gid))
			return true;
	return false;
}

static int find_locked(const union ibv_gid *gid)
{
	for (unsigned int i = 0; i < GID_TABLE_SIZE; i++)
		if (gid_equal(&gid_table[i].gid, gid))
			return i;
	return -ENOENT;
}

static const struct gid_entry *own_locked(uint32_t ifindex, unsigned int own)
{
	for (unsigned int i = 0; i < GID_TABLE_SIZE; i++)
		if (gid_table[i].ifindex == ifindex && gid_table[i].own == own &&
		    !gid_equal(&gid_table[i].gid, &gid_zero))
			return &gid_table[i];
	return NULL;
}

static void set_locked(unsigned int index, const struct gid_entry *entry)
{
	struct gid_entry *slot = &gid_table[index];
	uint16_t own = 0;

	if (gid_equal(&slot->gid, &entry->gid) && slot->ifindex == entry->ifindex)
		return;
	*slot = (struct gid_entry){ 0 };
	while (own_locked(entry->ifindex, own))
		own++;
	*slot = *entry;
	slot->index = (uint16_t)index;
	slot->own = own;
	gid_changes++;
}

static void merge_locked(const struct candidate *found, unsigned int count)
{
	static const struct gid_entry none;

	for (unsigned int i = 0; i < GID_TABLE_SIZE; i++)
		if (!is_among(&gid_table[i], found, count))
			set_locked(i, &none);
	for (unsigned int i = 0; i < count; i++) {
		int slot = find_locked(&found[i].entry.gid);

		if (slot < 0)
			slot = find_locked(&gid_zero);
		if (slot >= 0)
			set_locked(slot, &found[i].entry);
	}
}

static bool is_up(const struct ifaddrs *list)
{
	bool other = false, other_up = false, loopback_up = false;
	union ibv_gid gid;

	for (const struct ifaddrs *ifa = list; ifa; ifa = ifa->ifa_next) {
		bool up = ifa->ifa_flags & IFF_UP;

		if (!ifa->ifa_addr || gid_from_sockaddr(ifa->ifa_addr, &gid))
			continue;
		if (ifa->ifa_flags & IFF_LOOPBACK) {
			loopback_up |= up;
		} else {
			other = true;
			other_up |= up;
		}
	}
	return other ? other_up : loopback_up;
}

static bool has_gid(const struct ifaddrs *ifa)
{
	union ibv_gid gid;

	return ifa->ifa_addr && !gid_from_sockaddr(ifa->ifa_addr, &gid);
}

/* Of those that lead to other hosts; of loopback where there is no other. */
static unsigned int largest_mtu(const struct ifaddrs *list)
{
	unsigned int largest = 0, loopback = 0;
	struct ifreq req;
	int fd = plain_socket(AF_INET);

	if (fd < 0)
		return 1500;
	for (const struct ifaddrs *ifa = list; ifa; ifa = ifa->ifa_next) {
		if (!(ifa->ifa_flags & IFF_UP))
			continue;
		memset(&req, 0, sizeof(req));
		strncpy(req.ifr_name, ifa->ifa_name, sizeof(req.ifr_name) - 1);
		if (ioctl(fd, SIOCGIFMTU, &req))
			continue;
		if (ifa->ifa_flags & IFF_LOOPBACK)
			loopback = (unsigned int)req.ifr_mtu;
		else if ((unsigned int)req.ifr_mtu > largest && has_gid(ifa))
			largest = (unsigned int)req.ifr_mtu;
	}
	close(fd);
	return largest ? largest : loopback;
}

int gid_refresh_old(void)
{
	uint64_t now = now_ns();

	if (now - atomic_load(&gid_read_at) < GID_AGE_NS)
		return 0;
	return gid_refresh();
}

int gid_refresh(void)
{
	struct candidate *found = calloc(GID_TABLE_SIZE, sizeof(*found));
	struct ifaddrs *list = NULL;
	unsigned int count;
	int err = 0;

	if (!found)
		return -ENOMEM;
	if (getifaddrs(&list)) {
		err = -errno;
		mock_error("cannot read this host's addresses: %s", strerror(errno));
		goto free_found;
	}
	count = collect(list, found);
	pthread_mutex_lock(&gid_lock);
	merge_locked(found, count);
	atomic_store(&gid_read_at, now_ns());
	gid_max_mtu = largest_mtu(list);
	gid_is_up = is_up(list);
	pthread_mutex_unlock(&gid_lock);
	freeifaddrs(list);
free_found:
	free(found);
	return err;
}

bool gid_port_is_up(void)
{
	bool up;

	pthread_mutex_lock(&gid_lock);
	up = gid_is_up;
	pthread_mutex_unlock(&gid_lock);
	return up;
}

uint64_t gid_version(void)
{
	uint64_t version;

	pthread_mutex_lock(&gid_lock);
	version = gid_changes;
	pthread_mutex_unlock(&gid_lock);
	return version;
}

int gid_get(unsigned int index, struct gid_entry *entry)
{
	if (index >= GID_TABLE_SIZE)
		return -EINVAL;
	pthread_mutex_lock(&gid_lock);
	*entry = gid_table[index];
	pthread_mutex_unlock(&gid_lock);
	return 0;
}

int gid_get_own(uint32_t ifindex, unsigned int own, struct gid_entry *entry)
{
	const struct gid_entry *found;

	if (own >= GID_TABLE_SIZE)
		return -EINVAL;
	pthread_mutex_lock(&gid_lock);
	found = own_locked(ifindex, own);
	*entry = found ? *found : (struct gid_entry){ 0 };
	pthread_mutex_unlock(&gid_lock);
	return 0;
}

int gid_find(const union ibv_gid *gid, struct gid_entry *entry)
{
	int found;

	if (gid_equal(gid, &gid_zero))
		return -ENOENT;
	pthread_mutex_lock(&gid_lock);
	found = find_locked(gid);
	if (found >= 0)
		*entry = gid_table[found];
	pthread_mutex_unlock(&gid_lock);
	return found < 0 ? found : 0;
}

bool gid_is_local(const union ibv_gid *gid)
{
	struct gid_entry entry;

	return !gid_find(gid, &entry) || (gid_is_ipv4(gid) && gid->raw[12] == 127);
}

bool gid_is_loopback(const union ibv_gid *gid)
{
	static const union ibv_gid loopback = { .raw = { [15] = 1 } };

	return gid_is_ipv4(gid) ? gid->raw[12] == 127 : gid_equal(gid, &loopback);
}

bool gid_is_multicast(const union ibv_gid *gid)
{
	return gid->raw[0] == 0xff || (gid_is_ipv4(gid) && (gid->raw[12] & 0xf0) == 0xe0);
}

/* RFC 1112, RFC 2464. */
static void multicast_mac(const union ibv_gid *gid, uint8_t mac[6])
{
	static const uint8_t ipv4[3] = { 0x01, 0x00, 0x5e };

	if (gid_is_ipv4(gid)) {
		memcpy(mac, ipv4, sizeof(ipv4));
		memcpy(mac + 3, gid->raw + 13, 3);
		mac[3] &= 0x7f;
	} else {
		mac[0] = mac[1] = 0x33;
		memcpy(mac + 2, gid->raw + 12, 4);
	}
}

static int interface_mac(uint32_t ifindex, uint8_t mac[6])
{
	struct ifreq req = { 0 };
	int err = 0, fd;

	if (!if_indextoname(ifindex, req.ifr_name))
		return -EHOSTUNREACH;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (ioctl(fd, SIOCGIFHWADDR, &req))
		err = -errno;
	else
		memcpy(mac, req.ifr_hwaddr.sa_data, 6);
	close(fd);
	return err;
}

int gid_mac(const union ibv_gid *gid, uint8_t mac[6])
{
	struct gid_entry entry;

	if (gid_is_multicast(gid)) {
		multicast_mac(gid, mac);
		return 0;
	}
	if (!gid_find(gid, &entry))
		return interface_mac(entry.ifindex, mac);
	if (!gid_is_local(gid))
		return -EHOSTUNREACH;
	memset(mac, 0, 6); /* 127.0.0.0/8, as the loopback interface has it */
	return 0;
}

static enum ibv_mtu path_mtu(unsigned int interface_mtu)
{
	/* RoCE v2 adds at most 40 + 8 + 12 + 28 + 4 bytes of headers and ICRC to the
	 * payload. */
	enum { ROCE_OVERHEAD = 92 };
	enum ibv_mtu best = IBV_MTU_4096;

	while (best > IBV_MTU_256 && (128u << best) + ROCE_OVERHEAD > interface_mtu)
		best--;
	return best;
}

enum ibv_mtu gid_active_mtu(void)
{
	unsigned int mtu;

	pthread_mutex_lock(&gid_lock);
	mtu = gid_max_mtu;
	pthread_mutex_unlock(&gid_lock);
	return path_mtu(mtu);
}

static int ask_interface(const char *netdev, unsigned long what, struct ifreq *req)
{
	int fd = plain_socket(AF_INET), err;

	if (fd < 0)
		return -errno;
	memset(req, 0, sizeof(*req));
	strncpy(req->ifr_name, netdev, sizeof(req->ifr_name) - 1);
	err = ioctl(fd, what, req) ? -errno : 0;
	close(fd);
	return err;
}

bool gid_interface_is_up(const char *netdev)
{
	struct ifreq req = { 0 };

	return !ask_interface(netdev, SIOCGIFFLAGS, &req) && (req.ifr_flags & IFF_UP);
}

enum ibv_mtu gid_interface_mtu(const char *netdev)
{
	struct ifreq req;

	return ask_interface(netdev, SIOCGIFMTU, &req)
	               ? IBV_MTU_256
	               : path_mtu((unsigned int)req.ifr_mtu);
}

/* Virtual interfaces have none, or say -1. */
unsigned int gid_interface_speed(const char *netdev)
{
	char path[64], text[16] = "";
	long speed;
	int fd;

	snprintf(path, sizeof(path), "/sys/class/net/%.15s/speed", netdev);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	if (read(fd, text, sizeof(text) - 1) < 0)
		text[0] = '\0';
	close(fd);
	speed = strtol(text, NULL, 10);
	return speed > 0 ? (unsigned int)speed : 0;
}

unsigned int gid_port_speed(void)
{
	struct if_nameindex *list = if_nameindex();
	unsigned int fastest = 0;

	for (const struct if_nameindex *at = list; at && at->if_index; at++) {
		unsigned int speed = gid_interface_speed(at->if_name);

		if (speed > fastest && gid_interface_is_up(at->if_name))
			fastest = speed;
	}
	if (list)
		if_freenameindex(list);
	return fastest;
}
