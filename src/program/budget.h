/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory that some transfers share: those of a client, and within a parent's those of
 * all. Any thread.
 */
#ifndef PROGRAM_BUDGET_H
#define PROGRAM_BUDGET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct budget {
	struct budget *parent; /* NULL: none */
	_Atomic uint64_t limit;
	_Atomic uint64_t used;
};

/* The last that is done to it: who waits for `used` to be 0 may free it then. */
static inline void budget_return_here(struct budget *budget, uint64_t bytes)
{
	atomic_fetch_sub(&budget->used, bytes);
}

static inline void budget_return(struct budget *budget, uint64_t bytes)
{
	if (budget->parent)
		budget_return_here(budget->parent, bytes);
	budget_return_here(budget, bytes);
}

static inline bool budget_take_here(struct budget *budget, uint64_t bytes)
{
	uint64_t used = atomic_load(&budget->used), limit = atomic_load(&budget->limit);

	do {
		/* The limit may have been lowered. */
		if (used > limit || bytes > limit - used)
			return false;
	} while (!atomic_compare_exchange_weak(&budget->used, &used, used + bytes));
	return true;
}

/* Two levels, at most. */
static inline bool budget_take(struct budget *budget, uint64_t bytes)
{
	if (!budget_take_here(budget, bytes))
		return false;
	if (!budget->parent || budget_take_here(budget->parent, bytes))
		return true;
	budget_return_here(budget, bytes);
	return false;
}

#endif
