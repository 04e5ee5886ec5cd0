/* SPDX-License-Identifier: BSD-2-Clause */
#include "object/port.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/log.h"
#include "host/engine.h"
#include "host/plain_socket.h"
#include "object/async.h"
#include "object/device.h"
#include "object/gid.h"

/* Opening and closing one at a time; closing waits for the engine, which takes the lock.
 */
static pthread_mutex_t setup = PTHREAD_MUTEX_INITIALIZER;

static struct {
	pthread_mutex_t lock;
	struct list contexts;
	uint64_t version; /* what they were told last */
	/* Of the process as the engine knows it: a child of fork hears nothing through
	 * contexts of its parent. */
	uint64_t generation;
	unsigned int users; /* contexts of this generation */
	struct engine_source news;
} port = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.contexts = { &port.contexts, &port.contexts },
};

static void tell(struct context *context, enum ibv_event_type type)
{
	struct ibv_async_event event = { .event_type = type };

	event.element.port_num = DEVICE_PORT;
	async_raise(context, &event);
}

static bool is_up(const struct context *context)
{
	return device_is_up(device_of(&context->vctx.context));
}

/* An entry that changes, changes on some device: all are told. */
static void tell_changes(void)
{
	uint64_t version = gid_version();
	struct list *at;

	pthread_mutex_lock(&port.lock);
	list_for_each (at, &port.contexts) {
		struct context *context = list_entry(at, struct context, port_node);
		bool up = is_up(context);

		if (context->generation != port.generation)
			continue;
		if (up != context->port_up)
			tell(context, up ? IBV_EVENT_PORT_ACTIVE : IBV_EVENT_PORT_ERR);
		if (version != port.version)
			tell(context, IBV_EVENT_GID_CHANGE);
		context->port_up = up;
	}
	port.version = version;
	pthread_mutex_unlock(&port.lock);
}

/* What the news are does not matter: the addresses are read anew. None is lost that way
 * where the system had to drop some. */
static void read_news(struct engine_source *source)
{
	char room[4096];

	while (recv(source->fd, room, sizeof(room), MSG_DONTWAIT | MSG_TRUNC) >= 0 ||
	       errno == ENOBUFS)
		;
	if (!gid_refresh())
		tell_changes();
}

static int open_news(void)
{
	struct sockaddr_nl address = {
		.nl_family = AF_NETLINK,
		.nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR,
	};
	int fd = plain_socket(AF_NETLINK);

	if (fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(address))) {
		close(fd);
		fd = -1;
	}
	return fd;
}

static void start(void)
{
	int fd = open_news();

	if (fd < 0) {
		mock_info("no news of interfaces and addresses can be had (%s): there "
		          "will be no events of the port",
		          strerror(errno));
		return;
	}
	port.news.fd = fd;
	port.news.ready = read_news;
	engine_add(&port.news);
	/* What changed since the addresses were read, and before there were news. */
	gid_refresh();
}

void port_open(struct context *context)
{
	uint64_t generation = peer_self()->generation;
	bool first;

	pthread_mutex_lock(&setup);
	pthread_mutex_lock(&port.lock);
	first = port.generation != generation || !port.users;
	if (first) {
		port.generation = generation;
		port.users = 0;
		port.version = gid_version();
	}
	port.users++;
	context->generation = generation;
	context->port_up = is_up(context);
	list_add_tail(&port.contexts, &context->port_node);
	pthread_mutex_unlock(&port.lock);
	if (first) {
		start();
		tell_changes();
	}
	pthread_mutex_unlock(&setup);
}

void port_close(struct context *context)
{
	bool last;

	pthread_mutex_lock(&setup);
	pthread_mutex_lock(&port.lock);
	list_del(&context->port_node);
	last = context->generation == port.generation && !--port.users;
	pthread_mutex_unlock(&port.lock);
	if (last)
		engine_remove(&port.news);
	pthread_mutex_unlock(&setup);
}
