/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An XRC target lies in the segment of the process that made it, and stays while any
 * living process has a handle of it: the registry knows who has, as it does for domains.
 * The last to close one retires it; its number and memory are given back by their owner,
 * when it next makes or closes one.
 */
#include "transport/target.h"

#include <errno.h>
#include <stdlib.h>
#include "host/registry.h"
#include "object/xrcd.h"
#include "object/qp_attr.h"
#include "transport/transport.h"

/* Those of our segment whose first handle is closed. */
struct orphan {
	struct list node;
	seg_off off;
	uint32_t qpn;
};

static struct {
	pthread_mutex_t lock;
	struct list list;
} orphans = { PTHREAD_MUTEX_INITIALIZER, { &orphans.list, &orphans.list } };

/* In the place of a device: what has handles is a target, by its number. */
#define TARGETS UINT64_MAX

static bool has_handles(uint32_t qpn)
{
	return registry_domain_exists(TARGETS, qpn);
}

static int take_handle(uint32_t qpn, uint32_t *entry)
{
	struct registry_domain handle;
	int err = registry_domain_open(TARGETS, qpn, DOMAIN_CREATE, &handle);

	if (!err)
		*entry = handle.entry;
	return err;
}

static void drop_handle(uint32_t entry)
{
	registry_domain_close(&(struct registry_domain){ .entry = entry });
}

/* Also when its last holder died with its handle. */
static void retire(struct peer *home, struct qp_shared *sh)
{
	responder_lock(home, sh);
	atomic_store(&sh->state, IBV_QPS_RESET);
	atomic_store(&sh->qpn, 0);
	owner_unlock(&sh->lock);
}

static void free_block(seg_off off, uint32_t qpn)
{
	struct qp_shared *sh = segment_ptr(off);
	seg_off target = sh->target;

	retire(peer_self(), sh);
	qp_block_free(off, qpn);
	segment_free(target, sizeof(struct target_shared));
}

static void free_retired(void)
{
	struct list *at, *next;

	pthread_mutex_lock(&orphans.lock);
	list_for_each_safe (at, next, &orphans.list) {
		struct orphan *orphan = list_entry(at, struct orphan, node);

		if (has_handles(orphan->qpn))
			continue;
		list_del(at);
		free_block(orphan->off, orphan->qpn);
		free(orphan);
	}
	pthread_mutex_unlock(&orphans.lock);
}

static void leave_to_others(seg_off off, uint32_t qpn)
{
	struct orphan *orphan = malloc(sizeof(*orphan));

	if (!orphan)
		return; /* it is given back when the process ends */
	orphan->off = off;
	orphan->qpn = qpn;
	pthread_mutex_lock(&orphans.lock);
	list_add_tail(&orphans.list, &orphan->node);
	pthread_mutex_unlock(&orphans.lock);
}

/* One that has no handle yet. */
static void discard(struct qp *qp)
{
	uint32_t qpn = qp_base(qp)->qp_num;
	seg_off off = qp->off;

	qp_destroy(qp);
	free_block(off, qpn);
}

int target_create(struct xrcd *xrcd, struct ibv_qp_init_attr *attr, struct qp **qp)
{
	struct target_shared *target;
	seg_off off;
	int err;

	free_retired();
	err = segment_alloc(sizeof(*target), &off);
	if (err)
		return err;
	target = segment_ptr(off);
	*target = (struct target_shared){ xrcd->domain.number, { 0 } };
	err = qp_create(NULL, xrcd, attr, NULL, qp);
	if (err) {
		segment_free(off, sizeof(*target));
		return err;
	}
	(*qp)->home = peer_self();
	responder_lock(peer_self(), (*qp)->sh);
	(*qp)->sh->target = off;
	owner_unlock(&(*qp)->sh->lock);
	err = take_handle(qp_base(*qp)->qp_num, &(*qp)->target_entry);
	if (err)
		discard(*qp);
	return err;
}

/* One handle more, if the number is that of a target of this domain. */
static int join(struct peer *home, struct qp_shared *sh, uint32_t qpn, uint64_t domain,
                uint32_t *entry)
{
	int err = -EINVAL;

	responder_lock(home, sh);
	if (atomic_load(&sh->qpn) == qpn && sh->transport == BTH_XRC && sh->target &&
	    target_of(home, sh)->domain == domain)
		err = take_handle(qpn, entry);
	owner_unlock(&sh->lock);
	return err;
}

/* One less; whether none is left. */
static bool leave(struct peer *home, struct qp_shared *sh, uint32_t qpn, uint32_t entry)
{
	bool last;

	responder_lock(home, sh);
	drop_handle(entry);
	last = !has_handles(qpn);
	if (last) {
		atomic_store(&sh->state, IBV_QPS_RESET);
		atomic_store(&sh->qpn, 0);
	}
	owner_unlock(&sh->lock);
	return last;
}

int target_open(struct xrcd *xrcd, uint32_t qpn, void *qp_context, struct qp **qp)
{
	struct host_place place;
	uint32_t entry;
	struct peer *home;
	int err;

	if (registry_qpn_find(qpn, &place) ||
	    peer_get(place.slot, place.generation, &home))
		return -EINVAL;
	err = join(home, peer_ptr(home, place.off), qpn, xrcd->domain.number, &entry);
	if (err)
		goto put_home;
	err = qp_open(xrcd, qpn, home, place.off, qp_context, qp);
	if (!err) {
		(*qp)->target_entry = entry;
		return 0;
	}
	leave(home, peer_ptr(home, place.off), qpn, entry);
put_home:
	peer_put(home);
	return err;
}

void target_close(struct qp *qp)
{
	struct peer *home = qp->home;
	uint32_t qpn = qp_base(qp)->qp_num;
	bool opened = qp->opened, last;
	seg_off off = qp->off;

	if (!opened) {
		responder_lock(home, qp->sh);
		qp->sh->handle = 0; /* nobody is left to hear of it */
		owner_unlock(&qp->sh->lock);
	}
	last = leave(home, qp->sh, qpn, qp->target_entry);
	qp_destroy(qp);
	if (!opened && last)
		free_block(off, qpn);
	else if (!opened)
		leave_to_others(off, qpn);
	else
		peer_put(home);
	free_retired();
}

/* The attributes as whoever changed them last has left them; the responder's lock is
 * held. */
static void load(struct qp *qp)
{
	qp->attr = target_of(qp->home, qp->sh)->attr;
}

static void store(struct qp *qp)
{
	target_of(qp->home, qp->sh)->attr = qp->attr;
}

static int change(struct qp *qp, const struct ibv_qp_attr *attr, int mask,
                  enum ibv_qp_state next)
{
	int err = 0;

	if (next == IBV_QPS_RESET)
		qp->attr = (struct ibv_qp_attr){ 0 };
	if (next == IBV_QPS_ERR)
		responder_to_error(qp->home, qp->sh);
	if (next == IBV_QPS_RESET || next == IBV_QPS_ERR) {
		atomic_store(&qp->sh->state, next);
		return 0;
	}
	if (mask & IBV_QP_AV)
		err = qp_set_path(qp, &attr->ah_attr);
	if (err)
		return err;
	qp_attr_apply(qp, attr, mask);
	qp_set_responder(qp, next, mask);
	return 0;
}

int target_modify(struct qp *qp, const struct ibv_qp_attr *attr, int mask)
{
	enum ibv_qp_state next;
	int err;

	if (!peer_alive(qp->home))
		return -EIO;
	owner_lock(&qp->sq.lock);
	responder_lock(qp->home, qp->sh);
	load(qp);
	err = qp_attr_check(qp, attr, mask, qp_state(qp), &next);
	if (!err)
		err = change(qp, attr, mask, next);
	if (!err)
		store(qp);
	qp_base(qp)->state = qp_state(qp);
	owner_unlock(&qp->sh->lock);
	owner_unlock(&qp->sq.lock);
	return err;
}

void target_query(struct qp *qp, struct ibv_qp_attr *attr, struct ibv_qp_init_attr *init)
{
	owner_lock(&qp->sq.lock);
	responder_lock(qp->home, qp->sh);
	load(qp);
	owner_unlock(&qp->sh->lock);
	owner_unlock(&qp->sq.lock);
	qp_query(qp, attr, init);
}
