/* SPDX-License-Identifier: BSD-2-Clause */
#include "link/link.h"

#include "object/gid.h"

link_deliver *link_to_responder;

const struct link_ops *link_choose(const union ibv_gid *dgid)
{
	return gid_is_local(dgid) || gid_is_multicast(dgid) ? &link_local : NULL;
}
