/* SPDX-License-Identifier: BSD-2-Clause */
/* What has come to UDP port 4791, taken from its socket, and checked. */
#ifndef MOCK_LINK_NET_RECEIVE_H
#define MOCK_LINK_NET_RECEIVE_H

#include "link/net.h"

/* Packets of one sender that arrived together: each of that many bytes, ICRC included,
 * but for the last one. */
struct net_arrival {
	struct net_path path;
	const uint8_t *data;
	size_t length;
	size_t segment;
	unsigned int first; /* number of the first one in what came at once */
};

/*
 * A socket that is bound to port 4791 of all addresses. The descriptor; -EADDRINUSE when
 * somebody has it, -errno.
 */
int net_port_open(void);

/*
 * Gives each arrival to a function, and says whether there were any. One caller at a
 * time: their bytes lie in a buffer of this file's. -errno when the socket is of no use.
 */
typedef void net_arrived(const struct net_arrival *arrival);
int net_receive(int fd, net_arrived *arrived);

/*
 * Whether the ICRC at the end of a packet is right, as far as a socket can tell: number
 * is that of the packet in its arrival. One caller at a time.
 */
bool net_icrc_is_right(const struct net_arrival *arrival, const uint8_t *packet,
                       size_t length, unsigned int number);
/* The IPv4 identification that such a packet has; of one whose ICRC is wrong, 0. */
uint16_t net_identification(const struct net_arrival *arrival, const uint8_t *packet,
                            size_t length, unsigned int number);

#endif
