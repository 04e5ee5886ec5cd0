/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A handshake flood: so many connections that say nothing, or half a ClientHello, and
 * stay; and others that say what is no TLS. Beside them honest clients.
 */
#ifndef ATTACK_FLOOD_H
#define ATTACK_FLOOD_H

#include <stdbool.h>

/*
 * Shows how many honest sessions were served. True when none was where the half-open ones
 * fill the limit of sessions, which proves that they take place, and all were where they
 * do not.
 */
bool flood(unsigned int half_open);

#endif
