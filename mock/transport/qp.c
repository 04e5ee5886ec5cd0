/* SPDX-License-Identifier: BSD-2-Clause */
/* What changing a QP's state entails for its queues, its timers and its link. */
#include "transport/flow.h"
#include "transport/transport.h"

#include <errno.h>
#include <stdlib.h>
#include "base/log.h"
#include "link/multicast.h"
#include "object/async.h"
#include "object/device.h"
#include "object/gid.h"
#include "object/inspect.h"
#include "object/protection.h"
#include "object/qp_attr.h"
#include "transport/target.h"
#include "transport/wire_responder.h"

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void init(void)
{
	inspect_init();
	responder_init();
	net_set_takers(&wire_takers);
	engine_last_words(wire_farewells);
}

void transport_init(void)
{
	pthread_once(&once, init);
}

int transport_qp_create(struct ibv_pd *pd, struct ibv_qp_init_attr *attr, struct qp **qp)
{
	return qp_create(pd, NULL, attr, retry_fire, qp);
}

/*
 * Nothing is under way, nothing is posted, nothing is waiting to be polled. The
 * requester's lock is held, but not while completions are forgotten: a thread that has a
 * batch of them open may be posting to this QP meanwhile. Nothing happens to the QP then,
 * as it is in RESET and only one thread modifies it.
 */
static void reset(struct qp *qp)
{
	qp->sq.wait = SQ_RUNS;
	qp->sq.started = qp->sq.armed = qp->sq.probe = qp->drain_notify = false;
	credit_forget(qp);
	timer_cancel(&qp->retry_timer);
	responder_lock(peer_self(), qp->sh);
	if (qp->sh->wire) {
		wire_farewell(qp->sh);
		wire_return_receive(peer_self(), qp->sh);
	}
	atomic_store(&qp->sh->state, IBV_QPS_RESET);
	if (atomic_exchange(&qp->sh->is_protected, 0))
		protection_clear(qp->protection);
	owner_unlock(&qp->sh->lock);
	owner_unlock(&qp->sq.lock);
	qp_forget_completions(qp);
	owner_lock(&qp->sq.lock);
	if (qp->rq.sh) {
		responder_lock(peer_self(), qp->sh);
		rq_reset(&qp->rq);
		owner_unlock(&qp->sh->lock);
	}
	qp->sq.posted = qp->sq.next = 0;
	atomic_store(&qp->sq.completed, 0);
	if (qp->link)
		qp->link->unbind(qp);
	qp->link = NULL;
	free(qp->wire);
	qp->wire = NULL;
	qp->sq.blocked = false;
	qp->attr = (struct ibv_qp_attr){ 0 };
}

void transport_qp_destroy(struct qp *qp)
{
	if (qp->xrcd) {
		target_close(qp);
		return;
	}
	multicast_leave_all(qp);
	owner_lock(&qp->sq.lock);
	reset(qp);
	atomic_store(&qp->sh->qpn, 0);
	owner_unlock(&qp->sq.lock);
	timer_cancel_sync(&qp->retry_timer);
	flow_end_all(qp);
	qp_destroy(qp);
}

int qp_set_path(struct qp *qp, const struct ibv_ah_attr *av)
{
	const struct link_ops *link = link_choose(&av->grh.dgid);
	struct gid_entry source;

	if (!link) {
		mock_error(
		        "qp#%06x: its destination is another host, and without UDP port "
		        "4791 no other is reached",
		        qp_base(qp)->qp_num);
		return -EHOSTUNREACH;
	}
	if (device_gid(device_of(qp_base(qp)->context), av->grh.sgid_index, &source))
		return -EINVAL;
	if (qp->link)
		qp->link->unbind(qp);
	qp->link = link;
	qp->sq.apart = qp->sq.unacked || link->packets;
	qp->sq.long_way = qp->sh->transport != BTH_RC || link != &link_local;
	if (!link->packets) {
		free(qp->wire);
		qp->wire = NULL;
	}
	qp->sh->sgid = source.gid;
	qp->sh->dgid = av->grh.dgid;
	return link->packets ? wire_set_path(qp, av) : 0;
}

void qp_set_responder(struct qp *qp, enum ibv_qp_state next, int mask)
{
	struct qp_shared *sh = qp->sh;

	sh->access = qp->attr.qp_access_flags;
	sh->min_rnr_timer = qp->attr.min_rnr_timer;
	sh->max_dest_rd_atomic = qp->attr.max_dest_rd_atomic;
	sh->dest_qpn = qp->attr.dest_qp_num;
	sh->path_mtu = qp->attr.path_mtu;
	sh->qkey = qp->attr.qkey;
	if (mask & IBV_QP_RQ_PSN) {
		atomic_store_explicit(&sh->epsn, qp->attr.rq_psn, memory_order_relaxed);
		sh->rtr_executed = qp_executed(sh);
		sh->connection++;
		sh->psn_nak_sent = 0;
		sh->established = 0;
	}
	atomic_store(&sh->state, next);
}

static void set_requester(struct qp *qp, int mask)
{
	if (mask & IBV_QP_SQ_PSN)
		qp->sq.psn = qp->attr.sq_psn;
	if ((mask & IBV_QP_SQ_PSN) && qp->wire)
		wire_begin(qp);
	if (mask & (IBV_QP_RETRY_CNT | IBV_QP_RNR_RETRY))
		retry_reset(qp);
	if (qp->sq.datagrams) /* one packet each (IBA 9.8.3.1) */
		qp->sq.max_message = 128u << device_mtu(device_of(qp_base(qp)->context));
}

static int change(struct qp *qp, const struct ibv_qp_attr *attr, int mask,
                  enum ibv_qp_state from, enum ibv_qp_state next)
{
	int err = 0;

	responder_lock(peer_self(), qp->sh);
	/* A peer's request may have been its end meanwhile. */
	if (qp_state(qp) != from)
		err = -EINVAL;
	else if (mask & IBV_QP_AV)
		err = qp_set_path(qp, &attr->ah_attr);
	if (!err) {
		qp_attr_apply(qp, attr, mask);
		qp_set_responder(qp, next, mask);
	}
	owner_unlock(&qp->sh->lock);
	if (err)
		return err;
	set_requester(qp, mask);
	if (next == IBV_QPS_RTR && qp->sq.datagrams)
		roce_listen();
	if (next == IBV_QPS_SQD && (mask & IBV_QP_STATE))
		qp->drain_notify =
		        attr->en_sqd_async_notify && (mask & IBV_QP_EN_SQD_ASYNC_NOTIFY);
	requester_run(qp);
	return 0;
}

static int modify(struct qp *qp, const struct ibv_qp_attr *attr, int mask)
{
	enum ibv_qp_state from, next;
	int err;

	mask = qp_attr_meant(qp_base(qp)->qp_type, mask);
	if (qp->xrcd)
		return target_modify(qp, attr, mask);
	owner_lock(&qp->sq.lock);
	from = qp_state(qp);
	err = qp_attr_check(qp, attr, mask, from, &next);
	if (!err) {
		if (next == IBV_QPS_RESET)
			reset(qp);
		else if (next == IBV_QPS_ERR)
			flush_to_error(qp);
		else
			err = change(qp, attr, mask, from, next);
		qp_base(qp)->state = qp_state(qp);
	}
	owner_unlock(&qp->sq.lock);
	return err;
}

int transport_qp_modify(struct qp *qp, const struct ibv_qp_attr *attr, int mask)
{
	int err;

	pthread_mutex_lock(&qp->modify_lock);
	err = modify(qp, attr, mask);
	pthread_mutex_unlock(&qp->modify_lock);
	return err;
}

static bool is_connected_type(enum ibv_qp_type type)
{
	return type == IBV_QPT_RC || type == IBV_QPT_UC;
}

/* The modify lock is held: nobody else makes or frees them. */
static int give_keys(struct qp *qp, const struct mockrdma_protection *keys)
{
	struct protection *protection = qp->protection;
	int err;

	if (!protection)
		protection = protection_new(&err);
	if (!protection)
		return err;
	atomic_store(&qp->protection, protection);
	return protection_set(protection, keys);
}

int transport_qp_protect(struct qp *qp, const struct mockrdma_protection *keys)
{
	int err = 0;

	if (!is_connected_type(qp_base(qp)->qp_type))
		return -EOPNOTSUPP;
	pthread_mutex_lock(&qp->modify_lock);
	owner_lock(&qp->sq.lock);
	if (qp_state(qp) != IBV_QPS_INIT)
		err = -EINVAL;
	if (!err)
		err = give_keys(qp, keys);
	if (!err) {
		responder_lock(peer_self(), qp->sh);
		atomic_store(&qp->sh->is_protected, 1);
		owner_unlock(&qp->sh->lock);
	}
	owner_unlock(&qp->sq.lock);
	pthread_mutex_unlock(&qp->modify_lock);
	return err;
}

void transport_qp_query(struct qp *qp, struct ibv_qp_attr *attr,
                        struct ibv_qp_init_attr *init)
{
	if (qp->xrcd)
		target_query(qp, attr, init);
	else
		qp_query(qp, attr, init);
}

void transport_drained(struct qp *qp)
{
	struct ibv_async_event event = { 0 };

	if (!qp->drain_notify)
		return;
	qp->drain_notify = false;
	event.element.qp = qp_base(qp);
	event.event_type = IBV_EVENT_SQ_DRAINED;
	async_raise(to_context(qp_base(qp)->context), &event);
}

/* Whoever moves data for this QP holds one of its locks meanwhile. */
static void settle_qp(struct qp *qp)
{
	owner_lock(&qp->sq.lock);
	responder_settle(qp->sh);
	owner_unlock(&qp->sq.lock);
}

void transport_settle(struct pd *pd)
{
	struct list *at, *user;

	pthread_mutex_lock(&pd->lock);
	list_for_each (at, &pd->qps)
		settle_qp(list_entry(at, struct qp, pd_node));
	list_for_each (at, &pd->srqs) {
		struct srq *srq = list_entry(at, struct srq, pd_node);

		list_for_each (user, &srq->qps)
			settle_qp(list_entry(user, struct qp, srq_node));
		srq_settle(srq);
	}
	pthread_mutex_unlock(&pd->lock);
}
