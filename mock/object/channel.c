/* SPDX-License-Identifier: BSD-2-Clause */
#include "object/channel.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>
#include "host/bell.h"
#include "object/cq.h"

int channel_create(struct ibv_context *context, struct channel **channel)
{
	struct channel *made = calloc(1, sizeof(*made));
	int err;

	if (!made)
		return -ENOMEM;
	err = segment_alloc(sizeof(*made->sh), &made->off);
	if (err)
		goto free_made;
	made->sh = segment_ptr(made->off);
	host_lock_init(&made->sh->lock);
	err = bell_create(&made->ibv.fd, &made->sh->bell);
	if (err)
		goto free_shared;
	pthread_mutex_init(&made->lock, NULL);
	refs_init(&made->refs);
	made->ibv.context = context;
	*channel = made;
	return 0;
free_shared:
	segment_free(made->off, sizeof(*made->sh));
free_made:
	free(made);
	return err;
}

static void put_channel(void *arg)
{
	struct channel *channel = arg;

	if (!refs_put(&channel->refs))
		return;
	close(channel->ibv.fd);
	pthread_mutex_destroy(&channel->lock);
	free(channel);
}

int channel_destroy(struct channel *channel)
{
	if (atomic_load(&channel->users))
		return -EBUSY;
	pthread_mutex_lock(&channel->lock);
	segment_free(channel->off, sizeof(*channel->sh));
	channel->sh = NULL;
	pthread_mutex_unlock(&channel->lock);
	put_channel(channel);
	return 0;
}

void channel_notify(const struct peer *owner, seg_off channel, seg_off cq)
{
	struct channel_shared *sh = peer_ptr(owner, channel);
	struct cq_shared *added = peer_ptr(owner, cq);

	host_lock(&sh->lock);
	if (!added->events++) {
		added->next_pending = 0;
		if (sh->first)
			((struct cq_shared *)peer_ptr(owner, sh->last))->next_pending =
			        cq;
		else
			sh->first = cq;
		sh->last = cq;
	}
	host_unlock(&sh->lock);
	bell_ring(sh->bell);
}

/* Counted before the lock is given back: destroying the CQ waits for what was taken. */
static bool take(struct channel_shared *sh, struct ibv_cq **cq, bool *last)
{
	struct cq_shared *first;
	seg_off off;

	host_lock(&sh->lock);
	off = sh->first;
	if (off) {
		first = segment_ptr(off);
		*cq = cq_event_taken(first->handle);
		if (!--first->events)
			sh->first = first->next_pending;
	}
	*last = !sh->first;
	host_unlock(&sh->lock);
	return off != 0;
}

static bool is_pending(struct channel_shared *sh)
{
	bool pending;

	host_lock(&sh->lock);
	pending = sh->first != 0;
	host_unlock(&sh->lock);
	return pending;
}

/* Rings are taken back when the queue has run empty; one for what came since. */
static void settle_bell(struct channel *channel)
{
	bell_silence(channel->ibv.fd);
	if (is_pending(channel->sh))
		bell_ring(channel->sh->bell);
}

/* A channel that was destroyed meanwhile has nothing any more. */
static bool try_next(struct channel *channel, struct ibv_cq **cq)
{
	bool taken, last;

	pthread_mutex_lock(&channel->lock);
	taken = channel->sh && take(channel->sh, cq, &last);
	if (taken && last)
		settle_bell(channel);
	pthread_mutex_unlock(&channel->lock);
	return taken;
}

static int wait_next(struct channel *channel, struct ibv_cq **cq)
{
	int err = 0;

	while (!err && !try_next(channel, cq))
		err = bell_wait(channel->ibv.fd);
	return err;
}

int channel_next(struct channel *channel, struct ibv_cq **cq)
{
	int err;

	refs_get(&channel->refs);
	pthread_cleanup_push(put_channel, channel);
	err = wait_next(channel, cq);
	pthread_cleanup_pop(1);
	return err;
}

void channel_forget(struct channel *channel, seg_off cq)
{
	struct channel_shared *sh = channel->sh;
	struct cq_shared *gone = segment_ptr(cq), *before = NULL;
	seg_off at, last = 0;

	host_lock(&sh->lock);
	if (gone->events) {
		for (at = sh->first; at != cq; at = before->next_pending) {
			before = segment_ptr(at);
			last = at;
		}
		if (before)
			before->next_pending = gone->next_pending;
		else
			sh->first = gone->next_pending;
		if (sh->last == cq)
			sh->last = last;
		gone->events = 0;
	}
	host_unlock(&sh->lock);
}
