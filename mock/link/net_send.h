/* SPDX-License-Identifier: BSD-2-Clause */
/* RoCE v2 packets out of a UDP socket of this process's own. */
#ifndef MOCK_LINK_NET_SEND_H
#define MOCK_LINK_NET_SEND_H

#include "link/net.h"

struct net_sender {
	int fd;
	uint16_t port; /* the source port, which ICRC covers */
	bool bound; /* to the local address, traffic class and hop limit of its paths */
};

/* For any path of the family. 0 or -errno. */
int net_sender_open(struct net_sender *sender, int family);
/* For paths that begin as this one, which needs no interface to be named. 0 or -errno. */
int net_sender_bind(struct net_sender *sender, const struct net_path *path);
/* As net_ops.send(), of that path's family; -EAGAIN when there is no room for any. */
int net_sender_send(const struct net_sender *sender, const struct net_path *path,
                    const struct net_packet *packets, unsigned int count);

/* The bytes of a packet with its ICRC, for net_sender_bytes(); how many, or 0 when there
 * is no room for them. */
size_t net_sender_seal(const struct net_sender *sender, const struct net_path *path,
                       const struct net_packet *packet, uint8_t *room, size_t size);
/* 0 when they were taken, or are lost; -errno as above. */
int net_sender_bytes(const struct net_sender *sender, const struct net_path *path,
                     uint8_t *data, size_t length);

/* The headers that a packet on this path has, for ICRC; its length is to be set. */
struct headers;
void net_headers(const union ibv_gid *from, const union ibv_gid *to,
                 const struct net_path *path, uint16_t source_port,
                 struct headers *headers);

#endif
