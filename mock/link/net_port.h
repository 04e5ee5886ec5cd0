/* SPDX-License-Identifier: BSD-2-Clause */
/* The host's socket of UDP port 4791. */
#ifndef MOCK_LINK_NET_PORT_H
#define MOCK_LINK_NET_PORT_H

/*
 * Made, or from a process that has it. The descriptor; -EADDRINUSE when somebody outside
 * the mock has it, whom it names in a sentence; -errno.
 */
int net_port_get(void);

/* Says who has the port, and what to do. */
void net_port_blame(void);

#endif
