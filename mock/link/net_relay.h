/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Between the processes of a host that have UDP port 4791: packets that one received for
 * another, and the socket itself for one that comes later.
 */
#ifndef MOCK_LINK_NET_RELAY_H
#define MOCK_LINK_NET_RELAY_H

#include "host/registry.h"
#include "link/net_receive.h"

/* Where others ring when there is something in our ring, or ask: a descriptor, or
 * -errno. The registry knows. */
int net_relay_open(void);
/* Not used any more: this process left the host, or is a child. */
void net_relay_forget(void);
/* False when they are lost: the other has ended, or does not take them fast enough. */
bool net_relay_give(const struct host_place *to, const struct net_arrival *arrival);

/* Whether there is anything in our ring. Sees what was put by whoever is gone by now. */
bool net_relay_waits(void);
/* What is in our ring now ends there; and giving it to a function, up to there. Whether
 * there was any. One caller at a time; as in net_receive(), the bytes stay during the
 * call. */
uint64_t net_relay_end(void);
bool net_relay_take(uint64_t end, net_arrived *arrived);
/* Takes back all rings; who asked for the port gets it. */
void net_relay_listen(int relay, int port);

/* Has a process look at its ring and at the port. */
void net_relay_wake(uint64_t relay);
/* Asks a process for the port, by the name of its relay; it answers that socket. */
void net_relay_ask(int asker, uint64_t relay);
/* The port, as a descriptor, from an answer; -EAGAIN when this was none. */
int net_relay_answer(int asker);

#endif
