// SPDX-License-Identifier: BSD-2-Clause
/*
 * IP multicast. A membership is a socket's, and ends with it; but what comes of it is
 * given to every socket of the host that is bound to the port (IP_MULTICAST_ALL). So each
 * membership has a socket of its own, which is good for nothing else, and nobody has to
 * leave for a process that was killed. The system counts who is in a group.
 */
#include "link/net_group.h"

#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/list.h"
#include "host/plain_socket.h"
#include "link/net.h"
#include "object/gid.h"
#include "wire/headers.h"

struct membership {
	struct list node;
	const void *owner;
	union ibv_gid group;
	uint32_t ifindex;
	int fd;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct list memberships = { &memberships, &memberships };

static int join_ipv4(int fd, const union ibv_gid *group, uint32_t ifindex)
{
	struct ip_mreqn request = { .imr_ifindex = (int)ifindex };

	memcpy(&request.imr_multiaddr, group->raw + 12, 4);
	return setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &request, sizeof(request));
}

static int join_ipv6(int fd, const union ibv_gid *group, uint32_t ifindex)
{
	struct ipv6_mreq request = { .ipv6mr_interface = ifindex };

	memcpy(&request.ipv6mr_multiaddr, group->raw, 16);
	return setsockopt(fd, IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP, &request,
	                  sizeof(request));
}

static int open_membership(const union ibv_gid *group, uint32_t ifindex)
{
	bool is_ipv4 = gid_is_mapped(group->raw);
	int err, fd = plain_socket(is_ipv4 ? AF_INET : AF_INET6);

	if (fd < 0)
		return -errno;
	if (!(is_ipv4 ? join_ipv4 : join_ipv6)(fd, group, ifindex))
		return fd;
	err = -errno;
	close(fd);
	return err;
}

static bool is_of(const struct membership *membership, const void *owner,
                  const union ibv_gid *group)
{
	return membership->owner == owner &&
	       (!group || !memcmp(&membership->group, group, sizeof(*group)));
}

static bool is_in(const void *owner, const union ibv_gid *group, uint32_t ifindex)
{
	struct list *at;

	list_for_each (at, &memberships) {
		const struct membership *found = list_entry(at, struct membership, node);

		if (found->ifindex == ifindex && is_of(found, owner, group))
			return true;
	}
	return false;
}

static int add(const void *owner, const union ibv_gid *group, uint32_t ifindex)
{
	struct membership *fresh = calloc(1, sizeof(*fresh));
	int err;

	if (!fresh)
		return -ENOMEM;
	fresh->fd = open_membership(group, ifindex);
	if (fresh->fd < 0) {
		err = fresh->fd;
		free(fresh);
		return err;
	}
	fresh->owner = owner;
	fresh->group = *group;
	fresh->ifindex = ifindex;
	list_add_tail(&memberships, &fresh->node);
	return 0;
}

static void drop(struct membership *membership)
{
	list_del(&membership->node);
	close(membership->fd);
	free(membership);
}

static void before_fork(void)
{
	pthread_mutex_lock(&lock);
}

static void in_parent(void)
{
	pthread_mutex_unlock(&lock);
}

static void in_child(void)
{
	pthread_mutex_init(&lock, NULL);
}

static void watch_forks(void)
{
	pthread_atfork(before_fork, in_parent, in_child);
}

int net_join(const void *owner, const union ibv_gid *group, uint32_t ifindex)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	int err = 0;

	pthread_once(&once, watch_forks);
	if (!gid_is_multicast(group))
		return -EINVAL;
	pthread_mutex_lock(&lock);
	if (!is_in(owner, group, ifindex))
		err = add(owner, group, ifindex);
	pthread_mutex_unlock(&lock);
	return err;
}

void net_leave(const void *owner, const union ibv_gid *group)
{
	struct list *at, *next;

	pthread_mutex_lock(&lock);
	list_for_each_safe (at, next, &memberships) {
		struct membership *membership = list_entry(at, struct membership, node);

		if (is_of(membership, owner, group))
			drop(membership);
	}
	pthread_mutex_unlock(&lock);
}

void net_group_forget(void)
{
	while (!list_empty(&memberships))
		drop(list_entry(memberships.next, struct membership, node));
}
