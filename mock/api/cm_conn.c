/* SPDX-License-Identifier: BSD-2-Clause */
/* rdma_bind_addr(3), rdma_resolve_addr(3), rdma_listen(3), rdma_connect(3),
 * rdma_accept(3), rdma_disconnect(3). */
#include <rdma/rdma_cma.h>
#include "api/api.h"
#include "base/util.h"
#include "cm/addr.h"
#include "cm/call.h"

MOCK_API int rdma_bind_addr(struct rdma_cm_id *id, struct sockaddr *addr)
{
	return errno_result(id && addr ? addr_bind(to_cm_id(id), addr) : -EINVAL);
}

/* There is nothing to wait for, so the time given does not matter. */
MOCK_API int rdma_resolve_addr(struct rdma_cm_id *id, struct sockaddr *src_addr,
                               struct sockaddr *dst_addr, int timeout_ms)
{
	(void)timeout_ms;
	return errno_result(id && dst_addr
	                            ? call_resolve_addr(to_cm_id(id), src_addr, dst_addr)
	                            : -EINVAL);
}

MOCK_API int rdma_resolve_route(struct rdma_cm_id *id, int timeout_ms)
{
	(void)timeout_ms;
	return errno_result(id ? call_resolve_route(to_cm_id(id)) : -EINVAL);
}

MOCK_API int rdma_listen(struct rdma_cm_id *id, int backlog)
{
	return errno_result(id ? listen_start(to_cm_id(id), backlog) : -EINVAL);
}

MOCK_API int rdma_connect(struct rdma_cm_id *id, struct rdma_conn_param *conn_param)
{
	return errno_result(id ? call_connect(to_cm_id(id), conn_param) : -EINVAL);
}

MOCK_API int rdma_accept(struct rdma_cm_id *id, struct rdma_conn_param *conn_param)
{
	return errno_result(id ? call_accept(to_cm_id(id), conn_param) : -EINVAL);
}

static int reject(struct rdma_cm_id *id, enum reject_reason reason, const void *data,
                  uint8_t length)
{
	return errno_result(id ? call_reject(to_cm_id(id), reason, data, length)
	                       : -EINVAL);
}

MOCK_API int rdma_reject(struct rdma_cm_id *id, const void *private_data,
                         uint8_t private_data_len)
{
	return reject(id, REJECT_CONSUMER, private_data, private_data_len);
}

MOCK_API int rdma_reject_ece(struct rdma_cm_id *id, const void *private_data,
                             uint8_t private_data_len)
{
	return reject(id, REJECT_VENDOR_OPTION, private_data, private_data_len);
}

MOCK_API int rdma_establish(struct rdma_cm_id *id)
{
	return errno_result(id ? call_establish(to_cm_id(id)) : -EINVAL);
}

MOCK_API int rdma_disconnect(struct rdma_cm_id *id)
{
	return errno_result(id ? call_disconnect(to_cm_id(id)) : -EINVAL);
}

MOCK_API int rdma_notify(struct rdma_cm_id *id, enum ibv_event_type event)
{
	return errno_result(id ? call_notify(to_cm_id(id), event) : -EINVAL);
}
