/* SPDX-License-Identifier: BSD-2-Clause */
/* Time for tests: every wait has an end, and none of them sleeps to make a race go away.
 */
#ifndef TESTS_DEADLINE_H
#define TESTS_DEADLINE_H

#include <stdbool.h>
#include <stdint.h>

enum {
	PATIENCE_MS =
	        20 * 1000, /* for one event that must come: reached only by a defect */
	SIDES_LIMIT_MS = 90 * 1000 /* for a whole test of two processes */
};

uint64_t now_ns(void);

/*
 * So many milliseconds from now, more where TEST_VARIANT says that everything is slow;
 * give the answer to deadline_passed().
 */
uint64_t deadline_in(unsigned int milliseconds);
bool deadline_passed(uint64_t deadline);

/* The milliseconds that are left, for poll(2). */
int deadline_left_ms(uint64_t deadline);

/* Gives other threads the processor; sleeps for a moment in each 256 calls. */
void wait_a_little(unsigned int *calls);

/* Sleeps for that long in any case. Only where passing time is itself what is tested. */
void pass_ms(unsigned int milliseconds);

#endif
