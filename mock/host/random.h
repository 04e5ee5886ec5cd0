/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef MOCK_HOST_RANDOM_H
#define MOCK_HOST_RANDOM_H

#include <stdint.h>

/*
 * 32 unpredictable bits from getrandom(2), through a buffer so that most draws cost no
 * system call. Never fails: aborts with a sentence when the kernel has no randomness to
 * give. Any thread.
 */
uint32_t random_u32(void);
uint64_t random_u64(void);

#endif
