/* SPDX-License-Identifier: BSD-2-Clause */
/* What requests do to the owner's memory: WRITE, READ and the atomics. */
#include "transport/request.h"

#include <errno.h>
#include "object/mr.h"

int copy_to_owner(const struct request *req, const struct iovec *iov, unsigned int iovs)
{
	int err = peer_write(req->owner, iov, iovs, req->packet->iov, req->packet->iovs);

	return likely(owner_lock_held(&req->qp->lock)) ? err : -ESTALE;
}

int copy_from_owner(const struct request *req, const struct iovec *iov)
{
	int err = peer_read(req->owner, iov, 1, req->packet->iov, req->packet->iovs);

	return likely(owner_lock_held(&req->qp->lock)) ? err : -ESTALE;
}

enum outcome after_copy(int err)
{
	switch (err) {
	case 0: return RESP_DONE;
	case -ESTALE: return RESP_LOST;
	case -ESRCH: return RESP_DROP;      /* the owner is gone */
	case -EPERM: return RESP_OPERATION; /* the system forbids it */
	default: return RESP_ACCESS;
	}
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
	enum outcome outcome = RESP_ACCESS;
	struct iovec iov;

	if (remote_memory(req, IBV_ACCESS_REMOTE_WRITE, req->packet->length, &iov))
		outcome = after_copy(copy_to_owner(req, &iov, 1));
	return outcome == RESP_LOST ? outcome : deliver_immediate(req, outcome);
}

enum outcome execute_read(struct request *req)
{
	const struct packet *packet = req->packet;
	struct iovec iov;

	if (!remote_memory(req, IBV_ACCESS_REMOTE_READ, packet->length, &iov))
		return RESP_ACCESS;
	return after_copy(copy_from_owner(req, &iov));
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

enum outcome execute(struct request *req)
{
	if (req->mask & OP_SEND)
		return deliver_send(req);
	if (req->mask & OP_WRITE)
		return execute_write(req);
	if (req->mask & OP_READ)
		return execute_read(req);
	return execute_atomic(req);
}
