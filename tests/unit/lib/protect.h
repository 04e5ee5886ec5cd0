/* SPDX-License-Identifier: BSD-2-Clause */
/* Protected queue pairs for tests: keys that follow from who sends. */
#ifndef TESTS_PROTECT_H
#define TESTS_PROTECT_H

#include <mockrdma.h>

#include "rc.h"

struct mockrdma_packet_key rc_packet_key(uint32_t sender_qpn);
struct mockrdma_protection rc_packet_keys(const struct rc_end *end);

/* Whether RC_PROTECTED is set: then all that can be protected is. */
bool rc_all_protected(void);
bool rc_can_be_protected(const struct rc_end *end);

/* For rc_config.before_rtr. */
void rc_protect(struct rc_end *end);

#endif
