// SPDX-License-Identifier: BSD-2-Clause
#include "link/dice.h"

/* SplitMix64: Steele, Lea, Flood, "Fast splittable pseudorandom number generators". */
static uint64_t next(struct dice *dice)
{
	uint64_t z = dice->state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

static bool happens(struct dice *dice, uint64_t odds)
{
	return next(dice) % ODDS_ALL < odds;
}

struct fate dice_throw(struct dice *dice, const struct odds *odds)
{
	struct fate fate = { .lost = happens(dice, odds->loss) };
	bool is_late;
	uint64_t rest;

	fate.twice = happens(dice, odds->duplicate);
	fate.corrupted = happens(dice, odds->corrupt);
	is_late = happens(dice, odds->reorder);
	rest = next(dice);
	fate.bit = (uint32_t)rest;
	fate.behind = is_late ? (unsigned int)((rest >> 32) % BEHIND_MOST + 1) : 0;
	return fate;
}
