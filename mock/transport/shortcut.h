/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef MOCK_TRANSPORT_SHORTCUT_H
#define MOCK_TRANSPORT_SHORTCUT_H

#include "object/qp.h"

/*
 * Each sends one request and completes it. False, and nothing has happened, when anything
 * about it or its peer is not as it mostly is. The requester's lock is held.
 */
/* One that is being posted; what was posted before is done with, or it is false. */
bool shortcut_post(struct qp *qp, const struct ibv_send_wr *wr);
/* The one at sq.next; the QP may send. */
bool shortcut_send(struct qp *qp);

#endif
