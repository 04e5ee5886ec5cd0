/* SPDX-License-Identifier: BSD-2-Clause */
/* ibv_alloc_mw(3), ibv_bind_mw(3), ibv_alloc_dm(3). */
#include <infiniband/verbs.h>
#include "api/api.h"
#include "api/tables.h"
#include "object/dm.h"
#include "object/mr.h"
#include "object/mw.h"
#include "transport/transport.h"

struct ibv_mw *table_alloc_mw(struct ibv_pd *pd, enum ibv_mw_type type)
{
	struct mw *mw;
	int err = mw_alloc(pd, type, &mw);

	return err ? null_result(err) : &mw->ibv;
}

int table_bind_mw(struct ibv_qp *qp, struct ibv_mw *mw, struct ibv_mw_bind *bind)
{
	return verbs_result(transport_bind_mw(to_qp(qp), mw, bind));
}

int table_dealloc_mw(struct ibv_mw *mw)
{
	mw_free(to_mw(mw), transport_settle_responders);
	return 0;
}

struct ibv_dm *table_alloc_dm(struct ibv_context *context, struct ibv_alloc_dm_attr *attr)
{
	struct dm *dm;
	int err = attr ? dm_alloc(context, attr, &dm) : -EINVAL;

	return err ? null_result(err) : &dm->ibv;
}

int table_free_dm(struct ibv_dm *dm)
{
	return verbs_result(dm_free(dm));
}

struct ibv_mr *table_reg_dm_mr(struct ibv_pd *pd, struct ibv_dm *ibv, uint64_t offset,
                               size_t length, unsigned int access)
{
	struct dm *dm = ibv ? to_dm(ibv) : NULL;
	struct mr *mr;
	int err = -EINVAL;

	if (dm && (access & IBV_ACCESS_ZERO_BASED) && dm_has(dm, offset, length))
		err = mr_register_dm(pd, dm, dm->memory + offset, length, access, &mr);
	return err ? null_result(err) : &mr->ibv;
}
