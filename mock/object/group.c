/* SPDX-License-Identifier: BSD-2-Clause */
#include "object/group.h"

#include <errno.h>
#include "host/registry.h"
#include "object/gid.h"

int group_attach(struct qp *qp, const union ibv_gid *gid)
{
	int err;

	if (qp_base(qp)->qp_type != IBV_QPT_UD || !gid_is_multicast(gid))
		return -EINVAL;
	err = registry_group_join(gid->raw, qp_base(qp)->qp_num, qp->off);
	if (err == -EEXIST)
		return 0;
	if (!err)
		atomic_fetch_add(&qp->groups, 1);
	return err;
}

int group_detach(struct qp *qp, const union ibv_gid *gid)
{
	int err = registry_group_leave(gid->raw, qp_base(qp)->qp_num);

	if (!err)
		atomic_fetch_sub(&qp->groups, 1);
	return err == -ENOENT ? -EINVAL : err;
}
