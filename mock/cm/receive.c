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

/* Where it came from, and the connection that it names; NULL when there is none. */
typedef void receiver(const struct far *from, struct conn *conn,
                      const struct mad *message);

static void on_req(const struct far *from, struct conn *conn, const struct mad *message)
{
	if (!conn) {
		listen_request(from, message);
		return;
	}
	switch (conn->state) {
	/* The consumer has not decided yet (IBA 12.9.8.6). */
	case CONN_REQ_RCVD: conn_ask_patience(conn, MAD_ABOUT_REQ); break;
	case CONN_REP_SENT: message_send(&conn->far, &conn->sent); break;
	case CONN_CLOSED:
		if (conn->sent.kind == MAD_REJ)
			message_send(&conn->far, &conn->sent);
		break;
	case CONN_TIMEWAIT: reject_message(from, message, REJECT_STALE_CONNECTION); break;
	default: break;
	}
}

static void take_rep(struct conn *conn, const struct mad *message)
{
	const struct mad_rep *rep = &message->rep;

	conn->remote_id = message->local_id;
	conns_set_qpn(conn, rep->qpn & PSN_MASK);
	conn->sq_psn = rep->psn & PSN_MASK;
	/* Each side's limit as initiator is the other's as responder (IBA 12.7.29). */
	conn->responder_resources = rep->initiator_depth;
	conn->initiator_depth = rep->responder_resources;
	conn->rnr_retry_count = rep->rnr_retry_count & COUNT_MAX_3BIT;
	id_take_ece(conn_id(conn), &rep->ece);
}

static void raise_response(struct conn *conn, const struct mad_rep *rep)
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

static void on_rep(const struct far *from, struct conn *conn, const struct mad *message)
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
	case CONN_REP_RCVD: conn_ask_patience(conn, MAD_ABOUT_REP); break;
	case CONN_ESTABLISHED: conn_send(conn, MAD_RTU); break;
	case CONN_CLOSED: reject_message(from, message, REJECT_INVALID_COMM_ID); break;
	default: break;
	}
}

static void on_rtu(const struct far *from, struct conn *conn, const struct mad *message)
{
	(void)from;
	(void)message;
	if (!conn || conn->state != CONN_REP_SENT)
		return;
	conn_answered(conn);
	conn->state = CONN_ESTABLISHED;
	event_raise(conn_id(conn), RDMA_CM_EVENT_ESTABLISHED, 0);
}

static void on_rej(const struct far *from, struct conn *conn, const struct mad *message)
{
	(void)from;
	if (!conn)
		return;
	switch (conn->state) {
	case CONN_REQ_SENT:
	case CONN_REQ_RCVD:
	case CONN_REP_SENT:
	case CONN_REP_RCVD:
	/* The one who accepted never heard that the other took it, and gave up. */
	case CONN_ESTABLISHED: conn_rejected(conn, message); break;
	default: break;
	}
}

/* IBA 12.9.8.3.2: a DREQ for a connection that is no more is answered all the same. */
static void answer_dreq(const struct far *from, const struct mad *message)
{
	struct conn gone = {
		.far = *from,
		.dreq_tid = message->tid,
		.local_id = message->remote_id,
		.remote_id = message->local_id,
	};

	conn_send(&gone, MAD_DREP);
}

static void on_dreq(const struct far *from, struct conn *conn, const struct mad *message)
{
	if (!conn) {
		answer_dreq(from, message);
		return;
	}
	if (message->dreq.qpn != conn->local_qpn)
		return;
	conn->dreq_tid = message->tid;
	switch (conn->state) {
	case CONN_REP_SENT:
	case CONN_REP_RCVD:
	case CONN_ESTABLISHED:
		conn_answered(conn);
		conn->state = CONN_DREQ_RCVD;
		conn_disconnected(conn);
		break;
	case CONN_DREQ_SENT: /* both at once: each answers the other */
		conn_send(conn, MAD_DREP);
		conn_disconnected(conn);
		conn_enter_timewait(conn);
		break;
	case CONN_TIMEWAIT:
	case CONN_CLOSED: conn_send(conn, MAD_DREP); break;
	default: break;
	}
}

static void on_drep(const struct far *from, struct conn *conn, const struct mad *message)
{
	(void)from;
	(void)message;
	if (!conn || conn->state != CONN_DREQ_SENT)
		return;
	conn_disconnected(conn);
	conn_enter_timewait(conn);
}

static void on_mra(const struct far *from, struct conn *conn, const struct mad *message)
{
	(void)from;
	if (conn &&
	    ((conn->state == CONN_REQ_SENT && message->mra.about == MAD_ABOUT_REQ) ||
	     (conn->state == CONN_REP_SENT && message->mra.about == MAD_ABOUT_REP)))
		conn_be_patient(conn, message->mra.service_timeout);
}

static receiver *const receivers[MAD_KINDS] = {
	[MAD_REQ] = on_req,   [MAD_MRA] = on_mra,           [MAD_REJ] = on_rej,
	[MAD_REP] = on_rep,   [MAD_RTU] = on_rtu,           [MAD_DREQ] = on_dreq,
	[MAD_DREP] = on_drep, [MAD_SIDR_REQ] = sidr_on_req, [MAD_SIDR_REP] = sidr_on_rep,
};

/* Who refuses may have no id for what it refuses, or have heard of none of ours. What
 * else lacks one is of somebody who cannot know it. */
static bool may_lack_id(const struct mad *message)
{
	return message->kind == MAD_REJ;
}

/* Whether a connection with that far end is what the message speaks of. */
static bool belongs(const struct conn *conn, const struct far *from,
                    const struct mad *message)
{
	return conn && far_same(&conn->far, from) &&
	       (!conn->remote_id || conn->remote_id == message->local_id ||
	        (may_lack_id(message) && !message->local_id));
}

static bool is_request(const struct mad *message)
{
	return message->kind == MAD_REQ || message->kind == MAD_SIDR_REQ;
}

/* A message names its receiver's id, unless its sender cannot know it. No connection has
 * the id 0. */
static struct conn *find(const struct far *from, const struct mad *message)
{
	struct conn *conn;

	if (is_request(message) || (may_lack_id(message) && !message->remote_id))
		return message->local_id ? conn_find_remote(from, message->local_id)
		                         : NULL;
	conn = conn_find(message->remote_id);
	return belongs(conn, from, message) ? conn : NULL;
}

void message_receive(const struct far *from, const struct mad *message)
{
	struct conn *conn;

	cm_enter();
	conn = find(from, message);
	/* Whose process is gone has no use for an answer; what it said of a connection
	 * counts. */
	if (conn || from->carrier != &carrier_inbox || from->peer)
		receivers[message->kind](conn ? &conn->far : from, conn, message);
	cm_leave();
}
