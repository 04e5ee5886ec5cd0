/* SPDX-License-Identifier: BSD-2-Clause */
#include "cm/far.h"

#include <errno.h>
#include "cm/id.h"
#include "host/registry.h"
#include "host/settings.h"
#include "object/gid.h"

struct far far_of_peer(struct peer *peer)
{
	return (struct far){
		.carrier = &carrier_inbox,
		.slot = peer->slot,
		.generation = peer->generation,
		.peer = peer,
	};
}

bool far_same(const struct far *a, const struct far *b)
{
	return a->carrier == b->carrier && a->carrier && a->carrier->same(a, b);
}

int far_keep(const struct far *far, struct far *copy)
{
	struct peer *peer = NULL;

	if (far->carrier == &carrier_inbox) {
		int err = peer_get(far->slot, far->generation, &peer);

		if (err)
			return err;
	}
	*copy = *far;
	copy->peer = peer;
	return 0;
}

void far_drop(struct far *far)
{
	if (far->peer)
		peer_put(far->peer);
	*far = (struct far){ 0 };
}

static int find_process(const struct cm_id *id, struct far *far)
{
	struct host_place place;
	struct peer *peer;
	uint32_t handle;
	int err = registry_find_listener(&id->rdma.route.addr.dst_addr, id->rdma.ps,
	                                 &place, &handle);

	if (!err)
		err = peer_get(place.slot, place.generation, &peer);
	if (err)
		return err == -ESRCH ? -ENOENT : err;
	*far = far_of_peer(peer);
	far->path.traffic_class = id->options.tos;
	return 0;
}

int far_of_service(const struct cm_id *id, struct far *far)
{
	const struct ibv_sa_path_rec *path = &id->path;

	if (gid_is_local(&path->dgid) && !settings()->packets_only)
		return find_process(id, far);
	*far = (struct far){
		.carrier = &carrier_mads,
		.path = { .local = path->sgid,
		          .remote = path->dgid,
		          .flow_label = be32toh(path->flow_label),
		          .traffic_class = path->traffic_class,
		          .hop_limit = path->hop_limit },
	};
	return 0;
}
