/* SPDX-License-Identifier: BSD-2-Clause */
/* Where the bytes of a null memory region are: nowhere, and still a longest message fits.
 */
#ifndef MOCK_OBJECT_NULL_H
#define MOCK_OBJECT_NULL_H

#include <stdint.h>

/* Maps what is below, once; 0 or -ENOMEM. Any thread. */
int null_prepare(void);

/* After null_prepare(): DEVICE_MAX_MSG zeros to read, and as much to write into. */
uint64_t null_zeros(void);
uint64_t null_sink(void);

#endif
