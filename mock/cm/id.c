/* SPDX-License-Identifier: BSD-2-Clause */
#include "cm/id.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/log.h"
#include "cm/call.h"
#include "cm/device.h"
#include "cm/multicast.h"
#include "host/registry.h"
#include "object/handle.h"

/* Half a second: what the kernel's rdma_cm derives from its assumed packet life time. */
enum { ACK_TIMEOUT = 17 };

static struct handle_table ids = HANDLE_TABLE_INIT;

int id_lock(const struct cm_id *id)
{
	if (id->forks != cm_forks())
		return -EINVAL;
	cm_enter();
	return 0;
}

static void no_hold(void *object)
{
	(void)object;
}

struct cm_id *id_find(uint32_t handle)
{
	return handle_hold(&ids, handle, no_hold);
}

static struct cm_id *make(struct rdma_event_channel *channel, void *context,
                          enum rdma_port_space ps, enum ibv_qp_type qp_type)
{
	struct cm_id *made = calloc(1, sizeof(*made));

	if (!made)
		return NULL;
	memset(made->foreign.is_true, 1, sizeof(made->foreign.is_true));
	made->rdma.channel = channel;
	made->rdma.context = context;
	made->rdma.ps = ps;
	made->rdma.qp_type = qp_type;
	made->forks = cm_forks();
	made->options.ack_timeout = ACK_TIMEOUT;
	list_init(&made->memberships);
	conn_init(&made->conn);
	pthread_mutex_init(&made->qp_lock, NULL);
	if (handle_alloc(&ids, made, &made->handle)) {
		free(made);
		return NULL;
	}
	return made;
}

static void destroy_memory(struct cm_id *id)
{
	multicast_forget(id);
	addrinfo_free(id->found);
	free(id->qp_init_attr);
	pthread_mutex_destroy(&id->qp_lock);
	free(id);
}

static bool fits(enum rdma_port_space ps, enum ibv_qp_type qp_type)
{
	switch (ps) {
	case RDMA_PS_TCP: return qp_type != IBV_QPT_UD;
	case RDMA_PS_UDP:
	case RDMA_PS_IPOIB: return qp_type == IBV_QPT_UD;
	case RDMA_PS_IB: return true;
	}
	return false;
}

int id_create(struct rdma_event_channel *channel, void *context, enum rdma_port_space ps,
              enum ibv_qp_type qp_type, struct cm_id **id)
{
	struct cm_channel *own = NULL;
	int err;

	if (!fits(ps, qp_type))
		return -EINVAL;
	err = cm_device_open();
	if (!err && !channel)
		err = channel_open(&own);
	if (err)
		return err;
	*id = make(own ? &own->rdma : channel, context, ps, qp_type);
	if (!*id) {
		if (own)
			channel_close(own);
		return -ENOMEM;
	}
	(*id)->sync = own != NULL;
	return 0;
}

struct cm_id *id_create_child(struct cm_id *listener)
{
	struct cm_id *child = make(listener->rdma.channel, NULL, listener->rdma.ps,
	                           listener->rdma.qp_type);

	if (!child)
		return NULL;
	child->stage = ID_CONNECT;
	child->options = listener->options;
	return child;
}

void id_discard_child(struct cm_id *child)
{
	handle_free(&ids, child->handle);
	destroy_memory(child);
}

/* Nobody finds the id any more; its events, and those who would have come with them, are
 * on the list. Returns when the program has let go of it. */
static void shut(struct cm_id *id, struct list *events)
{
	cm_enter();
	id->stage = ID_DESTROYED;
	conn_abandon(id);
	if (id->bound)
		registry_unbind(id->binding);
	handle_free(&ids, id->handle);
	events_take_back(id, events);
	events_wait_acked(id);
	cm_leave();
}

static void discard_events(struct list *events)
{
	while (!list_empty(events)) {
		struct cm_event *event = list_entry(events->next, struct cm_event, node);

		list_del(&event->node);
		if (event->rdma.event == RDMA_CM_EVENT_CONNECT_REQUEST)
			id_destroy(to_cm_id(event->rdma.id));
		free(event);
	}
}

void id_drop_event(struct cm_id *id)
{
	if (!id->rdma.event)
		return;
	event_ack(to_cm_event(id->rdma.event));
	id->rdma.event = NULL;
}

void id_destroy(struct cm_id *id)
{
	struct list events;

	list_init(&events);
	if (id->forks == cm_forks()) {
		id_drop_event(id);
		shut(id, &events);
		conn_release(&id->conn);
		discard_events(&events);
	}
	if (id->sync)
		channel_close(to_cm_channel(id->rdma.channel));
	destroy_memory(id);
}

int id_migrate(struct cm_id *id, struct rdma_event_channel *channel)
{
	struct cm_channel *before, *own = NULL;
	bool was_sync = id->sync;
	int err = channel ? 0 : channel_open(&own);

	if (err)
		return err;
	err = id_lock(id);
	if (err) {
		if (own)
			channel_close(own);
		return err;
	}
	before = to_cm_channel(id->rdma.channel);
	events_move(id, own ? own : to_cm_channel(channel));
	id->sync = own != NULL;
	cm_leave();
	if (was_sync)
		id_drop_event(id);
	cm_enter();
	events_wait_acked(id);
	cm_leave();
	if (was_sync)
		channel_close(before);
	return 0;
}
