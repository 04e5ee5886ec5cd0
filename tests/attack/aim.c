// SPDX-License-Identifier: BSD-2-Clause
#include "aim.h"

#include <stdlib.h>

#include "count.h"

enum { GUESSES = 2000 }; /* of an attacker who sees nothing */

void aim_known(const struct victim *victim, struct forger *forger, forger_of *make,
               uint32_t psn)
{
	struct roce packet = make(victim, psn);

	forge(forger, &packet);
}

/* PSNs count from 0 without protection; a secret one may be any. */
static void guess(struct victim *victim, struct forger *forger, forger_of *make,
                  unsigned int count)
{
	bool counts = victim->kind == UNPROTECTED;

	for (unsigned int i = 0; i < count; i++)
		aim_known(victim, forger, make,
		          counts ? (uint32_t)forger->sent : (uint32_t)random());
}

void aim_guesses(struct victim *victim, struct forger *forger, forger_of *make,
                 const char *const *refused)
{
	uint64_t before = counted(refused) - forger->sent;

	while (forger->sent < GUESSES) {
		guess(victim, forger, make, BATCH);
		if (victim->kind == UNPROTECTED)
			victim_look(victim);
		else if (!count_reaches(refused, before + forger->sent))
			return; /* one was right */
	}
}
