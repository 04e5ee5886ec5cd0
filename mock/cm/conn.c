/* SPDX-License-Identifier: BSD-2-Clause */
#include "cm/conn.h"

#include <errno.h>
#include <string.h>
#include "base/log.h"
#include "cm/addr.h"
#include "cm/id.h"
#include "cm/send.h"
#include "host/random.h"
#include "host/registry.h"
#include "host/settings.h"
#include "object/device.h"
#include "object/gid.h"
#include "object/qp.h"

enum {
	TABLE_SIZE = 1024,
	NS_PER_MS = 1000000,
	BUSY_MS = 10,       /* to a peer whose inbox is full */
	ACK_UNIT_NS = 4096, /* IBA 12.7.34 */
};

/* By our communication id; and, for the repetitions of a REQ, by the peer's. */
static struct list by_local[TABLE_SIZE];
static struct list by_remote[TABLE_SIZE];

static struct list *list_of(struct list *table, uint32_t id)
{
	struct list *head = &table[id % TABLE_SIZE];

	if (!head->next)
		list_init(head);
	return head;
}

void conns_forget(void)
{
	memset(by_local, 0, sizeof(by_local));
	memset(by_remote, 0, sizeof(by_remote));
}

struct cm_id *conn_id(struct conn *conn)
{
	return container_of(conn, struct cm_id, conn);
}

struct conn *conn_find(uint32_t local_id)
{
	struct list *head = list_of(by_local, local_id), *at;

	list_for_each (at, head) {
		struct conn *conn = list_entry(at, struct conn, local_node);

		if (conn->local_id == local_id)
			return conn;
	}
	return NULL;
}

struct conn *conn_find_remote(uint32_t slot, uint64_t generation, uint32_t remote_id)
{
	struct list *head = list_of(by_remote, remote_id), *at;

	list_for_each (at, head) {
		struct conn *conn = list_entry(at, struct conn, remote_node);

		if (conn->remote_id == remote_id && conn->peer->slot == slot &&
		    conn->peer->generation == generation)
			return conn;
	}
	return NULL;
}

static uint32_t draw_id(void)
{
	uint32_t id;

	do {
		id = random_u32();
	} while (!id || conn_find(id));
	return id;
}

/*
 * Sending, and waiting for the answer
 */

static void wait_until(struct conn *conn, uint64_t ns)
{
	conn->deadline = now_ns() + ns;
	if (timer_arm(&conn->timer, conn->deadline))
		mock_error("cm#%08x: no memory for a timer: what is lost is not sent "
		           "again",
		           conn->local_id);
}

void conn_answered(struct conn *conn)
{
	conn->deadline = 0;
	timer_cancel(&conn->timer);
}

static void send_again(struct conn *conn)
{
	conn->busy = message_send(conn->peer, &conn->sent) == -EAGAIN;
	wait_until(conn, NS_PER_MS * (conn->busy ? BUSY_MS
	                                         : settings()->cm_response_timeout_ms));
}

void conn_send_until_answer(struct conn *conn, enum conn_state state)
{
	conn->state = state;
	conn->sent.local_id = conn->local_id;
	conn->sent.remote_id = conn->remote_id;
	conn->retries = settings()->cm_retries;
	send_again(conn);
}

/* What has no answer is sent again when the message that it answers is. */
void conn_send(struct conn *conn, enum message_kind kind)
{
	struct message message = {
		.kind = kind,
		.local_id = conn->local_id,
		.remote_id = conn->remote_id,
	};

	message_deliver(conn->peer, &message);
}

static void send_reject(struct conn *conn, enum reject_reason reason, const uint8_t *data,
                        uint8_t length)
{
	struct message message = {
		.kind = MESSAGE_REJ,
		.local_id = conn->local_id,
		.remote_id = conn->remote_id,
		.rej.reason = (uint16_t)reason,
	};

	if (length)
		memcpy(message.rej.private_data, data, length);
	message_deliver(conn->peer, &message);
}

void reject_message(struct peer *to, const struct message *about,
                    enum reject_reason reason)
{
	struct message message = {
		.kind = MESSAGE_REJ,
		.local_id = about->remote_id,
		.remote_id = about->local_id,
		.rej.reason = (uint16_t)reason,
	};

	message_deliver(to, &message);
}

/*
 * Changes of state that several things lead to
 */

void conn_close(struct conn *conn)
{
	conn_answered(conn);
	conn->state = CONN_CLOSED;
}

void conn_enter_timewait(struct conn *conn)
{
	conn->state = CONN_TIMEWAIT;
	wait_until(conn, (uint64_t)ACK_UNIT_NS << conn->ack_timeout);
}

void conn_disconnected(struct conn *conn)
{
	event_raise(conn_id(conn), RDMA_CM_EVENT_DISCONNECTED, 0);
}

void conn_rejected(struct conn *conn, const struct message *message)
{
	struct cm_event *event =
	        event_new(conn_id(conn), RDMA_CM_EVENT_REJECTED, message->rej.reason);

	conn_close(conn);
	if (!event)
		return;
	event_set_private(event, message->rej.private_data, PRIVATE_REJ);
	event_queue(event);
}

static void reject_self(struct conn *conn, enum reject_reason reason)
{
	const struct message message = { .rej.reason = (uint16_t)reason };

	conn_rejected(conn, &message);
}

/* IBA 12.9.8: after the last retry, the peer is told and the consumer too. */
static void give_up(struct conn *conn)
{
	if (conn->state == CONN_DREQ_SENT) {
		conn_disconnected(conn);
		conn_enter_timewait(conn);
		return;
	}
	if (conn->state == CONN_SIDR_REQ_SENT) {
		sidr_fail(conn, -ETIMEDOUT);
		return;
	}
	send_reject(conn, REJECT_TIMEOUT, NULL, 0);
	conn_close(conn);
	event_raise(conn_id(conn), RDMA_CM_EVENT_UNREACHABLE, -ETIMEDOUT);
}

static void expired(struct conn *conn)
{
	switch (conn->state) {
	case CONN_REQ_SENT:
	case CONN_REP_SENT:
	case CONN_DREQ_SENT:
	case CONN_SIDR_REQ_SENT:
		if (!conn->busy && !conn->retries) {
			give_up(conn);
			return;
		}
		if (!conn->busy)
			conn->retries--;
		send_again(conn);
		return;
	case CONN_TIMEWAIT:
		conn->state = CONN_CLOSED;
		event_raise(conn_id(conn), RDMA_CM_EVENT_TIMEWAIT_EXIT, 0);
		return;
	default: return;
	}
}

static void on_timer(struct timer *timer)
{
	struct conn *conn = container_of(timer, struct conn, timer);

	cm_enter();
	/* It may have been put off while we waited for the lock. */
	if (conn->deadline && now_ns() >= conn->deadline) {
		conn->deadline = 0;
		expired(conn);
	}
	cm_leave();
}

/*
 * The peer's process died. Its host would have closed what it had open: what that would
 * have sent is taken as received.
 */
static void peer_lost(struct conn *conn)
{
	switch (conn->state) {
	case CONN_REQ_SENT:
	case CONN_REQ_RCVD:
	case CONN_REP_SENT:
	case CONN_REP_RCVD: reject_self(conn, REJECT_CONSUMER); return;
	case CONN_ESTABLISHED:
		conn->state = CONN_DREQ_RCVD;
		conn_disconnected(conn);
		return;
	case CONN_DREQ_SENT:
		conn_disconnected(conn);
		conn_enter_timewait(conn);
		return;
	case CONN_SIDR_REQ_SENT: sidr_fail(conn, SIDR_REJECTED); return;
	default: return;
	}
}

static void on_peer_lost(struct peer_watch *watch)
{
	struct conn *conn = container_of(watch, struct conn, watch);

	cm_enter();
	mock_debug("cm#%08x: its peer died", conn->local_id);
	peer_lost(conn);
	cm_leave();
}

/*
 * The life of a connection
 */

void conn_init(struct conn *conn)
{
	list_init(&conn->local_node);
	list_init(&conn->remote_node);
	timer_init(&conn->timer, on_timer);
}

/* Takes over the caller's reference to the peer, if it succeeds. */
int conn_open(struct conn *conn, struct peer *peer, uint32_t remote_id)
{
	int err;

	if (!peer->self) {
		err = peer_watch(&conn->watch, peer, on_peer_lost);
		if (err)
			return err;
		conn->watched = true;
	}
	conn->peer = peer;
	conn->local_id = draw_id();
	conn->rq_psn = random_u32() & PSN_MASK;
	list_add_tail(list_of(by_local, conn->local_id), &conn->local_node);
	conn->remote_id = remote_id;
	if (remote_id)
		list_add_tail(list_of(by_remote, remote_id), &conn->remote_node);
	return 0;
}

void conn_abandon(struct cm_id *id)
{
	struct conn *conn = &id->conn;

	switch (conn->state) {
	case CONN_REQ_SENT: send_reject(conn, REJECT_TIMEOUT, NULL, 0); break;
	case CONN_REQ_RCVD:
	case CONN_REP_SENT:
	case CONN_REP_RCVD: send_reject(conn, REJECT_CONSUMER, NULL, 0); break;
	case CONN_ESTABLISHED:
		conn->sent = (struct message){
			.kind = MESSAGE_DREQ,
			.dreq.qpn = conn->remote_qpn,
		};
		conn_send_until_answer(conn, CONN_DREQ_SENT);
		break;
	case CONN_DREQ_RCVD: conn_send(conn, MESSAGE_DREP); break;
	case CONN_SIDR_REQ_RCVD: sidr_reject(id, NULL, 0); break;
	default: break;
	}
	conn_close(conn);
	list_del(&conn->local_node);
	list_del(&conn->remote_node);
}

void conn_release(struct conn *conn)
{
	timer_cancel_sync(&conn->timer);
	if (conn->watched)
		peer_unwatch(&conn->watch);
	if (conn->peer)
		peer_put(conn->peer);
}

/*
 * The consumer's calls
 */

void conn_fill_route(const struct cm_id *id, struct message_route *route)
{
	const struct rdma_addr *addr = &id->rdma.route.addr;

	route->service_id = (uint64_t)id->rdma.ps << 16 | addr_port(&addr->dst_addr);
	route->ip_version = addr_to_wire(&addr->src_addr, route->source_ip);
	addr_to_wire(&addr->dst_addr, route->destination_ip);
	route->source_port = addr_port(&addr->src_addr);
}

static struct message_ece ece_to_wire(const struct ibv_ece *ece)
{
	return (struct message_ece){ ece->vendor_id, ece->options };
}

static enum ibv_qp_type counterpart(enum ibv_qp_type type)
{
	return type == IBV_QPT_XRC_SEND ? IBV_QPT_XRC_RECV : type;
}

static uint8_t at_most(uint8_t value, uint8_t most)
{
	return value < most ? value : most;
}

static void fill_request(struct cm_id *id, const struct conn_param *param)
{
	struct conn *conn = &id->conn;
	struct message_req *req = &conn->sent.req;

	conn->sent = (struct message){ .kind = MESSAGE_REQ };
	conn_fill_route(id, &req->route);
	req->source_gid = id->rdma.route.addr.addr.ibaddr.sgid;
	req->destination_gid = id->rdma.route.addr.addr.ibaddr.dgid;
	req->qpn = conn->local_qpn;
	req->psn = conn->rq_psn;
	req->qp_type = (uint8_t)counterpart(id->rdma.qp_type);
	req->responder_resources = param->rdma.responder_resources;
	req->initiator_depth = param->rdma.initiator_depth;
	req->retry_count = conn->retry_count;
	req->rnr_retry_count = at_most(param->rdma.rnr_retry_count, COUNT_MAX_3BIT);
	req->flow_control = param->rdma.flow_control != 0;
	req->srq = param->rdma.srq != 0;
	req->ack_timeout = conn->ack_timeout;
	req->path_mtu = conn->path_mtu;
	req->traffic_class = id->options.tos;
	req->ece = ece_to_wire(&id->local_ece);
	memcpy(req->private_data, param->private_data, PRIVATE_REQ);
}

static int find_service(const struct cm_id *id, struct peer **peer)
{
	struct host_place place;
	uint32_t handle;
	int err = registry_find_listener(&id->rdma.route.addr.dst_addr, id->rdma.ps,
	                                 &place, &handle);

	return err ? err : peer_get(place.slot, place.generation, peer);
}

int conn_reach_service(struct cm_id *id)
{
	struct peer *peer;
	int err;

	if (id->stage != ID_ROUTE_RESOLVED)
		return -EINVAL;
	err = find_service(id, &peer);
	if (err == -ESRCH)
		err = -ENOENT;
	if (!err) {
		err = conn_open(&id->conn, peer, 0);
		if (err)
			peer_put(peer);
	}
	if (!err || err == -ENOENT)
		id->stage = ID_CONNECT;
	return err;
}

int conn_connect(struct cm_id *id, const struct conn_param *param)
{
	struct conn *conn = &id->conn;
	int err;

	/* A target is only ever connected to. */
	if (id->rdma.qp_type == IBV_QPT_XRC_RECV)
		return -EINVAL;
	err = conn_reach_service(id);
	if (err == -ENOENT) {
		reject_self(conn, REJECT_INVALID_SERVICE_ID);
		return 0;
	}
	if (err)
		return err;
	conn->local_qpn = param->rdma.qp_num & PSN_MASK;
	conn->responder_resources = param->rdma.responder_resources;
	conn->initiator_depth = param->rdma.initiator_depth;
	conn->retry_count = at_most(param->rdma.retry_count, COUNT_MAX_3BIT);
	conn->ack_timeout = id->options.ack_timeout;
	conn->path_mtu = device_mtu(device_of(conn_id(conn)->rdma.verbs));
	fill_request(id, param);
	conn_send_until_answer(conn, CONN_REQ_SENT);
	return 0;
}

int conn_accept(struct cm_id *id, const struct conn_param *param)
{
	struct conn *conn = &id->conn;
	struct message_rep *rep = &conn->sent.rep;

	if (conn->state != CONN_REQ_RCVD)
		return -EINVAL;
	conn->local_qpn = param->rdma.qp_num & PSN_MASK;
	conn->responder_resources = param->rdma.responder_resources;
	conn->initiator_depth = param->rdma.initiator_depth;
	conn->sent = (struct message){ .kind = MESSAGE_REP };
	rep->qpn = conn->local_qpn;
	rep->psn = conn->rq_psn;
	rep->responder_resources = conn->responder_resources;
	rep->initiator_depth = conn->initiator_depth;
	rep->rnr_retry_count = at_most(param->rdma.rnr_retry_count, COUNT_MAX_3BIT);
	rep->flow_control = param->rdma.flow_control != 0;
	rep->srq = param->rdma.srq != 0;
	rep->ece = ece_to_wire(&id->local_ece);
	memcpy(rep->private_data, param->private_data, PRIVATE_REP);
	conn_send_until_answer(conn, CONN_REP_SENT);
	return 0;
}

int conn_reject(struct cm_id *id, enum reject_reason reason, const uint8_t *data,
                uint8_t length)
{
	struct conn *conn = &id->conn;

	if (conn->state != CONN_REQ_RCVD && conn->state != CONN_REP_SENT &&
	    conn->state != CONN_REP_RCVD)
		return -EINVAL;
	send_reject(conn, reason, data, length);
	conn_close(conn);
	return 0;
}

int conn_establish(struct cm_id *id)
{
	struct conn *conn = &id->conn;

	if (conn->state != CONN_REP_RCVD)
		return -EINVAL;
	conn_send(conn, MESSAGE_RTU);
	conn->state = CONN_ESTABLISHED;
	return 0;
}

int conn_disconnect(struct cm_id *id, bool *told)
{
	struct conn *conn = &id->conn;

	*told = true;
	switch (conn->state) {
	case CONN_NONE: return -EINVAL;
	case CONN_ESTABLISHED:
	case CONN_REP_SENT:
		*told = false;
		conn->sent = (struct message){
			.kind = MESSAGE_DREQ,
			.dreq.qpn = conn->remote_qpn,
		};
		conn_send_until_answer(conn, CONN_DREQ_SENT);
		return 0;
	case CONN_DREQ_RCVD:
		conn_send(conn, MESSAGE_DREP);
		conn_enter_timewait(conn);
		return 0;
	case CONN_DREQ_SENT: *told = false; return 0;
	default: return 0;
	}
}

int conn_data_came(struct cm_id *id)
{
	struct conn *conn = &id->conn;

	if (conn->state == CONN_ESTABLISHED)
		return -EISCONN;
	if (conn->state != CONN_REP_SENT)
		return -EINVAL;
	conn_answered(conn);
	conn->state = CONN_ESTABLISHED;
	event_raise(id, RDMA_CM_EVENT_ESTABLISHED, 0);
	return 0;
}
