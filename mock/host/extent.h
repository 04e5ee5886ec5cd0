/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Runs of free pages, found by size in constant time and merged with their neighbours.
 * The pages themselves are not touched: the books are private memory. The caller locks.
 */
#ifndef MOCK_HOST_EXTENT_H
#define MOCK_HOST_EXTENT_H

#include <stdint.h>

#define EXTENT_BINS 256

/* Of the first and the last page of each free run; zero elsewhere. */
struct extent_page {
	uint32_t pages;      /* length of the run */
	uint32_t next, prev; /* runs in the same bin, by their first page; 0 ends */
};

struct extents {
	struct extent_page *page; /* by number, 0 unused */
	uint32_t limit;           /* pages in all */
	uint32_t bin[EXTENT_BINS];
	uint64_t nonempty[EXTENT_BINS / 64];
};

/* -ENOMEM when the books cannot be kept. */
int extents_open(struct extents *e, uint32_t limit);
void extents_close(struct extents *e);
/* A run of so many pages, by its first page; 0 when there is none. */
uint32_t extents_take(struct extents *e, uint32_t pages);
void extents_give(struct extents *e, uint32_t first, uint32_t pages);
/* Takes the free run that ends before this page, if there is one: its length, or 0. */
uint32_t extents_take_before(struct extents *e, uint32_t end);

#endif
