// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "host/extent.h"

/* Runs looked at in the bin that a size itself falls into, where some are too short. */
#define TRIES 16

/* Eight bins for each power of two. */
static unsigned int bin_of(uint32_t pages)
{
	unsigned int log2 = 31U - (unsigned int)__builtin_clz(pages);

	if (pages < 8)
		return pages;
	return 8 * (log2 - 2) + (pages >> (log2 - 3) & 7);
}

int extents_open(struct extents *e, uint32_t limit)
{
	size_t size = (size_t)limit * sizeof(*e->page);
	void *map = mmap(NULL, size, PROT_READ | PROT_WRITE,
	                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (map == MAP_FAILED)
		return -ENOMEM;
	memset(e, 0, sizeof(*e));
	e->page = map;
	e->limit = limit;
	return 0;
}

void extents_close(struct extents *e)
{
	munmap(e->page, (size_t)e->limit * sizeof(*e->page));
	e->page = NULL;
}

static void insert(struct extents *e, uint32_t first, uint32_t pages)
{
	unsigned int bin = bin_of(pages);
	uint32_t head = e->bin[bin];

	e->page[first + pages - 1].pages = pages;
	e->page[first] = (struct extent_page){ .pages = pages, .next = head };
	if (head)
		e->page[head].prev = first;
	e->bin[bin] = first;
	e->nonempty[bin / 64] |= UINT64_C(1) << bin % 64;
}

static void extract(struct extents *e, uint32_t first)
{
	struct extent_page run = e->page[first];
	unsigned int bin = bin_of(run.pages);

	if (run.next)
		e->page[run.next].prev = run.prev;
	if (run.prev)
		e->page[run.prev].next = run.next;
	else
		e->bin[bin] = run.next;
	if (!e->bin[bin])
		e->nonempty[bin / 64] &= ~(UINT64_C(1) << bin % 64);
	e->page[first + run.pages - 1].pages = 0;
	e->page[first].pages = 0;
}

static uint32_t first_fit(const struct extents *e, uint32_t pages)
{
	uint32_t run = e->bin[bin_of(pages)];

	for (int i = 0; run && i < TRIES; i++, run = e->page[run].next) {
		if (e->page[run].pages >= pages)
			return run;
	}
	return 0;
}

/* Any run of a higher bin is long enough. */
static uint32_t next_bin(const struct extents *e, uint32_t pages)
{
	unsigned int bin = bin_of(pages) + 1;
	unsigned int word = bin / 64;
	uint64_t bits = e->nonempty[word] & ~UINT64_C(0) << bin % 64;

	while (!bits) {
		if (++word == EXTENT_BINS / 64)
			return 0;
		bits = e->nonempty[word];
	}
	return e->bin[word * 64 + (unsigned int)__builtin_ctzll(bits)];
}

uint32_t extents_take(struct extents *e, uint32_t pages)
{
	uint32_t first = first_fit(e, pages);
	uint32_t length;

	if (!first)
		first = next_bin(e, pages);
	if (!first)
		return 0;
	length = e->page[first].pages;
	extract(e, first);
	if (length > pages)
		insert(e, first + pages, length - pages);
	return first;
}

uint32_t extents_take_before(struct extents *e, uint32_t end)
{
	uint32_t length = e->page[end - 1].pages;

	if (length)
		extract(e, end - length);
	return length;
}

void extents_give(struct extents *e, uint32_t first, uint32_t pages)
{
	uint32_t before = extents_take_before(e, first);
	uint32_t end = first + pages;

	if (end < e->limit && e->page[end].pages) {
		end += e->page[end].pages;
		extract(e, first + pages);
	}
	insert(e, first - before, end - first + before);
}
