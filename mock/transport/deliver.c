/* SPDX-License-Identifier: BSD-2-Clause */
/* Requests that take a receive: SEND, and what is left of a WRITE with immediate. */
#include "transport/request.h"

#include <errno.h>
#include <string.h>
#include "object/cq.h"
#include "object/device.h"
#include "object/mr.h"
#include "wire/headers.h"

static struct rq_shared *rq_of(const struct request *req)
{
	return peer_ptr(req->owner, req->qp->rq);
}

enum outcome take_receive(struct request *req)
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
		if (unlikely(atomic_load_explicit(&rq->limit, memory_order_relaxed)))
			rq_limit_check(req->owner, rq);
	}
	owner_unlock(&rq->lock);
	return req->wqe ? RESP_DONE : RESP_RNR;
}

/* An immediate, or the key that was invalidated, is in the same place. */
static inline uint8_t wc_flags_of(unsigned int mask)
{
	if (likely(!(mask & (OP_IMM | OP_IETH))))
		return 0;
	return mask & OP_IMM ? IBV_WC_WITH_IMM : IBV_WC_WITH_INV;
}

/* -EOVERFLOW: the owner's CQ was full, and the completion is lost. */
static int push_receive(const struct request *req, enum ibv_wc_status status,
                        const struct completion *extra, const void *data)
{
	struct completion entry = {
		.status = status,
		.opcode = req->mask & OP_WRITE ? IBV_WC_RECV_RDMA_WITH_IMM & 0x7f : 0,
		.wc_flags = wc_flags_of(req->mask),
		.flags = CQE_RECV | (req->packet->solicited ? CQE_SOLICITED : 0),
		.wr_id = req->wqe->wr_id,
		.byte_len = req->packet->length,
		.imm = req->packet->imm,
		.qp_num = req->packet->dest_qpn,
		.src_qp = req->qp->dest_qpn,
		.qp = req->qp->handle,
	};

	if (unlikely(req->mask & OP_XRCETH))
		entry.flags |= CQE_SRQ;
	if (unlikely(req->mask & OP_DETH)) {
		entry.src_qp = req->packet->datagram->src_qpn;
		entry.wc_flags |= IBV_WC_GRH;
		entry.wqe = rq_of(req)->consumed;
		if (gid_is_mapped(req->packet->dgid->raw))
			entry.flags |= CQE_IPV4;
	}
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
	                 sge->addr, packet->length, &va));
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

/* The receive's scatter list, cut to the payload, in the owner's addresses. What of a
 * piece is not used need not be in its region: adapters look at what they write. */
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
		              IBV_ACCESS_LOCAL_WRITE, sge->addr, take, &va))
			return IBV_WC_LOC_PROT_ERR;
		iov[count++] = (struct iovec){ (void *)(uintptr_t)va, take };
		left -= take;
	}
	*iovs = count;
	return left ? IBV_WC_LOC_LEN_ERR : IBV_WC_SUCCESS;
}

static enum outcome deliver_scattered(const struct request *req)
{
	struct iovec iov[DEVICE_MAX_SGE];
	unsigned int iovs = 0;
	enum ibv_wc_status status = scatter_list(req, iov, &iovs);
	int err = 0;

	if (status == IBV_WC_SUCCESS)
		err = peer_write(req->owner, iov, iovs, req->packet->iov,
		                 req->packet->iovs);
	if (err == -ESRCH)
		return after_copy(req, err);
	if (err)
		status = IBV_WC_LOC_PROT_ERR;
	err = push_receive(req, status, NULL, NULL);
	/* IBA 9.7.4.1.7 for the length, 9.7.5.2.7 for the rest */
	if (status == IBV_WC_LOC_LEN_ERR)
		return RESP_INVALID;
	return status == IBV_WC_SUCCESS && !err ? RESP_DONE : RESP_OPERATION;
}

uint8_t *deliver_header_room(const struct request *req)
{
	struct rq_shared *rq = rq_of(req);
	const struct ibv_sge *sge = req->wqe->sge;
	uint64_t va, length = GRH_LENGTH + req->packet->length;

	if (!rq->behind || req->packet->length > CQE_INLINE_MAX || !req->wqe->num_sge ||
	    sge->length < length ||
	    !mr_check(req->owner, sge->lkey, rq->pd, IBV_ACCESS_LOCAL_WRITE, sge->addr,
	              length, &va))
		return NULL;
	return rq_behind(req->owner, rq, rq->consumed);
}

enum outcome deliver_datagram_inline(const struct request *req)
{
	const struct ibv_sge *sge = req->wqe->sge;
	char room[CQE_INLINE_MAX];
	struct completion extra = { .flags = CQE_INLINE | CQE_HEADER };

	extra.place_va = sge->addr;
	extra.place_lkey = sge->lkey;
	return push_receive(req, IBV_WC_SUCCESS, &extra, gather(req->packet, room))
	               ? RESP_OPERATION
	               : RESP_DONE;
}

enum outcome deliver_send(struct request *req)
{
	return fits_inline(req) ? deliver_inline(req) : deliver_scattered(req);
}

void deliver_failure(const struct request *req, enum ibv_wc_status status)
{
	push_receive(req, status, NULL, NULL);
}

enum outcome deliver_end(const struct request *req, enum ibv_wc_status status)
{
	return push_receive(req, status, NULL, NULL) ? RESP_OPERATION : RESP_DONE;
}

enum outcome deliver_immediate(struct request *req, enum outcome written,
                               enum ibv_wc_status status)
{
	/* A receive of the QP's own queue stays there; one out of an SRQ cannot go back.
	 */
	if (!req->wqe || (status == IBV_WC_WR_FLUSH_ERR && !req->qp->rq_is_shared))
		return written;
	return push_receive(req, status, NULL, NULL) ? RESP_OPERATION : written;
}
