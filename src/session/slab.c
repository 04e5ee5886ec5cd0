/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The slab: registered room for messages that are too large to go inline. In slots that
 * come free in the order in which they were taken.
 */
#include <limits.h>
#include <sys/mman.h>

#include "session/data.h"
#include "session/device.h"
#include "session/error.h"

static size_t size_of(const struct data *data)
{
	return data->slab_slots * data->slot_size;
}

int slab_create(struct srdma_session *session)
{
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
	madvise(data->slab_memory, size_of(data), MADV_DONTFORK);
	data->slab =
	        device_reg_mr(session->endpoint.pd, data->slab_memory, size_of(data), 0);
	if (data->slab)
		return 0;
	slab_free(data);
	return fail(SRDMA_ENOMEM, "cannot register memory for messages to send");
}

void slab_free(struct data *data)
{
	device_dereg_mr(data->slab);
	if (data->slab_memory)
		munmap(data->slab_memory, size_of(data));
	data->slab = NULL;
	data->slab_memory = NULL;
}

unsigned slab_room(const struct data *data)
{
	return data->slab ? data->slab_slots - data->slab_used : UINT_MAX;
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
		slab_free(data);
	data->slab_busy = false;
}
