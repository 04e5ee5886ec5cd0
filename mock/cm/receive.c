/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a message does to a connection: a function for each kind, of which each names the
 * states that it means something in. Whatever else comes is a repetition or a mistake,
 * and changes nothing.
 */
#include <string.h>
#include "base/log.h"
#include "cm/conn.h"
#include "cm/id.h"
#include "cm/send.h"
#include "object/qp.h"

/* The sender, and the connection that the message names; NULL when there is none. */
typedef void receiver(struct peer *from, struct conn *conn,
                      const struct message *message);

static void on_req(struct peer *from, struct conn *conn, const struct message *message)
{
	if (!conn) {
		listen_request(from, message);
		return;
	}
	switch (conn->state) {
	case CONN_REP_SENT: message_send(conn->peer, &conn->sent); break;
	case CONN_TIMEWAIT: reject_message(from, message, REJECT_STALE_CONNECTION); break;
	default: break;
	}
}

static void take_rep(struct conn *conn, const struct message *message)
{
	const struct message_rep *rep = &message->rep;

	conn->remote_id = message->local_id;
	conn->remote_qpn = rep->qpn & PSN_MASK;
	conn->sq_psn = rep->psn & PSN_MASK;
	/* Each side's limit as initiator is the other's as responder (IBA 12.7.29). */
	conn->responder_resources = rep->initiator_depth;
	conn->initiator_depth = rep->responder_resources;
	conn->rnr_retry_count = rep->rnr_retry_count & COUNT_MAX_3BIT;
	id_take_ece(conn_id(conn), &rep->ece);
}

static void raise_response(struct conn *conn, const struct message_rep *rep)
{
	struct cm_event *event =
	        event_new(conn_id(conn), RDMA_CM_EVENT_CONNECT_RESPONSE, 0);

	if (!event)
		return;
	event->rdma.param.conn = (struct rdma_conn_param){
		.responder_resources = conn->responder_resources,
		.initiator_depth = conn->initiator_depth,
		.flow_control = rep->flow_control,
		.rnr_retry_count = conn->rnr_retry_count,
		.srq = rep->srq,
		.qp_num = conn->remote_qpn,
	};
	event_set_private(event, rep->private_data, PRIVATE_REP);
	event_queue(event);
}

static void on_rep(struct peer *from, struct conn *conn, const struct message *message)
{
	if (!conn) {
		reject_message(from, message, REJECT_INVALID_COMM_ID);
		return;
	}
	switch (conn->state) {
	case CONN_REQ_SENT:
		conn_answered(conn);
		take_rep(conn, message);
		conn->state = CONN_REP_RCVD;
		raise_response(conn, &message->rep);
		break;
	case CONN_ESTABLISHED: conn_send(conn, MESSAGE_RTU); break;
	case CONN_CLOSED: reject_message(from, message, REJECT_INVALID_COMM_ID); break;
	default: break;
	}
}

static void on_rtu(struct peer *from, struct conn *conn, const struct message *message)
{
	(void)from;
	(void)message;
	if (!conn || conn->state != CONN_REP_SENT)
		return;
	conn_answered(conn);
	conn->state = CONN_ESTABLISHED;
	event_raise(conn_id(conn), RDMA_CM_EVENT_ESTABLISHED, 0);
}

static void on_rej(struct peer *from, struct conn *conn, const struct message *message)
{
	(void)from;
	if (!conn)
		return;
	switch (conn->state) {
	case CONN_REQ_SENT:
	case CONN_REQ_RCVD:
	case CONN_REP_SENT:
	case CONN_REP_RCVD: conn_rejected(conn, message); break;
	default: break;
	}
}

/* IBA 12.9.8.3.2: a DREQ for a connection that is no more is answered all the same. */
static void answer_dreq(struct peer *from, const struct message *message)
{
	struct conn gone = {
		.peer = from,
		.local_id = message->remote_id,
		.remote_id = message->local_id,
	};

	conn_send(&gone, MESSAGE_DREP);
}

static void on_dreq(struct peer *from, struct conn *conn, const struct message *message)
{
	if (!conn) {
		answer_dreq(from, message);
		return;
	}
	if (message->dreq.qpn != conn->local_qpn)
		return;
	switch (conn->state) {
	case CONN_REP_SENT:
	case CONN_REP_RCVD:
	case CONN_ESTABLISHED:
		conn_answered(conn);
		conn->state = CONN_DREQ_RCVD;
		conn_disconnected(conn);
		break;
	case CONN_DREQ_SENT: /* both at once: each answers the other */
		conn_send(conn, MESSAGE_DREP);
		conn_disconnected(conn);
		conn_enter_timewait(conn);
		break;
	case CONN_TIMEWAIT:
	case CONN_CLOSED: conn_send(conn, MESSAGE_DREP); break;
	default: break;
	}
}

static void on_drep(struct peer *from, struct conn *conn, const struct message *message)
{
	(void)from;
	(void)message;
	if (!conn || conn->state != CONN_DREQ_SENT)
		return;
	conn_disconnected(conn);
	conn_enter_timewait(conn);
}

static receiver *const receivers[MESSAGE_KINDS] = {
	[MESSAGE_REQ] = on_req,           [MESSAGE_REP] = on_rep,
	[MESSAGE_RTU] = on_rtu,           [MESSAGE_REJ] = on_rej,
	[MESSAGE_DREQ] = on_dreq,         [MESSAGE_DREP] = on_drep,
	[MESSAGE_SIDR_REQ] = sidr_on_req, [MESSAGE_SIDR_REP] = sidr_on_rep,
};

/* Whether a connection with that process is what the message speaks of. */
static bool belongs(const struct conn *conn, const struct message *message)
{
	return conn && conn->peer->slot == message->slot &&
	       conn->peer->generation == message->generation &&
	       (!conn->remote_id || !message->local_id ||
	        conn->remote_id == message->local_id);
}

/* A message names its receiver's id, unless its sender cannot know it. */
static struct conn *find(const struct message *message)
{
	struct conn *conn;

	if (message->kind == MESSAGE_REQ || !message->remote_id)
		return message->local_id
		               ? conn_find_remote(message->slot, message->generation,
		                                  message->local_id)
		               : NULL;
	conn = conn_find(message->remote_id);
	return belongs(conn, message) ? conn : NULL;
}

static bool is_whole(const struct peer *from, const struct message *message,
                     uint32_t length)
{
	if (length != sizeof(*message) || message->kind >= MESSAGE_KINDS)
		return false;
	return !from ||
	       (from->slot == message->slot && from->generation == message->generation);
}

void messages_receive(struct peer *from, const void *body, uint32_t length)
{
	const struct message *message = body;
	struct conn *conn;

	if (!is_whole(from, message, length)) {
		mock_warn("a message to the connection manager makes no sense and is "
		          "dropped");
		return;
	}
	cm_enter();
	conn = find(message);
	/* Whose process is gone has no use for an answer; what it said of a connection
	 * counts. */
	if (conn || from)
		receivers[message->kind](from ? from : conn->peer, conn, message);
	cm_leave();
}
