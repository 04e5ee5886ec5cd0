/* SPDX-License-Identifier: BSD-2-Clause */
#include "object/handle.h"

#include <errno.h>
#include <stdbool.h>
#include <sched.h>
#include <stdlib.h>

/* A free entry holds the next free handle, shifted left and tagged so that no pointer
 * equals it. */
static void *free_link(uint32_t next)
{
	return (void *)(((uintptr_t)next << 1) | 1);
}

static void **entry(struct handle_table *table, uint32_t handle)
{
	void **chunk = atomic_load_explicit(&table->chunk[handle >> HANDLE_CHUNK_BITS],
	                                    memory_order_relaxed);

	return &chunk[handle & (HANDLE_CHUNK - 1)];
}

static int handle_extend(struct handle_table *table)
{
	uint32_t index = table->next >> HANDLE_CHUNK_BITS;
	void **chunk;

	if (index >= HANDLE_CHUNKS)
		return -ENOMEM;
	if (atomic_load_explicit(&table->chunk[index], memory_order_relaxed))
		return 0;
	chunk = calloc(HANDLE_CHUNK, sizeof(*chunk));
	if (!chunk)
		return -ENOMEM;
	atomic_store_explicit(&table->chunk[index], chunk, memory_order_release);
	return 0;
}

static bool is_full(const struct handle_table *table)
{
	const char *all = (const char *)settings();

	return table->limit && table->live >= *(const uint64_t *)(all + table->limit);
}

int handle_alloc(struct handle_table *table, void *object, uint32_t *handle)
{
	uint32_t got;
	int err = 0;

	pthread_mutex_lock(&table->lock);
	got = table->free_head;
	if (is_full(table)) {
		err = -ENOMEM;
	} else if (got) {
		table->free_head = (uintptr_t)*entry(table, got) >> 1;
	} else {
		err = handle_extend(table);
		if (!err)
			got = table->next++;
	}
	if (!err) {
		*entry(table, got) = object;
		*handle = got;
		table->live++;
	}
	pthread_mutex_unlock(&table->lock);
	return err;
}

void handle_free(struct handle_table *table, uint32_t handle)
{
	pthread_mutex_lock(&table->lock);
	*entry(table, handle) = free_link(table->free_head);
	table->free_head = handle;
	table->live--;
	pthread_mutex_unlock(&table->lock);
}

void *handle_hold(struct handle_table *table, uint32_t handle, void (*hold)(void *object))
{
	void *object = NULL;

	pthread_mutex_lock(&table->lock);
	if (handle && handle < table->next)
		object = *entry(table, handle);
	if ((uintptr_t)object & 1)
		object = NULL;
	if (object)
		hold(object);
	pthread_mutex_unlock(&table->lock);
	return object;
}

static uint32_t end_of(struct handle_table *table)
{
	uint32_t end;

	pthread_mutex_lock(&table->lock);
	end = table->next;
	pthread_mutex_unlock(&table->lock);
	return end;
}

void handle_each(struct handle_table *table, void (*hold)(void *object),
                 void (*each)(void *object))
{
	for (uint32_t handle = 1; handle < end_of(table); handle++) {
		void *object = handle_hold(table, handle, hold);

		if (object)
			each(object);
	}
}

void handle_wait(const _Atomic uint32_t *holds)
{
	while (atomic_load_explicit(holds, memory_order_acquire))
		sched_yield();
}
