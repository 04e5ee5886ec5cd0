/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What this device has not: the exported verbs that refuse, as their manual pages say of
 * a device without the capability, so that no call falls through to the real library with
 * an object of ours.
 */
#include <infiniband/sa.h>
#include <infiniband/verbs.h>
#include "api/api.h"
#include "base/util.h"

#define ABSENT_INT(function, ...)           \
	MOCK_API int function(__VA_ARGS__); \
	MOCK_API int function(__VA_ARGS__)  \
	{                                   \
		errno = EOPNOTSUPP;         \
		return EOPNOTSUPP;          \
	}

#define ABSENT_POINTER(type, function, ...)   \
	MOCK_API type *function(__VA_ARGS__); \
	MOCK_API type *function(__VA_ARGS__)  \
	{                                     \
		errno = EOPNOTSUPP;           \
		return NULL;                  \
	}

#pragma GCC diagnostic ignored "-Wunused-parameter"

ABSENT_POINTER(struct ibv_mr, ibv_reg_dmabuf_mr, struct ibv_pd *pd, uint64_t offset,
               size_t length, uint64_t iova, int fd, int access)

ABSENT_INT(ibv_query_ece, struct ibv_qp *qp, struct ibv_ece *ece)
ABSENT_INT(ibv_set_ece, struct ibv_qp *qp, struct ibv_ece *ece)

/* Data that a WRITE carries may appear in any order: a yes would promise more than
 * memcpy() does. */
MOCK_API int ibv_query_qp_data_in_order(struct ibv_qp *qp, enum ibv_wr_opcode opcode,
                                        uint32_t flags)
{
	return 0;
}
