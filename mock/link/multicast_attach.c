/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A queue pair in a group gets what this host sends there by the registry, and what
 * others send because the host is in the group of that address on its networks. No
 * connection manager takes part: who has the address may be asked for by other means.
 */
#include <errno.h>
#include "link/multicast.h"
#include "link/net.h"
#include "link/roce.h"
#include "object/device.h"
#include "object/gid.h"
#include "object/group.h"
#include "wire/headers.h"

/* Where the interface with that address is: on its network. */
static int join_with(struct qp *qp, const union ibv_gid *group, unsigned int index)
{
	const struct device *device = device_of(qp_base(qp)->context);
	struct gid_entry entry;
	int err = 0;

	if (device_gid(device, index, &entry) || !entry.ifindex ||
	    gid_is_loopback(&entry.gid) ||
	    gid_is_mapped(entry.gid.raw) != gid_is_mapped(group->raw))
		return 0;
	roce_listen();
	if (roce_is_up())
		err = net_join(qp, group, entry.ifindex);
	return err == -ENODEV ? 0 : err; /* the interface just went */
}

int multicast_attach(struct qp *qp, const union ibv_gid *group)
{
	int err = group_attach(qp, group);

	for (unsigned int i = 0; !err && i < GID_TABLE_SIZE; i++) {
		err = join_with(qp, group, i);
		if (err)
			multicast_detach(qp, group);
	}
	return err;
}

int multicast_detach(struct qp *qp, const union ibv_gid *group)
{
	int err = group_detach(qp, group);

	if (!err)
		net_leave(qp, group);
	return err;
}

void multicast_leave_all(struct qp *qp)
{
	if (group_has(qp))
		net_leave(qp, NULL);
}
