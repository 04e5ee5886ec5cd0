// SPDX-License-Identifier: BSD-2-Clause
/*
 * Sets of words: each of what the request is, and the process. Another request with the
 * same 52 bits would be misled; with the host's secret in them nobody can make one.
 */
#include <errno.h>
#include <string.h>

#include "base/mix.h"
#include "host/request.h"
#include "host/table.h"

enum { SLOT_BITS = 12, WAYS = 4 };

_Static_assert(1 << SLOT_BITS == PROCESSES, "a word has room for each process");

/* Nothing in the slot's bits, and never 0. */
static uint64_t key_of(const uint8_t gid[16], uint32_t remote_id)
{
	uint64_t part[2], key;

	memcpy(part, gid, sizeof(part));
	key = mix64(mix64(mix64(table()->secret ^ part[0]) ^ part[1]) ^ remote_id);
	return (key | UINT64_C(1)) << SLOT_BITS;
}

static _Atomic uint64_t *set_of(uint64_t key)
{
	return &table()->request[(key >> 32) % (REQUESTS / WAYS) * WAYS];
}

void request_note(const uint8_t gid[16], uint32_t remote_id)
{
	uint64_t key = key_of(gid, remote_id), mine = key | table_self();
	_Atomic uint64_t *set = set_of(key);

	for (unsigned int i = 0; i < WAYS; i++) {
		uint64_t none = 0;

		if (atomic_compare_exchange_strong(&set[i], &none, mine))
			return;
	}
	atomic_store(&set[(key >> 60) % WAYS], mine);
}

void request_forget(const uint8_t gid[16], uint32_t remote_id)
{
	uint64_t key = key_of(gid, remote_id);
	_Atomic uint64_t *set = set_of(key);

	for (unsigned int i = 0; i < WAYS; i++) {
		uint64_t mine = key | table_self();

		atomic_compare_exchange_strong(&set[i], &mine, 0);
	}
}

int request_owner(const uint8_t gid[16], uint32_t remote_id, struct host_place *place)
{
	uint64_t key = key_of(gid, remote_id);
	const _Atomic uint64_t *set = set_of(key);

	for (unsigned int i = 0; i < WAYS; i++) {
		uint64_t word = atomic_load(&set[i]);

		if (word >> SLOT_BITS == key >> SLOT_BITS)
			return table_place_of(word & (PROCESSES - 1), place);
	}
	return -ENOENT;
}

void request_remove_all(uint32_t slot)
{
	for (unsigned int i = 0; i < REQUESTS; i++) {
		uint64_t word = atomic_load(&table()->request[i]);

		if (word && (word & (PROCESSES - 1)) == slot)
			atomic_compare_exchange_strong(&table()->request[i], &word, 0);
	}
}
