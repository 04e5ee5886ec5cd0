/* SPDX-License-Identifier: BSD-2-Clause */
/* A datagram to a group: a copy for each QP of the host that is attached. */
#ifndef MOCK_LINK_MULTICAST_H
#define MOCK_LINK_MULTICAST_H

#include "link/link.h"

/* The requester's lock is held. A sender that is attached gets its copy too. */
void multicast_send(struct qp *qp, const struct packet *packet);
/* Lets go of those whom the QP's last one went to. */
void multicast_unbind(struct qp *qp);

#endif
