/* SPDX-License-Identifier: BSD-2-Clause */
/* Polling: completions in the form of the verbs, and the payload of small SENDs put in
 * its place. */
#include "transport/transport.h"

#include <errno.h>
#include <string.h>
#include "link/roce.h"
#include "transport/wire.h"

/* The receive's key is checked again: its memory may have been deregistered since. */
static enum ibv_wc_status place(const struct cqe *entry)
{
	const struct rq_shared *rq = completion_rq(&entry->c)->sh;
	uint32_t length = completion_length(&entry->c);
	uint64_t va;

	if (!length)
		return IBV_WC_SUCCESS;
	if (!mr_check(peer_self(), entry->c.place_lkey, rq->pd, IBV_ACCESS_LOCAL_WRITE,
	              entry->c.place_va, length, &va))
		return IBV_WC_LOC_PROT_ERR;
	if (unlikely(entry->c.flags & CQE_HEADER)) {
		memcpy((void *)(uintptr_t)va, rq_behind(peer_self(), rq, entry->c.wqe),
		       GRH_LENGTH);
		va += GRH_LENGTH;
	}
	copy_small((void *)(uintptr_t)va, entry->inline_data, entry->c.byte_len);
	return IBV_WC_SUCCESS;
}

static void take_one(const struct cqe *entry, void *arg, unsigned int index)
{
	struct ibv_wc *wc = (struct ibv_wc *)arg + index;

	wc->wr_id = entry->c.wr_id;
	wc->status = entry->c.status;
	wc->opcode = completion_opcode(&entry->c);
	wc->vendor_err = entry->c.vendor_err;
	wc->byte_len = entry->c.byte_len;
	wc->imm_data = entry->c.imm;
	wc->qp_num = entry->c.qp_num;
	wc->src_qp = entry->c.src_qp;
	wc->wc_flags = entry->c.wc_flags;
	wc->pkey_index = 0;
	wc->slid = 0;
	wc->sl = completion_sl(&entry->c);
	wc->dlid_path_bits = 0;
	if (entry->c.flags & CQE_INLINE) {
		wc->status = place(entry);
		wc->byte_len = completion_length(&entry->c);
	}
	qp_completion_taken(entry);
}

static __attribute__((noinline)) bool is_still_empty(struct cq *cq)
{
	credit_look();
	timers_poll();
	wire_owed_look();
	wire_credit_look();
	roce_poll();
	return cq_is_empty(cq);
}

void transport_arm(struct cq *cq, bool solicited_only)
{
	cq_arm(cq, solicited_only);
	wire_owed_look();
	roce_attend();
}

/* Flattened: as calls, the steps of taking out an entry would cost half as much again. */
__attribute__((flatten)) int transport_poll(struct cq *cq, int count, struct ibv_wc *wc)
{
	if (cq_is_empty(cq) && is_still_empty(cq))
		return 0;
	return cq_poll(cq, count, take_one, wc);
}

/* The entry that is current now. */
static void show(struct cq *cq)
{
	const struct cqe *entry = cq->current;

	cq->ex.wr_id = entry->c.wr_id;
	cq->ex.status = entry->c.flags & CQE_INLINE ? place(entry) : entry->c.status;
	qp_completion_taken(entry);
}

int transport_poll_begin(struct cq *cq)
{
	int err;

	err = cq_is_empty(cq) && is_still_empty(cq) ? -ENOENT : cq_poll_begin(cq);
	if (!err)
		show(cq);
	return err;
}

int transport_poll_next(struct cq *cq)
{
	int err = cq_poll_next(cq);

	if (!err)
		show(cq);
	return err;
}
