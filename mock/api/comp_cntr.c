/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ibv_create_comp_cntr(3) and its kin, of rdma-core 65: this device has no completion
 * counters.
 */
#include <infiniband/verbs.h>
#include "api/api.h"
#include "base/util.h"

#pragma GCC diagnostic ignored "-Wredundant-decls"

struct ibv_comp_cntr;
struct ibv_comp_cntr_caps;
struct ibv_comp_cntr_init_attr;
struct ibv_qp_attach_comp_cntr_attr;
MOCK_API int _ibv_query_comp_cntr_caps(struct ibv_context *context,
                                       struct ibv_comp_cntr_caps *caps, size_t size);
MOCK_API struct ibv_comp_cntr *ibv_create_comp_cntr(struct ibv_context *context,
                                                    struct ibv_comp_cntr_init_attr *attr);
MOCK_API int ibv_destroy_comp_cntr(struct ibv_comp_cntr *counter);
MOCK_API int ibv_set_comp_cntr(struct ibv_comp_cntr *counter, uint64_t value);
MOCK_API int ibv_set_err_comp_cntr(struct ibv_comp_cntr *counter, uint64_t value);
MOCK_API int ibv_inc_comp_cntr(struct ibv_comp_cntr *counter, uint64_t amount);
MOCK_API int ibv_inc_err_comp_cntr(struct ibv_comp_cntr *counter, uint64_t amount);
MOCK_API int ibv_read_comp_cntr(struct ibv_comp_cntr *counter, uint64_t *value);
MOCK_API int ibv_read_err_comp_cntr(struct ibv_comp_cntr *counter, uint64_t *value);
MOCK_API int ibv_qp_attach_comp_cntr(struct ibv_qp *qp, struct ibv_comp_cntr *counter,
                                     struct ibv_qp_attach_comp_cntr_attr *attr);

MOCK_API int _ibv_query_comp_cntr_caps(struct ibv_context *context,
                                       struct ibv_comp_cntr_caps *caps, size_t size)
{
	(void)context, (void)caps, (void)size;
	return refused();
}

MOCK_API struct ibv_comp_cntr *ibv_create_comp_cntr(struct ibv_context *context,
                                                    struct ibv_comp_cntr_init_attr *attr)
{
	(void)context, (void)attr;
	return null_result(-EOPNOTSUPP);
}

MOCK_API int ibv_destroy_comp_cntr(struct ibv_comp_cntr *counter)
{
	(void)counter;
	return refused();
}

MOCK_API int ibv_set_comp_cntr(struct ibv_comp_cntr *counter, uint64_t value)
{
	(void)counter, (void)value;
	return refused();
}

MOCK_API int ibv_set_err_comp_cntr(struct ibv_comp_cntr *counter, uint64_t value)
{
	(void)counter, (void)value;
	return refused();
}

MOCK_API int ibv_inc_comp_cntr(struct ibv_comp_cntr *counter, uint64_t amount)
{
	(void)counter, (void)amount;
	return refused();
}

MOCK_API int ibv_inc_err_comp_cntr(struct ibv_comp_cntr *counter, uint64_t amount)
{
	(void)counter, (void)amount;
	return refused();
}

MOCK_API int ibv_read_comp_cntr(struct ibv_comp_cntr *counter, uint64_t *value)
{
	(void)counter, (void)value;
	return refused();
}

MOCK_API int ibv_read_err_comp_cntr(struct ibv_comp_cntr *counter, uint64_t *value)
{
	(void)counter, (void)value;
	return refused();
}

MOCK_API int ibv_qp_attach_comp_cntr(struct ibv_qp *qp, struct ibv_comp_cntr *counter,
                                     struct ibv_qp_attach_comp_cntr_attr *attr)
{
	(void)qp, (void)counter, (void)attr;
	return refused();
}
