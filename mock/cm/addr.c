/* SPDX-License-Identifier: BSD-2-Clause */
#include "cm/addr.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>
#include "base/log.h"
#include "cm/device.h"
#include "host/plain_socket.h"
#include "host/registry.h"
#include "host/settings.h"
#include "object/device.h"
#include "object/gid.h"

enum { HOP_LIMIT = 64, SELECT_EXACTLY = 2 /* IBA 15.2.5.16 */ };

socklen_t addr_length(const struct sockaddr *addr)
{
	switch (addr->sa_family) {
	case AF_INET: return sizeof(struct sockaddr_in);
	case AF_INET6: return sizeof(struct sockaddr_in6);
	}
	return 0;
}

uint16_t addr_port(const struct sockaddr *addr)
{
	if (addr->sa_family == AF_INET)
		return ntohs(((const struct sockaddr_in *)addr)->sin_port);
	if (addr->sa_family == AF_INET6)
		return ntohs(((const struct sockaddr_in6 *)addr)->sin6_port);
	return 0;
}

static void set_port(struct sockaddr_storage *addr, uint16_t port)
{
	if (addr->ss_family == AF_INET)
		((struct sockaddr_in *)addr)->sin_port = htons(port);
	else
		((struct sockaddr_in6 *)addr)->sin6_port = htons(port);
}

static bool is_any(const struct sockaddr *addr)
{
	if (addr->sa_family == AF_INET)
		return ((const struct sockaddr_in *)addr)->sin_addr.s_addr == INADDR_ANY;
	return IN6_IS_ADDR_UNSPECIFIED(&((const struct sockaddr_in6 *)addr)->sin6_addr);
}

static bool lacks_scope(const struct sockaddr *addr)
{
	const struct sockaddr_in6 *sin6 = (const struct sockaddr_in6 *)addr;

	return addr->sa_family == AF_INET6 && IN6_IS_ADDR_LINKLOCAL(&sin6->sin6_addr) &&
	       !sin6->sin6_scope_id;
}

uint64_t addr_service_id(enum rdma_port_space ps, const struct sockaddr *addr)
{
	return (uint64_t)ps << 16 | addr_port(addr);
}

uint8_t addr_to_wire(const struct sockaddr *addr, uint8_t ip[16])
{
	memset(ip, 0, 16);
	if (addr->sa_family == AF_INET) {
		memcpy(ip + 12, &((const struct sockaddr_in *)addr)->sin_addr, 4);
		return 4;
	}
	memcpy(ip, &((const struct sockaddr_in6 *)addr)->sin6_addr, 16);
	return 6;
}

/* A link-local address means something on one interface only: ours that has it, or the
 * one that leads there. */
static uint32_t scope_of(const struct in6_addr *in6)
{
	struct gid_entry entry;
	union ibv_gid gid;

	memcpy(&gid, in6, sizeof(gid));
	if (!IN6_IS_ADDR_LINKLOCAL(in6) || gid_find(&gid, &entry))
		return 0;
	return entry.ifindex;
}

int addr_from_wire(uint8_t version, const uint8_t ip[16], uint16_t port,
                   struct sockaddr_storage *addr)
{
	struct sockaddr_in6 *sin6 = (struct sockaddr_in6 *)addr;

	memset(addr, 0, sizeof(*addr));
	switch (version) {
	case 4:
		addr->ss_family = AF_INET;
		memcpy(&((struct sockaddr_in *)addr)->sin_addr, ip + 12, 4);
		break;
	case 6:
		addr->ss_family = AF_INET6;
		memcpy(&sin6->sin6_addr, ip, 16);
		sin6->sin6_scope_id = scope_of(&sin6->sin6_addr);
		break;
	default: return -EAFNOSUPPORT;
	}
	set_port(addr, port);
	return 0;
}

int addr_gid(const union ibv_gid *gid, struct gid_entry *entry)
{
	const struct sockaddr_in first = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	union ibv_gid loopback;

	if (!gid_find(gid, entry))
		return 0;
	if (!gid_is_local(gid))
		return -EADDRNOTAVAIL;
	gid_from_sockaddr((const struct sockaddr *)&first, &loopback);
	return gid_find(&loopback, entry);
}

static bool is_local(const struct sockaddr *addr)
{
	union ibv_gid gid;
	struct gid_entry entry;

	return !gid_from_sockaddr(addr, &gid) && !addr_gid(&gid, &entry);
}

/* The device that has one of this host's addresses; NULL: none has. */
static const struct device *device_for(const struct sockaddr *addr)
{
	struct gid_entry entry;
	union ibv_gid gid;

	if (gid_from_sockaddr(addr, &gid) || addr_gid(&gid, &entry))
		return NULL;
	return device_for_interface(entry.ifindex);
}

bool addr_has_device(const struct sockaddr *addr)
{
	return device_for(addr) != NULL;
}

/*
 * Binding
 */

void addr_set_device(struct cm_id *id)
{
	struct rdma_addr *addr = &id->rdma.route.addr;
	const struct device *device = device_for(&addr->src_addr);

	if (!device) /* its address has just gone */
		device = device_at(0);
	id->rdma.verbs = cm_device_context(device);
	id->rdma.pd = cm_device_pd(device);
	id->rdma.port_num = DEVICE_PORT;
	gid_from_sockaddr(&addr->src_addr, &addr->addr.ibaddr.sgid);
	gid_from_sockaddr(&addr->dst_addr, &addr->addr.ibaddr.dgid);
	addr->addr.ibaddr.pkey = htobe16(0xffff); /* the default partition */
}

int addr_bind_locked(struct cm_id *id, const struct sockaddr *addr)
{
	struct listener_key key = {
		.port_space = id->rdma.ps,
		.reuse_addr = id->options.reuse_addr,
		.af_only = id->options.af_only,
	};
	int err;

	if (id->stage != ID_IDLE || lacks_scope(addr))
		return -EINVAL;
	if (!is_any(addr) && !addr_has_device(addr))
		return -EADDRNOTAVAIL;
	memcpy(&key.addr, addr, addr_length(addr));
	err = registry_bind(&key, id->handle, &id->binding);
	if (err)
		return err;
	id->bound = true;
	id->stage = ID_BOUND;
	id->rdma.route.addr.src_storage = key.addr;
	if (!is_any(addr))
		addr_set_device(id);
	return 0;
}

int addr_bind(struct cm_id *id, const struct sockaddr *addr)
{
	struct sockaddr_storage copy = { 0 };
	int err;

	if (!addr_length(addr))
		return -EINVAL;
	memcpy(&copy, addr, addr_length(addr));
	gid_refresh_old();
	err = id_lock(id);
	if (err)
		return err;
	err = addr_bind_locked(id, (const struct sockaddr *)&copy);
	cm_leave();
	return err;
}

/*
 * Resolving
 */

/* To connect to no address in particular is to connect to this host. */
static void name_loopback(struct sockaddr_storage *addr)
{
	if (!is_any((const struct sockaddr *)addr))
		return;
	if (addr->ss_family == AF_INET)
		((struct sockaddr_in *)addr)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	else
		((struct sockaddr_in6 *)addr)->sin6_addr = in6addr_loopback;
}

static int ask_routing(int fd, const struct sockaddr_storage *bound,
                       const struct sockaddr_storage *dst, struct sockaddr_storage *src)
{
	struct sockaddr_storage from = *bound, to = *dst;
	socklen_t length = sizeof(*src);

	set_port(&from, 0);
	set_port(&to, 9); /* discard: nothing is sent */
	if (bind(fd, (struct sockaddr *)&from, addr_length((struct sockaddr *)&from)) ||
	    connect(fd, (struct sockaddr *)&to, addr_length((struct sockaddr *)&to)) ||
	    getsockname(fd, (struct sockaddr *)src, &length))
		return -errno;
	return 0;
}

/* The address that packets to the destination start from: what IP routing says. */
static int find_source(const struct sockaddr_storage *bound,
                       const struct sockaddr_storage *dst, struct sockaddr_storage *src)
{
	int err, fd = plain_socket(dst->ss_family);

	memset(src, 0, sizeof(*src));
	if (fd < 0)
		return -errno;
	err = ask_routing(fd, bound, dst, src);
	close(fd);
	return err;
}

static bool is_group(const struct sockaddr *addr)
{
	union ibv_gid gid;

	return !gid_from_sockaddr(addr, &gid) && gid_is_multicast(&gid);
}

/* Whether packets there leave this host, or might. */
static bool is_remote(const struct sockaddr *dst)
{
	return !is_local(dst) && !is_group(dst);
}

/* 0 and both addresses of the way, or the ADDR_ERROR's status. */
static int find_way(const struct sockaddr_storage *bound,
                    const struct sockaddr_storage *dst, struct sockaddr_storage *src)
{
	int err;

	if (!is_any((const struct sockaddr *)bound) &&
	    !is_remote((const struct sockaddr *)dst)) {
		*src = *bound;
		return 0;
	}
	err = find_source(bound, dst, src);
	if (err)
		return err;
	set_port(src, addr_port((const struct sockaddr *)bound));
	return addr_has_device((const struct sockaddr *)src) ? 0 : -ENODEV;
}

/* An id that is not bound is now: to the source that was asked for, or to any. */
static int bind_source(struct cm_id *id, const struct sockaddr_storage *src,
                       const struct sockaddr_storage *dst)
{
	const struct sockaddr_storage *from = src;
	struct sockaddr_storage any;

	memset(&any, 0, sizeof(any));
	any.ss_family = dst->ss_family;
	if (!src->ss_family)
		from = &any;
	if (id->stage == ID_BOUND)
		from = &id->rdma.route.addr.src_storage;
	if (from->ss_family != dst->ss_family)
		return -EINVAL;
	if (id->stage == ID_BOUND)
		return 0;
	return addr_bind_locked(id, (const struct sockaddr *)from);
}

/* reached: 0, or why what the address needs is not to be had. */
static int resolve_locked(struct cm_id *id, const struct sockaddr_storage *src,
                          const struct sockaddr_storage *dst, int reached)
{
	struct rdma_addr *addr = &id->rdma.route.addr;
	struct sockaddr_storage found;
	int err = bind_source(id, src, dst);

	if (err)
		return err;
	addr->dst_storage = *dst;
	err = find_way(&addr->src_storage, dst, &found);
	if (!err)
		err = reached;
	if (err) {
		event_raise(id, RDMA_CM_EVENT_ADDR_ERROR, err);
		return 0;
	}
	addr->src_storage = found;
	addr_set_device(id);
	id->stage = ID_ADDR_RESOLVED;
	event_raise(id, RDMA_CM_EVENT_ADDR_RESOLVED, 0);
	return 0;
}

int addr_resolve(struct cm_id *id, const struct sockaddr *src, const struct sockaddr *dst)
{
	struct sockaddr_storage from = { 0 }, to = { 0 };
	int err, reached = 0;

	if (!addr_length(dst))
		return -EINVAL;
	memcpy(&to, dst, addr_length(dst));
	if (src)
		memcpy(&from, src, addr_length(src));
	name_loopback(&to);
	gid_refresh_old();
	if (is_remote((struct sockaddr *)&to) || settings()->packets_only)
		reached = mads_start();
	err = id_lock(id);
	if (err)
		return err;
	err = resolve_locked(id, &from, &to, reached);
	cm_leave();
	return err;
}

void addr_set_route(struct cm_id *id)
{
	const struct rdma_ib_addr *ib = &id->rdma.route.addr.addr.ibaddr;

	id->path = (struct ibv_sa_path_rec){
		.dgid = ib->dgid,
		.sgid = ib->sgid,
		.hop_limit = HOP_LIMIT,
		.traffic_class = id->options.tos,
		.reversible = 1,
		.numb_path = 1,
		.pkey = ib->pkey,
		.mtu_selector = SELECT_EXACTLY,
		.mtu = (uint8_t)device_mtu(device_of(id->rdma.verbs)),
		.rate_selector = SELECT_EXACTLY,
		.rate = IBV_RATE_2_5_GBPS,
		.packet_life_time_selector = SELECT_EXACTLY,
		/* Half of what an acknowledgement takes. */
		.packet_life_time =
		        id->options.ack_timeout ? id->options.ack_timeout - 1 : 0,
	};
	id->rdma.route.path_rec = &id->path;
	id->rdma.route.num_paths = 1;
}

/* Within the host there are no packets. To another one, what the interface carries that
 * they leave by. */
enum ibv_mtu addr_mtu(const struct cm_id *id, const struct far *far)
{
	char name[IF_NAMESIZE];
	struct gid_entry entry;

	if (far->carrier == &carrier_mads && !addr_gid(&id->path.sgid, &entry) &&
	    if_indextoname(entry.ifindex, name))
		return gid_interface_mtu(name);
	return device_mtu(device_of(id->rdma.verbs));
}

/* RoCE has no subnet administrator to ask: a route is what the addresses say. */
int addr_resolve_route(struct cm_id *id)
{
	int err = id_lock(id);

	if (err)
		return err;
	if (id->stage == ID_ADDR_RESOLVED) {
		addr_set_route(id);
		id->stage = ID_ROUTE_RESOLVED;
		event_raise(id, RDMA_CM_EVENT_ROUTE_RESOLVED, 0);
	} else {
		err = -EINVAL;
	}
	cm_leave();
	return err;
}
