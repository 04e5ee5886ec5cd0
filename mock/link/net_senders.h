/* SPDX-License-Identifier: BSD-2-Clause */
/* The sockets that this process sends from. */
#ifndef MOCK_LINK_NET_SENDERS_H
#define MOCK_LINK_NET_SENDERS_H

#include "link/net_send.h"

/* -EAFNOSUPPORT when there is none of any family. */
int net_senders_open(void);
void net_senders_close(void);
/* From now on the engine tells when there is room again that there was not. Once. */
void net_senders_watch(void (*writable)(void));

/* The one for packets on a path; its fd is -1 where the system lacks the family. It stays
 * as long as this process is on the host. Any thread. */
const struct net_sender *net_sender_for(const struct net_path *path);
/* As net_ops.send(). */
int net_senders_send(const struct net_path *path, const struct net_packet *packets,
                     unsigned int count);

#endif
