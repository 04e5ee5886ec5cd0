/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef MOCK_OBJECT_MEMORY_H
#define MOCK_OBJECT_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Whether an adapter could pin this range of our memory: 0, or -EFAULT where nothing is
 * mapped or, for writing, where the mapping is read-only at either end.
 */
int memory_check(const void *addr, size_t length, bool write);

/* Brings the range in, as far as there is memory: 0, or -EFAULT as above. */
int memory_fetch(const void *addr, size_t length, bool write);

#endif
