/* SPDX-License-Identifier: BSD-2-Clause */
#include "object/qp.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include "host/registry.h"
#include "object/async.h"
#include "object/device.h"
#include "object/pd.h"
#include "object/protection.h"
#include "object/pool.h"
#include "object/srq.h"
#include "object/xrcd.h"
#include "wire/grh.h"
#include "wire/opcode.h"

static struct handle_table qps = HANDLE_TABLE_LIMITED(max_qp);

enum { ATOMIC_WRITE_SIZE = 8 }; /* its value is posted with it */

static struct pool pool = POOL_INIT(struct qp_shared, qp_list);

struct rq *qp_rq(struct qp *qp)
{
	struct ibv_srq *srq = qp_base(qp)->srq;

	return srq ? &to_srq(srq)->rq : &qp->rq;
}

static int sq_create(struct sq *sq, struct ibv_pd *pd, const struct ibv_qp_cap *cap)
{
	size_t sges = cap->max_send_sge * sizeof(struct ibv_sge);
	size_t payload = sges > cap->max_inline_data ? sges : cap->max_inline_data;

	if (payload < ATOMIC_WRITE_SIZE)
		payload = ATOMIC_WRITE_SIZE;
	sq->size = 1;
	while (sq->size < cap->max_send_wr)
		sq->size <<= 1;
	sq->stride = round_up(sizeof(struct wqe) + payload, 8);
	if (sq->datagrams)
		sq->stride += sizeof(struct wqe_datagram);
	if (sq->xrc)
		sq->stride += sizeof(struct wqe_xrc);
	sq->depth = cap->max_send_wr;
	sq->max_sge = cap->max_send_sge;
	sq->max_inline = (uint32_t)payload; /* the room is there */
	sq->ring = pd_memory_alloc(pd, (size_t)sq->size * sq->stride, &sq->custom);
	if (!sq->ring)
		return -ENOMEM;
	return 0;
}

static void sq_destroy(struct sq *sq, struct ibv_pd *pd)
{
	pd_memory_free(pd, sq->ring, sq->custom);
}

enum {
	SENDS = 1 << IBV_WR_SEND | 1 << IBV_WR_SEND_WITH_IMM,
	WRITES = 1 << IBV_WR_RDMA_WRITE | 1 << IBV_WR_RDMA_WRITE_WITH_IMM,
	READS = 1 << IBV_WR_RDMA_READ,
	ATOMICS = 1 << IBV_WR_ATOMIC_CMP_AND_SWP | 1 << IBV_WR_ATOMIC_FETCH_AND_ADD,
	WINDOWS = 1 << IBV_WR_BIND_MW | 1 << IBV_WR_LOCAL_INV,
	INVALIDATES = 1 << IBV_WR_SEND_WITH_INV,
	ATOMIC_WRITES = 1 << IBV_WR_ATOMIC_WRITE,
};

/* The types that this device has, and what each can do (IBA table 38). */
static const struct qp_type {
	uint32_t operations;
	uint8_t transport; /* of the requests that it takes */
	bool unacked;
} types[] = {
	[IBV_QPT_RC] = { SENDS | WRITES | READS | ATOMICS | WINDOWS | INVALIDATES |
	                         ATOMIC_WRITES,
	                 BTH_RC, false },
	[IBV_QPT_UC] = { SENDS | WRITES | WINDOWS, BTH_UC, true },
	[IBV_QPT_UD] = { SENDS, BTH_UD, true },
	[IBV_QPT_XRC_SEND] = { SENDS | WRITES | READS | ATOMICS, BTH_NONE, false },
	[IBV_QPT_XRC_RECV] = { 0, BTH_XRC, false },
};

static const struct qp_type *find_type(enum ibv_qp_type type)
{
	bool exists = type < ARRAY_SIZE(types) &&
	              (types[type].operations || type == IBV_QPT_XRC_RECV);

	return exists ? &types[type] : NULL;
}

uint32_t qp_type_operations(enum ibv_qp_type type)
{
	return find_type(type) ? find_type(type)->operations : 0;
}

/* XRC (IBA annex A14): an initiator receives nothing, a target has no queues at all. */
static void leave_out_absent(struct ibv_qp_init_attr *attr)
{
	if (attr->qp_type != IBV_QPT_XRC_SEND && attr->qp_type != IBV_QPT_XRC_RECV)
		return;
	attr->recv_cq = NULL;
	attr->srq = NULL;
	attr->cap.max_recv_wr = attr->cap.max_recv_sge = 0;
	if (attr->qp_type == IBV_QPT_XRC_RECV) {
		attr->send_cq = NULL;
		attr->cap = (struct ibv_qp_cap){ 0 };
	}
}

static bool is_xrc(enum ibv_qp_type type)
{
	return type == IBV_QPT_XRC_SEND || type == IBV_QPT_XRC_RECV;
}

static int queues_check(const struct ibv_context *context,
                        const struct ibv_qp_init_attr *attr)
{
	bool sends = attr->qp_type != IBV_QPT_XRC_RECV;
	bool receives = !is_xrc(attr->qp_type);

	if (!attr->send_cq == sends || !attr->recv_cq == receives)
		return -EINVAL;
	if ((attr->send_cq && attr->send_cq->context != context) ||
	    (attr->recv_cq && attr->recv_cq->context != context) ||
	    (attr->srq && attr->srq->context != context))
		return -EINVAL;
	return 0;
}

static int init_attr_check(const struct ibv_context *context,
                           const struct ibv_qp_init_attr *attr)
{
	const struct ibv_qp_cap *cap = &attr->cap;

	if (queues_check(context, attr))
		return -EINVAL;
	if (cap->max_send_wr > settings()->max_qp_wr ||
	    cap->max_send_sge > settings()->max_sge ||
	    cap->max_inline_data > settings()->max_inline)
		return -EINVAL;
	if (!attr->srq && (cap->max_recv_wr > settings()->max_qp_wr ||
	                   cap->max_recv_sge > settings()->max_sge))
		return -EINVAL;
	return 0;
}

static int qp_queues_create(struct qp *qp, const struct ibv_qp_init_attr *attr)
{
	int err = attr->send_cq ? sq_create(&qp->sq, qp_base(qp)->pd, &attr->cap) : 0;

	qp->cap.max_inline_data = qp->sq.max_inline;
	if (err || !attr->recv_cq || attr->srq)
		return err;
	err = rq_create(&qp->rq, attr->cap.max_recv_wr, attr->cap.max_recv_sge,
	                attr->qp_type == IBV_QPT_UD ? GRH_LENGTH : 0,
	                qp_base(qp)->pd->handle);
	if (err)
		sq_destroy(&qp->sq, qp_base(qp)->pd);
	return err;
}

static void qp_queues_destroy(struct qp *qp)
{
	if (qp->rq.sh)
		rq_destroy(&qp->rq);
	if (qp->sq.ring)
		sq_destroy(&qp->sq, qp_base(qp)->pd);
}

static void base_init(struct qp *qp, struct ibv_context *context, struct ibv_pd *pd,
                      const struct ibv_qp_init_attr *attr)
{
	struct ibv_qp *base = qp_base(qp);

	base->context = context;
	base->qp_context = attr->qp_context;
	base->pd = pd;
	base->send_cq = attr->send_cq;
	base->recv_cq = attr->recv_cq;
	base->srq = attr->srq;
	base->state = IBV_QPS_RESET;
	base->qp_type = attr->qp_type;
	pthread_mutex_init(&qp->modify_lock, NULL);
	pthread_mutex_init(&base->mutex, NULL);
	pthread_cond_init(&base->cond, NULL);
	list_init(&qp->context_node);
	list_init(&qp->pd_node);
	list_init(&qp->srq_node);
	list_init(&qp->credit_node);
	list_init(&qp->flows);
	qp->sq.operations = find_type(attr->qp_type)->operations;
	qp->sq.unacked = find_type(attr->qp_type)->unacked;
	qp->sq.apart = qp->sq.unacked;
	qp->sq.long_way = attr->qp_type != IBV_QPT_RC;
	qp->sq.datagrams = attr->qp_type == IBV_QPT_UD;
	qp->sq.xrc = attr->qp_type == IBV_QPT_XRC_SEND;
	qp->sq.max_message = (uint32_t)settings()->max_msg;
	qp->sq_sig_all = attr->sq_sig_all;
	qp->cap = attr->cap;
	if (attr->srq)
		qp->cap.max_recv_wr = qp->cap.max_recv_sge = 0;
}

static void use_cq(struct ibv_cq *cq, uint32_t more)
{
	if (cq)
		atomic_fetch_add(&to_cq(cq)->users, more);
}

static void pd_enlist(struct qp *qp, struct pd *pd)
{
	pd_use(qp_base(qp)->pd);
	pthread_mutex_lock(&pd->lock);
	list_add_tail(&pd->qps, &qp->pd_node);
	pthread_mutex_unlock(&pd->lock);
}

static void pd_delist(struct qp *qp, struct pd *pd)
{
	pthread_mutex_lock(&pd->lock);
	list_del(&qp->pd_node);
	pthread_mutex_unlock(&pd->lock);
	pd_unuse(qp_base(qp)->pd);
}

static void srq_enlist(struct qp *qp, struct srq *srq)
{
	struct pd *pd = to_pd(srq->ibv.pd);

	atomic_fetch_add(&srq->users, 1);
	pthread_mutex_lock(&pd->lock);
	list_add_tail(&srq->qps, &qp->srq_node);
	pthread_mutex_unlock(&pd->lock);
}

static void srq_delist(struct qp *qp, struct srq *srq)
{
	struct pd *pd = to_pd(srq->ibv.pd);

	pthread_mutex_lock(&pd->lock);
	list_del(&qp->srq_node);
	pthread_mutex_unlock(&pd->lock);
	atomic_fetch_sub(&srq->users, 1);
}

/* What users of the parts count, and where they are found by. */
static void qp_enlist(struct qp *qp)
{
	struct ibv_qp *base = qp_base(qp);
	struct context *context = to_context(base->context);

	use_cq(base->send_cq, 1);
	use_cq(base->recv_cq, 1);
	pthread_mutex_lock(&context->lock);
	list_add_tail(&context->qps, &qp->context_node);
	pthread_mutex_unlock(&context->lock);
	if (base->pd)
		pd_enlist(qp, to_pd(base->pd));
	if (base->srq)
		srq_enlist(qp, to_srq(base->srq));
	if (qp->xrcd)
		atomic_fetch_add(&qp->xrcd->users, 1);
}

static void qp_delist(struct qp *qp)
{
	struct ibv_qp *base = qp_base(qp);
	struct context *context = to_context(base->context);

	if (qp->xrcd)
		atomic_fetch_sub(&qp->xrcd->users, 1);
	if (base->srq)
		srq_delist(qp, to_srq(base->srq));
	if (base->pd)
		pd_delist(qp, to_pd(base->pd));
	pthread_mutex_lock(&context->lock);
	list_del(&qp->context_node);
	pthread_mutex_unlock(&context->lock);
	use_cq(base->recv_cq, (uint32_t)-1);
	use_cq(base->send_cq, (uint32_t)-1);
}

static void shared_init(struct qp *qp)
{
	struct ibv_qp *base = qp_base(qp);

	atomic_store(&qp->sh->due, 0);
	/* transport_settle_responders() looks at any time */
	__atomic_store_n(&qp->sh->pd, base->pd ? base->pd->handle : 0, __ATOMIC_RELAXED);
	qp->sh->type = (uint8_t)base->qp_type;
	qp->sh->device = (uint8_t)device_of(base->context)->index;
	qp->sh->transport = find_type(base->qp_type)->transport;
	qp->sh->rq_is_shared = base->srq || base->qp_type == IBV_QPT_XRC_RECV;
	__atomic_store_n(&qp->sh->rq, base->recv_cq ? qp_rq(qp)->off : 0,
	                 __ATOMIC_RELAXED); /* local_credit() looks at any time */
	qp->sh->recv_cq = base->recv_cq ? to_cq(base->recv_cq)->off : 0;
	qp->sh->target = 0;
	qp->sh->has_flows = 0;
	atomic_store(&qp->sh->is_protected, 0);
	atomic_store(&qp->sh->state, IBV_QPS_RESET);
}

static struct ibv_context *context_of(const struct ibv_pd *pd, const struct xrcd *xrcd)
{
	return pd ? pd->context : xrcd->ibv.context;
}

/* A target belongs to a domain, any other to a PD. */
static int owner_check(const struct ibv_pd *pd, const struct xrcd *xrcd,
                       enum ibv_qp_type type)
{
	if (!find_type(type))
		return -EOPNOTSUPP;
	return !(type == IBV_QPT_XRC_RECV ? xrcd && !pd : pd && !xrcd) ? -EINVAL : 0;
}

static int block_take(struct qp *qp)
{
	int err = pool_take(&pool, &qp->off);

	if (err)
		return err;
	qp->sh = segment_ptr(qp->off);
	shared_init(qp); /* what is due of the last one here is not this one's */
	err = handle_alloc(&qps, qp, &qp_base(qp)->handle);
	if (err)
		goto give_block;
	qp->sh->handle = qp_base(qp)->handle;
	err = registry_qpn_alloc(qp->off, &qp_base(qp)->qp_num);
	if (err)
		goto drop_handle;
	atomic_store(&qp->sh->qpn, qp_base(qp)->qp_num);
	return 0;
drop_handle:
	handle_free(&qps, qp_base(qp)->handle);
	handle_wait(&qp->holds);
give_block:
	pool_give(&pool, qp->off);
	return err;
}

int qp_create(struct ibv_pd *pd, struct xrcd *xrcd, struct ibv_qp_init_attr *attr,
              void (*retry)(struct timer *), struct qp **qp)
{
	struct ibv_qp_init_attr own = *attr;
	struct qp *made;
	int err = owner_check(pd, xrcd, attr->qp_type);

	leave_out_absent(&own);
	if (!err)
		err = init_attr_check(context_of(pd, xrcd), &own);
	if (err)
		return err;
	made = calloc(1, sizeof(*made));
	if (!made)
		return -ENOMEM;
	base_init(made, context_of(pd, xrcd), pd, &own);
	made->xrcd = xrcd;
	timer_init(&made->retry_timer, retry);
	err = qp_queues_create(made, &own);
	if (err)
		goto free_made;
	err = block_take(made);
	if (err)
		goto destroy_queues;
	qp_enlist(made);
	attr->cap = made->cap;
	*qp = made;
	return 0;
destroy_queues:
	qp_queues_destroy(made);
free_made:
	free(made);
	return err;
}

int qp_open(struct xrcd *xrcd, uint32_t qpn, struct peer *home, seg_off off,
            void *qp_context, struct qp **qp)
{
	struct ibv_qp_init_attr attr = { .qp_context = qp_context,
		                         .qp_type = IBV_QPT_XRC_RECV };
	struct qp *made = calloc(1, sizeof(*made));
	int err;

	if (!made)
		return -ENOMEM;
	base_init(made, xrcd->ibv.context, NULL, &attr);
	made->xrcd = xrcd;
	made->opened = true;
	made->home = home;
	made->off = off;
	made->sh = peer_ptr(home, off);
	qp_base(made)->qp_num = qpn;
	timer_init(&made->retry_timer, NULL);
	err = handle_alloc(&qps, made, &qp_base(made)->handle);
	if (err) {
		free(made);
		return err;
	}
	qp_enlist(made);
	*qp = made;
	return 0;
}

void qp_block_free(seg_off off, uint32_t qpn)
{
	registry_qpn_free(qpn);
	pool_give(&pool, off);
}

void qp_destroy(struct qp *qp)
{
	struct ibv_qp *base = qp_base(qp);

	handle_free(&qps, base->handle);
	while (atomic_load_explicit(&qp->holds, memory_order_acquire))
		sched_yield();
	if (atomic_load(&qp->groups))
		registry_group_leave_all(base->qp_num);
	if (!qp->xrcd)
		registry_qpn_free(base->qp_num);
	qp_delist(qp);
	async_forget_qp(to_context(base->context), base);
	qp_queues_destroy(qp);
	if (!qp->xrcd)
		pool_give(&pool, qp->off);
	if (qp->peer)
		peer_put(qp->peer);
	pthread_mutex_destroy(&qp->modify_lock);
	pthread_mutex_destroy(&base->mutex);
	pthread_cond_destroy(&base->cond);
	protection_free(qp->protection);
	free(qp->wire);
	free(qp);
}

static void hold(void *object)
{
	atomic_fetch_add(&((struct qp *)object)->holds, 1);
}

struct qp *qp_hold(uint32_t handle, uint32_t qpn)
{
	struct qp *qp = handle_hold(&qps, handle, hold);

	/* One that is being made has none yet. */
	if (qp && atomic_load_explicit(&qp->sh->qpn, memory_order_acquire) != qpn) {
		qp_release(qp);
		return NULL;
	}
	return qp;
}

void qp_release(struct qp *qp)
{
	atomic_fetch_sub_explicit(&qp->holds, 1, memory_order_release);
}

void qp_each(void (*each)(struct qp *qp))
{
	handle_each(&qps, hold, (void (*)(void *))each);
}

struct qp *qp_of_handle(uint32_t handle)
{
	return handle_get(&qps, handle);
}

struct rq *completion_rq(const struct completion *c)
{
	return c->flags & CQE_SRQ ? &srq_of_handle(c->qp)->rq
	                          : qp_rq(qp_of_handle(c->qp));
}

void qp_completion_taken(const struct cqe *entry)
{
	if (entry->c.flags & CQE_RECV)
		rq_completed(completion_rq(&entry->c));
	else
		atomic_store_explicit(&qp_of_handle(entry->c.qp)->sq.completed,
		                      entry->c.wqe, memory_order_release);
}

static void forget_one(const struct cqe *entry, void *arg, unsigned int index)
{
	(void)arg;
	(void)index;
	qp_completion_taken(entry);
}

void qp_forget_completions(struct qp *qp)
{
	struct ibv_qp *base = qp_base(qp);

	if (base->send_cq)
		cq_forget(to_cq(base->send_cq), base->handle, 0, forget_one, NULL);
	if (base->recv_cq && base->recv_cq != base->send_cq)
		cq_forget(to_cq(base->recv_cq), base->handle, 0, forget_one, NULL);
}

void qp_query(struct qp *qp, struct ibv_qp_attr *attr, struct ibv_qp_init_attr *init)
{
	struct ibv_qp *base = qp_base(qp);

	owner_lock(&qp->sq.lock);
	*attr = qp->attr;
	attr->rq_psn = atomic_load_explicit(&qp->sh->epsn, memory_order_relaxed);
	attr->sq_psn = qp->sq.psn;
	attr->qp_state = attr->cur_qp_state = base->state = qp_state(qp);
	attr->sq_draining = attr->qp_state == IBV_QPS_SQD && qp->sq.started;
	owner_unlock(&qp->sq.lock);
	attr->cap = qp->cap;
	*init = (struct ibv_qp_init_attr){
		.qp_context = base->qp_context,
		.send_cq = base->send_cq,
		.recv_cq = base->recv_cq,
		.srq = base->srq,
		.cap = qp->cap,
		.qp_type = base->qp_type,
		.sq_sig_all = qp->sq_sig_all,
	};
}
