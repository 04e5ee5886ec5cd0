/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A handshake flood: connections that say nothing, half a ClientHello, a whole one and no
 * more, what is no TLS, or leave at once. Beside them honest clients.
 */
#ifndef ATTACK_FLOOD_H
#define ATTACK_FLOOD_H

#include <stdbool.h>

/*
 * Prints how many honest clients were served: without a limit of handshakes, with a
 * scarce one, and with one that has room for so many half-open connections. True when
 * none was without the limit, which proves that the flood does harm, and all were with
 * one.
 */
bool flood(unsigned int half_open);

#endif
