/* SPDX-License-Identifier: BSD-2-Clause */
/* Listeners, and the ids of the connections that are asked of them. */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include "base/log.h"
#include "cm/addr.h"
#include "cm/id.h"
#include "host/registry.h"
#include "host/settings.h"
#include "object/device.h"
#include "object/gid.h"
#include "object/qp.h"

enum { BACKLOG_MAX = 1024, RESPONSE_TIMEOUT_MAX = 24 };

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

/* Whether only this host can come there. */
static bool is_loopback(const struct sockaddr *addr)
{
	if (addr->sa_family == AF_INET)
		return ntohl(((const struct sockaddr_in *)addr)->sin_addr.s_addr) >> 24 ==
		       IN_LOOPBACKNET;
	return IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)addr)->sin6_addr);
}

/* Not being heard by other hosts is no reason not to serve this one. */
static void open_to_others(const struct cm_id *id)
{
	const struct sockaddr *addr = &id->rdma.route.addr.src_addr;
	int err;

	if (is_loopback(addr) && !settings()->packets_only)
		return;
	err = mads_start_quietly();
	if (err)
		mock_warn("rdma_listen: other hosts cannot connect, as UDP port 4791 is "
		          "not to be had: %s",
		          strerror(-err));
}

int listen_start(struct cm_id *id, int backlog)
{
	int err;

	open_to_others(id);
	err = id_lock(id);
	if (err)
		return err;
	err = listen_locked(id, backlog);
	cm_leave();
	return err;
}

static bool req_is_sane(const struct mad_req *req)
{
	return req->qpn <= PSN_MASK && req->psn <= PSN_MASK &&
	       req->retry_count <= COUNT_MAX_3BIT &&
	       req->rnr_retry_count <= COUNT_MAX_3BIT &&
	       req->primary.ack_timeout <= TIMEOUT_MAX && req->path_mtu >= IBV_MTU_256 &&
	       req->path_mtu <= IBV_MTU_4096;
}

static bool request_is_sane(const struct mad *message)
{
	return message->local_id && !message->remote_id &&
	       (message->kind != MAD_REQ || req_is_sane(&message->req));
}

static const struct mad_route *route_of(const struct mad *message)
{
	return message->kind == MAD_REQ ? &message->req.route : &message->sidr_req.route;
}

/* The queue pair that is to answer; 0: none that this device has. */
static int wanted_type(const struct mad *message)
{
	if (message->kind == MAD_SIDR_REQ)
		return IBV_QPT_UD;
	switch (message->req.transport) {
	case MAD_RC: return IBV_QPT_RC;
	case MAD_UC: return IBV_QPT_UC;
	case MAD_EXTENDED:
		return message->req.extended_transport == MAD_EXTENDED_XRC
		               ? IBV_QPT_XRC_RECV
		               : 0;
	default: return 0;
	}
}

/* Where the request comes from and goes to, as addresses of the id that it will have. */
static int read_addresses(const struct mad_route *route, struct rdma_addr *addr)
{
	int err = addr_from_wire(route->ip_version, route->destination_ip,
	                         (uint16_t)route->service_id, &addr->src_storage);

	return err ? err
	           : addr_from_wire(route->ip_version, route->source_ip,
	                            route->source_port, &addr->dst_storage);
}

/* The listener of this process that the service id and the address lead to, if it is one
 * for this kind of request. */
static struct cm_id *find_listener(const struct mad *message, const struct sockaddr *to)
{
	const struct mad_route *route = route_of(message);
	struct host_place place;
	struct cm_id *id;
	uint32_t handle;

	if (!addr_has_device(to) ||
	    registry_find_listener(to, (int)(route->service_id >> 16), &place, &handle) ||
	    place.slot != peer_self()->slot ||
	    place.generation != peer_self()->generation)
		return NULL;
	id = id_find(handle);
	return id && id->stage == ID_LISTEN &&
	                       (int)id->rdma.qp_type == wanted_type(message)
	               ? id
	               : NULL;
}

/* What the requester expects of its own far end it may expect of us, up to the longest
 * that an MRA asks for. */
static uint64_t response_timeout(const struct mad_req *req)
{
	return UINT64_C(4096) << min_u64(req->local_timeout, RESPONSE_TIMEOUT_MAX);
}

static void take_req(struct conn *conn, const struct mad_req *req)
{
	conn->state = CONN_REQ_RCVD;
	conns_set_qpn(conn, req->qpn);
	conn->response_timeout = response_timeout(req);
	conn->max_retries = req->max_cm_retries;
	conn->sq_psn = req->psn;
	/* Each side's limit as initiator is the other's as responder (IBA 12.7.29). */
	conn->responder_resources = req->initiator_depth;
	conn->initiator_depth = req->responder_resources;
	conn->retry_count = req->retry_count;
	conn->rnr_retry_count = req->rnr_retry_count;
	conn->ack_timeout = req->primary.ack_timeout;
	conn->path_mtu =
	        (uint8_t)min_u64(req->path_mtu, addr_mtu(conn_id(conn), &conn->far));
	id_take_ece(conn_id(conn), &req->ece);
}

static void take_request(struct cm_id *child, const struct mad *message)
{
	struct conn *conn = &child->conn;

	conn->tid = message->tid;
	if (message->kind == MAD_REQ)
		take_req(conn, &message->req);
	else
		conn->state = CONN_SIDR_REQ_RCVD;
}

/* Where it is, and where it leads. */
static void place(struct cm_id *child, const struct far *from, const struct mad *message,
                  const struct rdma_addr *addr)
{
	child->rdma.route.addr = *addr;
	child->options.tos = message->kind == MAD_REQ ? message->req.primary.traffic_class
	                                              : from->path.traffic_class;
	addr_set_device(child);
	addr_set_route(child);
}

static void describe(struct rdma_cm_event *event, const struct cm_id *child,
                     const struct mad_req *req)
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
static int show(struct cm_id *listener, struct cm_id *child, const struct mad *message)
{
	struct cm_event *event = event_new(listener, RDMA_CM_EVENT_CONNECT_REQUEST, 0);

	if (!event)
		return -ENOMEM;
	event->rdma.id = &child->rdma;
	event->rdma.listen_id = &listener->rdma;
	if (message->kind == MAD_REQ) {
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

static int open_child(struct cm_id *child, const struct far *from,
                      const struct mad *message)
{
	struct far far;
	int err;

	/* Packets on a wire would not pass; within the host there are none. */
	if (from->carrier == &carrier_mads && message->kind == MAD_REQ &&
	    message->req.path_mtu > addr_mtu(child, from))
		return -EMSGSIZE;
	err = far_keep(from, &far);
	if (err)
		return err;
	err = conn_open(&child->conn, &far, message->local_id);
	if (err)
		far_drop(&far);
	return err;
}

static int add_child(struct cm_id *listener, const struct far *from,
                     const struct mad *message, const struct rdma_addr *addr)
{
	struct cm_id *child;
	int err;

	child = id_create_child(listener);
	if (!child)
		return -ENOMEM;
	place(child, from, message, addr);
	err = open_child(child, from, message);
	if (err)
		goto discard;
	take_request(child, message);
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

static void refuse(const struct far *from, const struct mad *message,
                   enum reject_reason reason, enum sidr_status status)
{
	if (message->kind == MAD_REQ)
		reject_message(from, message, reason);
	else
		sidr_refuse(from, message, status);
}

/* The addresses that a request names are those that it came from and to: the answer, and
 * whatever is sent then, goes nowhere else. */
static bool is_from_there(const struct far *from, const struct rdma_addr *addr)
{
	union ibv_gid here, there;

	if (from->carrier != &carrier_mads)
		return true;
	return !gid_from_sockaddr(&addr->src_addr, &here) &&
	       !gid_from_sockaddr(&addr->dst_addr, &there) &&
	       !memcmp(&here, &from->path.local, sizeof(here)) &&
	       !memcmp(&there, &from->path.remote, sizeof(there));
}

/*
 * IBA 12.9.8.3.1: whoever asks for a connection of a queue pair that has one, as far as
 * we know, has begun anew. It is told so, and the old connection ends.
 */
static bool is_stale(const struct far *from, const struct mad *message)
{
	struct conn *old;

	if (from->carrier != &carrier_mads || message->kind != MAD_REQ ||
	    message->req.qpn <= MAD_QPN)
		return false;
	old = conn_find_qpn(from, message->req.qpn);
	if (!old)
		return false;
	conn_gone_stale(old);
	return true;
}

static enum reject_reason reason_of(int err)
{
	return err == -EMSGSIZE ? REJECT_INVALID_PATH_MTU : REJECT_NO_RESOURCES;
}

void listen_request(const struct far *from, const struct mad *message)
{
	struct rdma_addr addr = { 0 };
	struct cm_id *listener;
	int err;

	if (!route_of(message)->ip_version) {
		refuse(from, message, REJECT_INVALID_SERVICE_ID, SIDR_NOT_SUPPORTED);
		return;
	}
	if (!request_is_sane(message) || read_addresses(route_of(message), &addr) ||
	    !is_from_there(from, &addr)) {
		mock_warn("a connection request makes no sense and is dropped");
		return;
	}
	listener = find_listener(message, &addr.src_addr);
	if (!listener) {
		refuse(from, message, REJECT_INVALID_SERVICE_ID, SIDR_NOT_SUPPORTED);
		return;
	}
	if (is_stale(from, message)) {
		reject_message(from, message, REJECT_STALE_CONNECTION);
		return;
	}
	if (listener->waiting >= listener->backlog) {
		mock_warn("a connection request is refused: %u wait to be accepted "
		          "already: give rdma_listen() a larger backlog",
		          listener->waiting);
		refuse(from, message, REJECT_CONSUMER, SIDR_REJECTED);
		return;
	}
	err = add_child(listener, from, message, &addr);
	if (err)
		refuse(from, message, reason_of(err), SIDR_REJECTED);
}
