/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The responder (IBA 9.7.4): executes a request against the memory and queues of the QP's
 * owner. It runs in the requester's thread on the local link, and in the owner's for
 * packets from the network; it touches only what is in the owner's segment, and the
 * owner's memory through peer_read() and peer_write().
 */
#include "transport/transport.h"

#include <errno.h>
#include <string.h>
#include "base/log.h"
#include "object/async.h"
#include "object/device.h"

/* What becomes of a request. */
enum outcome {
	RESP_DONE,      /* executed: acknowledge */
	RESP_DUPLICATE, /* executed before: acknowledge again */
	RESP_DROP,      /* say nothing */
	RESP_PSN_NAK,   /* something before it is missing */
	RESP_RNR,       /* no receive is posted */
	RESP_INVALID,   /* NAK-Invalid Request */
	RESP_ACCESS,    /* NAK-Remote Access Error */
	RESP_OPERATION, /* NAK-Remote Operational Error */
	RESP_LOST,      /* we were stopped, and the QP taken from us meanwhile */
};

struct request {
	struct peer *owner;
	struct qp_shared *qp;
	const struct packet *packet;
	unsigned int mask;      /* enum opcode_mask */
	uint64_t original;      /* what an atomic found */
	union rwqe_copy *copy;  /* room for a receive out of an SRQ */
	const struct rwqe *wqe; /* the receive that it takes */
};

/* To the owner's engine: the state of its QP became ERR. */
struct qp_error {
	uint32_t handle;
	uint32_t qpn;
	uint32_t event; /* enum ibv_event_type */
};

static int32_t psn_diff(uint32_t a, uint32_t b)
{
	return (int32_t)((a - b) << 8) >> 8;
}

static enum outcome check_state(const struct request *req)
{
	enum ibv_qp_state state =
	        atomic_load_explicit(&req->qp->state, memory_order_relaxed);

	if (state != IBV_QPS_RTR && state != IBV_QPS_RTS && state != IBV_QPS_SQD)
		return RESP_DROP;
	/* Stale: another QP lives here now. */
	if (atomic_load_explicit(&req->qp->qpn, memory_order_relaxed) !=
	    req->packet->dest_qpn)
		return RESP_DROP;
	/* Only the address that it is connected to reaches it (IBA 9.6.1.2.2). */
	if (memcmp(&req->qp->sgid, req->packet->dgid, sizeof(req->qp->sgid)) ||
	    memcmp(&req->qp->dgid, req->packet->sgid, sizeof(req->qp->dgid)))
		return RESP_DROP;
	return RESP_DONE;
}

/*
 * IBA 9.7.1.2, with one reading that is stricter than the letter: only what was received
 * since the connection began can be a duplicate. A PSN before the first one is neither
 * new nor old.
 */
static enum outcome check_psn(struct request *req)
{
	int32_t diff = psn_diff(req->packet->psn, req->qp->epsn);

	if (likely(!diff)) {
		req->qp->psn_nak_sent = 0;
		return RESP_DONE;
	}
	if (diff < 0)
		return (uint32_t)-diff <= req->qp->received ? RESP_DUPLICATE : RESP_DROP;
	if (req->qp->psn_nak_sent)
		return RESP_DROP;
	req->qp->psn_nak_sent = 1;
	return RESP_PSN_NAK;
}

/* IBA 9.7.4.1.6: whether the QP takes this kind of request at all. */
static enum outcome check_operation(const struct request *req)
{
	uint32_t access = req->qp->access;

	if (((req->mask & OP_WRITE) && !(access & IBV_ACCESS_REMOTE_WRITE)) ||
	    ((req->mask & OP_READ) && !(access & IBV_ACCESS_REMOTE_READ)) ||
	    ((req->mask & OP_ATOMIC) && !(access & IBV_ACCESS_REMOTE_ATOMIC)))
		return RESP_INVALID;
	if ((req->mask & (OP_READ | OP_ATOMIC)) &&
	    req->packet->rd_atomics > req->qp->max_dest_rd_atomic)
		return RESP_INVALID; /* IBA 9.7.4.1.3 */
	if ((req->mask & OP_ATOMIC) && req->packet->va % 8)
		return RESP_INVALID; /* IBA 9.4.5 */
	return RESP_DONE;
}

static struct rq_shared *rq_of(const struct request *req)
{
	return peer_ptr(req->owner, req->qp->rq);
}

/* Takes the next receive, if the request needs one (IBA 9.7.5.2.8 when there is none). */
static enum outcome take_receive(struct request *req)
{
	struct rq_shared *rq = rq_of(req);

	if (!(req->mask & OP_RECV))
		return RESP_DONE;
	if (!req->qp->rq_is_shared) {
		req->wqe = rq_peek(req->owner, rq);
		return req->wqe ? RESP_DONE : RESP_RNR;
	}
	/* A holder that died took a receive with it, and broke nothing. */
	owner_lock(&rq->lock);
	req->wqe = rq_peek(req->owner, rq);
	if (req->wqe) {
		memcpy(req->copy, req->wqe,
		       sizeof(struct rwqe) + req->wqe->num_sge * sizeof(struct ibv_sge));
		req->wqe = &req->copy->wqe;
		rq_consume(rq);
	}
	owner_unlock(&rq->lock);
	return req->wqe ? RESP_DONE : RESP_RNR;
}

/* -EOVERFLOW: the owner's CQ was full, and the completion is lost. */
static int push_receive(const struct request *req, enum ibv_wc_status status,
                        const struct completion *extra, const void *data)
{
	struct completion entry = {
		.status = status,
		.opcode = req->mask & OP_WRITE ? IBV_WC_RECV_RDMA_WITH_IMM & 0x7f : 0,
		.wc_flags = req->mask & OP_IMM ? IBV_WC_WITH_IMM : 0,
		.flags = CQE_RECV | (req->packet->solicited ? CQE_SOLICITED : 0),
		.wr_id = req->wqe->wr_id,
		.byte_len = req->packet->length,
		.imm = req->packet->imm,
		.qp_num = req->packet->dest_qpn,
		.src_qp = req->qp->dest_qpn,
		.qp = req->qp->handle,
	};

	if (extra) {
		entry.flags |= extra->flags;
		entry.place_va = extra->place_va;
		entry.place_lkey = extra->place_lkey;
	}
	if (!req->qp->rq_is_shared)
		rq_consume(rq_of(req));
	return cq_push(req->owner, req->qp->recv_cq, &entry, data);
}

/* The payload in one piece: where it is, if it is one, or gathered. */
static const void *gather(const struct packet *packet, char *room)
{
	char *to = room;

	if (packet->iovs <= 1)
		return packet->iovs ? packet->iov->iov_base : room;
	for (unsigned int i = 0; i < packet->iovs; i++)
		to = mempcpy(to, packet->iov[i].iov_base, packet->iov[i].iov_len);
	return room;
}

/* Whether a SEND is small and simple enough to travel in the completion. */
static bool fits_inline(const struct request *req)
{
	const struct packet *packet = req->packet;
	const struct ibv_sge *sge = req->wqe->sge;
	uint64_t va;

	return packet->length <= CQE_INLINE_MAX && req->wqe->num_sge &&
	       sge->length >= packet->length &&
	       (!packet->length ||
	        mr_check(req->owner, sge->lkey, rq_of(req)->pd, IBV_ACCESS_LOCAL_WRITE,
	                 sge->addr, sge->length, &va));
}

/* It is placed by its owner's poll. */
static enum outcome deliver_inline(const struct request *req)
{
	const struct ibv_sge *sge = req->wqe->sge;
	char room[CQE_INLINE_MAX];
	struct completion extra = { .flags = CQE_INLINE };

	extra.place_va = sge->addr;
	extra.place_lkey = sge->lkey;
	return push_receive(req, IBV_WC_SUCCESS, &extra, gather(req->packet, room))
	               ? RESP_OPERATION
	               : RESP_DONE;
}

/* The receive's scatter list, cut to the payload, in the owner's addresses. NULL status:
 * all is well. */
static enum ibv_wc_status scatter_list(const struct request *req, struct iovec *iov,
                                       unsigned int *iovs)
{
	uint64_t left = req->packet->length, va;
	unsigned int count = 0;

	for (uint32_t i = 0; i < req->wqe->num_sge && left; i++) {
		const struct ibv_sge *sge = &req->wqe->sge[i];
		uint64_t take = min_u64(left, sge->length);

		if (!take)
			continue;
		if (!mr_check(req->owner, sge->lkey, rq_of(req)->pd,
		              IBV_ACCESS_LOCAL_WRITE, sge->addr, sge->length, &va))
			return IBV_WC_LOC_PROT_ERR;
		iov[count++] = (struct iovec){ (void *)(uintptr_t)va, take };
		left -= take;
	}
	*iovs = count;
	return left ? IBV_WC_LOC_LEN_ERR : IBV_WC_SUCCESS;
}

/*
 * Copies between the packet's vector and the owner's memory. -ESTALE: the process was
 * stopped on the way, and the owner did not wait; nothing of the QP's may be touched any
 * more.
 */
static int to_owner(const struct request *req, const struct iovec *iov, unsigned int iovs)
{
	int err = peer_write(req->owner, iov, iovs, req->packet->iov, req->packet->iovs);

	return likely(owner_lock_held(&req->qp->lock)) ? err : -ESTALE;
}

static int from_owner(const struct request *req, const struct iovec *iov)
{
	int err = peer_read(req->owner, iov, 1, req->packet->iov, req->packet->iovs);

	return likely(owner_lock_held(&req->qp->lock)) ? err : -ESTALE;
}

static enum outcome after_copy(int err)
{
	switch (err) {
	case 0: return RESP_DONE;
	case -ESTALE: return RESP_LOST;
	case -ESRCH: return RESP_DROP;      /* the owner is gone */
	case -EPERM: return RESP_OPERATION; /* the system forbids it */
	default: return RESP_ACCESS;
	}
}

static enum outcome deliver_scattered(const struct request *req)
{
	struct iovec iov[DEVICE_MAX_SGE];
	unsigned int iovs = 0;
	enum ibv_wc_status status = scatter_list(req, iov, &iovs);
	int err = 0;

	if (status == IBV_WC_SUCCESS)
		err = to_owner(req, iov, iovs);
	if (err == -ESRCH || err == -ESTALE)
		return after_copy(err);
	if (err)
		status = IBV_WC_LOC_PROT_ERR;
	err = push_receive(req, status, NULL, NULL);
	/* IBA 9.7.4.1.7 for the length, 9.7.5.2.7 for the rest */
	if (status == IBV_WC_LOC_LEN_ERR)
		return RESP_INVALID;
	return status == IBV_WC_SUCCESS && !err ? RESP_DONE : RESP_OPERATION;
}

static enum outcome execute_send(struct request *req)
{
	return fits_inline(req) ? deliver_inline(req) : deliver_scattered(req);
}

/* The owner's memory that a RETH or AtomicETH names, if it may be used so
 * (IBA 9.7.4.1.5). */
static bool remote_memory(const struct request *req, uint32_t access, uint64_t length,
                          struct iovec *iov)
{
	uint64_t va = 0;

	/* A request for no bytes has no key to check (IBA 9.7.4.1.5, C9-88). */
	if (length && !mr_check(req->owner, req->packet->rkey, req->qp->pd, access,
	                        req->packet->va, length, &va))
		return false;
	*iov = (struct iovec){ (void *)(uintptr_t)va, length };
	return true;
}

static enum outcome execute_write(struct request *req)
{
	const struct packet *packet = req->packet;
	enum outcome outcome = RESP_ACCESS;
	struct iovec iov;

	if (remote_memory(req, IBV_ACCESS_REMOTE_WRITE, packet->length, &iov))
		outcome = after_copy(to_owner(req, &iov, 1));
	if (outcome == RESP_LOST)
		return outcome;
	/* A receive that came out of an SRQ cannot go back. */
	if (req->wqe && (outcome == RESP_DONE || req->qp->rq_is_shared) &&
	    push_receive(req, outcome == RESP_DONE ? IBV_WC_SUCCESS : IBV_WC_WR_FLUSH_ERR,
	                 NULL, NULL))
		return RESP_OPERATION;
	return outcome;
}

static enum outcome execute_read(struct request *req)
{
	const struct packet *packet = req->packet;
	struct iovec iov;

	if (!remote_memory(req, IBV_ACCESS_REMOTE_READ, packet->length, &iov))
		return RESP_ACCESS;
	return after_copy(from_owner(req, &iov));
}

/* Reads, and writes if the atomic says so. -EAGAIN: stopped between the two, and passed
 * by others. */
static int atomic_step(struct request *req, struct owner_lock *lock,
                       const struct iovec *remote)
{
	const struct packet *packet = req->packet;
	uint64_t found, put = packet->swap_add;
	struct iovec mine = { &found, sizeof(found) };
	int err = peer_read(req->owner, remote, 1, &mine, 1);

	if (err)
		return err;
	if (!owner_lock_held(lock))
		return -EAGAIN;
	req->original = found;
	if (packet->opcode == RC_FETCH_ADD)
		put += found;
	else if (found != packet->compare)
		return 0;
	mine.iov_base = &put;
	return peer_write(req->owner, remote, 1, &mine, 1);
}

/* Atomic to all QPs of the device (IBV_ATOMIC_HCA): one at a time on one process's
 * memory. */
static enum outcome execute_atomic(struct request *req)
{
	struct owner_lock *lock = &((struct segment_head *)req->owner->base)->atomic_lock;
	struct iovec remote;
	int err;

	if (!remote_memory(req, IBV_ACCESS_REMOTE_ATOMIC, sizeof(uint64_t), &remote))
		return RESP_ACCESS;
	do {
		owner_lock_from_stopped(lock);
		err = atomic_step(req, lock, &remote);
		if (owner_lock_held(lock))
			owner_unlock(lock);
	} while (err == -EAGAIN);
	return owner_lock_held(&req->qp->lock) ? after_copy(err) : RESP_LOST;
}

static enum outcome execute(struct request *req)
{
	if (req->mask & OP_SEND)
		return execute_send(req);
	if (req->mask & OP_WRITE)
		return execute_write(req);
	if (req->mask & OP_READ)
		return execute_read(req);
	return execute_atomic(req);
}

static enum outcome respond(struct request *req)
{
	enum outcome outcome = check_state(req);

	if (outcome == RESP_DONE)
		outcome = check_psn(req);
	if (outcome == RESP_DUPLICATE && (req->mask & OP_READ))
		return execute_read(req) == RESP_DONE ? RESP_DUPLICATE : RESP_DROP;
	if (outcome == RESP_DUPLICATE && (req->mask & OP_ATOMIC))
		return RESP_DROP; /* its result went with the answer that was lost */
	if (outcome == RESP_DONE)
		outcome = check_operation(req);
	if (outcome == RESP_DONE)
		outcome = take_receive(req);
	if (outcome == RESP_DONE)
		outcome = execute(req);
	return outcome;
}

static const struct {
	uint8_t syndrome;
	uint8_t event; /* what the owner hears, when the connection is at its end */
	bool fatal;
} outcomes[] = {
	[RESP_DONE] = { AETH_ACK, 0, false },
	[RESP_DUPLICATE] = { AETH_ACK, 0, false },
	[RESP_DROP] = { 0, 0, false },
	[RESP_PSN_NAK] = { NAK_PSN_SEQUENCE, 0, false },
	[RESP_RNR] = { AETH_RNR_NAK, 0, false },
	[RESP_INVALID] = { NAK_INVALID_REQUEST, IBV_EVENT_QP_REQ_ERR, true },
	[RESP_ACCESS] = { NAK_REMOTE_ACCESS, IBV_EVENT_QP_ACCESS_ERR, true },
	[RESP_LOST] = { 0, 0, false },
	[RESP_OPERATION] = { NAK_REMOTE_OPERATION, IBV_EVENT_QP_FATAL, true },
};

void responder_flush(const struct peer *owner, struct qp_shared *qp)
{
	struct rq_shared *rq = peer_ptr(owner, qp->rq);
	const struct rwqe *wqe;

	if (qp->rq_is_shared)
		return; /* what is in an SRQ belongs to other QPs too */
	while ((wqe = rq_peek(owner, rq))) {
		struct completion entry = {
			.status = IBV_WC_WR_FLUSH_ERR,
			.flags = CQE_RECV,
			.wr_id = wqe->wr_id,
			.qp_num = qp->qpn,
			.qp = qp->handle,
		};

		rq_consume(rq);
		cq_push(owner, qp->recv_cq, &entry, NULL);
	}
}

/* The receives are returned here; what waits in the send queue is the owner's to return.
 */
static void fail(struct peer *owner, struct qp_shared *qp, enum ibv_event_type event)
{
	struct qp_error error = { qp->handle, qp->qpn, event };

	atomic_store(&qp->state, IBV_QPS_ERR);
	responder_flush(owner, qp);
	if (inbox_post(owner, INBOX_QP_ERROR, &error, sizeof(error)))
		mock_warn("qp#%06x: its owner's inbox is full, an error event is lost",
		          qp->qpn);
}

void responder_lock(struct peer *owner, struct qp_shared *qp)
{
	if (likely(!owner_lock_from_stopped(&qp->lock)))
		return;
	/* The peer died, or was stopped, in the middle of a request: what it did, nobody
	 * knows. */
	if (qp->qpn && atomic_load(&qp->state) != IBV_QPS_RESET)
		fail(owner, qp, IBV_EVENT_QP_FATAL);
}

void responder_receive(struct peer *owner, struct qp_shared *qp,
                       const struct packet *packet, struct reply *reply)
{
	union rwqe_copy copy;
	struct request req = {
		.owner = owner,
		.qp = qp,
		.packet = packet,
		.copy = &copy,
		.mask = packet->mask,
	};
	enum outcome outcome;

	responder_lock(owner, qp);
	outcome = respond(&req);
	if (unlikely(outcome == RESP_LOST)) {
		reply->sent = false;
		return;
	}
	if (outcome == RESP_DONE) {
		qp->epsn = (qp->epsn + 1) & PSN_MASK;
		if (qp->received <= PSN_MASK / 2)
			qp->received++;
	}
	reply->sent = outcome != RESP_DROP;
	reply->syndrome = outcomes[outcome].syndrome;
	if (outcome == RESP_RNR)
		reply->syndrome |= qp->min_rnr_timer;
	reply->psn = outcome == RESP_DONE || outcome == RESP_DUPLICATE
	                     ? (qp->epsn - 1) & PSN_MASK
	                     : qp->epsn;
	reply->dest_qpn = qp->dest_qpn;
	reply->original = req.original;
	if (unlikely(outcomes[outcome].fatal))
		fail(owner, qp, outcomes[outcome].event);
	owner_unlock(&qp->lock);
}

/* In the owner's engine: a peer's request was the QP's end. */
static void on_qp_error(struct peer *from, const void *body, uint32_t length)
{
	const struct qp_error *error = body;
	struct ibv_async_event event = { 0 };
	struct qp *qp;

	(void)from;
	if (length != sizeof(*error))
		return;
	qp = qp_hold(error->handle, error->qpn);
	if (!qp)
		return;
	owner_lock(&qp->sq.lock);
	if (qp_state(qp) == IBV_QPS_ERR)
		flush_sq(qp);
	owner_unlock(&qp->sq.lock);
	event.element.qp = qp_base(qp);
	event.event_type = error->event;
	async_raise(to_context(qp_base(qp)->context), &event);
	qp_release(qp);
}

void responder_init(void)
{
	link_to_responder = responder_receive;
	inbox_handle(INBOX_QP_ERROR, on_qp_error);
}
