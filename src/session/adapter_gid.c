/* SPDX-License-Identifier: BSD-2-Clause */
/* Which of a device's addresses a session uses. */
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "session/adapter.h"
#include "session/error.h"

static int read_gids(struct adapter *adapter)
{
	uint8_t port = (uint8_t)adapter->worker->options.number[SRDMA_OPT_IB_PORT];
	int size = adapter->port.gid_tbl_len;
	struct adapter_gid *gids =
	        realloc(adapter->gids, (size_t)(size + 1) * sizeof(*gids));

	if (!gids)
		return fail(SRDMA_ENOMEM, "out of memory for the GIDs of %s",
		            adapter_name(adapter));
	adapter->gids = gids;
	adapter->gid_count = 0;
	for (int i = 0; i < size && i < 256; i++) {
		struct ibv_gid_entry entry;

		if (ibv_query_gid_ex(adapter->verbs, port, (uint32_t)i, &entry, 0))
			continue;
		gids[adapter->gid_count++] = (struct adapter_gid){
			.gid = entry.gid,
			.index = (uint32_t)i,
			.routable = entry.gid_type == IBV_GID_TYPE_ROCE_V2,
		};
	}
	return 0;
}

/* RoCE: the GID of an address is the address (IBTA annex A17), IPv4 as mapped into IPv6.
 */
union ibv_gid adapter_gid_of(const struct sockaddr_storage *address)
{
	union ibv_gid gid = { 0 };

	if (address->ss_family == AF_INET6) {
		memcpy(gid.raw, &((const struct sockaddr_in6 *)address)->sin6_addr, 16);
		return gid;
	}
	gid.raw[10] = 0xff;
	gid.raw[11] = 0xff;
	memcpy(gid.raw + 12, &((const struct sockaddr_in *)address)->sin_addr, 4);
	return gid;
}

static bool match(const struct adapter *adapter, const union ibv_gid *wanted,
                  struct adapter_gid *out)
{
	bool found = false;

	for (unsigned i = 0; i < adapter->gid_count; i++) {
		const struct adapter_gid *gid = &adapter->gids[i];

		if (memcmp(&gid->gid, wanted, sizeof(*wanted)) ||
		    (found && !gid->routable))
			continue;
		*out = *gid;
		found = true;
		if (gid->routable)
			break;
	}
	return found;
}

/* An InfiniBand port has GIDs that are no addresses: where it was asked for by name, its
 * first. */
bool adapter_has_gid(struct adapter *adapter, const union ibv_gid *wanted,
                     struct adapter_gid *out)
{
	if (match(adapter, wanted, out))
		return true;
	if (read_gids(adapter))
		return false;
	if (match(adapter, wanted, out))
		return true;
	if (adapter->port.link_layer != IBV_LINK_LAYER_INFINIBAND ||
	    !adapter->gid_count || !adapter->worker->options.text[SRDMA_OPT_DEVICE])
		return false;
	*out = adapter->gids[0];
	return true;
}
