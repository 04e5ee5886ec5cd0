/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Messages of one or more packets (IBA 9.7.4.1): the receive is taken and the memory
 * checked when a message begins; each packet is placed when it arrives; the completion
 * comes with the last.
 */
#include "transport/wire_responder.h"

#include "base/util.h"
#include "object/mr.h"
#include "object/mw.h"

enum { NONE = NO_PACKET };

static uint8_t kind_of(unsigned int mask)
{
	return mask & OP_SEND ? RC_SEND_FIRST : RC_WRITE_FIRST;
}

static bool is_only(unsigned int mask)
{
	return (mask & (OP_FIRST | OP_LAST)) == (OP_FIRST | OP_LAST);
}

/* IBA 9.7.4.1.2 and .4: the packets of a message in their order, all but the last full.
 */
static enum outcome check_place(const struct wire_request *q)
{
	unsigned int mask = q->req.mask;
	size_t length = q->roce->length;

	if (q->state->under_way != (mask & OP_FIRST ? NONE : kind_of(mask)))
		return RESP_INVALID;
	if (length > q->mtu || (!(mask & OP_LAST) && length != q->mtu))
		return RESP_INVALID;
	if (!length && !(mask & OP_FIRST))
		return RESP_INVALID;
	return RESP_DONE;
}

/* The receive stays with a message until that is whole, and with the QP where it came out
 * of an SRQ and the message got lost. */
static enum outcome claim(struct wire_request *q)
{
	enum outcome outcome;

	if (q->state->has_receive) {
		q->req.wqe = &q->state->receive.wqe;
		return RESP_DONE;
	}
	outcome = take_receive(&q->req);
	q->state->has_receive =
	        outcome == RESP_DONE && q->req.wqe && q->req.qp->rq_is_shared;
	return outcome;
}

/* A receive of the QP's own is still where it was. */
static enum outcome claim_again(struct wire_request *q)
{
	q->req.mask |= OP_RECV;
	return claim(q);
}

/* --- SEND -----------------------------------------------------------------------------
 */

/* The places of the receive's list that this packet fills. */
static enum ibv_wc_status places(const struct wire_request *q, struct iovec *iov,
                                 unsigned int *iovs)
{
	const struct request *req = &q->req;
	const struct rq_shared *rq = peer_ptr(req->owner, req->qp->rq);
	uint64_t skip = q->state->done, left = req->packet->length, va;

	*iovs = 0;
	for (uint32_t i = 0; i < req->wqe->num_sge && left; i++) {
		const struct ibv_sge *sge = &req->wqe->sge[i];
		uint64_t take;

		if (skip >= sge->length) {
			skip -= sge->length;
			continue;
		}
		take = min_u64(sge->length - skip, left);
		if (!mr_check(req->owner, sge->lkey, rq->pd, IBV_ACCESS_LOCAL_WRITE,
		              sge->addr + skip, take, &va))
			return IBV_WC_LOC_PROT_ERR;
		iov[(*iovs)++] = (struct iovec){ (void *)(uintptr_t)va, take };
		left -= take;
		skip = 0;
	}
	return left ? IBV_WC_LOC_LEN_ERR : IBV_WC_SUCCESS;
}

static enum outcome end_receive(struct wire_request *q, enum ibv_wc_status status)
{
	const struct packet *packet = q->req.packet;
	struct packet whole = *packet;
	enum outcome outcome;

	whole.length = q->message;
	q->req.packet = &whole;
	outcome = deliver_end(&q->req, status);
	q->req.packet = packet;
	q->state->has_receive = false;
	return outcome;
}

static enum outcome place(struct wire_request *q)
{
	struct iovec iov[DEVICE_MAX_SGE];
	unsigned int iovs;
	enum ibv_wc_status status = places(q, iov, &iovs);

	if (status == IBV_WC_SUCCESS &&
	    peer_write(q->req.owner, iov, iovs, q->req.packet->iov, q->req.packet->iovs))
		status = IBV_WC_LOC_PROT_ERR;
	if (status == IBV_WC_SUCCESS)
		return RESP_DONE;
	end_receive(q, status);
	q->failed = true;
	/* IBA 9.7.4.1.7 for the length, 9.7.5.2.7 for the rest */
	return status == IBV_WC_LOC_LEN_ERR ? RESP_INVALID : RESP_OPERATION;
}

static enum outcome send_part(struct wire_request *q)
{
	enum outcome outcome = claim_again(q);

	if (outcome == RESP_DONE)
		outcome = place(q);
	if (outcome != RESP_DONE || !(q->req.mask & OP_LAST))
		return outcome;
	if ((q->req.mask & OP_IETH) && invalidate(&q->req) != RESP_DONE) {
		q->state->has_receive = false;
		return RESP_ACCESS;
	}
	q->message = q->state->done + q->req.packet->length;
	return end_receive(q, IBV_WC_SUCCESS);
}

/* --- WRITE ----------------------------------------------------------------------------
 */

/* The whole range is checked before any of it is written. */
static enum outcome write_begin(struct wire_request *q)
{
	struct wire_responder *state = q->state;
	struct iovec iov;

	state->va = q->roce->va;
	state->rkey = q->roce->rkey;
	state->length = q->roce->dma_length;
	if (state->length <= q->mtu)
		return RESP_INVALID;
	return remote_memory(&q->req, IBV_ACCESS_REMOTE_WRITE, state->length, &iov)
	               ? RESP_DONE
	               : RESP_ACCESS;
}

/* What a packet brings, as a WRITE of its own. */
static enum outcome write_bytes(struct wire_request *q)
{
	const struct packet *packet = q->req.packet;
	const struct rwqe *wqe = q->req.wqe;
	unsigned int mask = q->req.mask;
	struct packet part = *packet;
	enum outcome outcome;

	part.va = q->state->va + q->state->done;
	part.rkey = q->state->rkey;
	q->req.packet = &part;
	q->req.mask = OP_WRITE;
	q->req.wqe = NULL; /* not to be completed yet */
	outcome = execute(&q->req);
	q->req.packet = packet;
	q->req.mask = mask;
	q->req.wqe = wqe;
	return outcome;
}

static enum outcome write_part(struct wire_request *q)
{
	struct wire_responder *state = q->state;
	uint64_t done = state->done + q->req.packet->length;
	bool last = q->req.mask & OP_LAST;
	enum outcome outcome = RESP_DONE;

	if (q->req.mask & OP_FIRST)
		outcome = write_begin(q);
	if (outcome == RESP_DONE &&
	    (last ? done != state->length : done >= state->length))
		outcome = RESP_INVALID; /* IBA 9.7.4.1.7 */
	if (outcome == RESP_DONE && (q->req.mask & OP_RECV))
		outcome = claim(q);
	if (outcome == RESP_DONE)
		outcome = write_bytes(q);
	if (outcome == RESP_DONE && (q->req.mask & OP_RECV)) {
		q->message = done;
		outcome = end_receive(q, IBV_WC_SUCCESS);
	}
	return outcome;
}

/* --- both -----------------------------------------------------------------------------
 */

static enum outcome whole_message(struct wire_request *q)
{
	enum outcome outcome;

	if ((q->req.mask & OP_WRITE) && q->roce->dma_length != q->roce->length)
		return RESP_INVALID;
	q->message = q->roce->length;
	outcome = q->req.mask & OP_RECV ? claim(q) : RESP_DONE;
	if (outcome != RESP_DONE)
		return outcome;
	outcome = execute(&q->req);
	q->state->has_receive = false;
	q->failed = outcome == RESP_INVALID;
	return outcome;
}

static enum outcome part_of_message(struct wire_request *q)
{
	struct wire_responder *state = q->state;
	unsigned int mask = q->req.mask;
	enum outcome outcome;

	if (mask & OP_FIRST)
		state->done = 0;
	outcome = mask & OP_SEND ? send_part(q) : write_part(q);
	q->req.mask = mask;
	if (outcome == RESP_DONE) {
		state->done += q->req.packet->length;
		q->message = state->done;
	}
	if (outcome == RESP_RNR)
		return outcome; /* the same packet comes once more */
	state->under_way =
	        outcome == RESP_DONE && !(mask & OP_LAST) ? kind_of(mask) : NONE;
	return outcome;
}

enum outcome wire_execute(struct wire_request *q)
{
	enum outcome outcome;

	q->psns = 1;
	if (q->req.mask & OP_FIRST)
		outcome = check_operation(&q->req);
	else
		outcome = RESP_DONE;
	if (outcome == RESP_DONE)
		outcome = check_place(q);
	if (outcome != RESP_DONE)
		return outcome;
	if (q->req.mask & OP_READ)
		return wire_execute_read(q);
	if (q->req.mask & (OP_ATOMIC | OP_ATOMIC_WRITE))
		return wire_execute_atomic(q);
	return is_only(q->req.mask) ? whole_message(q) : part_of_message(q);
}

COLD void wire_return_receive(struct peer *owner, struct qp_shared *qp)
{
	struct wire_responder *state = wire_responder_of(qp);
	struct packet packet = { .dest_qpn = atomic_load(&qp->qpn) };
	struct request req = { .owner = owner, .qp = qp, .packet = &packet };

	if (!state || !state->has_receive || !qp->recv_cq)
		return;
	req.wqe = &state->receive.wqe;
	deliver_end(&req, IBV_WC_WR_FLUSH_ERR);
	state->has_receive = false;
}
