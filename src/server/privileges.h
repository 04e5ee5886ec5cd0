/* SPDX-License-Identifier: BSD-2-Clause */
/* What the process gives up before it serves anybody. */
#ifndef SERVER_PRIVILEGES_H
#define SERVER_PRIVILEGES_H

/*
 * Become `user` (NULL: stay who we are) with its groups and without a way back, and let
 * no program that is executed from now on gain anything. Before threads are started: they
 * inherit it.
 */
int privileges_drop(const char *user);

#endif
