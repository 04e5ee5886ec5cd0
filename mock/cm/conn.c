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
#include "object/qp.h"

enum {
	NS_PER_MS = 1000000,
	BUSY_MS = 10,         /* to a peer whose inbox is full */
	ACK_UNIT_NS = 4096,   /* IBA 12.7.34, 12.7.23 */
	SERVICE_TIMEOUT = 24, /* of an MRA: 69 s, as the kernel's rdma_cm says */
	FAREWELLS = 3,
};

struct cm_id *conn_id(struct conn *conn)
{
	return container_of(conn, struct cm_id, conn);
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
	conn->busy = message_send(&conn->far, &conn->sent) == -EAGAIN;
	wait_until(conn, conn->busy ? BUSY_MS * NS_PER_MS : conn->response_timeout);
}

void conn_send_until_answer(struct conn *conn, enum conn_state state)
{
	conn->state = state;
	conn->sent.local_id = conn->local_id;
	conn->sent.remote_id = conn->remote_id;
	conn->retries = conn->max_retries;
	send_again(conn);
}

void conn_ask_patience(struct conn *conn, enum mad_about about)
{
	const struct mad message = {
		.kind = MAD_MRA,
		.tid = conn->tid,
		.local_id = conn->local_id,
		.remote_id = conn->remote_id,
		.mra = { .about = (uint8_t)about, .service_timeout = SERVICE_TIMEOUT },
	};

	message_send(&conn->far, &message);
}

void conn_be_patient(struct conn *conn, uint8_t service_timeout)
{
	conn->busy = false;
	wait_until(conn,
	           ((uint64_t)ACK_UNIT_NS << service_timeout) + conn->response_timeout);
}

/* The smallest 4.096 us * 2^n that is not less. */
static uint8_t timeout_exponent(uint64_t ns)
{
	uint8_t exponent = 0;

	while (exponent < TIMEOUT_MAX && (uint64_t)ACK_UNIT_NS << exponent < ns)
		exponent++;
	return exponent;
}

/* What has no answer is sent again when the message that it answers is. */
void conn_send(struct conn *conn, enum mad_kind kind)
{
	struct mad message = {
		.kind = kind,
		.tid = kind == MAD_DREP ? conn->dreq_tid : conn->tid,
		.local_id = conn->local_id,
		.remote_id = conn->remote_id,
	};

	message_deliver(&conn->far, &message);
}

/* What a REJ is about: what came last, if there is no answer yet. */
static enum mad_about received(const struct conn *conn)
{
	switch (conn->state) {
	case CONN_REQ_RCVD: return MAD_ABOUT_REQ;
	case CONN_REP_RCVD: return MAD_ABOUT_REP;
	default: return MAD_ABOUT_OTHER;
	}
}

/* Kept: it is sent again when what it answers comes again. */
static void send_reject(struct conn *conn, enum reject_reason reason, const uint8_t *data,
                        uint8_t length)
{
	conn->sent = (struct mad){
		.kind = MAD_REJ,
		.tid = conn->tid,
		.local_id = conn->local_id,
		.remote_id = conn->remote_id,
		.rej = { .about = (uint8_t)received(conn), .reason = (uint16_t)reason },
	};
	if (length)
		memcpy(conn->sent.rej.private_data, data, length);
	message_deliver(&conn->far, &conn->sent);
}

static enum mad_about kind_about(const struct mad *message)
{
	switch (message->kind) {
	case MAD_REQ: return MAD_ABOUT_REQ;
	case MAD_REP: return MAD_ABOUT_REP;
	default: return MAD_ABOUT_OTHER;
	}
}

void reject_message(const struct far *to, const struct mad *about,
                    enum reject_reason reason)
{
	struct mad message = {
		.kind = MAD_REJ,
		.tid = about->tid,
		.local_id = about->remote_id,
		.remote_id = about->local_id,
		.rej = { .about = (uint8_t)kind_about(about),
		         .reason = (uint16_t)reason },
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

void conn_rejected(struct conn *conn, const struct mad *message)
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
	const struct mad message = { .rej.reason = (uint16_t)reason };

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
	list_init(&conn->qpn_node);
	timer_init(&conn->timer, on_timer);
}

int conn_open(struct conn *conn, struct far *far, uint32_t remote_id)
{
	int err;

	if (far->peer && !far->peer->self) {
		err = peer_watch(&conn->watch, far->peer, on_peer_lost);
		if (err)
			return err;
		conn->watched = true;
	}
	conn->far = *far;
	conn->remote_id = remote_id;
	conns_add(conn);
	conn->tid = random_u64();
	conn->rq_psn = random_u32() & PSN_MASK;
	conn->response_timeout = NS_PER_MS * settings()->cm_response_timeout_ms;
	conn->max_retries = (uint8_t)settings()->cm_retries;
	return 0;
}

static void send_dreq(struct conn *conn)
{
	conn->sent = (struct mad){
		.kind = MAD_DREQ,
		.tid = random_u64(),
		.dreq.qpn = conn->remote_qpn,
	};
	conn_send_until_answer(conn, CONN_DREQ_SENT);
}

void conn_gone_stale(struct conn *conn)
{
	if (conn->state == CONN_ESTABLISHED || conn->state == CONN_REP_SENT) {
		conn_answered(conn);
		send_dreq(conn);
	}
}

/*
 * Nobody will be there to repeat it, and a peer that misses it waits for ever: so it is
 * said several times where it may get lost. A DREQ that comes again is only answered
 * again.
 */
static void say_farewell(const struct conn *conn)
{
	for (int i = 1; i < FAREWELLS && conn->far.carrier->loses; i++)
		message_send(&conn->far, &conn->sent);
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
		send_dreq(conn);
		say_farewell(conn);
		break;
	case CONN_DREQ_SENT: say_farewell(conn); break;
	case CONN_DREQ_RCVD: conn_send(conn, MAD_DREP); break;
	case CONN_SIDR_REQ_RCVD: sidr_reject(id, NULL, 0); break;
	default: break;
	}
	conn_close(conn);
	conns_remove(conn);
}

void conn_release(struct conn *conn)
{
	timer_cancel_sync(&conn->timer);
	if (conn->watched)
		peer_unwatch(&conn->watch);
	far_drop(&conn->far);
}

/*
 * The consumer's calls
 */

void conn_fill_route(const struct cm_id *id, struct mad_route *route)
{
	const struct rdma_addr *addr = &id->rdma.route.addr;

	route->service_id = addr_service_id(id->rdma.ps, &addr->dst_addr);
	route->ip_version = addr_to_wire(&addr->src_addr, route->source_ip);
	addr_to_wire(&addr->dst_addr, route->destination_ip);
	route->source_port = addr_port(&addr->src_addr);
}

static struct mad_ece ece_to_wire(const struct ibv_ece *ece)
{
	return (struct mad_ece){ ece->vendor_id, ece->options };
}

static uint8_t at_most(uint8_t value, uint8_t most)
{
	return value < most ? value : most;
}

/* RoCE has no LIDs, and its one partition is the default one. */
static void fill_path(const struct cm_id *id, struct mad_path *path)
{
	path->local_lid = path->remote_lid = MAD_LID_NONE;
	memcpy(path->local_gid, &id->path.sgid, sizeof(path->local_gid));
	memcpy(path->remote_gid, &id->path.dgid, sizeof(path->remote_gid));
	path->flow_label = be32toh(id->path.flow_label);
	path->rate = id->path.rate;
	path->traffic_class = id->path.traffic_class;
	path->hop_limit = id->path.hop_limit;
	path->ack_timeout = id->conn.ack_timeout;
}

static void fill_transport(enum ibv_qp_type type, struct mad_req *req)
{
	switch (type) {
	case IBV_QPT_UC: req->transport = MAD_UC; break;
	case IBV_QPT_XRC_SEND:
		req->transport = MAD_EXTENDED;
		req->extended_transport = MAD_EXTENDED_XRC;
		break;
	default: req->transport = MAD_RC; break;
	}
}

static void fill_request(struct cm_id *id, const struct conn_param *param)
{
	struct conn *conn = &id->conn;
	struct mad_req *req = &conn->sent.req;
	uint64_t guid = device_guid(device_of(id->rdma.verbs));

	conn->sent = (struct mad){ .kind = MAD_REQ, .tid = conn->tid };
	conn_fill_route(id, &req->route);
	fill_transport(id->rdma.qp_type, req);
	fill_path(id, &req->primary);
	memcpy(req->guid, &guid, sizeof(req->guid));
	req->qpn = conn->local_qpn;
	req->psn = conn->rq_psn;
	req->responder_resources = param->rdma.responder_resources;
	req->initiator_depth = param->rdma.initiator_depth;
	req->retry_count = conn->retry_count;
	req->rnr_retry_count = at_most(param->rdma.rnr_retry_count, COUNT_MAX_3BIT);
	req->flow_control = param->rdma.flow_control != 0;
	req->srq = param->rdma.srq != 0;
	req->pkey = MAD_PKEY;
	req->path_mtu = conn->path_mtu;
	req->local_timeout = timeout_exponent(conn->response_timeout);
	req->remote_timeout = req->local_timeout;
	req->max_cm_retries = conn->max_retries;
	req->ece = ece_to_wire(&id->local_ece);
	memcpy(req->private_data, param->private_data, PRIVATE_REQ);
}

int conn_reach_service(struct cm_id *id)
{
	struct far far;
	int err;

	if (id->stage != ID_ROUTE_RESOLVED)
		return -EINVAL;
	err = far_of_service(id, &far);
	if (!err) {
		err = conn_open(&id->conn, &far, 0);
		if (err)
			far_drop(&far);
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
	conn->path_mtu = addr_mtu(id, &conn->far);
	fill_request(id, param);
	conn_send_until_answer(conn, CONN_REQ_SENT);
	return 0;
}

int conn_accept(struct cm_id *id, const struct conn_param *param)
{
	struct conn *conn = &id->conn;
	struct mad_rep *rep = &conn->sent.rep;
	uint64_t guid;

	if (conn->state != CONN_REQ_RCVD)
		return -EINVAL;
	guid = device_guid(device_of(id->rdma.verbs));
	conn->local_qpn = param->rdma.qp_num & PSN_MASK;
	conn->responder_resources = param->rdma.responder_resources;
	conn->initiator_depth = param->rdma.initiator_depth;
	conn->sent = (struct mad){ .kind = MAD_REP, .tid = conn->tid };
	memcpy(rep->guid, &guid, sizeof(rep->guid));
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
	conn_send(conn, MAD_RTU);
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
		send_dreq(conn);
		return 0;
	case CONN_DREQ_RCVD:
		conn_send(conn, MAD_DREP);
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
