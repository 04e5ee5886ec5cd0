// SPDX-License-Identifier: BSD-2-Clause
/*
 * XRC domains that processes share: each that has one open has an entry, with the inode
 * that they agreed on and the number that the first of them drew. The last one's entry
 * takes the domain with it. Changed and read under the registry's lock; an entry is
 * written before its owner_generation.
 */
#include <errno.h>

#include "host/random.h"
#include "host/registry.h"
#include "host/table.h"

static struct domain_entry *at(uint32_t index)
{
	return &table()->domain[index];
}

/* Someone else's with that inode, who lives; and in *free an entry that may be taken. */
static const struct domain_entry *find(uint64_t device, uint64_t inode, uint32_t *free)
{
	*free = table()->domain_entries;
	for (uint32_t i = 0; i < table()->domain_entries; i++) {
		const struct domain_entry *entry = at(i);

		if (!entry->owner_generation)
			*free = i;
		else if (inode && entry->device == device && entry->inode == inode &&
		         table_owner_lives(entry->owner, entry->owner_generation))
			return entry;
	}
	return NULL;
}

static int take(uint32_t index)
{
	if (index < table()->domain_entries)
		return 0;
	if (index == DOMAIN_ENTRIES || table_back(at(index), sizeof(struct domain_entry)))
		return -ENOMEM;
	at(index)->owner_generation = 0;
	table()->domain_entries++;
	return 0;
}

static int add(uint64_t device, uint64_t inode, uint64_t number, uint32_t index)
{
	struct domain_entry *entry = at(index);
	int err = take(index);

	if (err)
		return err;
	entry->device = device;
	entry->inode = inode;
	entry->number = number;
	entry->owner = table_self();
	entry->owner_generation = table_generation();
	return 0;
}

static int open_locked(uint64_t device, uint64_t inode, unsigned int how,
                       struct registry_domain *domain)
{
	const struct domain_entry *found = find(device, inode, &domain->entry);
	uint32_t free;

	if (found && (how & DOMAIN_EXCLUSIVE))
		return -EEXIST;
	if (!found && !(how & DOMAIN_CREATE))
		return -ENOENT;
	domain->number = found ? found->number : random_u64();
	if (found) { /* the search ended there */
		find(0, 0, &free);
		domain->entry = free;
	}
	return add(device, inode, domain->number, domain->entry);
}

int registry_domain_open(uint64_t device, uint64_t inode, unsigned int how,
                         struct registry_domain *domain)
{
	int err;

	if (!table_lock())
		return -ENODEV;
	err = open_locked(device, inode, how, domain);
	table_unlock();
	return err;
}

void registry_domain_close(const struct registry_domain *domain)
{
	if (!table_lock())
		return;
	at(domain->entry)->owner_generation = 0;
	table_unlock();
}

bool registry_domain_exists(uint64_t device, uint64_t inode)
{
	uint32_t free;
	bool exists;

	if (!table_lock())
		return false;
	exists = find(device, inode, &free) != NULL;
	table_unlock();
	return exists;
}

void domain_remove_all(uint32_t slot, uint64_t generation)
{
	for (uint32_t i = 0; i < table()->domain_entries; i++)
		if (at(i)->owner == slot && at(i)->owner_generation == generation)
			at(i)->owner_generation = 0;
}
