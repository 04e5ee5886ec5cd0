/* SPDX-License-Identifier: BSD-2-Clause */
/* ibv_alloc_pd(3), ibv_reg_mr(3). */
#include <infiniband/verbs.h>
#include "api/api.h"
#include "object/mr.h"
#include "object/pd.h"
#include "transport/transport.h"

#undef ibv_reg_mr
#undef ibv_reg_mr_iova

MOCK_API struct ibv_pd *ibv_alloc_pd(struct ibv_context *context)
{
	struct pd *pd;
	int err = pd_alloc(context, &pd);

	return err ? null_result(err) : &pd->ibv;
}

MOCK_API int ibv_dealloc_pd(struct ibv_pd *pd)
{
	return verbs_result(pd_free(to_pd(pd)));
}

static struct ibv_mr *reg(struct ibv_pd *pd, void *addr, size_t length, uint64_t iova,
                          unsigned int access)
{
	struct mr *mr;
	int err = mr_register(to_pd(pd), addr, length, iova, access, &mr);

	return err ? null_result(err) : &mr->ibv;
}

MOCK_API struct ibv_mr *ibv_reg_mr_iova2(struct ibv_pd *pd, void *addr, size_t length,
                                         uint64_t iova, unsigned int access)
{
	return reg(pd, addr, length, iova, access);
}

MOCK_API struct ibv_mr *ibv_reg_mr_iova(struct ibv_pd *pd, void *addr, size_t length,
                                        uint64_t iova, int access)
{
	return reg(pd, addr, length, iova, access);
}

MOCK_API struct ibv_mr *ibv_reg_mr(struct ibv_pd *pd, void *addr, size_t length,
                                   int access)
{
	return reg(pd, addr, length, (uintptr_t)addr, access);
}

MOCK_API int ibv_dereg_mr(struct ibv_mr *mr)
{
	mr_unregister(to_mr(mr), transport_settle);
	return 0;
}
