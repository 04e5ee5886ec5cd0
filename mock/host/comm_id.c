/* SPDX-License-Identifier: BSD-2-Clause */
#include "host/comm_id.h"

#include <errno.h>
#include "host/random.h"
#include "host/table.h"

enum { SLOT_BITS = 12, RANDOM_BITS = 32 - SLOT_BITS };

_Static_assert(1 << SLOT_BITS == PROCESSES, "an id has room for each process");

/* What hides the slot: of the random part and the host's secret (splitmix64). */
static uint32_t veil(uint32_t random)
{
	uint64_t x = table()->secret + random * UINT64_C(0x9e3779b97f4a7c15);

	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return (uint32_t)(x >> (64 - SLOT_BITS));
}

uint32_t comm_id_draw(void)
{
	uint32_t random, id;

	do {
		random = random_u32() >> SLOT_BITS;
		id = random << SLOT_BITS | (veil(random) ^ table_self());
	} while (!id);
	return id;
}

int comm_id_owner(uint32_t id, struct host_place *place)
{
	uint32_t slot = (veil(id >> SLOT_BITS) ^ id) & (PROCESSES - 1);
	const struct process_entry *entry = &table()->process[slot];

	if (slot >= table()->processes || atomic_load(&entry->state) != PROCESS_LIVE)
		return -ESRCH;
	*place = (struct host_place){
		.slot = slot,
		.generation = atomic_load(&entry->generation),
	};
	return 0;
}
