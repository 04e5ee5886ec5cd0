/* SPDX-License-Identifier: BSD-2-Clause */
#include "cm/event.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/log.h"
#include "cm/id.h"
#include "cm/multicast.h"
#include "host/bell.h"

static pthread_cond_t acked = PTHREAD_COND_INITIALIZER;

int channel_open(struct cm_channel **channel)
{
	struct cm_channel *made = calloc(1, sizeof(*made));
	int err;

	if (!made)
		return -ENOMEM;
	err = bell_create(&made->rdma.fd, &made->bell);
	if (err) {
		free(made);
		return err;
	}
	refs_init(&made->refs);
	list_init(&made->events);
	*channel = made;
	return 0;
}

/*
 * The channels that were closed last. A program that ends destroys the channel when its
 * thread has acknowledged the last event, and that thread comes back to wait for one
 * more: before, in the kernel's rdma_cm, which takes longer, and here it could be after.
 */
enum { GONE = 16 };

static struct {
	pthread_mutex_t lock;
	struct cm_channel *channel[GONE];
	unsigned int next;
} gone = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void put_channel(void *arg)
{
	struct cm_channel *channel = arg, *oldest;

	if (!refs_put(&channel->refs))
		return;
	close(channel->rdma.fd);
	pthread_mutex_lock(&gone.lock);
	oldest = gone.channel[gone.next % GONE];
	gone.channel[gone.next++ % GONE] = channel;
	pthread_mutex_unlock(&gone.lock);
	free(oldest);
}

void channel_close(struct cm_channel *channel)
{
	put_channel(channel);
}

struct cm_event *event_new(struct cm_id *id, enum rdma_cm_event_type type, int status)
{
	struct cm_event *event;

	if (id->stage == ID_DESTROYED)
		return NULL;
	event = calloc(1, sizeof(*event));
	if (!event) {
		mock_error("no memory: an event of the connection manager is lost");
		return NULL;
	}
	event->rdma.id = &id->rdma;
	event->rdma.event = type;
	event->rdma.status = status;
	event->owner = id;
	return event;
}

static void append(struct cm_channel *channel, struct cm_event *event)
{
	bool first = list_empty(&channel->events);

	list_add_tail(&channel->events, &event->node);
	if (first)
		bell_ring(channel->bell);
}

void event_queue(struct cm_event *event)
{
	append(to_cm_channel(event->owner->rdma.channel), event);
}

void event_raise(struct cm_id *id, enum rdma_cm_event_type type, int status)
{
	struct cm_event *event = event_new(id, type, status);

	if (event)
		event_queue(event);
}

/* The argument is a member of the union of parameters in later headers. */
int event_write(struct cm_id *id, enum rdma_cm_event_type type, int status, uint64_t arg)
{
	struct cm_event *event;
	int err = id_lock(id);

	if (err)
		return err;
	event = event_new(id, type, status);
	if (event) {
		memcpy(&event->rdma.param, &arg, sizeof(arg));
		event_queue(event);
	}
	cm_leave();
	return event ? 0 : -ENOMEM;
}

void event_set_private(struct cm_event *event, const uint8_t *data, uint8_t length)
{
	memcpy(event->private_data, data, length);
	event->rdma.param.conn.private_data = event->private_data;
	event->rdma.param.conn.private_data_len = length;
}

void events_take_back(struct cm_id *id, struct list *onto)
{
	struct cm_channel *channel = to_cm_channel(id->rdma.channel);
	struct list *at, *next;

	list_for_each_safe (at, next, &channel->events) {
		struct cm_event *event = list_entry(at, struct cm_event, node);

		if (event->owner != id)
			continue;
		list_del(at);
		list_add_tail(onto, at);
	}
	if (list_empty(&channel->events))
		bell_silence(channel->rdma.fd);
}

void events_drop(struct cm_id *id, const struct membership *member)
{
	struct cm_channel *channel = to_cm_channel(id->rdma.channel);
	struct list *at, *next;

	list_for_each_safe (at, next, &channel->events) {
		struct cm_event *event = list_entry(at, struct cm_event, node);

		if (event->member != member)
			continue;
		list_del(at);
		free(event);
	}
	if (list_empty(&channel->events))
		bell_silence(channel->rdma.fd);
}

/* A connection that waits to be seen goes where its listener goes. */
void events_move(struct cm_id *id, struct cm_channel *to)
{
	struct list moved;

	list_init(&moved);
	events_take_back(id, &moved);
	id->rdma.channel = &to->rdma;
	while (!list_empty(&moved)) {
		struct cm_event *event = list_entry(moved.next, struct cm_event, node);

		list_del(&event->node);
		append(to, event);
		if (event->rdma.event == RDMA_CM_EVENT_CONNECT_REQUEST)
			events_move(to_cm_id(event->rdma.id), to);
	}
}

/* From here on the program knows the new id. */
static void show_child(struct cm_event *request)
{
	struct cm_id *listener = request->owner;

	listener->waiting--;
	request->rdma.id->context = listener->rdma.context;
}

/* Keeps the bell ringing exactly while there are events: waited took one ring away. */
static struct cm_event *take(struct cm_channel *channel, bool waited)
{
	struct cm_event *event;

	if (list_empty(&channel->events))
		return NULL;
	event = list_entry(channel->events.next, struct cm_event, node);
	list_del(&event->node);
	event->owner->events_delivered++;
	if (event->member)
		event->member->in_hand++;
	if (event->rdma.event == RDMA_CM_EVENT_CONNECT_REQUEST)
		show_child(event);
	if (list_empty(&channel->events))
		bell_silence(channel->rdma.fd);
	else if (waited)
		bell_ring(channel->bell);
	return event;
}

static int wait_next(struct cm_channel *channel, struct cm_event **event)
{
	bool waited = false;
	int err;

	for (;;) {
		cm_enter();
		*event = take(channel, waited);
		cm_leave();
		if (*event)
			return 0;
		err = bell_wait(channel->rdma.fd);
		if (err)
			return err;
		waited = true;
	}
}

int event_next(struct cm_channel *channel, struct cm_event **event)
{
	int err;

	if (!refs_get_live(&channel->refs)) {
		pause(); /* nothing will come, but perhaps a signal */
		return -EINTR;
	}
	pthread_cleanup_push(put_channel, channel);
	err = wait_next(channel, event);
	pthread_cleanup_pop(1);
	return err;
}

void event_ack(struct cm_event *event)
{
	cm_enter();
	event->owner->events_acked++;
	if (event->member)
		event->member->in_hand--;
	pthread_cond_broadcast(&acked);
	cm_leave();
	free(event);
}

void events_wait_acked(const struct cm_id *id)
{
	while (id->events_acked != id->events_delivered)
		cm_wait(&acked);
}

void events_wait_member(const struct membership *member)
{
	while (member->in_hand)
		cm_wait(&acked);
}

void events_forget(void)
{
	pthread_mutex_init(&gone.lock, NULL);
	pthread_cond_init(&acked, NULL);
}
