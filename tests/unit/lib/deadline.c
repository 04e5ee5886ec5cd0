// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "deadline.h"

/* The mock has one of its own, the same, where a test is linked with its objects. */
__attribute__((weak)) uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static unsigned int slowness(void)
{
	static const struct {
		const char *variant;
		unsigned int factor;
	} slow[] = { { "asan", 3 }, { "cov", 3 }, { "tsan", 4 }, { "valgrind", 8 } };
	const char *variant = getenv("TEST_VARIANT");

	for (size_t i = 0; variant && i < sizeof(slow) / sizeof(slow[0]); i++)
		if (strcmp(variant, slow[i].variant) == 0)
			return slow[i].factor;
	return 1;
}

uint64_t deadline_in(unsigned int milliseconds)
{
	return now_ns() + (uint64_t)milliseconds * slowness() * 1000000;
}

bool deadline_passed(uint64_t deadline)
{
	return now_ns() >= deadline;
}

int deadline_left_ms(uint64_t deadline)
{
	uint64_t now = now_ns();

	return now >= deadline ? 0 : (int)((deadline - now) / 1000000 + 1);
}

void wait_a_little(unsigned int *calls)
{
	const struct timespec moment = { .tv_nsec = 200 * 1000 };

	if (++*calls % 256)
		sched_yield();
	else
		nanosleep(&moment, NULL);
}

void pass_ms(unsigned int milliseconds)
{
	struct timespec left = { .tv_sec = milliseconds / 1000,
		                 .tv_nsec = (long)(milliseconds % 1000) * 1000000 };

	while (nanosleep(&left, &left) < 0 && errno == EINTR)
		;
}
