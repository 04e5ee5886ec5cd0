// SPDX-License-Identifier: BSD-2-Clause
/*
 * Who owns each QP number: an open-addressed table with linear probing. Changed under the
 * registry's lock, read without.
 */
#include <errno.h>

#include "host/random.h"
#include "host/registry.h"
#include "host/table.h"

#define QPN_GONE   UINT64_C(1) /* was used: a search goes on past it */
#define QPN_MAX    UINT32_C(0xffffff)
#define PROBES     1024
#define DRAWS      64
#define PAGE_SLOTS (TABLE_PAGE / sizeof(struct qpn_slot))
#define SLOT_BITS  12
#define SRQ_MARK   UINT64_C(1) /* of an offset, which is aligned: it is an SRQ's number */

_Static_assert(PROCESSES == 1 << SLOT_BITS, "the key has room for each process");

/* QPN 1 alone could equal QPN_GONE; it is the general services' and never drawn. */
static uint64_t make_key(uint32_t qpn, uint32_t slot, uint64_t generation)
{
	return qpn | (uint64_t)slot << 24 | generation << (24 + SLOT_BITS);
}

static uint32_t key_qpn(uint64_t key)
{
	return (uint32_t)key & QPN_MAX;
}

static uint64_t key_owner(uint64_t key)
{
	return key >> 24;
}

static bool page_backed(uint32_t index)
{
	uint32_t page = index / PAGE_SLOTS;

	return atomic_load(&table()->qpn_page[page / 64]) >> page % 64 & 1;
}

static int back_page(uint32_t index)
{
	uint32_t page = index / PAGE_SLOTS;

	if (page_backed(index))
		return 0;
	if (table_back(&table()->qpn[page * PAGE_SLOTS], TABLE_PAGE))
		return -ENOMEM;
	atomic_fetch_or(&table()->qpn_page[page / 64], UINT64_C(1) << page % 64);
	return 0;
}

/* A page without memory reads as one that was never used. */
static uint64_t key_at(uint32_t index)
{
	return page_backed(index) ? atomic_load(&table()->qpn[index].key) : 0;
}

static uint32_t nth_probe(uint32_t qpn, uint32_t n)
{
	return (qpn + n) % QPN_SLOTS;
}

/* The slot of a number: 0, or -ENOENT and in *free the first one it may be put into. */
static int probe(uint32_t qpn, uint32_t *at, uint32_t *free)
{
	*free = QPN_SLOTS;
	for (uint32_t n = 0; n < PROBES; n++) {
		uint32_t index = nth_probe(qpn, n);
		uint64_t key = key_at(index);

		if (key_qpn(key) == qpn) {
			*at = index;
			return 0;
		}
		if (key <= QPN_GONE && *free == QPN_SLOTS)
			*free = index;
		if (!key)
			break;
	}
	return -ENOENT;
}

static int put(uint32_t index, uint32_t qpn, seg_off off)
{
	struct qpn_slot *slot = &table()->qpn[index];

	if (back_page(index))
		return -ENOMEM;
	atomic_store(&slot->off, off);
	atomic_store(&slot->key, make_key(qpn, table_self(), table_generation()));
	return 0;
}

/* Without the marks that nothing lies behind: they would lengthen every search. */
static void take_out(uint32_t index)
{
	uint32_t next = (index + 1) % QPN_SLOTS;

	atomic_store(&table()->qpn[index].key, QPN_GONE);
	while (!key_at(next) && key_at(index) == QPN_GONE) {
		atomic_store(&table()->qpn[index].key, 0);
		next = index;
		index = (index + QPN_SLOTS - 1) % QPN_SLOTS;
	}
}

static uint32_t draw(void)
{
	uint32_t qpn;

	do {
		qpn = random_u32() & QPN_MAX;
	} while (qpn <= 1 || qpn == QPN_MAX);
	return qpn;
}

static int alloc(seg_off off, uint32_t *qpn)
{
	int err = -ENOMEM;
	uint32_t at, free;

	if (!table_lock())
		return -ENOMEM;
	for (int i = 0; i < DRAWS && err; i++) {
		uint32_t drawn = draw();

		if (!probe(drawn, &at, &free) || free == QPN_SLOTS)
			continue;
		err = put(free, drawn, off);
		if (err)
			break;
		*qpn = drawn;
	}
	table_unlock();
	return err;
}

int registry_qpn_alloc(seg_off off, uint32_t *qpn)
{
	return alloc(off, qpn);
}

int registry_srqn_alloc(seg_off off, uint32_t *srqn)
{
	return alloc(off | SRQ_MARK, srqn);
}

void registry_qpn_free(uint32_t qpn)
{
	uint64_t owner;
	uint32_t at, free;

	if (!table_lock())
		return;
	owner = key_owner(make_key(0, table_self(), table_generation()));
	if (!probe(qpn, &at, &free) && key_owner(key_at(at)) == owner)
		take_out(at);
	table_unlock();
}

/* The key has the low bits of the generation: the process's entry tells the rest. */
static int owner_place(uint64_t key, struct host_place *place)
{
	uint32_t slot = (uint32_t)(key >> 24) & (PROCESSES - 1);
	uint64_t generation = atomic_load(&table()->process[slot].generation);

	if (key != make_key(key_qpn(key), slot, generation))
		return -ENOENT;
	place->slot = slot;
	place->generation = generation;
	return 0;
}

static int find(uint32_t qpn, struct host_place *place)
{
	uint32_t at, free;
	uint64_t key, off;

	if (!table() || qpn <= QPN_GONE || probe(qpn, &at, &free))
		return -ENOENT;
	key = key_at(at);
	off = atomic_load(&table()->qpn[at].off);
	if (key_qpn(key) != qpn || key_at(at) != key || owner_place(key, place))
		return -ENOENT;
	place->off = off;
	return 0;
}

int registry_qpn_find(uint32_t qpn, struct host_place *place)
{
	int err = find(qpn, place);

	return !err && place->off & SRQ_MARK ? -ENOENT : err;
}

int registry_srqn_find(uint32_t srqn, struct host_place *place)
{
	int err = find(srqn, place);

	if (err)
		return err;
	if (!(place->off & SRQ_MARK))
		return -ENOENT;
	place->off &= ~SRQ_MARK;
	return 0;
}

static void remove_from_page(uint32_t page, uint64_t owner)
{
	for (uint32_t i = page * PAGE_SLOTS; i < (page + 1) * PAGE_SLOTS; i++) {
		uint64_t key = atomic_load(&table()->qpn[i].key);

		if (key > QPN_GONE && key_owner(key) == owner)
			take_out(i);
	}
}

void qpn_remove_all(uint32_t slot, uint64_t generation)
{
	uint64_t owner = key_owner(make_key(0, slot, generation));

	for (uint32_t page = 0; page < QPN_SLOTS / PAGE_SLOTS; page++) {
		if (page_backed(page * PAGE_SLOTS))
			remove_from_page(page, owner);
	}
}
