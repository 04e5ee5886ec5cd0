/* SPDX-License-Identifier: BSD-2-Clause */
/* ibv_import_pd(3), ibv_import_mr(3), ibv_import_dm(3). */
#include <infiniband/verbs.h>
#include "api/api.h"
#include "object/dm.h"
#include "object/mr.h"
#include "object/pd.h"

MOCK_API struct ibv_pd *ibv_import_pd(struct ibv_context *context, uint32_t pd_handle)
{
	struct pd *pd;
	int err = context ? pd_import(context, pd_handle, &pd) : -EINVAL;

	return err ? null_result(err) : &pd->ibv;
}

MOCK_API void ibv_unimport_pd(struct ibv_pd *pd)
{
	if (pd)
		pd_unimport(pd);
}

MOCK_API struct ibv_mr *ibv_import_mr(struct ibv_pd *pd, uint32_t mr_handle)
{
	struct mr *mr;
	int err = pd ? mr_import(pd, mr_handle, &mr) : -EINVAL;

	return err ? null_result(err) : &mr->ibv;
}

MOCK_API void ibv_unimport_mr(struct ibv_mr *mr)
{
	if (mr)
		mr_unimport(to_mr(mr));
}

MOCK_API struct ibv_dm *ibv_import_dm(struct ibv_context *context, uint32_t dm_handle)
{
	struct dm *dm;
	int err = context ? dm_import(context, dm_handle, &dm) : -EINVAL;

	return err ? null_result(err) : &dm->ibv;
}

MOCK_API void ibv_unimport_dm(struct ibv_dm *dm)
{
	if (dm)
		dm_unimport(dm);
}
