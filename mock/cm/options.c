/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <string.h>
#include "cm/addr.h"
#include "cm/id.h"

enum { ACK_TIMEOUT_MAX = 31 }; /* a 5-bit field (IBA 12.7.34) */

static int set_byte(const void *value, size_t length, uint8_t max, uint8_t *to)
{
	uint8_t byte;

	if (length != sizeof(byte))
		return -EINVAL;
	memcpy(&byte, value, sizeof(byte));
	if (byte > max)
		return -EINVAL;
	*to = byte;
	return 0;
}

/* What a binding to a port was made with, it keeps. */
static int set_flag(const struct cm_id *id, const void *value, size_t length, bool *to)
{
	int flag;

	if (length != sizeof(flag) || id->stage != ID_IDLE)
		return -EINVAL;
	memcpy(&flag, value, sizeof(flag));
	*to = flag != 0;
	return 0;
}

static int set(struct cm_id *id, int option, const void *value, size_t length)
{
	switch (option) {
	case RDMA_OPTION_ID_TOS:
		return set_byte(value, length, UINT8_MAX, &id->options.tos);
	case RDMA_OPTION_ID_REUSEADDR:
		return set_flag(id, value, length, &id->options.reuse_addr);
	case RDMA_OPTION_ID_AFONLY:
		return set_flag(id, value, length, &id->options.af_only);
	case RDMA_OPTION_ID_ACK_TIMEOUT:
		return set_byte(value, length, ACK_TIMEOUT_MAX, &id->options.ack_timeout);
	}
	return -ENOSYS;
}

/*
 * Enhanced connection establishment
 */

int id_set_local_ece(struct cm_id *id, const struct ibv_ece *ece)
{
	int err;

	/* A queue pair on the id speaks for itself. */
	if (id->rdma.qp || !ece->vendor_id || ece->comp_mask)
		return -EINVAL;
	err = id_lock(id);
	if (err)
		return err;
	id->local_ece = *ece;
	cm_leave();
	return 0;
}

int id_get_remote_ece(const struct cm_id *id, struct ibv_ece *ece)
{
	int err = id->rdma.qp ? -EINVAL : id_lock(id);

	if (err)
		return err;
	*ece = id->remote_ece;
	cm_leave();
	return 0;
}

void id_take_ece(struct cm_id *id, const struct mad_ece *ece)
{
	id->remote_ece = (struct ibv_ece){
		.vendor_id = ece->vendor_id,
		.options = ece->options,
	};
}

/*
 * Paths
 */

static bool is_bidirectional(const struct ibv_path_data *data)
{
	return data->flags ==
	       (IBV_PATH_FLAG_GMP | IBV_PATH_FLAG_PRIMARY | IBV_PATH_FLAG_BIDIRECTIONAL);
}

/* The path goes where the addresses lead: RoCE routes by those. */
static int take_path(struct cm_id *id, const struct ibv_path_record *path)
{
	const struct rdma_ib_addr *ib = &id->rdma.route.addr.addr.ibaddr;
	uint32_t flow_and_hops = be32toh(path->flowlabel_hoplimit);

	if (id->stage != ID_ADDR_RESOLVED ||
	    memcmp(&path->sgid, &ib->sgid, sizeof(ib->sgid)) != 0 ||
	    memcmp(&path->dgid, &ib->dgid, sizeof(ib->dgid)) != 0)
		return -EINVAL;
	addr_set_route(id);
	id->path.traffic_class = path->tclass;
	id->path.hop_limit = (uint8_t)flow_and_hops;
	id->path.flow_label = htobe32(flow_and_hops >> 8 & 0xfffff);
	id->options.tos = path->tclass;
	id->stage = ID_ROUTE_RESOLVED;
	event_raise(id, RDMA_CM_EVENT_ROUTE_RESOLVED, 0);
	return 0;
}

/* RDMA_OPTION_IB_PATH: a route that the program has found out itself. */
static int set_path(struct cm_id *id, const void *value, size_t length)
{
	const uint8_t *at = value;
	struct ibv_path_data data;
	int err;

	if (!value || !length || length % sizeof(data))
		return -EINVAL;
	for (; length; length -= sizeof(data), at += sizeof(data)) {
		memcpy(&data, at, sizeof(data));
		if (is_bidirectional(&data))
			break;
	}
	if (!length)
		return -EINVAL;
	err = id_lock(id);
	if (err)
		return err;
	err = take_path(id, &data.path);
	cm_leave();
	return err;
}

int id_set_option(struct cm_id *id, int level, int option, const void *value,
                  size_t length)
{
	uint64_t copy = 0;
	int err;

	if (level == RDMA_OPTION_IB && option == RDMA_OPTION_IB_PATH)
		return set_path(id, value, length);
	if (level != RDMA_OPTION_ID)
		return -ENOSYS;
	if (!value || length > sizeof(copy))
		return -EINVAL;
	memcpy(&copy, value, length);
	err = id_lock(id);
	if (err)
		return err;
	err = set(id, option, &copy, length);
	cm_leave();
	return err;
}
