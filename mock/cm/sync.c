/* SPDX-License-Identifier: BSD-2-Clause */
/* Endpoints: synchronous ids with all that they need. */
#include <errno.h>
#include <stdlib.h>
#include "cm/addr.h"
#include "cm/call.h"
#include "cm/qp.h"

/* A listener's attributes are for the queue pairs of its connections. */
static int keep_attr(struct cm_id *id, struct ibv_pd *pd, int qp_type,
                     const struct ibv_qp_init_attr *attr)
{
	if (pd)
		id->rdma.pd = pd;
	if (!attr)
		return 0;
	id->qp_init_attr = malloc(sizeof(*attr));
	if (!id->qp_init_attr)
		return -ENOMEM;
	*id->qp_init_attr = *attr;
	id->qp_init_attr->qp_type = (enum ibv_qp_type)qp_type;
	return 0;
}

static int prepare_passive(struct cm_id *id, const struct rdma_addrinfo *info,
                           struct ibv_pd *pd, const struct ibv_qp_init_attr *attr)
{
	int err = info->ai_src_addr ? addr_bind(id, info->ai_src_addr) : -EINVAL;

	return err ? err : keep_attr(id, pd, info->ai_qp_type, attr);
}

static int prepare_active(struct cm_id *id, const struct rdma_addrinfo *info,
                          struct ibv_pd *pd, struct ibv_qp_init_attr *attr)
{
	int err = info->ai_dst_addr
	                  ? addr_resolve(id, info->ai_src_addr, info->ai_dst_addr)
	                  : -EINVAL;

	if (!err)
		err = call_complete(id);
	if (!err)
		err = info->ai_route_len
		              ? id_set_option(id, RDMA_OPTION_IB, RDMA_OPTION_IB_PATH,
		                              info->ai_route, info->ai_route_len)
		              : addr_resolve_route(id);
	if (!err)
		err = call_complete(id);
	if (err || !attr)
		return err;
	attr->qp_type = info->ai_qp_type;
	return id_create_qp(id, pd, NULL, attr);
}

int ep_create(const struct rdma_addrinfo *info, struct ibv_pd *pd,
              struct ibv_qp_init_attr *attr, struct cm_id **id)
{
	struct cm_id *made;
	int err = id_create(NULL, NULL, (enum rdma_port_space)info->ai_port_space,
	                    (enum ibv_qp_type)info->ai_qp_type, &made);

	if (err)
		return err;
	err = info->ai_flags & RAI_PASSIVE ? prepare_passive(made, info, pd, attr)
	                                   : prepare_active(made, info, pd, attr);
	if (err) {
		id_destroy(made);
		return err;
	}
	*id = made;
	return 0;
}

void ep_destroy(struct cm_id *id)
{
	id_destroy_qp(id);
	id_destroy_srq(id);
	id_destroy(id);
}

int ep_get_request(struct cm_id *listener, struct cm_id **id)
{
	struct ibv_qp_init_attr attr;
	struct cm_event *event;
	struct cm_id *made;
	int err;

	if (!listener->sync)
		return -EINVAL;
	if (listener->rdma.event)
		event_ack(to_cm_event(listener->rdma.event));
	listener->rdma.event = NULL;
	err = event_deliver(to_cm_channel(listener->rdma.channel), &event);
	if (err)
		return err;
	if (event->rdma.event != RDMA_CM_EVENT_CONNECT_REQUEST) {
		event_ack(event);
		return -EINVAL;
	}
	made = to_cm_id(event->rdma.id);
	made->rdma.event = &event->rdma;
	if (listener->qp_init_attr) {
		attr = *listener->qp_init_attr;
		err = id_create_qp(made, listener->rdma.pd, NULL, &attr);
		if (err) {
			id_destroy(made);
			return err;
		}
	}
	*id = made;
	return 0;
}
