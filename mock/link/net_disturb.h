/* SPDX-License-Identifier: BSD-2-Clause */
/* The settings that make a bad network of a good one: MOCKRDMA_LOSS and the others. */
#ifndef MOCK_LINK_NET_DISTURB_H
#define MOCK_LINK_NET_DISTURB_H

#include <stddef.h>
#include "link/net.h"

/* Whether there is any disturbance. Read once. */
bool net_disturb_wanted(void);

/*
 * Takes a packet, with its ICRC, that is to be sent: emit() is called for it now, or
 * later, from a timer, any number of times, in the order in which they then are. Any
 * thread; emit() is called by one at a time.
 */
typedef void net_emit(const struct net_path *path, uint8_t *data, size_t length);
void net_disturb(const struct net_path *path, const uint8_t *data, size_t length,
                 net_emit *emit);

/* What is held goes out at once: the process ends. Not when another thread is at it. */
void net_disturb_flush(void);

/* Nothing is to be emitted any more: this process left the host, or is a child. */
void net_disturb_forget(void);

#endif
