/* SPDX-License-Identifier: BSD-2-Clause */
#include "session/objects.h"

#include <stdatomic.h>
#include <string.h>

#include "srdma.h"

static atomic_uint_fast64_t counts[OBJECT_KINDS];

void object_made(enum object_kind kind)
{
	atomic_fetch_add_explicit(&counts[kind], 1, memory_order_relaxed);
}

void object_gone(enum object_kind kind)
{
	atomic_fetch_sub_explicit(&counts[kind], 1, memory_order_relaxed);
}

static uint64_t count(enum object_kind kind)
{
	return atomic_load_explicit(&counts[kind], memory_order_relaxed);
}

void srdma_objects(struct srdma_objects *objects, size_t size)
{
	const struct srdma_objects now = {
		.contexts = count(OBJECT_CONTEXT),
		.protection_domains = count(OBJECT_PD),
		.memory_regions = count(OBJECT_MR),
		.queue_pairs = count(OBJECT_QP),
		.completion_queues = count(OBJECT_CQ),
		.shared_receive_queues = count(OBJECT_SRQ),
		.cm_ids = count(OBJECT_CM_ID),
		.sessions = count(OBJECT_SESSION),
		.memory_windows = count(OBJECT_MW),
	};

	memcpy(objects, &now, size < sizeof(now) ? size : sizeof(now));
}
