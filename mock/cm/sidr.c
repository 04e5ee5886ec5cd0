/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Service ID resolution (IBA 12.11): for datagrams there is no connection, but a
 * question, which queue pair serves, and an answer.
 */
#include <errno.h>
#include <string.h>
#include "cm/addr.h"
#include "cm/conn.h"
#include "cm/id.h"
#include "cm/qp.h"
#include "cm/send.h"
#include "object/qp.h"

/*
 * The one who asks
 */

void sidr_fail(struct conn *conn, int status)
{
	conn_close(conn);
	event_raise(conn_id(conn), RDMA_CM_EVENT_UNREACHABLE, status);
}

static void fill_question(struct cm_id *id, const struct conn_param *param)
{
	struct mad_sidr_req *req = &id->conn.sent.sidr_req;

	id->conn.sent = (struct mad){ .kind = MAD_SIDR_REQ, .tid = id->conn.tid };
	conn_fill_route(id, &req->route);
	req->pkey = MAD_PKEY;
	memcpy(req->private_data, param->private_data, PRIVATE_SIDR_REQ);
}

int sidr_connect(struct cm_id *id, const struct conn_param *param)
{
	struct conn *conn = &id->conn;
	int err = conn_reach_service(id);

	if (err == -ENOENT) {
		sidr_fail(conn, SIDR_NOT_SUPPORTED);
		return 0;
	}
	if (err)
		return err;
	fill_question(id, param);
	conn_send_until_answer(conn, CONN_SIDR_REQ_SENT);
	return 0;
}

static void raise_answer(struct conn *conn, const struct mad_sidr_rep *rep)
{
	struct cm_id *id = conn_id(conn);
	struct cm_event *event = event_new(id, RDMA_CM_EVENT_ESTABLISHED, 0);

	if (!event)
		return;
	event->rdma.param.ud = (struct rdma_ud_param){
		.qp_num = rep->qpn,
		.qkey = rep->qkey,
	};
	event_set_private(event, rep->private_data, PRIVATE_SIDR_REP);
	event->rdma.status = id_path_attr(id, &event->rdma.param.ud.ah_attr);
	if (event->rdma.status)
		event->rdma.event = RDMA_CM_EVENT_ADDR_ERROR;
	event_queue(event);
}

static void raise_refusal(struct conn *conn, const struct mad_sidr_rep *rep)
{
	struct cm_event *event =
	        event_new(conn_id(conn), RDMA_CM_EVENT_UNREACHABLE, (int)rep->status);

	if (!event)
		return;
	event_set_private(event, rep->private_data, PRIVATE_SIDR_REP);
	event_queue(event);
}

void sidr_on_rep(const struct far *from, struct conn *conn, const struct mad *message)
{
	const struct mad_sidr_rep *rep = &message->sidr_rep;

	(void)from;
	if (!conn || conn->state != CONN_SIDR_REQ_SENT || rep->qpn > PSN_MASK)
		return;
	conn_answered(conn);
	if (rep->status != SIDR_VALID) {
		conn->state = CONN_CLOSED;
		raise_refusal(conn, rep);
		return;
	}
	conn->state = CONN_SIDR_ANSWERED;
	conn->remote_qpn = rep->qpn;
	conn->qkey = rep->qkey;
	raise_answer(conn, rep);
}

/*
 * The one who answers
 */

void sidr_on_req(const struct far *from, struct conn *conn, const struct mad *message)
{
	if (!conn)
		listen_request(from, message);
	else if (conn->sent.kind == MAD_SIDR_REP)
		message_send(&conn->far, &conn->sent);
}

/* Sent once: whoever misses it asks again. */
static int answer(struct conn *conn, enum conn_state state, const uint8_t *data,
                  uint8_t length)
{
	if (length)
		memcpy(conn->sent.sidr_rep.private_data, data, length);
	conn->sent.tid = conn->tid;
	conn->sent.local_id = conn->local_id;
	conn->sent.remote_id = conn->remote_id;
	conn->sent.sidr_rep.service_id = addr_service_id(
	        conn_id(conn)->rdma.ps, &conn_id(conn)->rdma.route.addr.src_addr);
	conn->state = state;
	message_deliver(&conn->far, &conn->sent);
	return 0;
}

int sidr_accept(struct cm_id *id, const struct conn_param *param)
{
	struct conn *conn = &id->conn;

	if (conn->state != CONN_SIDR_REQ_RCVD)
		return -EINVAL;
	conn->local_qpn = param->rdma.qp_num & PSN_MASK;
	conn->qkey = RDMA_UDP_QKEY;
	conn->sent = (struct mad){
		.kind = MAD_SIDR_REP,
		.sidr_rep = { .status = SIDR_VALID,
		              .qpn = conn->local_qpn,
		              .qkey = conn->qkey },
	};
	return answer(conn, CONN_SIDR_ANSWERED, param->private_data, PRIVATE_SIDR_REP);
}

int sidr_reject(struct cm_id *id, const uint8_t *data, uint8_t length)
{
	struct conn *conn = &id->conn;

	if (conn->state != CONN_SIDR_REQ_RCVD)
		return -EINVAL;
	conn->sent = (struct mad){
		.kind = MAD_SIDR_REP,
		.sidr_rep.status = SIDR_REJECTED,
	};
	return answer(conn, CONN_CLOSED, data, length);
}

void sidr_refuse(const struct far *to, const struct mad *about, enum sidr_status status)
{
	struct mad message = {
		.kind = MAD_SIDR_REP,
		.tid = about->tid,
		.local_id = about->remote_id,
		.remote_id = about->local_id,
		.sidr_rep = { .status = (uint8_t)status,
		              .service_id = about->sidr_req.route.service_id },
	};

	message_deliver(to, &message);
}
