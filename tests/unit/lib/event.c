// SPDX-License-Identifier: BSD-2-Clause
#include "event.h"

#include <poll.h>

#include "check.h"
#include "deadline.h"

struct ibv_async_event event_next(struct ibv_context *context)
{
	struct pollfd ready = { .fd = context->async_fd, .events = POLLIN };
	struct ibv_async_event event;

	if (poll(&ready, 1, deadline_left_ms(deadline_in(PATIENCE_MS))) != 1)
		check_failed(__FILE__, __LINE__, "no asynchronous event comes");
	CHECK_EQ(ibv_get_async_event(context, &event), 0);
	return event;
}

void event_expect_none(struct ibv_context *context, int milliseconds)
{
	struct pollfd ready = { .fd = context->async_fd, .events = POLLIN };

	CHECK_EQ(poll(&ready, 1, milliseconds), 0);
}
