/* SPDX-License-Identifier: BSD-2-Clause */
#include "cm/call.h"

#include <errno.h>
#include <string.h>
#include "cm/addr.h"
#include "cm/lookup.h"
#include "cm/multicast.h"
#include "cm/qp.h"
#include "host/settings.h"
#include "object/device.h"
#include "object/gid.h"
#include "object/qp.h"

enum { RETRY_DEFAULT = 7 };

int call_complete(struct cm_id *id)
{
	const struct rdma_cm_event *event;
	struct cm_event *got;
	int err;

	if (!id->sync)
		return 0;
	id_drop_event(id);
	err = event_deliver(to_cm_channel(id->rdma.channel), &got);
	if (err)
		return err;
	id->rdma.event = &got->rdma;
	event = &got->rdma;
	if (event->event == RDMA_CM_EVENT_REJECTED ||
	    (event->event == RDMA_CM_EVENT_UNREACHABLE && event->status > 0))
		return -ECONNREFUSED;
	return event->status < 0 ? event->status : -event->status;
}

/*
 * What was asked for is under way. An id that is not synchronous may be gone by now:
 * another thread had the event that came of it, and destroyed the id.
 */
static int under_way(struct cm_id *id, bool sync, int err)
{
	return err || !sync ? err : call_complete(id);
}

int call_resolve_addr(struct cm_id *id, const struct sockaddr *src,
                      const struct sockaddr *dst)
{
	bool sync = id->sync;

	return under_way(id, sync, addr_resolve(id, src, dst));
}

int call_resolve_route(struct cm_id *id)
{
	bool sync = id->sync;

	return under_way(id, sync, addr_resolve_route(id));
}

int call_resolve_addrinfo(struct cm_id *id, const char *node, const char *service,
                          const struct rdma_addrinfo *hints)
{
	bool sync = id->sync;

	return under_way(id, sync, lookup_start(id, node, service, hints));
}

/* What a limit means: the device's most, if the program asks for that. */
static int limit(uint8_t asked, uint8_t *limit)
{
	_Static_assert(RDMA_MAX_RESP_RES == RDMA_MAX_INIT_DEPTH, "one value for both");

	if (asked != RDMA_MAX_RESP_RES && asked > settings()->max_rd_atomic)
		return -EINVAL;
	*limit = asked == RDMA_MAX_RESP_RES ? (uint8_t)settings()->max_rd_atomic : asked;
	return 0;
}

static int limits(struct conn_param *param)
{
	int err =
	        limit(param->rdma.responder_resources, &param->rdma.responder_resources);

	return err ? err
	           : limit(param->rdma.initiator_depth, &param->rdma.initiator_depth);
}

static int copy_private(struct conn_param *to, const void *data, uint8_t length,
                        uint8_t most)
{
	if (length > most || (length && !data))
		return -EINVAL;
	if (length)
		memcpy(to->private_data, data, length);
	return 0;
}

/* The parameters, with what a queue pair on the id says for itself; NULL: defaults. */
static int copy_param(const struct cm_id *id, const struct rdma_conn_param *from,
                      uint8_t private_most, struct conn_param *to)
{
	const struct ibv_qp *qp = id->rdma.qp;
	int err = 0;

	*to = (struct conn_param){ 0 };
	if (!from && !qp)
		return -EINVAL;
	if (from) {
		to->rdma = *from;
		err = copy_private(to, from->private_data, from->private_data_len,
		                   private_most);
	} else {
		to->rdma.retry_count = to->rdma.rnr_retry_count = RETRY_DEFAULT;
		to->rdma.responder_resources = RDMA_MAX_RESP_RES;
		to->rdma.initiator_depth = RDMA_MAX_INIT_DEPTH;
	}
	to->rdma.private_data = NULL;
	if (qp) {
		to->rdma.qp_num = qp->qp_num;
		to->rdma.srq = qp->srq != NULL;
	}
	return err;
}

int call_connect(struct cm_id *id, const struct rdma_conn_param *param)
{
	bool datagram = id_is_datagram(id), sync = id->sync;
	struct conn_param full;
	int err = copy_param(id, param, datagram ? PRIVATE_SIDR_REQ : PRIVATE_REQ, &full);

	if (!err && !datagram)
		err = limits(&full);
	if (err)
		return err;
	gid_refresh_old();
	err = id_lock(id);
	if (err)
		return err;
	err = datagram ? sidr_connect(id, &full) : conn_connect(id, &full);
	cm_leave();
	return under_way(id, sync, err);
}

static uint8_t lesser(uint8_t a, uint8_t b)
{
	return a < b ? a : b;
}

/* As much as both the requester asks for and the device has, unless the program says how
 * much. */
static int accept_limits(const struct cm_id *id, struct conn_param *full)
{
	bool all = full->rdma.responder_resources == RDMA_MAX_RESP_RES;
	bool deep = full->rdma.initiator_depth == RDMA_MAX_INIT_DEPTH;
	int err = limits(full);

	if (all)
		full->rdma.responder_resources =
		        lesser(full->rdma.responder_resources, id->responder_resources);
	if (deep)
		full->rdma.initiator_depth =
		        lesser(full->rdma.initiator_depth, id->initiator_depth);
	return err;
}

static int accept_connection(struct cm_id *id, const struct conn_param *full)
{
	int err = id_lock(id);

	if (err)
		return err;
	err = conn_accept(id, full);
	cm_leave();
	return err;
}

/* The answer is all there is: no event follows. */
static int accept_datagrams(struct cm_id *id, const struct rdma_conn_param *param)
{
	struct conn_param full;
	bool sync = id->sync;
	int err = copy_param(id, param, PRIVATE_SIDR_REP, &full);

	if (!err)
		err = id_lock(id);
	if (err)
		return err;
	err = sidr_accept(id, &full);
	cm_leave();
	if (!err && sync)
		id_drop_event(id);
	return err;
}

/* The queue pair receives before the peer can know that it may send. */
int call_accept(struct cm_id *id, const struct rdma_conn_param *param)
{
	struct conn_param full;
	bool sync = id->sync;
	int err;

	if (id_is_datagram(id))
		return accept_datagrams(id, param);
	err = copy_param(id, param, PRIVATE_REP, &full);
	if (!err)
		err = accept_limits(id, &full);
	if (err)
		return err;
	gid_refresh_old();
	if (id->rdma.qp)
		err = id_qp_ready(id, full.rdma.responder_resources,
		                  full.rdma.initiator_depth);
	if (!err)
		err = accept_connection(id, &full);
	if (err) {
		id_qp_fail(id);
		return err;
	}
	return under_way(id, sync, 0);
}

int call_reject(struct cm_id *id, enum reject_reason reason, const void *data,
                uint8_t length)
{
	bool datagram = id_is_datagram(id);
	struct conn_param copy = { 0 };
	int err = copy_private(&copy, data, length,
	                       datagram ? PRIVATE_SIDR_REP : PRIVATE_REJ);

	if (!err)
		err = id_lock(id);
	if (err)
		return err;
	err = datagram ? sidr_reject(id, copy.private_data, length)
	               : conn_reject(id, reason, copy.private_data, length);
	cm_leave();
	return err;
}

int call_establish(struct cm_id *id)
{
	int err;

	if (id->rdma.qp)
		return -EINVAL; /* it went with the event */
	err = id_lock(id);
	if (err)
		return err;
	err = conn_establish(id);
	cm_leave();
	return err;
}

int call_disconnect(struct cm_id *id)
{
	bool told, sync = id->sync;
	int err = id_lock(id);

	if (err)
		return err;
	err = id->conn.state == CONN_NONE || id_is_datagram(id) ? -EINVAL : 0;
	cm_leave();
	if (!err)
		err = id_qp_fail(id);
	if (err)
		return err;
	cm_enter();
	err = conn_disconnect(id, &told);
	cm_leave();
	return under_way(id, sync && !err && !told, err);
}

int call_join(struct cm_id *id, const struct sockaddr *addr, bool send_only,
              void *context)
{
	bool sync = id->sync;
	int err = multicast_join(id, addr, send_only, context);

	return under_way(id, sync, err);
}

int call_notify(struct cm_id *id, enum ibv_event_type event)
{
	int err;

	if (event != IBV_EVENT_COMM_EST)
		return -EINVAL;
	err = id_lock(id);
	if (err)
		return err;
	err = conn_data_came(id);
	cm_leave();
	return err;
}
