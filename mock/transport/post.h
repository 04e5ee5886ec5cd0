/* SPDX-License-Identifier: BSD-2-Clause */
/* What the two ways to post a send, ibv_post_send() and ibv_wr_*(), share. */
#ifndef MOCK_TRANSPORT_POST_H
#define MOCK_TRANSPORT_POST_H

#include "object/qp.h"

/* Whether QPs of its type do this. */
bool post_has_operation(const struct sq *sq, unsigned int opcode);
bool post_may_send(const struct qp *qp);
static inline bool post_has_room(const struct sq *sq)
{
	return sq->posted - atomic_load_explicit(&sq->completed, memory_order_acquire) <
	       sq->depth;
}

/* Appends to a WQE's inline payload; -EINVAL beyond max_inline. */
int post_inline(const struct sq *sq, struct wqe *wqe, const void *data, size_t length);

/* window.c: a bind as a WQE; -EINVAL for a window of another type, unknown rights, or a
 * key that is not the window's. */
int window_put_bind(struct wqe *wqe, enum ibv_mw_type type, const struct ibv_mw *mw,
                    uint32_t rkey, const struct ibv_mw_bind_info *info);

#endif
