/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the connection manager has not: multicast and enhanced connection establishment.
 * They are here to refuse, so that no call falls through to the real library. (Sockets
 * over RDMA do fall through, and are meant to: cm/id.h.)
 */
#include <rdma/rdma_cma.h>
#include "api/api.h"
#include "base/util.h"

/* -1 in whatever type the function answers. */
#define ABSENT(type, error, function, ...)   \
	MOCK_API type function(__VA_ARGS__); \
	MOCK_API type function(__VA_ARGS__)  \
	{                                    \
		errno = error;               \
		return (type)-1;             \
	}

#pragma GCC diagnostic ignored "-Wunused-parameter"
#pragma GCC diagnostic ignored "-Wredundant-decls"

/* They come with unreliable datagrams. */
ABSENT(int, EOPNOTSUPP, rdma_join_multicast, struct rdma_cm_id *id, struct sockaddr *addr,
       void *context)
ABSENT(int, EOPNOTSUPP, rdma_join_multicast_ex, struct rdma_cm_id *id,
       struct rdma_cm_join_mc_attr_ex *attr, void *context)
ABSENT(int, EOPNOTSUPP, rdma_leave_multicast, struct rdma_cm_id *id,
       struct sockaddr *addr)

