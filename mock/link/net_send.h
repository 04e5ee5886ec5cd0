/* SPDX-License-Identifier: BSD-2-Clause */
/* RoCE v2 packets out of a UDP socket of this process's own. */
#ifndef MOCK_LINK_NET_SEND_H
#define MOCK_LINK_NET_SEND_H

#include "link/net.h"

struct net_sender {
	int fd;
	uint16_t port; /* the source port, which ICRC covers */
};

/* 0 or -errno. */
int net_sender_open(struct net_sender *sender, int family);
/* As net_ops.send(), of that path's family; -EAGAIN when there is no room for any. */
int net_sender_send(const struct net_sender *sender, const struct net_path *path,
                    const struct net_packet *packets, unsigned int count);

/* The headers that a packet on this path has, for ICRC; its length is to be set. */
struct headers;
void net_headers(const union ibv_gid *from, const union ibv_gid *to,
                 const struct net_path *path, uint16_t source_port,
                 struct headers *headers);

#endif
