/* SPDX-License-Identifier: BSD-2-Clause */
#include "counter.h"

#include <mockrdma_inspect.h>
#include <string.h>

#include "check.h"

struct wanted {
	const char *name;
	uint64_t value;
};

/* Keeps the last one's: the host's total. */
static int take(void *arg, const struct mockrdma_field *fields, unsigned int count)
{
	struct wanted *wanted = arg;

	for (unsigned int i = 0; i < count; i++)
		if (strcmp(fields[i].name, wanted->name) == 0)
			wanted->value = fields[i].number;
	return 0;
}

uint64_t count_of(const char *name)
{
	struct wanted wanted = { name, UINT64_MAX };

	CHECK_EQ(mockrdma_inspect("counters", take, &wanted), 0);
	CHECK(wanted.value != UINT64_MAX);
	return wanted.value;
}
