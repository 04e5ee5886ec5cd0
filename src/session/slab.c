/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The slab: registered room for messages that are too large to go inline. In slots that
 * come free in the order in which they were taken.
 */
#include <limits.h>
#include <sys/mman.h>

#include "common/platform.h"
#include "session/data.h"
#include "session/error.h"

static size_t size_of(const struct data *data)
{
	return data->slab_slots * data->slot_size;
}

int slab_create(struct srdma_session *session)
{
	struct endpoint *endpoint = session->endpoint;
	struct data *data = &session->data;
	unsigned most = data->depth < data->peer_window ? data->depth : data->peer_window;

	data->slab_slots = most + 1;
	data->slot_size = data->message_max + MESSAGE_ROOM;
	data->slab_memory = mmap(NULL, size_of(data), PROT_READ | PROT_WRITE,
	                         MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (data->slab_memory == MAP_FAILED) {
		data->slab_memory = NULL;
		return fail(SRDMA_ENOMEM, "out of memory for messages to send");
	}
	platform_keep_from_children(data->slab_memory, size_of(data));
	if (!endpoint->transport->reg(endpoint, data->slab_memory, size_of(data), 0,
	                              &data->slab))
		return 0;
	slab_free(session);
	return fail(SRDMA_ENOMEM, "cannot register memory for messages to send");
}

void slab_free(struct srdma_session *session)
{
	struct data *data = &session->data;

	if (data->slab.handle)
		session->endpoint->transport->dereg(&data->slab);
	if (data->slab_memory)
		munmap(data->slab_memory, size_of(data));
	data->slab_memory = NULL;
}

unsigned slab_room(const struct data *data)
{
	return data->slab.handle ? data->slab_slots - data->slab_used : UINT_MAX;
}

uint8_t *slab_slot(struct data *data)
{
	return data->slab_memory + data->slab_next * data->slot_size;
}

void slab_take(struct data *data)
{
	data->slab_busy = true;
	data->slab_next = (data->slab_next + 1) % data->slab_slots;
	data->slab_used++;
}

void data_rest(struct srdma_session *session)
{
	struct data *data = &session->data;

	if (!data->slab_busy && !data->slab_used)
		slab_free(session);
	data->slab_busy = false;
}
