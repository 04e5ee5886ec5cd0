/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Functions that came after rdma-core 44. A program that was built
 * with a later one must find them, or it does not start; headers that we may be built
 * with do not declare them.
 */
#include <rdma/rdma_cma.h>
#include "api/api.h"
#include "base/util.h"
#include "object/mr.h"

#pragma GCC diagnostic ignored "-Wredundant-decls"

/* 57 */
MOCK_API int rdma_resolve_addrinfo(struct rdma_cm_id *id, const char *node,
                                   const char *service,
                                   const struct rdma_addrinfo *hints);
MOCK_API int rdma_query_addrinfo(struct rdma_cm_id *id, struct rdma_addrinfo **info);
MOCK_API int rdma_write_cm_event(struct rdma_cm_id *id, enum rdma_cm_event_type event,
                                 int status, uint64_t arg);

/* 60 */
struct ibv_mr_init_attr; /* laid out as struct region */
MOCK_API struct ibv_mr *ibv_reg_mr_ex(struct ibv_pd *pd, struct ibv_mr_init_attr *attr);
MOCK_API int ibv_dm_export_dmabuf_fd(struct ibv_dm *dm);

MOCK_API int rdma_resolve_addrinfo(struct rdma_cm_id *id, const char *node,
                                   const char *service, const struct rdma_addrinfo *hints)
{
	(void)id, (void)node, (void)service, (void)hints;
	return errno_result(-EOPNOTSUPP);
}

MOCK_API int rdma_query_addrinfo(struct rdma_cm_id *id, struct rdma_addrinfo **info)
{
	(void)id, (void)info;
	return errno_result(-EOPNOTSUPP);
}

MOCK_API int rdma_write_cm_event(struct rdma_cm_id *id, enum rdma_cm_event_type event,
                                 int status, uint64_t arg)
{
	(void)id, (void)event, (void)status, (void)arg;
	return errno_result(-EOPNOTSUPP);
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
};

/* A dma-buf's descriptor and offset, or hints for PCI, would be 4, 8 and 16. */
enum region_mask { REGION_IOVA = 1, REGION_ADDR = 2 };

MOCK_API struct ibv_mr *ibv_reg_mr_ex(struct ibv_pd *pd, struct ibv_mr_init_attr *attr)
{
	const struct region *wanted = (const struct region *)attr;
	struct mr *mr;
	uint64_t iova;
	int err;

	if (!pd || !attr)
		return null_result(-EINVAL);
	if (wanted->comp_mask & ~(uint64_t)(REGION_IOVA | REGION_ADDR))
		return null_result(-EOPNOTSUPP);
	if (!(wanted->comp_mask & REGION_ADDR))
		return null_result(-EINVAL);
	iova = wanted->comp_mask & REGION_IOVA ? wanted->iova : (uintptr_t)wanted->addr;
	err = mr_register(pd, wanted->addr, wanted->length, iova,
	                  (unsigned int)wanted->access, &mr);
	return err ? null_result(err) : &mr->ibv;
}

MOCK_API int ibv_dm_export_dmabuf_fd(struct ibv_dm *dm)
{
	(void)dm;
	return errno_result(-EOPNOTSUPP);
}
