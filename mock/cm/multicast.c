/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * RoCE has no subnet administrator to join a group with (IBA 15.2.5.17): the group's
 * address is the IP address, and being in it is between the queue pair and the device.
 */
#include "cm/multicast.h"

#include <errno.h>
#include <infiniband/ib.h>
#include <stdlib.h>
#include <string.h>
#include "base/log.h"
#include "cm/addr.h"
#include "cm/far.h"
#include "cm/qp.h"
#include "link/roce.h"
#include "object/device.h"
#include "object/gid.h"
#include "object/group.h"

enum { HOPS = 1 }; /* not beyond the network that it starts in */

/*
 * Joining
 */

static int may_join(const struct cm_id *id)
{
	bool in_time = id->stage == ID_BOUND || id->stage == ID_ADDR_RESOLVED;

	return id_is_datagram(id) && id->rdma.verbs && in_time ? 0 : -EINVAL;
}

/* A group may also be named by its GID alone. 0 for a family that is not served. */
static socklen_t group_length(const struct sockaddr *addr)
{
	return addr->sa_family == AF_IB ? sizeof(struct sockaddr_ib) : addr_length(addr);
}

static void group_gid(const struct sockaddr *addr, union ibv_gid *gid)
{
	if (addr->sa_family == AF_IB)
		memcpy(gid, &((const struct sockaddr_ib *)addr)->sib_addr, sizeof(*gid));
	else
		gid_from_sockaddr(addr, gid);
}

static struct membership *make(const struct sockaddr *addr, bool send_only, void *context)
{
	struct membership *made = calloc(1, sizeof(*made));

	if (!made)
		return NULL;
	memcpy(&made->addr, addr, group_length(addr));
	group_gid(addr, &made->mgid);
	made->send_only = send_only;
	made->context = context;
	return made;
}

static int describe(const struct cm_id *id, const struct membership *member,
                    struct rdma_ud_param *param)
{
	const union ibv_gid *source = &id->rdma.route.addr.addr.ibaddr.sgid;
	struct gid_entry entry;
	int err = addr_gid(source, &entry);

	if (!err && !gid_is_multicast(&member->mgid))
		err = -EINVAL;
	*param = (struct rdma_ud_param){
		.private_data = member->context,
		.qp_num = GROUP_QPN,
		.qkey = RDMA_UDP_QKEY,
	};
	if (err)
		return err;
	param->ah_attr = (struct ibv_ah_attr){
		.grh = {
			.dgid = member->mgid,
			.sgid_index = device_gid_index(device_of(id->rdma.verbs), &entry),
			.hop_limit = HOPS,
			.traffic_class = id->options.tos,
		},
		.is_global = 1,
		.port_num = DEVICE_PORT,
	};
	return 0;
}

static int raise(struct cm_id *id, struct membership *member)
{
	struct cm_event *event = event_new(id, RDMA_CM_EVENT_MULTICAST_JOIN, 0);

	if (!event)
		return -ENOMEM;
	event->member = member;
	event->rdma.status = describe(id, member, &event->rdma.param.ud);
	if (event->rdma.status)
		event->rdma.event = RDMA_CM_EVENT_MULTICAST_ERROR;
	event_queue(event);
	return 0;
}

static int join_locked(struct cm_id *id, struct membership *member)
{
	int err = may_join(id);

	if (!err)
		err = raise(id, member);
	if (!err)
		list_add_tail(&id->memberships, &member->node);
	return err;
}

int multicast_join(struct cm_id *id, const struct sockaddr *addr, bool send_only,
                   void *context)
{
	struct membership *member;
	int err;

	if (!group_length(addr))
		return -EINVAL;
	member = make(addr, send_only, context);
	if (!member)
		return -ENOMEM;
	gid_refresh_old();
	err = id_lock(id);
	if (!err) {
		err = join_locked(id, member);
		cm_leave();
	}
	if (err)
		free(member);
	return err;
}

static const union ibv_gid *source(const struct cm_id *id)
{
	return &id->rdma.route.addr.addr.ibaddr.sgid;
}

static int join_network(const struct cm_id *id, const struct membership *member)
{
	struct gid_entry entry;

	if (gid_find(source(id), &entry))
		return -ENODEV;
	return net_join(member, &member->mgid, entry.ifindex);
}

/* Members on other hosts are to be reached from this id, and it by them. Those of this
 * host are in any case. */
static void join_abroad(const struct cm_id *id, const struct membership *member)
{
	int err;

	if (gid_is_loopback(source(id)))
		return;
	err = mads_start_quietly();
	if (!err && roce_ready() && !member->send_only)
		err = join_network(id, member);
	if (err)
		mock_warn("rdma_join_multicast: the group's members on other hosts are "
		          "not reached: %s",
		          strerror(-err));
}

int multicast_joined(struct cm_id *id, struct membership *member)
{
	int err = 0;

	if (!member->send_only)
		err = id_qp_attach(id, &member->mgid, &member->attached);
	if (!err)
		join_abroad(id, member);
	return err;
}

/*
 * Leaving
 */

static struct membership *find(struct cm_id *id, const struct sockaddr *addr)
{
	struct list *at;

	list_for_each (at, &id->memberships) {
		struct membership *member = list_entry(at, struct membership, node);

		if (!memcmp(&member->addr, addr, group_length(addr)))
			return member;
	}
	return NULL;
}

/* A call without a channel leaves its event with the id. */
static void drop_held(struct cm_id *id, const struct membership *member)
{
	struct rdma_cm_event *held = id->sync ? id->rdma.event : NULL;

	if (!held || to_cm_event(held)->member != member)
		return;
	id->rdma.event = NULL;
	event_ack(to_cm_event(held));
}

int multicast_leave(struct cm_id *id, const struct sockaddr *addr)
{
	struct membership *member;
	int err;

	if (!group_length(addr))
		return -EINVAL;
	err = id_lock(id);
	if (err)
		return err;
	member = find(id, addr);
	if (member) {
		list_del(&member->node);
		events_drop(id, member);
	}
	cm_leave();
	if (!member)
		return -EADDRNOTAVAIL;
	drop_held(id, member);
	cm_enter();
	events_wait_member(member);
	cm_leave();
	if (member->attached && id->rdma.qp)
		group_detach(to_qp(id->rdma.qp), &member->mgid);
	net_leave(member, NULL);
	free(member);
	return 0;
}

static bool take_attached(struct cm_id *id, union ibv_gid *mgid)
{
	struct list *at;
	bool found = false;

	cm_enter();
	list_for_each (at, &id->memberships) {
		struct membership *member = list_entry(at, struct membership, node);

		if (!member->attached)
			continue;
		member->attached = false;
		*mgid = member->mgid;
		found = true;
		break;
	}
	cm_leave();
	return found;
}

void multicast_detach_all(struct cm_id *id)
{
	union ibv_gid mgid;

	while (take_attached(id, &mgid))
		group_detach(to_qp(id->rdma.qp), &mgid);
}

void multicast_forget(struct cm_id *id)
{
	while (!list_empty(&id->memberships)) {
		struct membership *member =
		        list_entry(id->memberships.next, struct membership, node);

		list_del(&member->node);
		net_leave(member, NULL);
		free(member);
	}
}
