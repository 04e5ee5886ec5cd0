/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Requests of the connection manager to disconnect, in the peer's name: to a connection
 * of a program without protection, to a session that the connection manager connected,
 * and to one that was connected directly.
 */
#ifndef ATTACK_DISCONNECT_H
#define ATTACK_DISCONNECT_H

#include <stdbool.h>

/* Prints what came of it. False when the program's connection does not end, which would
 * prove nothing, or when a session does. */
bool disconnect_all(void);

#endif
