/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the peer reaches by itself: by windows of type 2 (IBA 10.6.7) where the device has
 * them, else by memory regions with remote rights. Windows are allocated when a grant
 * needs one, and some are kept for the next.
 */
#ifndef SESSION_VERBS_WINDOW_H
#define SESSION_VERBS_WINDOW_H

#include "session/verbs_endpoint.h"

/* Of struct transport. */
int verbs_expose(struct endpoint *base, void *address, size_t length, unsigned rights,
                 struct exposure *out);
int verbs_bind(struct endpoint *endpoint, const struct exposure *exposure,
               uint64_t sequence);
int verbs_unbind(struct endpoint *endpoint, const struct exposure *exposure,
                 uint64_t sequence);
void verbs_conceal(struct endpoint *base, struct exposure *exposure);

/*
 * All of them, whoever uses them. With the QP in ERR, where no operation is at work on
 * them any more, and before it is destroyed: rxe waits then for those bound to it.
 */
void verbs_free_windows(struct verbs_endpoint *endpoint);

#endif
