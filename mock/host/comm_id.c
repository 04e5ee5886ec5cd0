/* SPDX-License-Identifier: BSD-2-Clause */
#include "host/comm_id.h"

#include "base/mix.h"
#include "host/random.h"
#include "host/table.h"

enum { SLOT_BITS = 12, RANDOM_BITS = 32 - SLOT_BITS };

_Static_assert(1 << SLOT_BITS == PROCESSES, "an id has room for each process");

/* What hides the slot: of the random part and the host's secret. */
static uint32_t veil(uint32_t random)
{
	uint64_t x = mix64(table()->secret + random * MIX_STEP);

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

	return table_place_of(slot, place);
}
