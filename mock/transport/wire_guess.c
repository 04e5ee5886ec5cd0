/* SPDX-License-Identifier: BSD-2-Clause */
#include "transport/wire_guess.h"

#include "host/engine.h"

#define SECOND UINT64_C(1000000000)

bool wire_guess_is_over(struct wire_guesses *guesses)
{
	if (now_ns() - guesses->since < SECOND)
		return false;
	guesses->many = false;
	return true;
}

void wire_guess_seen(struct wire_guesses *guesses)
{
	if (now_ns() - guesses->since >= SECOND) {
		guesses->since = now_ns();
		guesses->count = 0;
	}
	if (++guesses->count > GUESSES_MOST)
		guesses->many = true;
}
