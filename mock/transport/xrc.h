/* SPDX-License-Identifier: BSD-2-Clause */
/* Extended reliable connections (IBA annex A14): what they do otherwise than RC. */
#ifndef MOCK_TRANSPORT_XRC_H
#define MOCK_TRANSPORT_XRC_H

#include "object/qp.h"
#include "transport/request.h"

/* Makes an initiator's packet of one of RC. */
void xrc_fill(const struct qp *qp, struct wqe *wqe, struct packet *packet);

/*
 * Puts the SRQ that the request names in the place of the target's own receive queue, and
 * its owner in that of the target's. RESP_INVALID when there is no such SRQ in the
 * target's domain. Undone by xrc_leave().
 */
struct xrc_visit {
	struct qp_shared view, *qp;
	struct peer *home;
	struct owner_lock *lane;
};
enum outcome xrc_enter(struct request *req, struct xrc_visit *visit);
void xrc_leave(struct request *req, struct xrc_visit *visit);

#endif
