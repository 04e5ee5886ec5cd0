/* SPDX-License-Identifier: BSD-2-Clause */
/* How forged packets are aimed: by the PSN that one on the path sees, or by guessing. */
#ifndef ATTACK_AIM_H
#define ATTACK_AIM_H

#include "forge.h"
#include "victim.h"

#define FORGED "forged by the attacker"

enum {
	PSN_MASK_24 = 0xffffff,
	BATCH = 64, /* packets that the victim's socket surely has room for */
};

typedef struct roce forger_of(const struct victim *victim, uint32_t psn);

void aim_known(const struct victim *victim, struct forger *forger, forger_of *make,
               uint32_t psn);
/* Until all are dealt with: the counters of those names say what the device refused. */
void aim_guesses(struct victim *victim, struct forger *forger, forger_of *make,
                 const char *const *refused);

#endif
