/* SPDX-License-Identifier: BSD-2-Clause */
/* Asynchronous events for tests. */
#ifndef TESTS_EVENT_H
#define TESTS_EVENT_H

#include <infiniband/verbs.h>

/* Waits for the next one, whichever it is; the caller acknowledges it. */
struct ibv_async_event event_next(struct ibv_context *context);
void event_expect_none(struct ibv_context *context, int milliseconds);

#endif
