/* SPDX-License-Identifier: BSD-2-Clause */
/* Groups: who is in them, and a copy of a datagram for each QP of the host that is. */
#ifndef MOCK_LINK_MULTICAST_H
#define MOCK_LINK_MULTICAST_H

#include "link/link.h"

/* The requester's lock is held. A sender that is attached gets its copy too. Whether
 * there is anyone on this host to have it. */
bool multicast_send(struct qp *qp, const struct packet *packet);
/* Lets go of those whom the QP's last one went to. */
void multicast_unbind(struct qp *qp);

/*
 * ibv_attach_mcast(3): the QP gets what is sent to the group on this host, and on the
 * networks that its device's interfaces are in. As group_attach(); -errno when a network
 * cannot be asked for it.
 */
int multicast_attach(struct qp *qp, const union ibv_gid *group);
int multicast_detach(struct qp *qp, const union ibv_gid *group);
/* The QP goes. */
void multicast_leave_all(struct qp *qp);

#endif
