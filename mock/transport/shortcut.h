/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef MOCK_TRANSPORT_SHORTCUT_H
#define MOCK_TRANSPORT_SHORTCUT_H

#include "object/qp.h"

/*
 * Sends the request at sq.next and completes it. False, and nothing has happened, when
 * anything about it or its peer is not as it mostly is. The requester's lock is held, the
 * QP may send.
 */
bool shortcut_send(struct qp *qp);

#endif
