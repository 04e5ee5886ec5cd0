/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Handles: what a segment stores in place of a pointer. A table maps each live handle to
 * the owner's object. Looking up takes no lock; the caller makes sure that the object
 * stays.
 */
#ifndef MOCK_OBJECT_HANDLE_H
#define MOCK_OBJECT_HANDLE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include "host/settings.h"

#define HANDLE_CHUNK_BITS 12
#define HANDLE_CHUNK      (1u << HANDLE_CHUNK_BITS)
#define HANDLE_CHUNKS     (1u << 12)

struct handle_table {
	pthread_mutex_t lock;
	uint32_t next;      /* never used so far; handle 0 is never given */
	uint32_t free_head; /* chain of freed handles, 0 ends it */
	uint32_t live;
	size_t limit; /* where struct settings has the most that may live; 0: none */
	_Atomic(void **) chunk[HANDLE_CHUNKS];
};

#define HANDLE_TABLE_INIT                                    \
	{                                                    \
		.lock = PTHREAD_MUTEX_INITIALIZER, .next = 1 \
	}

/* One whose objects a setting limits. */
#define HANDLE_TABLE_LIMITED(member)                          \
	{                                                     \
		.lock = PTHREAD_MUTEX_INITIALIZER, .next = 1, \
		.limit = offsetof(struct settings, member)    \
	}

/* 0 and a handle for the object, or -ENOMEM. Any thread. Another thread may find the
 * object at once, for a handle that was given before: it has to be complete. */
int handle_alloc(struct handle_table *table, void *object, uint32_t *handle);
void handle_free(struct handle_table *table, uint32_t handle);

/*
 * As handle_get() for a handle that may be stale or foreign: the object with its count
 * taken by hold() while it cannot go, or NULL.
 */
void *handle_hold(struct handle_table *table, uint32_t handle,
                  void (*hold)(void *object));

/* The same for all that there are, one after the other. */
void handle_each(struct handle_table *table, void (*hold)(void *object),
                 void (*each)(void *object));
/* Waits until nobody has it held; nobody can any more, since its handle is free. */
void handle_wait(const _Atomic uint32_t *holds);

static inline void *handle_get(struct handle_table *table, uint32_t handle)
{
	void **chunk = atomic_load_explicit(&table->chunk[handle >> HANDLE_CHUNK_BITS],
	                                    memory_order_acquire);

	return chunk[handle & (HANDLE_CHUNK - 1)];
}

#endif
