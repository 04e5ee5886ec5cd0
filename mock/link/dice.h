/* SPDX-License-Identifier: BSD-2-Clause */
/* What becomes of a packet on a bad network: reproducible, of a seed. */
#ifndef MOCK_LINK_DICE_H
#define MOCK_LINK_DICE_H

#include <stdbool.h>
#include <stdint.h>

#define ODDS_ALL 1000000 /* always */

/* Each of ODDS_ALL; and how long every packet is under way, nanoseconds. */
struct odds {
	uint64_t loss, duplicate, reorder, corrupt;
	uint64_t delay;
};

struct fate {
	bool lost, twice, corrupted;
	unsigned int behind; /* so many packets overtake it */
	uint32_t bit;        /* which one is wrong, modulo how many there are */
};

struct dice {
	uint64_t state;
};

enum { BEHIND_MOST = 3 };

/* Each packet takes as many throws as any other, so that one of these odds does not
 * change what comes of the others. */
struct fate dice_throw(struct dice *dice, const struct odds *odds);

#endif
