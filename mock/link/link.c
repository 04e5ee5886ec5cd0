/* SPDX-License-Identifier: BSD-2-Clause */
#include "link/link.h"

#include "host/settings.h"
#include "link/roce.h"
#include "object/gid.h"

link_deliver *link_to_responder;

const struct link_ops *link_choose(const union ibv_gid *dgid)
{
	if (gid_is_multicast(dgid))
		return &link_local;
	if (gid_is_local(dgid) && !settings()->packets_only)
		return &link_local;
	return roce_ready() ? &link_roce : NULL;
}
