/* SPDX-License-Identifier: BSD-2-Clause */
/* ibv_get_async_event(3). */
#include <infiniband/verbs.h>
#include "api/api.h"
#include "object/async.h"
#include "object/device.h"

MOCK_API int ibv_get_async_event(struct ibv_context *context,
                                 struct ibv_async_event *event)
{
	return errno_result(context && event ? async_next(to_context(context), event)
	                                     : -EINVAL);
}

MOCK_API void ibv_ack_async_event(struct ibv_async_event *event)
{
	if (event)
		async_ack(event);
}
