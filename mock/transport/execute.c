/* SPDX-License-Identifier: BSD-2-Clause */
/* What requests do to the owner's memory: WRITE, READ and the atomics. */
#include "transport/request.h"

#include <errno.h>
#include "object/mw.h"

enum outcome after_copy(const struct request *req, int err)
{
	switch (err) {
	case 0: return RESP_DONE;
	case -ESRCH: return drop(req, COUNT_DROP_OWNER);
	case -EPERM: return RESP_OPERATION; /* the system forbids it */
	default: return RESP_ACCESS;
	}
}

bool remote_memory(const struct request *req, uint32_t access, uint64_t length,
                   struct iovec *iov)
{
	const struct packet *packet = req->packet;
	uint64_t va = 0;

	/* A request for no bytes has no key to check (IBA 9.7.4.1.5, C9-88). */
	if (length &&
	    unlikely(!mr_check(req->owner, packet->rkey, req->qp->pd, access, packet->va,
	                       length, &va)) &&
	    !mw_check(req->owner, packet->rkey, req->qp->pd, packet->dest_qpn, access,
	              packet->va, length, &va))
		return false;
	*iov = (struct iovec){ (void *)(uintptr_t)va, length };
	return true;
}

static enum outcome execute_write(struct request *req)
{
	const struct packet *packet = req->packet;
	enum outcome outcome;
	struct iovec iov;

	if (!remote_memory(req, IBV_ACCESS_REMOTE_WRITE, packet->length, &iov))
		return deliver_immediate(req, RESP_ACCESS, IBV_WC_WR_FLUSH_ERR);
	outcome = after_copy(req,
	                     peer_write(req->owner, &iov, 1, packet->iov, packet->iovs));
	if (outcome == RESP_DROP)
		return outcome;
	/* Beyond the key, it is the owner's own memory that is at fault
	 * (IBA 11.6.2, local access error). */
	return deliver_immediate(req, outcome,
	                         outcome == RESP_DONE ? IBV_WC_SUCCESS
	                                              : IBV_WC_LOC_ACCESS_ERR);
}

enum outcome execute_read(struct request *req)
{
	const struct packet *packet = req->packet;
	struct iovec iov;

	if (!remote_memory(req, IBV_ACCESS_REMOTE_READ, packet->length, &iov))
		return RESP_ACCESS;
	return after_copy(
	        req, peer_read(req->owner, &iov, 1, req->packet->iov, req->packet->iovs));
}

/* Reads, and writes if the atomic says so. */
static int read_modify_write(struct request *req, const struct iovec *remote)
{
	const struct packet *packet = req->packet;
	uint64_t found, put = packet->swap_add;
	struct iovec mine = { &found, sizeof(found) };
	int err = peer_read(req->owner, remote, 1, &mine, 1);

	if (err)
		return err;
	req->original = found;
	if ((packet->opcode & ~BTH_TRANSPORT) == RC_FETCH_ADD)
		put += found;
	else if (found != packet->compare)
		return 0;
	return peer_write_word(req->owner, remote->iov_base, put);
}

/* The word may come from several pieces; it goes as one. */
static int write_word(struct request *req, const struct iovec *remote)
{
	const struct packet *packet = req->packet;
	uint64_t put;
	struct iovec mine = { &put, sizeof(put) };
	int err = peer_write(peer_self(), &mine, 1, packet->iov, packet->iovs);

	return err ? err : peer_write_word(req->owner, remote->iov_base, put);
}

/* Atomic to all QPs of the device (IBV_ATOMIC_HCA): one at a time on one process's
 * memory.
 */
static enum outcome execute_atomic(struct request *req)
{
	struct owner_lock *lock = &((struct segment_head *)req->owner->base)->atomic_lock;
	bool only_writes = req->mask & OP_ATOMIC_WRITE;
	struct iovec remote;
	int err;

	if (!remote_memory(
	            req, only_writes ? IBV_ACCESS_REMOTE_WRITE : IBV_ACCESS_REMOTE_ATOMIC,
	            sizeof(uint64_t), &remote))
		return RESP_ACCESS;
	if ((uintptr_t)remote.iov_base % sizeof(uint64_t))
		return RESP_INVALID; /* the key's address was a multiple, its memory's is
		                        none */
	owner_lock(lock);
	err = only_writes ? write_word(req, &remote) : read_modify_write(req, &remote);
	owner_unlock(lock);
	return after_copy(req, err);
}

/*
 * The key is not valid any more when the receive completes (IBA 9.4.1.1.3); one that may
 * not be invalidated ends the connection, as a key that may not be used does.
 */
enum outcome invalidate(const struct request *req)
{
	if (!mw_invalidate(req->owner, req->qp->pd, req->packet->dest_qpn,
	                   req->packet->imm))
		return RESP_DONE;
	deliver_failure(req, IBV_WC_REM_INV_REQ_ERR);
	return RESP_ACCESS;
}

enum outcome execute(struct request *req)
{
	if (unlikely(req->mask & OP_IETH) && invalidate(req) != RESP_DONE)
		return RESP_ACCESS;
	if (req->mask & OP_SEND)
		return deliver_send(req);
	if (req->mask & OP_WRITE)
		return execute_write(req);
	if (req->mask & OP_READ)
		return execute_read(req);
	return execute_atomic(req);
}
