// SPDX-License-Identifier: BSD-2-Clause
/*
 * Multicast groups: which QPs of the host are attached to which address. A member is
 * written before its owner_generation and taken out by it, so whoever dies at it leaves
 * the table whole.
 */
#include <errno.h>
#include <string.h>

#include "base/util.h"
#include "host/registry.h"
#include "host/table.h"

static bool is_in(const struct group_entry *entry, const uint8_t gid[16])
{
	return entry->owner_generation && !memcmp(entry->gid, gid, sizeof(entry->gid));
}

static bool is_ours(const struct group_entry *entry)
{
	return entry->owner == table_self() &&
	       entry->owner_generation == table_generation();
}

/* Our member of a group, or else in *free an entry that may be taken. */
static struct group_entry *find(const uint8_t gid[16], uint32_t qpn,
                                struct group_entry **free)
{
	*free = NULL;
	for (uint32_t i = 0; i < table()->group_entries; i++) {
		struct group_entry *entry = &table()->group[i];

		if (is_in(entry, gid) && is_ours(entry) && entry->qpn == qpn)
			return entry;
		if (!entry->owner_generation)
			*free = entry;
	}
	return NULL;
}

static struct group_entry *new_entry(void)
{
	struct group_entry *entry = &table()->group[table()->group_entries];

	if (table()->group_entries == GROUP_ENTRIES || table_back(entry, sizeof(*entry)))
		return NULL;
	entry->owner_generation = 0;
	table()->group_entries++;
	return entry;
}

static void changed(void)
{
	atomic_fetch_add(&table()->group_version, 1);
}

static int join_locked(const uint8_t gid[16], uint32_t qpn, seg_off off)
{
	struct group_entry *entry;

	if (find(gid, qpn, &entry))
		return -EEXIST;
	if (!entry)
		entry = new_entry();
	if (!entry)
		return -ENOMEM;
	memcpy(entry->gid, gid, sizeof(entry->gid));
	entry->owner = table_self();
	entry->qpn = qpn;
	entry->off = off;
	entry->owner_generation = table_generation();
	changed();
	return 0;
}

int registry_group_join(const uint8_t gid[16], uint32_t qpn, seg_off off)
{
	int err;

	if (!table_lock())
		return -ENODEV;
	err = join_locked(gid, qpn, off);
	table_unlock();
	return err;
}

int registry_group_leave(const uint8_t gid[16], uint32_t qpn)
{
	struct group_entry *entry, *free;

	if (!table_lock())
		return -ENODEV;
	entry = find(gid, qpn, &free);
	if (entry) {
		entry->owner_generation = 0;
		changed();
	}
	table_unlock();
	return entry ? 0 : -ENOENT;
}

void registry_group_leave_all(uint32_t qpn)
{
	if (!table_lock())
		return;
	for (uint32_t i = 0; i < table()->group_entries; i++) {
		struct group_entry *entry = &table()->group[i];

		if (!is_ours(entry) || entry->qpn != qpn)
			continue;
		entry->owner_generation = 0;
		changed();
	}
	table_unlock();
}

uint64_t registry_group_version(void)
{
	return table() ? atomic_load_explicit(&table()->group_version,
	                                      memory_order_acquire)
	               : 0;
}

unsigned int registry_group_members(const uint8_t gid[16], struct group_member *members,
                                    unsigned int room, uint64_t *version)
{
	unsigned int count = 0;

	*version = registry_group_version();
	if (!table_lock())
		return 0;
	*version = registry_group_version();
	for (uint32_t i = 0; i < table()->group_entries; i++) {
		const struct group_entry *entry = &table()->group[i];

		if (!is_in(entry, gid))
			continue;
		if (count < room)
			members[count] = (struct group_member){
				.place = { entry->owner, entry->owner_generation,
				           entry->off },
				.qpn = entry->qpn,
			};
		count++;
	}
	table_unlock();
	return count;
}

void group_remove_all(uint32_t slot, uint64_t generation)
{
	for (uint32_t i = 0; i < table()->group_entries; i++) {
		struct group_entry *entry = &table()->group[i];

		if (entry->owner != slot || entry->owner_generation != generation)
			continue;
		entry->owner_generation = 0;
		changed();
	}
}
