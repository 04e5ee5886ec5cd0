/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A bell: a descriptor of ours that becomes readable when any process on this host rings
 * it by its name. An abstract datagram socket with a random name: no file is left behind,
 * no descriptor is passed, and a full queue means that it rings already. What was rung
 * for is in shared memory; the bell says only "look".
 */
#ifndef MOCK_HOST_BELL_H
#define MOCK_HOST_BELL_H

#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

int bell_create(int *fd, uint64_t *name);
/* Rings, without ever blocking. Any thread of any process; errors mean that nobody is
 * there. */
void bell_ring(uint64_t name);
/* Takes back all rings so far, without blocking. */
void bell_silence(int fd);
/* Waits for a ring as read(2) would: 0, or -EAGAIN on a non-blocking descriptor, -EINTR,
 * -errno. */
int bell_wait(int fd);
/* Closes what bell_ring() keeps open; the next ring opens it again. */
void bell_forget(void);
/* The address that goes with a name, and its length. */
socklen_t bell_address(uint64_t name, struct sockaddr_un *address);

#endif
