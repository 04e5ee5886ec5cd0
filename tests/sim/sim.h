/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A network and a clock for the roce link that do as they are told: what is lost,
 * repeated, late or out of order follows from a seed alone, and no time passes but when
 * nothing else is to be done.
 */
#ifndef TESTS_SIM_H
#define TESTS_SIM_H

#include <stdbool.h>
#include <stdint.h>

#include "link/net.h"

enum { SIM_PORT = 50000 }; /* that all packets come from */

/* Parts in a thousand, but for the times. */
struct sim_weather {
	unsigned int loss; /* a packet that is corrupted is lost, too: ICRC */
	unsigned int duplicate;
	unsigned int reorder;
	unsigned int full;  /* a call takes only some of the packets, or none */
	unsigned int batch; /* a packet arrives together with the one before it */
	uint64_t delay_ns;
};

/* Once, before the process uses the mock. */
void sim_install(void);

/* Nothing is on its way, and chance begins with the seed. */
void sim_begin(uint64_t seed, const struct sim_weather *weather);

/* How many seeds a test has time for: so many, fewer where everything is slow. */
unsigned int sim_seeds(unsigned int most);

/* Delivers what comes next, or lets the next timer fire; false when nothing is to come.
 */
bool sim_step(void);

uint64_t sim_random(void);
/* From least to most. */
uint64_t sim_between(uint64_t least, uint64_t most);

/* What was sent since sim_begin(), in how many calls, and what was lost of it. */
struct sim_counts {
	unsigned int calls, sent, lost, duplicated, reordered, refused;
};
extern struct sim_counts sim_counts;

/* Looks at each packet that is sent, and may change or lose it; NULL: none. */
extern bool (*sim_filter)(uint8_t *bth, size_t length);

#endif
