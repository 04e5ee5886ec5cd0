/* SPDX-License-Identifier: BSD-2-Clause */
/* Whose an arrival is, of the processes that share UDP port 4791. */
#ifndef MOCK_LINK_NET_ROUTE_H
#define MOCK_LINK_NET_ROUTE_H

#include "host/registry.h"
#include "link/net_receive.h"

#define MANAGER_QPN   1        /* of the connection manager's MADs (IBA 13.4) */
#define MULTICAST_QPN 0xffffff /* of datagrams to a group */

/* The destination QP that a BTH names. */
uint32_t net_destination(const uint8_t *bth);

/*
 * Gives away what is others' and keeps what is ours. As net_receive() calls it, so that
 * the bytes of what is kept stay until its next call. One caller at a time, with
 * registry_port_turn().
 */
void net_route(const struct net_arrival *arrival);
/* Gives what was kept to a function. */
void net_route_ours(net_arrived *arrived);

void net_route_forget(void);

/* net_udp.c: net_takers.mad_owner(). */
bool net_owner_of_mad(const struct net_path *path, const uint8_t *bth, size_t length,
                      struct host_place *place);

#endif
