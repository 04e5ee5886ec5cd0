// SPDX-License-Identifier: BSD-2-Clause
#include "link/dice.h"

#include "base/mix.h"

static uint64_t next(struct dice *dice)
{
	return mix64(dice->state += MIX_STEP);
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
