/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The members of a group are looked up in the registry once, and again when any group of
 * the host has changed: until then a sender keeps whom its last datagram went to.
 */
#include "link/multicast.h"

#include <stdlib.h>
#include <string.h>
#include "host/registry.h"

struct recipient {
	struct peer *peer;
	struct qp_shared *qp; /* there */
	uint32_t qpn;
};

struct recipients {
	union ibv_gid gid;
	uint64_t version;
	unsigned int count;
	struct recipient list[];
};

void multicast_unbind(struct qp *qp)
{
	struct recipients *all = qp->recipients;

	for (unsigned int i = 0; all && i < all->count; i++)
		peer_put(all->list[i].peer);
	free(all);
	qp->recipients = NULL;
}

static bool is_current(const struct recipients *all, const union ibv_gid *gid)
{
	return all && all->version == registry_group_version() &&
	       !memcmp(&all->gid, gid, sizeof(*gid));
}

/* Those whose process is gone are left out. */
static struct recipients *map(const struct group_member *members, unsigned int count)
{
	struct recipients *all = calloc(1, sizeof(*all) + count * sizeof(all->list[0]));

	for (unsigned int i = 0; all && i < count; i++) {
		const struct host_place *place = &members[i].place;
		struct recipient *to = &all->list[all->count];

		if (peer_get(place->slot, place->generation, &to->peer))
			continue;
		to->qp = peer_ptr(to->peer, place->off);
		to->qpn = members[i].qpn;
		all->count++;
	}
	return all;
}

/* A table that grew between two looks is looked at once more. */
static struct recipients *find(const union ibv_gid *gid)
{
	struct group_member *members = NULL;
	unsigned int count, room = 0;
	struct recipients *all = NULL;
	uint64_t version;

	while ((count = registry_group_members(gid->raw, members, room, &version)) >
	       room) {
		free(members);
		room = count;
		members = calloc(room, sizeof(*members));
		if (!members)
			return NULL;
	}
	all = map(members, count);
	free(members);
	if (all) {
		all->gid = *gid;
		all->version = version;
	}
	return all;
}

static bool is_wanted(const struct qp *from, const struct recipient *to)
{
	if (from->no_own_copies && to->peer->self && to->qp == from->sh)
		return false;
	return peer_alive(to->peer);
}

bool multicast_send(struct qp *qp, const struct packet *packet)
{
	bool taken = false;
	struct packet copy = *packet;
	struct reply reply;

	if (!is_current(qp->recipients, packet->dgid)) {
		multicast_unbind(qp);
		qp->recipients = find(packet->dgid);
	}
	for (unsigned int i = 0; qp->recipients && i < qp->recipients->count; i++) {
		const struct recipient *to = &qp->recipients->list[i];

		if (!is_wanted(qp, to))
			continue;
		copy.dest_qpn = to->qpn;
		link_to_responder(to->peer, to->qp, &copy, &reply);
		taken = true;
	}
	return taken;
}
