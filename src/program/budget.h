/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory that all transfers of a program share. Any thread. */
#ifndef PROGRAM_BUDGET_H
#define PROGRAM_BUDGET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct budget {
	uint64_t limit;
	_Atomic uint64_t used;
};

static inline bool budget_take(struct budget *budget, uint64_t bytes)
{
	uint64_t used = atomic_load(&budget->used);

	do {
		if (bytes > budget->limit - used)
			return false;
	} while (!atomic_compare_exchange_weak(&budget->used, &used, used + bytes));
	return true;
}

static inline void budget_return(struct budget *budget, uint64_t bytes)
{
	atomic_fetch_sub(&budget->used, bytes);
}

#endif
