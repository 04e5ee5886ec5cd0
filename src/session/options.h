/* SPDX-License-Identifier: BSD-2-Clause */
/* The settings of a context: one table each for texts and numbers. */
#ifndef SESSION_OPTIONS_H
#define SESSION_OPTIONS_H

#include "srdma.h"

#define TEXT_OPTIONS   (SRDMA_OPT_FABRIC_PROVIDER + 1)
#define NUMBER_OPTIONS (SRDMA_OPT_PACKET_PROTECTION + 1)

struct options {
	char *text[TEXT_OPTIONS];
	uint64_t number[NUMBER_OPTIONS];
};

void options_init(struct options *options);
int options_set_text(struct options *options, enum srdma_text_option option,
                     const char *value);
int options_set_number(struct options *options, enum srdma_number_option option,
                       uint64_t value);
int options_get_number(const struct options *options, enum srdma_number_option option,
                       uint64_t *value);

/* A copy of its own, for options_clear(). */
int options_copy(const struct options *from, struct options *to);
void options_clear(struct options *options);

#endif
