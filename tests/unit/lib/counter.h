/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TESTS_COUNTER_H
#define TESTS_COUNTER_H

#include <stdint.h>

/* One of the device's counters, of all of the host's processes together. */
uint64_t count_of(const char *name);

#endif
