/* SPDX-License-Identifier: BSD-2-Clause */
/* A network of the test's own: there is one UDP port 4791 in each. */
#ifndef TESTS_NETNS_H
#define TESTS_NETNS_H

/*
 * Puts this process, which has one thread, into a network namespace with nothing but a
 * loopback interface that is up; as an ordinary user in a user namespace of its own, too.
 * Ends the test as skipped, with the reason, where the system does not permit it.
 */
void netns_enter(void);
/* As `ip link set lo up` or `down`. */
void netns_loopback(int up);

#endif
