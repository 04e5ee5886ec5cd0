/* SPDX-License-Identifier: BSD-2-Clause */
/* The host's socket of UDP port 4791. */
#ifndef MOCK_LINK_NET_PORT_H
#define MOCK_LINK_NET_PORT_H

#include <stdbool.h>

/*
 * Made, or from a process that has it. The descriptor; -EADDRINUSE when somebody outside
 * the mock has it, whom it names in a sentence if it is to say so; -errno.
 */
int net_port_get(bool say);

/* Whether the port is nobody's, or of a process that ends: its socket is closed last. */
bool net_port_is_leaving(void);
/* Says who has the port, and what to do. */
void net_port_blame(void);

#endif
