/* SPDX-License-Identifier: BSD-2-Clause */
/* Listeners, and the ids of the connections that are asked of them. */
#include <errno.h>
#include <netinet/in.h>
#include "base/log.h"
#include "cm/addr.h"
#include "cm/id.h"
#include "host/registry.h"
#include "object/device.h"
#include "object/gid.h"
#include "object/qp.h"

enum { BACKLOG_MAX = 1024 };

static int listen_locked(struct cm_id *id, int backlog)
{
	const struct sockaddr_in any = { .sin_family = AF_INET };
	int err = 0;

	if (id->stage == ID_IDLE)
		err = addr_bind_locked(id, (const struct sockaddr *)&any);
	if (!err && id->stage != ID_BOUND)
		err = -EINVAL;
	if (!err)
		err = registry_listen(id->binding, true);
	if (err)
		return err;
	id->backlog = backlog > 0 && backlog < BACKLOG_MAX ? (unsigned int)backlog
	                                                   : BACKLOG_MAX;
	id->stage = ID_LISTEN;
	return 0;
}

int listen_start(struct cm_id *id, int backlog)
{
	int err = id_lock(id);

	if (err)
		return err;
	err = listen_locked(id, backlog);
	cm_leave();
	return err;
}

static bool req_is_sane(const struct message_req *req)
{
	return req->qpn <= PSN_MASK && req->psn <= PSN_MASK &&
	       req->retry_count <= COUNT_MAX_3BIT &&
	       req->rnr_retry_count <= COUNT_MAX_3BIT && req->ack_timeout <= 31 &&
	       req->path_mtu >= IBV_MTU_256 && req->path_mtu <= IBV_MTU_4096;
}

static bool request_is_sane(const struct message *message)
{
	return message->local_id && !message->remote_id &&
	       (message->kind != MESSAGE_REQ || req_is_sane(&message->req));
}

static const struct message_route *route_of(const struct message *message)
{
	return message->kind == MESSAGE_REQ ? &message->req.route
	                                    : &message->sidr_req.route;
}

static enum ibv_qp_type wanted_type(const struct message *message)
{
	return message->kind == MESSAGE_REQ ? (enum ibv_qp_type)message->req.qp_type
	                                    : IBV_QPT_UD;
}

/* Where the request comes from and goes to, as addresses of the id that it will have. */
static int read_addresses(const struct message_route *route, struct rdma_addr *addr)
{
	int err = addr_from_wire(route->ip_version, route->destination_ip,
	                         (uint16_t)route->service_id, &addr->src_storage);

	return err ? err
	           : addr_from_wire(route->ip_version, route->source_ip,
	                            route->source_port, &addr->dst_storage);
}

/* The listener of this process that the service id and the address lead to, if it is one
 * for this kind of request. */
static struct cm_id *find_listener(const struct message *message,
                                   const struct sockaddr *to)
{
	const struct message_route *route = route_of(message);
	struct host_place place;
	struct cm_id *id;
	uint32_t handle;

	if (!addr_has_device(to) ||
	    registry_find_listener(to, (int)(route->service_id >> 16), &place, &handle) ||
	    place.slot != peer_self()->slot ||
	    place.generation != peer_self()->generation)
		return NULL;
	id = id_find(handle);
	return id && id->stage == ID_LISTEN && id->rdma.qp_type == wanted_type(message)
	               ? id
	               : NULL;
}

static void take_req(struct conn *conn, const struct message_req *req)
{
	conn->state = CONN_REQ_RCVD;
	conn->remote_qpn = req->qpn;
	conn->sq_psn = req->psn;
	/* Each side's limit as initiator is the other's as responder (IBA 12.7.29). */
	conn->responder_resources = req->initiator_depth;
	conn->initiator_depth = req->responder_resources;
	conn->retry_count = req->retry_count;
	conn->rnr_retry_count = req->rnr_retry_count;
	conn->ack_timeout = req->ack_timeout;
	conn->path_mtu = (uint8_t)min_u64(
	        req->path_mtu, device_mtu(device_of(conn_id(conn)->rdma.verbs)));
	id_take_ece(conn_id(conn), &req->ece);
}

static void take_request(struct cm_id *child, const struct message *message)
{
	addr_set_device(child);
	if (message->kind == MESSAGE_REQ) {
		child->options.tos = message->req.traffic_class;
		take_req(&child->conn, &message->req);
	} else {
		child->options.tos = message->sidr_req.traffic_class;
		child->conn.state = CONN_SIDR_REQ_RCVD;
	}
	addr_set_route(child);
}

static void describe(struct rdma_cm_event *event, const struct cm_id *child,
                     const struct message_req *req)
{
	event->param.conn = (struct rdma_conn_param){
		.responder_resources = child->conn.responder_resources,
		.initiator_depth = child->conn.initiator_depth,
		.flow_control = req->flow_control,
		.retry_count = req->retry_count,
		.rnr_retry_count = req->rnr_retry_count,
		.srq = req->srq,
		.qp_num = req->qpn,
	};
}

/* 0 with the listener's event queued, or why not. */
static int show(struct cm_id *listener, struct cm_id *child,
                const struct message *message)
{
	struct cm_event *event = event_new(listener, RDMA_CM_EVENT_CONNECT_REQUEST, 0);

	if (!event)
		return -ENOMEM;
	event->rdma.id = &child->rdma;
	event->rdma.listen_id = &listener->rdma;
	if (message->kind == MESSAGE_REQ) {
		describe(&event->rdma, child, &message->req);
		event_set_private(event, message->req.private_data, PRIVATE_REQ);
	} else {
		event_set_private(event, message->sidr_req.private_data,
		                  PRIVATE_SIDR_REQ);
	}
	event_queue(event);
	listener->waiting++;
	return 0;
}

static int add_child(struct cm_id *listener, struct peer *from,
                     const struct message *message, const struct rdma_addr *addr)
{
	struct cm_id *child;
	struct peer *peer;
	int err;

	child = id_create_child(listener);
	if (!child)
		return -ENOMEM;
	child->rdma.route.addr = *addr;
	take_request(child, message);
	err = peer_get(from->slot, from->generation, &peer);
	if (err)
		goto discard;
	err = conn_open(&child->conn, peer, message->local_id);
	if (err) {
		peer_put(peer);
		goto discard;
	}
	err = show(listener, child, message);
	if (!err)
		return 0;
	conn_close(&child->conn);
	conn_abandon(child);
	conn_release(&child->conn);
discard:
	id_discard_child(child);
	return err;
}

static void refuse(struct peer *from, const struct message *message,
                   enum reject_reason reason, enum sidr_status status)
{
	if (message->kind == MESSAGE_REQ)
		reject_message(from, message, reason);
	else
		sidr_refuse(from, message, status);
}

void listen_request(struct peer *from, const struct message *message)
{
	struct rdma_addr addr = { 0 };
	struct cm_id *listener;

	if (!request_is_sane(message) || read_addresses(route_of(message), &addr)) {
		mock_warn("a connection request makes no sense and is dropped");
		return;
	}
	listener = find_listener(message, &addr.src_addr);
	if (!listener) {
		refuse(from, message, REJECT_INVALID_SERVICE_ID, SIDR_NOT_SUPPORTED);
		return;
	}
	if (listener->waiting >= listener->backlog) {
		mock_warn("a connection request is refused: %u wait to be accepted "
		          "already: give rdma_listen() a larger backlog",
		          listener->waiting);
		refuse(from, message, REJECT_CONSUMER, SIDR_REJECTED);
		return;
	}
	if (add_child(listener, from, message, &addr))
		refuse(from, message, REJECT_NO_RESOURCES, SIDR_REJECTED);
}
