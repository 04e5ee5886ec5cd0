/* SPDX-License-Identifier: BSD-2-Clause */
/* What changing a QP entails for its requester over packets. */
#include "transport/wire.h"

#include <errno.h>
#include <stdlib.h>
#include "wire/opcode.h"

/* The hop limit is the system's for that destination, as the kernel has it for RoCE v2
 * whatever the program says; most say 1. */
struct net_path wire_path(const union ibv_gid *from, const union ibv_gid *to,
                          const struct ibv_global_route *grh)
{
	return (struct net_path){
		.local = *from,
		.remote = *to,
		.flow_label = grh->flow_label,
		.traffic_class = grh->traffic_class,
	};
}

static uint8_t transport_of(enum ibv_qp_type type)
{
	switch (type) {
	case IBV_QPT_UC: return BTH_UC;
	case IBV_QPT_XRC_SEND: return BTH_XRC;
	default: return BTH_RC;
	}
}

int wire_set_path(struct qp *qp, const struct ibv_ah_attr *av)
{
	if (!qp->sq.ring)
		return 0; /* an XRC target requests nothing */
	if (!qp->wire)
		qp->wire = calloc(1, sizeof(*qp->wire));
	if (!qp->wire)
		return -ENOMEM;
	qp->wire->path = wire_path(&qp->sh->sgid, &qp->sh->dgid, &av->grh);
	qp->wire->transport = transport_of(qp_base(qp)->qp_type);
	return 0;
}

void wire_begin(struct qp *qp)
{
	struct wire *wire = qp->wire;
	struct net_path path = wire->path;
	uint8_t transport = wire->transport;

	*wire = (struct wire){
		.path = path,
		.transport = transport,
		.mtu = 128u << qp->attr.path_mtu,
		.send = qp->sq.next,
		.numbered = qp->sq.next,
		.una = qp->sq.psn,
		.high = qp->sq.psn,
		.fresh = qp->sq.psn,
		.window = WINDOW_FIRST,
		.threshold = WINDOW_MOST,
	};
	qp->sq.blocked = false;
}

void wire_flushed(struct qp *qp)
{
	struct wire *wire = qp->wire;

	wire->send = wire->numbered = qp->sq.next;
	wire->packet = 0;
	wire->reads = 0;
	wire->una = wire->high = wire->fresh = qp->sq.psn;
	wire->expires = wire->again_at = wire->timed_at = 0;
	wire->missed = false;
	qp->sq.blocked = false;
}
