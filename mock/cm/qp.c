/* SPDX-License-Identifier: BSD-2-Clause */
#include "cm/qp.h"

#include <errno.h>
#include "base/log.h"
#include "cm/addr.h"
#include "cm/device.h"
#include "cm/multicast.h"
#include "object/channel.h"
#include "object/cq.h"
#include "object/device.h"
#include "object/group.h"
#include "object/pd.h"
#include "object/srq.h"
#include "object/xrcd.h"
#include "transport/target.h"
#include "transport/transport.h"

/*
 * Attributes
 */

/* Before there is a connection, a queue pair grants nothing. */
static int fill_init(const struct conn *conn, struct ibv_qp_attr *attr)
{
	attr->pkey_index = 0;
	attr->port_num = DEVICE_PORT;
	attr->qp_access_flags = 0;
	if (conn->state != CONN_NONE)
		attr->qp_access_flags = IBV_ACCESS_REMOTE_WRITE;
	if (conn->state != CONN_NONE && conn->responder_resources)
		attr->qp_access_flags |=
		        IBV_ACCESS_REMOTE_READ | IBV_ACCESS_REMOTE_ATOMIC;
	return IBV_QP_STATE | IBV_QP_PKEY_INDEX | IBV_QP_PORT | IBV_QP_ACCESS_FLAGS;
}

int id_path_attr(const struct cm_id *id, struct ibv_ah_attr *attr)
{
	struct gid_entry entry;
	int err = addr_gid(&id->path.sgid, &entry);

	if (err)
		return err;
	*attr = (struct ibv_ah_attr){
		.grh = {
			.dgid = id->path.dgid,
			.sgid_index = device_gid_index(device_of(id->rdma.verbs), &entry),
			.hop_limit = id->path.hop_limit,
			.traffic_class = id->path.traffic_class,
			.flow_label = be32toh(id->path.flow_label),
		},
		.is_global = 1,
		.port_num = DEVICE_PORT,
	};
	return 0;
}

/* What the attributes are for: the queue pair on the id, or the program's own. */
static enum ibv_qp_type type_of(const struct cm_id *id)
{
	return id->rdma.qp ? id->rdma.qp->qp_type : id->rdma.qp_type;
}

static int fill_rtr(const struct cm_id *id, struct ibv_qp_attr *attr)
{
	const struct conn *conn = &id->conn;
	enum ibv_qp_type type = type_of(id);
	int err = id_path_attr(id, &attr->ah_attr);
	int mask = IBV_QP_STATE | IBV_QP_AV | IBV_QP_PATH_MTU | IBV_QP_DEST_QPN |
	           IBV_QP_RQ_PSN;

	if (err)
		return err;
	attr->path_mtu = conn->path_mtu;
	attr->dest_qp_num = conn->remote_qpn;
	attr->rq_psn = conn->rq_psn;
	attr->max_dest_rd_atomic = conn->responder_resources;
	attr->min_rnr_timer = 0; /* 655 ms: the receiver may take its time */
	if (type == IBV_QPT_RC || type == IBV_QPT_XRC_RECV)
		mask |= IBV_QP_MAX_DEST_RD_ATOMIC | IBV_QP_MIN_RNR_TIMER;
	return mask;
}

static int fill_rts(const struct cm_id *id, struct ibv_qp_attr *attr)
{
	const struct conn *conn = &id->conn;
	enum ibv_qp_type type = type_of(id);
	int mask = IBV_QP_STATE | IBV_QP_SQ_PSN;

	attr->sq_psn = conn->sq_psn;
	attr->timeout = conn->ack_timeout;
	attr->retry_cnt = conn->retry_count;
	attr->rnr_retry = conn->rnr_retry_count;
	attr->max_rd_atomic = conn->initiator_depth;
	if (type != IBV_QPT_UC)
		mask |= IBV_QP_TIMEOUT;
	if (type == IBV_QPT_RC || type == IBV_QPT_XRC_SEND)
		mask |= IBV_QP_RETRY_CNT | IBV_QP_RNR_RETRY | IBV_QP_MAX_QP_RD_ATOMIC;
	return mask;
}

/* The key of datagrams, as the kernel's rdma_cm has it; IPoIB's is that of its broadcast
 * group, which RoCE has not. */
static int fill_qkey(const struct cm_id *id, uint32_t *qkey)
{
	if (id->rdma.ps == RDMA_PS_IPOIB) {
		mock_error("RDMA_PS_IPOIB: there is no IPoIB on RoCE: use RDMA_PS_UDP");
		return -EADDRNOTAVAIL;
	}
	*qkey = id->conn.qkey ? id->conn.qkey : RDMA_UDP_QKEY;
	return 0;
}

static int fill_datagram(const struct cm_id *id, struct ibv_qp_attr *attr)
{
	int err;

	switch (attr->qp_state) {
	case IBV_QPS_INIT:
		attr->pkey_index = 0;
		attr->port_num = DEVICE_PORT;
		err = fill_qkey(id, &attr->qkey);
		return err ? err
		           : IBV_QP_STATE | IBV_QP_PKEY_INDEX | IBV_QP_PORT | IBV_QP_QKEY;
	case IBV_QPS_RTR: return IBV_QP_STATE;
	case IBV_QPS_RTS: attr->sq_psn = 0; return IBV_QP_STATE | IBV_QP_SQ_PSN;
	default: return -EINVAL;
	}
}

static bool knows_peer(const struct conn *conn)
{
	return conn->state == CONN_REQ_RCVD || conn->state == CONN_REP_SENT ||
	       conn->state == CONN_REP_RCVD || conn->state == CONN_ESTABLISHED;
}

/* The mask, or -errno. */
static int fill(const struct cm_id *id, struct ibv_qp_attr *attr)
{
	if (!id->rdma.verbs)
		return -EINVAL;
	if (id_is_datagram(id))
		return fill_datagram(id, attr);
	switch (attr->qp_state) {
	case IBV_QPS_INIT: return fill_init(&id->conn, attr);
	case IBV_QPS_RTR: return knows_peer(&id->conn) ? fill_rtr(id, attr) : -EINVAL;
	case IBV_QPS_RTS: return knows_peer(&id->conn) ? fill_rts(id, attr) : -EINVAL;
	default: return -EINVAL;
	}
}

int id_qp_attr(const struct cm_id *id, struct ibv_qp_attr *attr, int *mask)
{
	struct ibv_qp_attr copy = *attr;
	int filled, err = id_lock(id);

	if (err)
		return err;
	filled = fill(id, &copy);
	cm_leave();
	if (filled < 0)
		return filled;
	*attr = copy;
	*mask = filled;
	return 0;
}

/*
 * States
 */

static int move_qp(struct cm_id *id, struct ibv_qp_attr *attr, int mask)
{
	return transport_qp_modify(to_qp(id->rdma.qp), attr, mask);
}

static int to_state(struct cm_id *id, enum ibv_qp_state state)
{
	struct ibv_qp_attr attr = { .qp_state = state };
	int mask, err = id_qp_attr(id, &attr, &mask);

	return err ? err : move_qp(id, &attr, mask);
}

/* As far as a new queue pair goes: that of datagrams needs no peer. */
static int to_first_state(struct cm_id *id)
{
	int err = to_state(id, IBV_QPS_INIT);

	if (!err && id_is_datagram(id))
		err = to_state(id, IBV_QPS_RTR);
	if (!err && id_is_datagram(id))
		err = to_state(id, IBV_QPS_RTS);
	return err;
}

static int to_rtr(struct cm_id *id, uint8_t responder_resources)
{
	struct ibv_qp_attr attr = { .qp_state = IBV_QPS_RTR };
	int mask, err = id_qp_attr(id, &attr, &mask);

	if (err)
		return err;
	if (responder_resources != RDMA_MAX_RESP_RES)
		attr.max_dest_rd_atomic = responder_resources;
	return move_qp(id, &attr, mask);
}

static int to_rts(struct cm_id *id, uint8_t initiator_depth)
{
	struct ibv_qp_attr attr = { .qp_state = IBV_QPS_RTS };
	int mask, err = id_qp_attr(id, &attr, &mask);

	if (err)
		return err;
	if (initiator_depth != RDMA_MAX_INIT_DEPTH)
		attr.max_rd_atomic = initiator_depth;
	return move_qp(id, &attr, mask);
}

bool id_has_qp(struct cm_id *id)
{
	bool has;

	pthread_mutex_lock(&id->qp_lock);
	has = id->rdma.qp != NULL;
	pthread_mutex_unlock(&id->qp_lock);
	return has;
}

int id_qp_ready(struct cm_id *id, uint8_t responder_resources, uint8_t initiator_depth)
{
	int err;

	pthread_mutex_lock(&id->qp_lock);
	/* Once more INIT: what the peer may do is known only now. */
	err = id->rdma.qp ? to_state(id, IBV_QPS_INIT) : -EINVAL;
	if (!err)
		err = to_rtr(id, responder_resources);
	if (!err)
		err = to_rts(id, initiator_depth);
	pthread_mutex_unlock(&id->qp_lock);
	return err;
}

int id_qp_fail(struct cm_id *id)
{
	struct ibv_qp_attr attr = { .qp_state = IBV_QPS_ERR };
	int err = 0;

	pthread_mutex_lock(&id->qp_lock);
	if (id->rdma.qp)
		err = move_qp(id, &attr, IBV_QP_STATE);
	pthread_mutex_unlock(&id->qp_lock);
	return err;
}

int id_qp_attach(struct cm_id *id, const union ibv_gid *mgid, bool *attached)
{
	int err = 0;

	pthread_mutex_lock(&id->qp_lock);
	if (id->rdma.qp) {
		err = group_attach(to_qp(id->rdma.qp), mgid);
		cm_enter();
		*attached = !err;
		cm_leave();
	}
	pthread_mutex_unlock(&id->qp_lock);
	return err;
}

/*
 * Queues
 */

static int make_cq(struct cm_id *id, uint32_t entries, struct ibv_comp_channel **channel,
                   struct ibv_cq **cq)
{
	struct channel *made;
	struct cq *queue;
	int err = channel_create(id->rdma.verbs, &made);

	if (err)
		return err;
	err = cq_create(id->rdma.verbs, entries ? entries : 1, &id->rdma, made, &queue);
	if (err) {
		channel_destroy(made);
		return err;
	}
	*channel = &made->ibv;
	*cq = cq_base(queue);
	return 0;
}

static void drop_cq(struct ibv_comp_channel **channel, struct ibv_cq **cq)
{
	if (*cq)
		cq_destroy(to_cq(*cq));
	if (*channel)
		channel_destroy(to_channel(*channel));
	*cq = NULL;
	*channel = NULL;
}

/* Both may be one: whoever set them on the id may have one for both. */
static void drop_cqs(struct cm_id *id)
{
	if (id->rdma.send_cq == id->rdma.recv_cq)
		id->rdma.send_cq = NULL;
	if (id->rdma.send_cq_channel == id->rdma.recv_cq_channel)
		id->rdma.send_cq_channel = NULL;
	drop_cq(&id->rdma.recv_cq_channel, &id->rdma.recv_cq);
	drop_cq(&id->rdma.send_cq_channel, &id->rdma.send_cq);
}

/* An XRC target has none: what it receives completes where its SRQs say. */
static int make_cqs(struct cm_id *id, const struct ibv_qp_init_attr *attr)
{
	int err = 0;

	if (attr->qp_type == IBV_QPT_XRC_RECV)
		return 0;

	if (attr->qp_type != IBV_QPT_XRC_SEND && !attr->recv_cq && !id->rdma.recv_cq)
		err = make_cq(id, attr->cap.max_recv_wr, &id->rdma.recv_cq_channel,
		              &id->rdma.recv_cq);
	if (!err && !attr->send_cq && !id->rdma.send_cq)
		err = make_cq(id, attr->cap.max_send_wr, &id->rdma.send_cq_channel,
		              &id->rdma.send_cq);
	return err;
}

static int make_target(const struct cm_id *id, struct xrcd *xrcd,
                       struct ibv_qp_init_attr *attr, struct qp **qp)
{
	int err = xrcd ? 0 : cm_device_xrcd(device_of(id->rdma.verbs), &xrcd);

	return err ? err : target_create(xrcd, attr, qp);
}

static int make_qp(struct cm_id *id, struct ibv_pd *pd, struct xrcd *xrcd,
                   struct ibv_qp_init_attr *attr)
{
	struct qp *qp;
	int err = attr->qp_type == IBV_QPT_XRC_RECV ? make_target(id, xrcd, attr, &qp)
	                                            : transport_qp_create(pd, attr, &qp);

	if (err)
		return err;
	id->rdma.qp = qp_base(qp);
	err = to_first_state(id);
	if (err) {
		transport_qp_destroy(qp);
		id->rdma.qp = NULL;
	}
	return err;
}

static void fill_queues(const struct cm_id *id, struct ibv_qp_init_attr *attr)
{
	if (attr->qp_type == IBV_QPT_XRC_RECV)
		return;
	if (!attr->send_cq)
		attr->send_cq = id->rdma.send_cq;
	if (!attr->recv_cq)
		attr->recv_cq = id->rdma.recv_cq;
	if (!attr->srq)
		attr->srq = id->rdma.srq;
}

int id_create_qp(struct cm_id *id, struct ibv_pd *pd, struct xrcd *xrcd,
                 struct ibv_qp_init_attr *attr)
{
	struct ibv_qp_init_attr full = *attr;
	int err;

	if (id->rdma.qp || !id->rdma.verbs || id->forks != cm_forks() ||
	    id_is_datagram(id) != (attr->qp_type == IBV_QPT_UD))
		return -EINVAL;
	if (!pd)
		pd = id->rdma.pd;
	if (!pd || pd->context != id->rdma.verbs)
		return -EINVAL;
	err = make_cqs(id, attr);
	if (err)
		goto drop;
	fill_queues(id, &full);
	pthread_mutex_lock(&id->qp_lock);
	err = make_qp(id, pd, xrcd, &full);
	pthread_mutex_unlock(&id->qp_lock);
	if (err)
		goto drop;
	id->rdma.pd = pd;
	*attr = full;
	return 0;
drop:
	drop_cqs(id);
	return err;
}

/* Of an XRC target's id, the receive queue's. */
static bool srq_has_cq(const struct cm_id *id)
{
	return id->rdma.qp_type == IBV_QPT_XRC_RECV && id->rdma.srq;
}

/* No event moves it any more. */
static struct qp *take_qp(struct cm_id *id)
{
	struct qp *qp;

	pthread_mutex_lock(&id->qp_lock);
	multicast_detach_all(id);
	qp = to_qp(id->rdma.qp);
	id->rdma.qp = NULL;
	pthread_mutex_unlock(&id->qp_lock);
	return qp;
}

void id_destroy_qp(struct cm_id *id)
{
	struct qp *qp;

	if (!id->rdma.qp)
		return;
	if (id->forks != cm_forks()) {
		id->rdma.qp = NULL;
		return;
	}
	qp = take_qp(id);
	transport_qp_destroy(qp);
	if (!srq_has_cq(id))
		drop_cqs(id);
}

static int complete_xrc(struct cm_id *id, struct ibv_srq_init_attr_ex *attr)
{
	struct xrcd *xrcd;
	int err = 0;

	if (!(attr->comp_mask & IBV_SRQ_INIT_ATTR_XRCD) || !attr->xrcd) {
		err = cm_device_xrcd(device_of(id->rdma.verbs), &xrcd);
		if (err)
			return err;
		attr->xrcd = &xrcd->ibv;
	}
	if (!(attr->comp_mask & IBV_SRQ_INIT_ATTR_CQ) || !attr->cq) {
		if (!id->rdma.recv_cq)
			err = make_cq(id, attr->attr.max_wr, &id->rdma.recv_cq_channel,
			              &id->rdma.recv_cq);
		attr->cq = id->rdma.recv_cq;
	}
	attr->comp_mask |= IBV_SRQ_INIT_ATTR_XRCD | IBV_SRQ_INIT_ATTR_CQ;
	return err;
}

static bool is_xrc(const struct ibv_srq_init_attr_ex *attr)
{
	return attr->comp_mask & IBV_SRQ_INIT_ATTR_TYPE && attr->srq_type == IBV_SRQT_XRC;
}

int id_create_srq(struct cm_id *id, struct ibv_srq_init_attr_ex *attr)
{
	struct srq *srq;
	int err = 0;

	if (id->rdma.srq || !id->rdma.verbs || id->forks != cm_forks())
		return -EINVAL;
	if (!(attr->comp_mask & IBV_SRQ_INIT_ATTR_PD) || !attr->pd)
		attr->pd = id->rdma.pd;
	attr->comp_mask |= IBV_SRQ_INIT_ATTR_PD;
	if (!attr->pd || attr->pd->context != id->rdma.verbs)
		return -EINVAL;
	if (is_xrc(attr))
		err = complete_xrc(id, attr);
	if (!err)
		err = srq_create_ex(attr, &srq);
	if (err) {
		if (is_xrc(attr) && !id->rdma.qp)
			drop_cqs(id);
		return err;
	}
	id->rdma.srq = &srq->ibv;
	id->rdma.pd = attr->pd;
	return 0;
}

int id_destroy_srq(struct cm_id *id)
{
	bool cqs = srq_has_cq(id);
	int err = 0;

	if (id->rdma.srq && id->forks == cm_forks())
		err = srq_destroy(to_srq(id->rdma.srq));
	if (err)
		return err;
	id->rdma.srq = NULL;
	if (cqs && id->forks == cm_forks())
		drop_cqs(id);
	return 0;
}
