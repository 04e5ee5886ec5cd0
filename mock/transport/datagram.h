/* SPDX-License-Identifier: BSD-2-Clause */
/* Unreliable datagrams: what the requester and the responder do otherwise than for
 * connections. */
#ifndef MOCK_TRANSPORT_DATAGRAM_H
#define MOCK_TRANSPORT_DATAGRAM_H

#include "object/qp.h"
#include "transport/request.h"

/* Where a posted work request goes. -EINVAL without an address handle. */
int datagram_set(const struct sq *sq, struct wqe *wqe, const struct ibv_ah *ah,
                 uint32_t qpn, uint32_t qkey);
/* The Q_Key that is sent where a work request says this one. */
uint32_t datagram_qkey(const struct qp *qp, uint32_t qkey);
/* What the packet says of it. */
void datagram_fill(const struct qp *qp, struct wqe *wqe, struct packet *packet,
                   struct datagram *datagram);
/* Bytes behind the IP header. */
uint64_t datagram_ip_payload(uint64_t length, bool immediate);
/* Into the receive that was taken, behind the header that it came with. */
enum outcome datagram_deliver(struct request *req);

#endif
