/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A filter over the system calls of the process, for good: what a server and its device
 * do is allowed, all else fails with EPERM. The last line of defence, should a client
 * take over the process: no programs, no debugging, no mounts, no keys, no new name
 * spaces, …
 */
#ifndef SERVER_SANDBOX_H
#define SERVER_SANDBOX_H

/* Before threads are started: they inherit it. */
int sandbox_enter(void);

#endif
