/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Functions that came after rdma-core 44. A program that was built
 * with a later one must find them, or it does not start; headers that we may be built
 * with do not declare them.
 */
#include <rdma/rdma_cma.h>
#include "api/api.h"
#include "base/util.h"
#include "cm/call.h"
#include "cm/lookup.h"
#include "object/buf.h"
#include "object/device.h"
#include "object/mr.h"

#pragma GCC diagnostic ignored "-Wredundant-decls"

/* 60 */
MOCK_API int rdma_resolve_addrinfo(struct rdma_cm_id *id, const char *node,
                                   const char *service,
                                   const struct rdma_addrinfo *hints);
MOCK_API int rdma_query_addrinfo(struct rdma_cm_id *id, struct rdma_addrinfo **info);
MOCK_API int rdma_write_cm_event(struct rdma_cm_id *id, enum rdma_cm_event_type event,
                                 int status, uint64_t arg);

/* 59 */
struct ibv_mr_init_attr; /* laid out as struct region */
struct ibv_dmah;
struct ibv_dmah_init_attr;
MOCK_API struct ibv_mr *ibv_reg_mr_ex(struct ibv_pd *pd, struct ibv_mr_init_attr *attr);
MOCK_API struct ibv_dmah *ibv_alloc_dmah(struct ibv_context *context,
                                         struct ibv_dmah_init_attr *attr);
MOCK_API int ibv_dealloc_dmah(struct ibv_dmah *dmah);

/* 62 */
MOCK_API int ibv_dm_export_dmabuf_fd(struct ibv_dm *dm);
MOCK_API int ibv_query_port_speed(struct ibv_context *context, uint32_t port_num,
                                  uint64_t *port_speed);

/* 64, 65 */
struct ibv_buf; /* a struct buf */
MOCK_API void *ibv_alloc_buf(struct ibv_pd *pd, size_t size, struct ibv_buf **buf);
MOCK_API void ibv_free_buf(struct ibv_buf *buf);
MOCK_API struct ibv_mr *ibv_reg_buf_mr(struct ibv_pd *pd, struct ibv_buf *buf, void *addr,
                                       size_t length, int access);
MOCK_API int ibv_export_buf_dmabuf_fd(struct ibv_buf *buf);

MOCK_API int rdma_resolve_addrinfo(struct rdma_cm_id *id, const char *node,
                                   const char *service, const struct rdma_addrinfo *hints)
{
	return errno_result(id ? call_resolve_addrinfo(to_cm_id(id), node, service, hints)
	                       : -EINVAL);
}

MOCK_API int rdma_query_addrinfo(struct rdma_cm_id *id, struct rdma_addrinfo **info)
{
	return errno_result(id && info ? lookup_take(to_cm_id(id), info) : -EINVAL);
}

MOCK_API int rdma_write_cm_event(struct rdma_cm_id *id, enum rdma_cm_event_type event,
                                 int status, uint64_t arg)
{
	return errno_result(id && (int)event == CM_EVENT_USER
	                            ? event_write(to_cm_id(id), event, status, arg)
	                            : -EINVAL);
}

struct region {
	size_t length;
	int access;
	uint64_t comp_mask; /* enum region_mask */
	uint64_t iova;
	void *addr;
	int fd;
	uint64_t fd_offset;
	void *dmah;
	const struct buf *buf; /* since 64: not to be looked at unless the mask has it */
};

enum region_mask {
	REGION_IOVA = 1,
	REGION_ADDR = 2,
	REGION_FD = 4,
	REGION_FD_OFFSET = 8,
	REGION_BUF = 32,
};

/* An address or a descriptor, and a buffer's range by its address. */
static int region_check(const struct ibv_pd *pd, const struct region *wanted)
{
	uint64_t mask = wanted->comp_mask;

	if ((mask & REGION_ADDR) && (mask & (REGION_FD | REGION_FD_OFFSET)))
		return -EINVAL;
	if (mask & ~(uint64_t)(REGION_IOVA | REGION_ADDR | REGION_BUF))
		return -EOPNOTSUPP;
	if (!(mask & REGION_ADDR))
		return -EINVAL;
	if ((mask & REGION_BUF) &&
	    (!wanted->buf || !buf_has(wanted->buf, pd, wanted->addr, wanted->length)))
		return -EINVAL;
	return 0;
}

MOCK_API struct ibv_mr *ibv_reg_mr_ex(struct ibv_pd *pd, struct ibv_mr_init_attr *attr)
{
	const struct region *wanted = (const struct region *)attr;
	int err = pd && attr ? region_check(pd, wanted) : -EINVAL;
	struct mr *mr;
	uint64_t iova;

	if (err)
		return null_result(err);
	iova = wanted->comp_mask & REGION_IOVA ? wanted->iova : (uintptr_t)wanted->addr;
	err = mr_register(pd, wanted->addr, wanted->length, iova,
	                  (unsigned int)wanted->access, &mr);
	return err ? null_result(err) : &mr->ibv;
}

MOCK_API struct ibv_dmah *ibv_alloc_dmah(struct ibv_context *context,
                                         struct ibv_dmah_init_attr *attr)
{
	(void)context, (void)attr;
	return null_result(-EOPNOTSUPP);
}

MOCK_API int ibv_dealloc_dmah(struct ibv_dmah *dmah)
{
	(void)dmah;
	return refused();
}

MOCK_API int ibv_dm_export_dmabuf_fd(struct ibv_dm *dm)
{
	(void)dm;
	return errno_result(-EOPNOTSUPP);
}

/* In units of 100 Mb/s. */
MOCK_API int ibv_query_port_speed(struct ibv_context *context, uint32_t port_num,
                                  uint64_t *port_speed)
{
	if (!context || port_num != DEVICE_PORT || !port_speed)
		return EINVAL;
	*port_speed = device_mbps(device_of(context)) / 100;
	return 0;
}

MOCK_API void *ibv_alloc_buf(struct ibv_pd *pd, size_t size, struct ibv_buf **buf)
{
	struct buf *made;
	int err = pd && buf ? buf_alloc(pd, size, &made) : -EINVAL;

	if (err)
		return null_result(err);
	*buf = (struct ibv_buf *)made;
	return buf_memory(made);
}

MOCK_API void ibv_free_buf(struct ibv_buf *buf)
{
	if (buf)
		buf_free((struct buf *)buf);
}

MOCK_API struct ibv_mr *ibv_reg_buf_mr(struct ibv_pd *pd, struct ibv_buf *buf, void *addr,
                                       size_t length, int access)
{
	struct region wanted = {
		.length = length,
		.access = access,
		.comp_mask = REGION_ADDR | REGION_BUF,
		.addr = addr,
		.buf = (const struct buf *)buf,
	};

	return ibv_reg_mr_ex(pd, (struct ibv_mr_init_attr *)&wanted);
}

/* As of a buffer that is in no dma-buf. */
MOCK_API int ibv_export_buf_dmabuf_fd(struct ibv_buf *buf)
{
	return errno_result(buf ? -ENODATA : -EINVAL);
}
