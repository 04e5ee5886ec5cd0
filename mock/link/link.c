/* SPDX-License-Identifier: BSD-2-Clause */
#include "link/link.h"

#include "host/settings.h"
#include "link/capture.h"
#include "link/roce.h"
#include "object/gid.h"

link_deliver *link_to_responder;

static const struct link_ops *local(void)
{
	return capture_wanted() ? &link_local_captured : &link_local;
}

const struct link_ops *link_choose(const union ibv_gid *dgid)
{
	if (gid_is_multicast(dgid))
		return local();
	if (gid_is_local(dgid) && !settings()->packets_only)
		return local();
	return roce_ready() ? &link_roce : NULL;
}
