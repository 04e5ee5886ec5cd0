/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The device's clock: that of completion timestamps. It is now_ns(), which all processes
 * of the host have in common.
 */
#ifndef MOCK_OBJECT_CLOCK_H
#define MOCK_OBJECT_CLOCK_H

#include <stdint.h>

#define CLOCK_KHZ  UINT64_C(1000000) /* it counts nanoseconds … */
#define CLOCK_MASK UINT64_MAX        /* … and does not wrap */

/*
 * What CLOCK_REALTIME said at that time of the device's clock. Both run at one rate, so
 * two times are as far apart as on the device's clock, unless the wall clock was set in
 * between.
 */
uint64_t clock_wall(uint64_t device);

#endif
