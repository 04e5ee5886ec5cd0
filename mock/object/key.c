/* SPDX-License-Identifier: BSD-2-Clause */
#include "object/key.h"

#include <errno.h>
#include <pthread.h>
#include "host/inspect.h"
#include "host/random.h"
#include "host/settings.h"
#include "object/device.h"
#include "object/null.h"

enum { TABLE_BITS_MIN = 6, TABLE_BITS_MAX = 25, ENTRIES_PER_CHUNK = 64, INDEX_BITS = 24 };

/*
 * Open addressing. Indexes are drawn at random, so they are their own hash. A slot is the
 * index above the entry's offset in units of 64 bytes; 0 was never used since the last
 * growth, 1 was given up.
 */
#define SLOT_EMPTY   UINT64_C(0)
#define SLOT_DELETED UINT64_C(1)
#define SLOT_OFF     ((UINT64_C(1) << 40) - 1)

struct mr_table {
	uint32_t bits;
	uint32_t reserved;
	_Atomic uint64_t slot[];
};

/* Private to the owner; the table that peers see hangs on the segment's head. */
static struct {
	pthread_mutex_t lock;
	uint32_t live;
	uint32_t used; /* slots not empty: live and deleted ones */
	seg_off free_entries;
	uint64_t generation; /* of the segment that all this is in */
} mrs = { .lock = PTHREAD_MUTEX_INITIALIZER };

static const struct mr_table *table_of(const struct peer *owner)
{
	const struct segment_head *head = owner->base;
	seg_off off = atomic_load_explicit(&head->mr_table, memory_order_acquire);

	return off ? peer_ptr(owner, off) : NULL;
}

static size_t table_size(uint32_t bits)
{
	return sizeof(struct mr_table) + (sizeof(uint64_t) << bits);
}

static uint64_t slot_value(uint32_t index, seg_off entry)
{
	return (uint64_t)index << 40 | entry >> 6;
}

struct mr_entry *key_find(const struct peer *owner, uint32_t key)
{
	const struct mr_table *table = table_of(owner);
	uint32_t index = key >> 8, mask;

	if (!table)
		return NULL;
	mask = (1u << table->bits) - 1;
	for (uint32_t i = 0; i <= mask; i++) {
		uint64_t slot = atomic_load_explicit(&table->slot[(index + i) & mask],
		                                     memory_order_acquire);

		if (slot == SLOT_EMPTY)
			return NULL;
		if (slot != SLOT_DELETED && slot >> 40 == index)
			return peer_ptr(owner, (slot & SLOT_OFF) << 6);
	}
	return NULL;
}

/*
 * Each thread remembers where it found its last keys: nearly all work names one of a few.
 * An entry's memory stays an entry as long as its segment is there, and says itself which
 * key it has now, so what is out of date misleads nobody. The library is loaded with its
 * program: initial-exec spares a call.
 */
enum { REMEMBERED = 32 };

static __attribute__((tls_model("initial-exec"))) _Thread_local struct remembered {
	uint64_t generation; /* of the segment: no two are alike */
	uint32_t key;
	uint32_t block; /* the entry's offset, in units of its size */
} remembered[REMEMBERED];

static __attribute__((noinline)) const struct mr_entry *
find_and_remember(const struct peer *owner, uint32_t key, struct remembered *as)
{
	const struct mr_entry *entry = key_find(owner, key);

	if (!key_is_valid(entry, key))
		return NULL;
	as->generation = owner->generation;
	as->key = key;
	as->block = ((const char *)entry - (char *)owner->base) / sizeof(*entry);
	return entry;
}

/* The entry that has this very key, or NULL. */
static inline const struct mr_entry *find_valid(const struct peer *owner, uint32_t key)
{
	struct remembered *as = &remembered[key >> 8 & (REMEMBERED - 1)];
	const struct mr_entry *entry = (const struct mr_entry *)owner->base + as->block;

	if (likely(as->key == key && as->generation == owner->generation &&
	           key_is_valid(entry, key)))
		return entry;
	return find_and_remember(owner, key, as);
}

/* No address: bytes have nowhere to be, so each message starts at the same place. */
static const struct mr_entry *check_null(const struct mr_entry *entry, uint32_t access,
                                         uint64_t length, uint64_t *va)
{
	if ((atomic_load_explicit(&entry->access, memory_order_relaxed) &
	     (access | KEY_NULL)) != (access | KEY_NULL))
		return NULL;
	if (length > DEVICE_MAX_MSG)
		return NULL;
	*va = access & IBV_ACCESS_LOCAL_WRITE
	              ? atomic_load_explicit(&entry->va, memory_order_relaxed)
	              : null_zeros();
	return entry;
}

const struct mr_entry *mr_check(const struct peer *owner, uint32_t key, uint32_t pd,
                                uint32_t access, uint64_t addr, uint64_t length,
                                uint64_t *va)
{
	const struct mr_entry *entry = find_valid(owner, key);
	uint64_t offset, size;

	if (unlikely(!entry || entry->pd != pd))
		return NULL;
	if (unlikely((atomic_load_explicit(&entry->access, memory_order_relaxed) &
	              (access | KEY_SPECIAL)) != access))
		return check_null(entry, access, length, va);
	offset = addr - atomic_load_explicit(&entry->iova, memory_order_relaxed);
	size = atomic_load_explicit(&entry->length, memory_order_relaxed);
	if (offset > size || length > size - offset)
		return NULL;
	*va = atomic_load_explicit(&entry->va, memory_order_relaxed) + offset;
	return entry;
}

static void table_put(struct mr_table *table, uint32_t index, seg_off entry)
{
	uint32_t mask = (1u << table->bits) - 1, at = index & mask;

	while (atomic_load_explicit(&table->slot[at], memory_order_relaxed) >
	       SLOT_DELETED)
		at = (at + 1) & mask;
	if (atomic_load_explicit(&table->slot[at], memory_order_relaxed) == SLOT_EMPTY)
		mrs.used++;
	atomic_store_explicit(&table->slot[at], slot_value(index, entry),
	                      memory_order_release);
}

/*
 * A new table takes over; the old one stays where it is, since a peer may be reading it.
 * As each is twice the last, all old ones together are no larger than the one in use.
 */
static int table_grow(uint32_t bits)
{
	struct segment_head *head = segment_head();
	seg_off old = atomic_load(&head->mr_table), made;
	struct mr_table *from = old ? segment_ptr(old) : NULL, *to;
	int err =
	        bits > TABLE_BITS_MAX ? -ENOMEM : segment_alloc(table_size(bits), &made);

	if (err)
		return err;
	to = segment_ptr(made);
	to->bits = bits;
	mrs.used = 0;
	for (uint32_t i = 0; from && i < 1u << from->bits; i++) {
		uint64_t slot = atomic_load(&from->slot[i]);

		if (slot > SLOT_DELETED)
			table_put(to, slot >> 40, (slot & SLOT_OFF) << 6);
	}
	atomic_store_explicit(&head->mr_table, made, memory_order_release);
	return 0;
}

/* At most half of the slots are ever used, so that look-ups stay short and always end. */
static int table_reserve(void)
{
	seg_off off = atomic_load(&segment_head()->mr_table);
	const struct mr_table *table = off ? segment_ptr(off) : NULL;

	if (!table)
		return table_grow(TABLE_BITS_MIN);
	if (mrs.used + 1 <= 1u << (table->bits - 1))
		return 0;
	return table_grow(table->bits + 1);
}

/* Deleted slots that no look-up needs to step over become empty again. */
static void table_drop(uint32_t index)
{
	struct mr_table *table = segment_ptr(atomic_load(&segment_head()->mr_table));
	uint32_t mask = (1u << table->bits) - 1, at = index & mask;

	while (atomic_load(&table->slot[at]) >> 40 != index)
		at = (at + 1) & mask;
	atomic_store(&table->slot[at], SLOT_DELETED);
	if (atomic_load(&table->slot[(at + 1) & mask]) != SLOT_EMPTY)
		return;
	while (atomic_load(&table->slot[at]) == SLOT_DELETED) {
		atomic_store(&table->slot[at], SLOT_EMPTY);
		mrs.used--;
		at = (at - 1) & mask;
	}
}

static int entry_alloc(seg_off *off)
{
	if (!mrs.free_entries) {
		seg_off chunk;
		int err = segment_alloc(ENTRIES_PER_CHUNK * sizeof(struct mr_entry),
		                        &chunk);

		if (err)
			return err;
		for (unsigned int i = 0; i < ENTRIES_PER_CHUNK; i++) {
			seg_off each = chunk + i * sizeof(struct mr_entry);

			((struct mr_entry *)segment_ptr(each))->next_free =
			        mrs.free_entries;
			mrs.free_entries = each;
		}
	}
	*off = mrs.free_entries;
	mrs.free_entries = ((struct mr_entry *)segment_ptr(*off))->next_free;
	return 0;
}

static void entry_free(seg_off off)
{
	((struct mr_entry *)segment_ptr(off))->next_free = mrs.free_entries;
	mrs.free_entries = off;
}

static uint32_t key_draw(void)
{
	uint32_t key;

	do
		key = random_u32();
	while (!(key >> 8) || key_find(peer_self(), key));
	return key;
}

/* After a fork, or when the last user left and another came, the segment is another one.
 */
static void mrs_follow_segment(void)
{
	uint64_t generation = peer_self()->generation;

	if (mrs.generation == generation)
		return;
	mrs.generation = generation;
	mrs.live = mrs.used = 0;
	mrs.free_entries = 0;
}

void keys_lock(void)
{
	pthread_mutex_lock(&mrs.lock);
}

void keys_unlock(void)
{
	pthread_mutex_unlock(&mrs.lock);
}

int key_alloc(uint32_t pd, uint32_t access, seg_off *off, uint32_t *key)
{
	struct mr_entry *entry;
	int err;

	mrs_follow_segment();
	if (mrs.live >= settings()->max_mr)
		return -ENOMEM;
	err = table_reserve();
	if (!err)
		err = entry_alloc(off);
	if (err)
		return err;
	entry = segment_ptr(*off);
	*key = key_draw();
	entry->pd = pd;
	entry->windows = 0;
	entry->parent = 0;
	atomic_store(&entry->access, access);
	atomic_store(&entry->qpn, 0);
	table_put(segment_ptr(atomic_load(&segment_head()->mr_table)), *key >> 8, *off);
	mrs.live++;
	return 0;
}

void key_retire(uint32_t key)
{
	atomic_store(&key_find(peer_self(), key)->key, 0);
	table_drop(key >> 8);
}

void key_free(seg_off entry)
{
	entry_free(entry);
	mrs.live--;
}

static int entry_show(int segment, uint64_t slot,
                      int (*each)(void *arg, const struct mr_entry *mr), void *arg)
{
	struct mr_entry entry;

	if (slot <= SLOT_DELETED ||
	    segment_read(segment, (slot & SLOT_OFF) << 6, &entry, sizeof(entry)) ||
	    !entry.key)
		return 0;
	return each(arg, &entry);
}

int key_each(int segment, int (*each)(void *arg, const struct mr_entry *mr), void *arg)
{
	enum { CHUNK = 512 };
	uint64_t slots[CHUNK];
	struct mr_table table;
	seg_off off;
	int err = 0;

	if (segment_read(segment, offsetof(struct segment_head, mr_table), &off,
	                 sizeof(off)) ||
	    !off || segment_read(segment, off, &table, sizeof(table)) ||
	    table.bits > TABLE_BITS_MAX)
		return 0;
	for (uint32_t at = 0; at < 1u << table.bits && !err; at += CHUNK) {
		uint32_t count = (uint32_t)min_u64(CHUNK, (1u << table.bits) - at);

		if (segment_read(segment, off + sizeof(table) + at * sizeof(*slots),
		                 slots, count * sizeof(*slots)))
			break;
		for (uint32_t i = 0; i < count && !err; i++)
			err = entry_show(segment, slots[i], each, arg);
	}
	return err;
}
