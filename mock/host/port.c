// SPDX-License-Identifier: BSD-2-Clause
/* What the processes of the host tell each other about UDP port 4791. */
#include "host/engine.h"
#include "host/inside.h"
#include "host/table.h"

#define TURN_NS UINT64_C(2000000) /* longer than a turn takes: its holder is stopped */

static struct process_entry *ours(void)
{
	return &table()->process[table_self()];
}

void registry_port_begin(uint64_t relay, seg_off ring)
{
	if (!table_lock())
		return;
	atomic_store(&ours()->ring, ring);
	atomic_store(&ours()->relay, relay);
	atomic_fetch_add(&table()->ports, 1);
	table_unlock();
}

void registry_port_have(void)
{
	atomic_store(&ours()->has_port, 1);
}

/* Locked. The count is ahead of the names at every step, as who dies here leaves it. */
void port_remove_all(uint32_t slot)
{
	struct process_entry *entry = &table()->process[slot];

	atomic_store(&entry->has_port, 0);
	if (atomic_exchange(&entry->relay, 0))
		atomic_fetch_sub(&table()->ports, 1);
}

void registry_port_end(void)
{
	if (!table_lock())
		return;
	port_remove_all(table_self());
	table_unlock();
}

bool registry_relay(uint32_t slot, uint64_t generation, uint64_t *relay, seg_off *ring)
{
	struct process_entry *entry = &table()->process[slot];

	*relay = atomic_load(&entry->relay);
	*ring = atomic_load(&entry->ring);
	return *relay && registry_alive(slot, generation);
}

bool registry_port_next(uint32_t *next, struct port_owner *owner)
{
	for (uint32_t slot = *next; slot < table()->processes; slot++) {
		struct process_entry *entry = &table()->process[slot];

		owner->relay = atomic_load(&entry->relay);
		if (!owner->relay || slot == table_self() ||
		    !registry_alive(slot, atomic_load(&entry->generation)))
			continue;
		owner->pid = (int)entry->pid;
		owner->has_port = atomic_load(&entry->has_port);
		*next = slot + 1;
		return true;
	}
	return false;
}

bool registry_port_alone(void)
{
	return atomic_load_explicit(&table()->ports, memory_order_acquire) <= 1;
}

static uint64_t turn_most = TURN_NS;

void port_turn_may_last(uint64_t ns)
{
	turn_most = ns;
}

static struct {
	uint64_t mine;  /* of this turn */
	uint64_t other; /* who was at it when we asked, … */
	uint64_t since; /* … first then */
} turn;

/* No two turns have the same number. */
static uint64_t number_of_turn(void)
{
	static uint64_t turns;

	return (++turns * PROCESSES + table_self()) * 2 + 1;
}

static bool take_turn(uint64_t from)
{
	turn.mine = number_of_turn();
	return atomic_compare_exchange_strong(&table()->port_turn, &from, turn.mine);
}

bool registry_port_turn(void)
{
	uint64_t now = atomic_load_explicit(&table()->port_turn, memory_order_relaxed);

	if (!now)
		return take_turn(0);
	if (now != turn.other) {
		turn.other = now;
		turn.since = now_ns();
		return false;
	}
	return now_ns() - turn.since > turn_most && take_turn(now);
}

/* Another may have taken it, as ours took too long. */
void registry_port_turn_over(void)
{
	uint64_t mine = turn.mine;

	atomic_compare_exchange_strong(&table()->port_turn, &mine, 0);
}
