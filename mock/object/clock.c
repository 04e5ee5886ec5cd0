/* SPDX-License-Identifier: BSD-2-Clause */
#include "object/clock.h"

#include <stdatomic.h>
#include <time.h>
#include "host/engine.h"

/*
 * Less is no sign that somebody set a clock: cores count differently by some nanoseconds,
 * and the thread may have moved from one to another between two readings.
 */
enum { TOLERANCE_NS = 100 * 1000 };

/* What to add to the device's clock, as last measured. */
static _Atomic uint64_t wall_offset;

static uint64_t realtime_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/*
 * The system's two clocks differ by a constant until somebody sets one. A measurement is
 * only as good as the time that it took; one that agrees with the last as far as it can
 * tell must not replace it, or times would jump to and fro by what reading clocks takes.
 */
uint64_t clock_wall(uint64_t device)
{
	uint64_t before = now_ns(), wall = realtime_ns(), after = now_ns();
	uint64_t offset = atomic_load_explicit(&wall_offset, memory_order_relaxed);

	if (offset + TOLERANCE_NS < wall - after ||
	    offset > wall - before + TOLERANCE_NS) {
		offset = wall - before - (after - before) / 2;
		atomic_store_explicit(&wall_offset, offset, memory_order_relaxed);
	}
	return device + offset;
}
