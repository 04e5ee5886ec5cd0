/* SPDX-License-Identifier: BSD-2-Clause */
#include "session/cm.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <rdma/rdma_cma.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "session/device.h"
#include "session/error.h"
#include "session/verbs_endpoint.h"

#define BACKLOG 128

/* Of a worker. */
struct cm {
	struct srdma_worker *worker;
	struct rdma_event_channel *channel;
	struct source events;
	struct rdma_cm_id *listeners[2]; /* IPv4, IPv6; NULL until asked for */
	struct list waiting;             /* handshakes of sessions */
};

/* What is left of an event once it was acknowledged. */
struct cm_event {
	struct rdma_cm_id *id;
	enum rdma_cm_event_type type;
	int status;
	uint32_t qpn;
	uint8_t data[FRAME_TOKEN];
	size_t data_length;
};

static void cm_ready(struct source *source, uint32_t events);

static int cm_get(struct srdma_worker *worker, struct cm **out)
{
	struct cm *cm = worker->cm;
	int error;

	if (cm) {
		*out = cm;
		return 0;
	}
	cm = calloc(1, sizeof(*cm));
	if (!cm)
		return fail(SRDMA_ENOMEM, "out of memory for the connection manager");
	cm->worker = worker;
	cm->events = (struct source){ -1, cm_ready };
	list_init(&cm->waiting);
	cm->channel = rdma_create_event_channel();
	if (!cm->channel) {
		error = fail(
		        SRDMA_ESYSTEM,
		        "the connection manager is not available (%s): load rdma_ucm, or "
		        "connect by 'direct'",
		        errno_text(errno));
		goto free;
	}
	cm->events.fd = cm->channel->fd;
	if (fcntl(cm->channel->fd, F_SETFL, O_NONBLOCK)) {
		error = fail(SRDMA_ESYSTEM, "cannot make a channel non-blocking: %s",
		             errno_text(errno));
		goto free;
	}
	error = worker_watch(worker, &cm->events, POLLER_IN);
	if (error)
		goto free;
	worker->cm = cm;
	*out = cm;
	return 0;

free:
	cm_free(cm);
	return error;
}

void cm_free(struct cm *cm)
{
	if (!cm)
		return;
	worker_unwatch(cm->worker, &cm->events);
	for (int i = 0; i < 2; i++)
		device_destroy_id(cm->listeners[i]);
	if (cm->channel)
		rdma_destroy_event_channel(cm->channel);
	if (cm->worker->cm == cm)
		cm->worker->cm = NULL;
	free(cm);
}

void cm_release(struct srdma_session *session)
{
	struct rdma_cm_id *id = session->cm_id;

	if (session->handshake)
		list_remove(&session->handshake->cm_waiting);
	if (!id)
		return;
	session->cm_id = NULL;
	if (session->cm_connected)
		rdma_disconnect(id);
	device_destroy_id(id);
}

/*
 * The queue pair
 */

static int step(struct srdma_session *session, enum ibv_qp_state state, uint8_t reads)
{
	struct ibv_qp_attr attr = { .qp_state = state };
	const uint64_t *number = session->worker->options.number;
	int mask;

	if (rdma_init_qp_attr(session->cm_id, &attr, &mask))
		return fail(SRDMA_ESYSTEM,
		            "the connection manager has no attributes for %s: %s",
		            session->name, errno_text(errno));
	if (state == IBV_QPS_RTR)
		attr.max_dest_rd_atomic = reads;
	if (state == IBV_QPS_RTS) {
		attr.max_rd_atomic = reads;
		attr.timeout = (uint8_t)number[SRDMA_OPT_ACK_TIMEOUT];
		attr.retry_cnt = (uint8_t)number[SRDMA_OPT_RETRY_COUNT];
		attr.rnr_retry = 7;
	}
	return verbs_step(to_verbs(session->endpoint), &attr, mask);
}

static uint8_t lesser(uint8_t a, uint8_t b)
{
	return a < b ? a : b;
}

/* The QP is in INIT already, for its receives. */
static int bring_up(struct srdma_session *session)
{
	const struct frame_endpoint *peer = &session->handshake->peer.endpoint;
	uint8_t ours = to_verbs(session->endpoint)->reads;
	int error = step(session, IBV_QPS_RTR, lesser(ours, peer->reads_out));

	return error ? error : step(session, IBV_QPS_RTS, lesser(ours, peer->reads_in));
}

static void describe(struct srdma_session *session, struct rdma_conn_param *param)
{
	*param = (struct rdma_conn_param){
		.responder_resources = to_verbs(session->endpoint)->reads,
		.initiator_depth = to_verbs(session->endpoint)->reads,
		.retry_count =
		        (uint8_t)session->worker->options.number[SRDMA_OPT_RETRY_COUNT],
		.rnr_retry_count = 7,
		.srq = verbs_is_shared(to_verbs(session->endpoint)),
		.qp_num = to_verbs(session->endpoint)->qpn,
	};
}

static int check_device(const struct srdma_session *session)
{
	const struct ibv_context *theirs = session->cm_id->verbs;
	const struct ibv_context *ours = to_verbs(session->endpoint)->adapter->verbs;

	if (!theirs ||
	    ibv_get_device_guid(theirs->device) != ibv_get_device_guid(ours->device))
		return fail(SRDMA_ENODEVICE,
		            "the connection manager reaches %s by %s, not by %s: connect "
		            "by an "
		            "address of that device, or by 'direct'",
		            session->name,
		            theirs ? ibv_get_device_name(theirs->device) : "no device",
		            adapter_name(to_verbs(session->endpoint)->adapter));
	return 0;
}

/*
 * The client
 */

static int system_failure(const struct srdma_session *session, const char *what)
{
	return fail(SRDMA_ESYSTEM, "the connection manager cannot %s %s: %s", what,
	            session->name, errno_text(errno));
}

static int timeout_of(const struct srdma_session *session)
{
	return (int)session->worker->options.number[SRDMA_OPT_STEP_TIMEOUT];
}

static void set_port(struct sockaddr_storage *address, uint16_t port)
{
	/* At the same place for both families. */
	((struct sockaddr_in *)address)->sin_port = htons(port);
}

int cm_connect(struct srdma_session *session)
{
	struct sockaddr_storage from = { 0 }, to = { 0 };
	socklen_t from_length = sizeof(from), to_length = sizeof(to);
	struct cm *cm;
	int error = cm_get(session->worker, &cm);

	if (error)
		return error;
	if (!session->handshake->peer.endpoint.cm_port)
		return fail(SRDMA_EPROTOCOL,
		            "%s named no port for the connection manager", session->name);
	if (getsockname(session->socket.fd, (struct sockaddr *)&from, &from_length) ||
	    getpeername(session->socket.fd, (struct sockaddr *)&to, &to_length))
		return system_failure(session, "find the addresses of");
	set_port(&from, 0);
	set_port(&to, session->handshake->peer.endpoint.cm_port);
	session->cm_id = device_create_id(cm->channel, session);
	if (!session->cm_id)
		return system_failure(session, "create an id for");
	if (rdma_resolve_addr(session->cm_id, (struct sockaddr *)&from,
	                      (struct sockaddr *)&to, timeout_of(session)))
		return system_failure(session, "resolve the address of");
	return 0;
}

static int request(struct srdma_session *session)
{
	struct rdma_conn_param param;

	describe(session, &param);
	param.private_data = session->handshake->peer.endpoint.token;
	param.private_data_len = FRAME_TOKEN;
	if (rdma_connect(session->cm_id, &param))
		return system_failure(session, "connect to");
	return 0;
}

static int finish_client(struct srdma_session *session)
{
	int error = bring_up(session);

	if (error)
		return error;
	if (rdma_establish(session->cm_id))
		return system_failure(session, "establish the connection to");
	session->cm_connected = true;
	handshake_cm_done(session);
	return 0;
}

static int client_event(struct srdma_session *session, const struct cm_event *event)
{
	int error;

	switch (event->type) {
	case RDMA_CM_EVENT_ADDR_RESOLVED:
		error = check_device(session);
		if (!error && rdma_resolve_route(session->cm_id, timeout_of(session)))
			error = system_failure(session, "resolve the route to");
		return error;
	case RDMA_CM_EVENT_ROUTE_RESOLVED: return request(session);
	case RDMA_CM_EVENT_CONNECT_RESPONSE: return finish_client(session);
	default:
		return fail(SRDMA_EUNREACHABLE,
		            "the connection manager cannot reach %s: %s (%d)",
		            session->name, rdma_event_str(event->type), event->status);
	}
}

/*
 * The server
 */

static int listen_on(struct cm *cm, int family, struct rdma_cm_id **out)
{
	struct sockaddr_storage any = { .ss_family = (sa_family_t)family };
	struct rdma_cm_id *id = device_create_id(cm->channel, NULL);

	if (!id)
		return fail(SRDMA_ESYSTEM,
		            "cannot create a listener of the connection manager: %s",
		            errno_text(errno));
	if (rdma_bind_addr(id, (struct sockaddr *)&any) || rdma_listen(id, BACKLOG)) {
		int error =
		        fail(SRDMA_ESYSTEM,
		             "cannot listen for the connection manager's requests: %s",
		             errno_text(errno));

		device_destroy_id(id);
		return error;
	}
	*out = id;
	return 0;
}

static int listener_of(struct cm *cm, const struct srdma_session *session,
                       struct rdma_cm_id **out)
{
	const uint8_t *gid = to_verbs(session->endpoint)->gid.gid.raw;
	bool v4 = IN6_IS_ADDR_V4MAPPED((const struct in6_addr *)gid);
	struct rdma_cm_id **listener = &cm->listeners[v4 ? 0 : 1];
	int error = 0;

	if (!*listener)
		error = listen_on(cm, v4 ? AF_INET : AF_INET6, listener);
	if (!error)
		*out = *listener;
	return error;
}

int cm_expect(struct srdma_session *session, uint16_t *port)
{
	struct handshake *handshake = session->handshake;
	struct rdma_cm_id *listener;
	struct cm *cm;
	int error = cm_get(session->worker, &cm);

	if (!error)
		error = listener_of(cm, session, &listener);
	if (error)
		return error;
	if (RAND_bytes(handshake->token, FRAME_TOKEN) != 1)
		return fail(SRDMA_ERANDOM, "the random generator failed: no token drawn");
	list_append(&cm->waiting, &handshake->cm_waiting);
	*port = ntohs(rdma_get_src_port(listener));
	return 0;
}

/* By the token, looked at in constant time, and by the QP that the peer named over TLS.
 */
static struct srdma_session *find(struct cm *cm, const struct cm_event *event)
{
	struct srdma_session *found = NULL;

	if (event->data_length < FRAME_TOKEN)
		return NULL;
	list_for_each (node, &cm->waiting) {
		struct handshake *handshake =
		        container_of(node, struct handshake, cm_waiting);

		if (!CRYPTO_memcmp(event->data, handshake->token, FRAME_TOKEN) &&
		    handshake->peer.endpoint.qpn == event->qpn)
			found = handshake->session;
	}
	return found;
}

static int accept_request(struct srdma_session *session, struct rdma_cm_id *id)
{
	struct rdma_conn_param param;
	int error;

	list_remove(&session->handshake->cm_waiting);
	session->cm_id = id;
	id->context = session;
	error = check_device(session);
	if (!error)
		error = bring_up(session);
	if (error)
		return error;
	describe(session, &param);
	if (rdma_accept(id, &param))
		return system_failure(session, "accept");
	session->cm_connected = true;
	handshake_cm_done(session);
	return 0;
}

static void request_event(struct cm *cm, const struct cm_event *event)
{
	struct srdma_session *session = find(cm, event);
	int error;

	device_adopt_id(event->id);
	if (!session) {
		log_warn("a request of the connection manager without a valid token was "
		         "rejected");
		rdma_reject(event->id, NULL, 0);
		device_destroy_id(event->id);
		return;
	}
	error = accept_request(session, event->id);
	if (error)
		session_fail(session, error);
}

/*
 * Events
 */

static void handle(struct cm *cm, const struct cm_event *event)
{
	struct srdma_session *session = event->id->context;
	int error;

	if (event->type == RDMA_CM_EVENT_CONNECT_REQUEST) {
		request_event(cm, event);
		return;
	}
	/* Once our side of the queue pair is up, TLS alone says how the session goes. */
	if (!session || session->failure || session->phase != PHASE_CM ||
	    !session->client)
		return;
	error = client_event(session, event);
	if (error)
		session_fail(session, error);
}

static void copy_event(const struct rdma_cm_event *from, struct cm_event *to)
{
	size_t length = from->param.conn.private_data_len;

	*to = (struct cm_event){ .id = from->id,
		                 .type = from->event,
		                 .status = from->status };
	if (from->event != RDMA_CM_EVENT_CONNECT_REQUEST)
		return;
	to->qpn = from->param.conn.qp_num;
	if (!from->param.conn.private_data)
		length = 0;
	to->data_length = length < sizeof(to->data) ? length : sizeof(to->data);
	if (to->data_length)
		memcpy(to->data, from->param.conn.private_data, to->data_length);
}

/* Acknowledged before it is handled: destroying an id waits for its acknowledgements. */
static void cm_ready(struct source *source, uint32_t events)
{
	struct cm *cm = container_of(source, struct cm, events);
	struct rdma_cm_event *raw;
	struct cm_event event;

	(void)events;
	while (!rdma_get_cm_event(cm->channel, &raw)) {
		copy_event(raw, &event);
		rdma_ack_cm_event(raw);
		log_debug("connection manager: %s", rdma_event_str(event.type));
		handle(cm, &event);
	}
}
