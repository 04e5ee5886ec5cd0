/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which packet numbers have been seen (RFC 6479): the newest, and of the REPLAY_WINDOW
 * before it, each. What is older is taken for seen. Numbers begin with 1.
 */
#ifndef MOCK_OBJECT_REPLAY_H
#define MOCK_OBJECT_REPLAY_H

#include <stdbool.h>
#include <stdint.h>

enum {
	REPLAY_WORD = 64,
	REPLAY_WORDS = 64, /* a power of two; one is being filled */
	REPLAY_WINDOW = (REPLAY_WORDS - 1) * REPLAY_WORD,
};

struct replay_window {
	uint64_t newest;
	uint64_t seen[REPLAY_WORDS];
};

static inline bool replay_is_new(const struct replay_window *window, uint64_t number)
{
	uint64_t word = number / REPLAY_WORD % REPLAY_WORDS;

	if (number > window->newest)
		return true;
	if (!number || window->newest - number >= REPLAY_WINDOW)
		return false;
	return !(window->seen[word] >> number % REPLAY_WORD & 1);
}

/* It is new, and came from who has the key. */
static inline void replay_note(struct replay_window *window, uint64_t number)
{
	uint64_t from = window->newest / REPLAY_WORD, to = number / REPLAY_WORD;

	if (number > window->newest) {
		if (to - from > REPLAY_WORDS)
			from = to - REPLAY_WORDS;
		while (from != to)
			window->seen[++from % REPLAY_WORDS] = 0;
		window->newest = number;
	}
	window->seen[to % REPLAY_WORDS] |= UINT64_C(1) << number % REPLAY_WORD;
}

#endif
