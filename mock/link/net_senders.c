// SPDX-License-Identifier: BSD-2-Clause
/*
 * One socket for each address, traffic class and hop limit that packets leave with, which
 * the system need not be told of each time then: that is a tenth of what a packet costs.
 * What goes to groups and link-local addresses, to more kinds of paths than there are
 * places, or finds no room, goes from one for all of a family. None is connected:
 * net_send.c.
 */
#include "link/net_senders.h"

#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/util.h"
#include "host/engine.h"
#include "object/gid.h"
#include "wire/headers.h"

enum { BOUND_MOST = 16 };

struct bound {
	union ibv_gid local;
	uint8_t traffic_class, hop_limit;
	struct net_sender sender; /* fd -1: it cannot be had */
};

static const int families[] = { AF_INET, AF_INET6 };

static struct {
	struct net_sender common[ARRAY_SIZE(families)];
	struct engine_source
	        room[ARRAY_SIZE(families)]; /* to send, when there was none */
	_Atomic bool blocked;               /* a send found no room */
	void (*writable)(void);
	struct bound bound[BOUND_MOST];
	_Atomic unsigned int bound_count; /* those below stay as they are */
	pthread_mutex_t binding;
} senders = {
	.common = { { .fd = -1 }, { .fd = -1 } },
	.binding = PTHREAD_MUTEX_INITIALIZER,
};

static unsigned int family_of(const struct net_path *path)
{
	return !gid_is_mapped(path->remote.raw);
}

/* --- those that are bound ----------------------------------------------------------- */

static const struct net_sender *find(const struct net_path *path, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		const struct bound *bound = &senders.bound[i];

		if (gid_equal(&bound->local, &path->local) &&
		    bound->traffic_class == path->traffic_class &&
		    bound->hop_limit == path->hop_limit)
			return &bound->sender;
	}
	return NULL;
}

static bool is_plain(const struct net_path *path)
{
	const struct in6_addr *remote = (const void *)path->remote.raw;

	return !IN6_IS_ADDR_LINKLOCAL(remote) && !gid_is_multicast(&path->remote) &&
	       gid_is_mapped(path->local.raw) == gid_is_mapped(path->remote.raw);
}

/* Not a word when it cannot be had: what is wrong with the path, sending says. */
static const struct net_sender *bind_another(const struct net_path *path)
{
	unsigned int count = atomic_load(&senders.bound_count);
	struct bound *bound = &senders.bound[count];

	if (count == BOUND_MOST)
		return NULL;
	*bound = (struct bound){
		path->local, path->traffic_class, path->hop_limit, { .fd = -1 }
	};
	if (net_sender_bind(&bound->sender, path))
		return NULL;
	atomic_store_explicit(&senders.bound_count, count + 1, memory_order_release);
	return &bound->sender;
}

static const struct net_sender *bound_for(const struct net_path *path)
{
	unsigned int count =
	        atomic_load_explicit(&senders.bound_count, memory_order_acquire);
	const struct net_sender *sender = find(path, count);

	if (likely(sender != NULL) || count == BOUND_MOST || !is_plain(path))
		return sender;
	pthread_mutex_lock(&senders.binding);
	sender = find(path, atomic_load(&senders.bound_count));
	if (!sender)
		sender = bind_another(path);
	pthread_mutex_unlock(&senders.binding);
	return sender;
}

static void forget_bound(void)
{
	unsigned int count = atomic_exchange(&senders.bound_count, 0);

	for (unsigned int i = 0; i < count; i++)
		close(senders.bound[i].sender.fd);
	pthread_mutex_init(&senders.binding, NULL);
}

/* --- sending ------------------------------------------------------------------------ */

const struct net_sender *net_sender_for(const struct net_path *path)
{
	const struct net_sender *common = &senders.common[family_of(path)];
	const struct net_sender *bound = common->fd < 0 ? NULL : bound_for(path);

	return bound ? bound : common;
}

int net_senders_send(const struct net_path *path, const struct net_packet *packets,
                     unsigned int count)
{
	const struct net_sender *common = &senders.common[family_of(path)];
	const struct net_sender *sender = net_sender_for(path);
	int taken;

	if (common->fd < 0)
		return -ENETUNREACH;
	taken = net_sender_send(sender, path, packets, count);
	if (taken == -EAGAIN && sender != common)
		taken = net_sender_send(common, path, packets, count);
	if (taken < 0 && taken != -EAGAIN)
		return taken;
	taken = taken < 0 ? 0 : taken;
	if (taken < (int)count) {
		atomic_store(&senders.blocked, true);
		engine_resume(&senders.room[common - senders.common]);
	}
	return taken;
}

/* --- beginning and end -------------------------------------------------------------- */

static void room_ready(struct engine_source *source)
{
	(void)source;
	if (atomic_exchange(&senders.blocked, false) && senders.writable)
		senders.writable();
}

static void room_gone(struct engine_source *source)
{
	senders.common[source - senders.room].fd = source->fd = -1;
	forget_bound();
}

int net_senders_open(void)
{
	int err = -EAFNOSUPPORT;

	for (unsigned int i = 0; i < ARRAY_SIZE(families); i++) {
		senders.common[i].fd = -1;
		if (!net_sender_open(&senders.common[i], families[i]))
			err = 0;
	}
	return err;
}

void net_senders_close(void)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(families); i++) {
		if (senders.common[i].fd >= 0)
			close(senders.common[i].fd);
		senders.common[i].fd = -1;
	}
}

void net_senders_watch(void (*writable)(void))
{
	senders.writable = writable;
	for (unsigned int i = 0; i < ARRAY_SIZE(families); i++) {
		senders.room[i] = (struct engine_source){
			.fd = senders.common[i].fd,
			.events = EPOLLOUT | EPOLLONESHOT,
			.ready = room_ready,
			.gone = room_gone,
		};
		if (senders.room[i].fd >= 0)
			engine_add(&senders.room[i]);
	}
}
