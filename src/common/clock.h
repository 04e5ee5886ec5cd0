/* SPDX-License-Identifier: BSD-2-Clause */
/* Time since some point in the past, unaffected by the setting of the system's clock. */
#ifndef COMMON_CLOCK_H
#define COMMON_CLOCK_H

#include <stdint.h>

uint64_t clock_us(void);

#endif
