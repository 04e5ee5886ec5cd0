/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What happens to the device's port, told to all who have the device open: the system's
 * news of interfaces and addresses, which the engine reads as long as somebody has.
 */
#ifndef MOCK_OBJECT_PORT_H
#define MOCK_OBJECT_PORT_H

struct context;

/*
 * Between these two the context hears of the port. The addresses have just been read.
 * Where the system gives no news, nothing is heard of it, and that is said.
 */
void port_open(struct context *context);
void port_close(struct context *context);

#endif
