/* SPDX-License-Identifier: BSD-2-Clause */
/* ibv_alloc_pd(3), ibv_alloc_td(3), ibv_alloc_parent_domain(3), ibv_reg_mr(3),
 * ibv_rereg_mr(3), ibv_advise_mr(3), ibv_alloc_null_mr(3). */
#include <infiniband/verbs.h>
#include "api/api.h"
#include "api/tables.h"
#include "object/mr.h"
#include "object/pd.h"
#include "transport/transport.h"

#undef ibv_reg_mr
#undef ibv_reg_mr_iova

MOCK_API struct ibv_pd *ibv_alloc_pd(struct ibv_context *context)
{
	struct pd *pd;
	int err = context ? pd_alloc(context, &pd) : -EINVAL;

	return err ? null_result(err) : &pd->ibv;
}

MOCK_API int ibv_dealloc_pd(struct ibv_pd *pd)
{
	return verbs_result(pd ? pd_free(pd) : -EINVAL);
}

struct ibv_td *table_alloc_td(struct ibv_context *context, struct ibv_td_init_attr *attr)
{
	struct td *td;
	int err = attr && attr->comp_mask ? -EINVAL : td_alloc(context, &td);

	return err ? null_result(err) : &td->ibv;
}

int table_dealloc_td(struct ibv_td *td)
{
	return verbs_result(td_free(to_td(td)));
}

struct ibv_pd *table_alloc_parent_domain(struct ibv_context *context,
                                         struct ibv_parent_domain_init_attr *attr)
{
	struct pd *pd;
	int err = attr ? pd_alloc_parent(context, attr, &pd) : -EINVAL;

	return err ? null_result(err) : &pd->ibv;
}

static struct ibv_mr *reg(struct ibv_pd *pd, void *addr, size_t length, uint64_t iova,
                          unsigned int access)
{
	struct mr *mr;
	int err = pd ? mr_register(pd, addr, length, iova, access, &mr) : -EINVAL;

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

/* Whatever is wrong, the region is as it was: that is what this code says. */
MOCK_API int ibv_rereg_mr(struct ibv_mr *mr, int flags, struct ibv_pd *pd, void *addr,
                          size_t length, int access)
{
	int err = -EINVAL;

	if (mr && (!access || (flags & IBV_REREG_MR_CHANGE_ACCESS)))
		err = mr_reregister(to_mr(mr), flags, pd, addr, length, access,
		                    transport_settle);
	return errno_result(err) ? IBV_REREG_MR_ERR_INPUT : 0;
}

MOCK_API int ibv_dereg_mr(struct ibv_mr *mr)
{
	return verbs_result(mr ? mr_unregister(to_mr(mr), transport_settle) : -EINVAL);
}

struct ibv_mr *table_alloc_null_mr(struct ibv_pd *pd)
{
	struct mr *mr;
	int err = mr_register_null(pd, &mr);

	return err ? null_result(err) : &mr->ibv;
}

int table_advise_mr(struct ibv_pd *pd, enum ibv_advise_mr_advice advice, uint32_t flags,
                    struct ibv_sge *list, uint32_t count)
{
	if (advice > IBV_ADVISE_MR_ADVICE_PREFETCH_NO_FAULT)
		return EOPNOTSUPP;
	if ((flags & ~IBV_ADVISE_MR_FLAG_FLUSH) || !list || !count)
		return EINVAL;
	return verbs_result(mr_advise(to_pd(pd), advice, list, count));
}
