/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Handing an event to the program, in its thread: what the event means for the queue pair
 * on the id is done now, before the program sees it.
 */
#include <errno.h>
#include "cm/id.h"
#include "cm/multicast.h"
#include "cm/qp.h"
#include "object/gid.h"

static int finish_connecting(struct cm_id *id)
{
	int err = id_qp_ready(id, RDMA_MAX_RESP_RES, RDMA_MAX_INIT_DEPTH);

	if (err)
		return err;
	cm_enter();
	err = conn_establish(id);
	cm_leave();
	return err;
}

/* Without a queue pair on the id the program has its own, and calls rdma_establish(). */
static void on_response(struct cm_id *id, struct rdma_cm_event *event)
{
	if (!id_has_qp(id))
		return;
	gid_refresh_old();
	event->status = finish_connecting(id);
	event->event =
	        event->status ? RDMA_CM_EVENT_CONNECT_ERROR : RDMA_CM_EVENT_ESTABLISHED;
	if (event->status)
		id_qp_fail(id);
}

/* What a synchronous listener hands out is synchronous too. */
static int on_request(const struct cm_id *listener, const struct rdma_cm_event *event)
{
	struct cm_id *id = to_cm_id(event->id);

	if (!id_is_datagram(id)) {
		id->responder_resources = event->param.conn.responder_resources;
		id->initiator_depth = event->param.conn.initiator_depth;
	}
	return listener->sync ? id_migrate(id, NULL) : 0;
}

/* The queue pair on the id is in the group along with it. */
static void on_join(struct cm_id *id, struct rdma_cm_event *event)
{
	event->status = multicast_joined(id, to_cm_event(event)->member);
	if (event->status)
		event->event = RDMA_CM_EVENT_MULTICAST_ERROR;
}

static int act_on(struct cm_id *owner, struct rdma_cm_event *event)
{
	switch (event->event) {
	case RDMA_CM_EVENT_CONNECT_REQUEST: return on_request(owner, event);
	case RDMA_CM_EVENT_CONNECT_RESPONSE: on_response(owner, event); return 0;
	case RDMA_CM_EVENT_REJECTED: id_qp_fail(owner); return 0;
	case RDMA_CM_EVENT_MULTICAST_JOIN: on_join(owner, event); return 0;
	default: return 0;
	}
}

int event_deliver(struct cm_channel *channel, struct cm_event **event)
{
	int err = event_next(channel, event);

	if (err)
		return err;
	err = act_on((*event)->owner, &(*event)->rdma);
	if (!err)
		return 0;
	/* Only a request fails: nobody will have its id. */
	id_destroy(to_cm_id((*event)->rdma.id));
	event_ack(*event);
	return err;
}
