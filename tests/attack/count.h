/* SPDX-License-Identifier: BSD-2-Clause */
/* The host's counters, as the device tells them to any program. */
#ifndef ATTACK_COUNT_H
#define ATTACK_COUNT_H

#include <stdbool.h>
#include <stdint.h>

/* The sum of the counters of those names; NULL ends the list. */
uint64_t counted(const char *const *names);
/* Waits for a sum. False: it did not come to that. */
bool count_reaches(const char *const *names, uint64_t wanted);

/* Of requests that the device took no further, and of answers to nothing. */
extern const char *const requests_refused[], *const answers_refused[];

#endif
