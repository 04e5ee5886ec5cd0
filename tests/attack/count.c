// SPDX-License-Identifier: BSD-2-Clause
#include "count.h"

#include <dlfcn.h>
#include <mockrdma_inspect.h>
#include <stdbool.h>
#include <string.h>

#include "../unit/lib/check.h"
#include "../unit/lib/deadline.h"

const char *const requests_refused[] = { "duplicate_request", "out_of_seq_request",
	                                 "drop_gap",          "drop_old_psn",
	                                 "drop_unknown_qp",   "drop_qp_state",
	                                 "drop_address",      "drop_guess",
	                                 "drop_plain",        NULL };
const char *const answers_refused[] = { "drop_answer_psn", "drop_answer_guess",
	                                "drop_plain", NULL };

struct sum {
	const char *const *names; /* of counters, and NULL */
	uint64_t total;
};

static bool is_among(const char *name, const char *const *names)
{
	while (*names && strcmp(name, *names))
		names++;
	return *names;
}

/* Keeps the last sum: the host's. */
static int add_up(void *arg, const struct mockrdma_field *fields, unsigned int count)
{
	struct sum *sum = arg;

	sum->total = 0;
	for (unsigned int i = 0; i < count; i++)
		if (is_among(fields[i].name, sum->names))
			sum->total += fields[i].number;
	return 0;
}

uint64_t counted(const char *const *names)
{
	mockrdma_inspect_function *inspect;
	struct sum sum = { .names = names };

	*(void **)&inspect = dlsym(RTLD_DEFAULT, "mockrdma_inspect");
	CHECK(inspect != NULL);
	CHECK_EQ(inspect("counters", add_up, &sum), 0);
	return sum.total;
}

bool count_reaches(const char *const *names, uint64_t wanted)
{
	uint64_t end = deadline_in(PATIENCE_MS);
	unsigned int calls = 0;

	while (counted(names) < wanted) {
		if (deadline_passed(end))
			return false;
		wait_a_little(&calls);
	}
	return true;
}
