/* SPDX-License-Identifier: BSD-2-Clause */
/* Which of a device's addresses a session uses. */
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "session/adapter.h"
#include "session/error.h"

static int read_gids(struct adapter *adapter)
{
	uint32_t port = (uint32_t)adapter->worker->options.number[SRDMA_OPT_IB_PORT];
	size_t size =
	        (size_t)adapter->port.gid_tbl_len * adapter->limits.phys_port_cnt + 1;
	struct ibv_gid_entry *entries = calloc(size, sizeof(*entries));
	struct adapter_gid *gids = realloc(adapter->gids, size * sizeof(*gids));
	ssize_t count;

	if (gids)
		adapter->gids = gids;
	if (!entries || !gids) {
		free(entries);
		return fail(SRDMA_ENOMEM, "out of memory for the GIDs of %s",
		            adapter_name(adapter));
	}
	count = ibv_query_gid_table(adapter->verbs, entries, size, 0);
	adapter->gid_count = 0;
	for (ssize_t i = 0; i < count; i++) {
		/* An address handle has eight bits for the index. */
		if (entries[i].port_num != port || entries[i].gid_index > UINT8_MAX)
			continue;
		gids[adapter->gid_count++] = (struct adapter_gid){
			.gid = entries[i].gid,
			.index = entries[i].gid_index,
			.routable = entries[i].gid_type == IBV_GID_TYPE_ROCE_V2,
		};
	}
	free(entries);
	if (count < 0)
		return fail(SRDMA_ESYSTEM, "cannot read the GIDs of %s: %s",
		            adapter_name(adapter), errno_text((int)count));
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

/* The GIDs of InfiniBand and iWARP are no IP addresses: where such a device was asked for
 * by name, its first. */
bool adapter_has_gid(struct adapter *adapter, const union ibv_gid *wanted,
                     struct adapter_gid *out)
{
	if (match(adapter, wanted, out))
		return true;
	if (read_gids(adapter))
		return false;
	if (match(adapter, wanted, out))
		return true;
	if ((adapter->port.link_layer != IBV_LINK_LAYER_INFINIBAND &&
	     !adapter_is_iwarp(adapter)) ||
	    !adapter->gid_count || !adapter->worker->options.text[SRDMA_OPT_DEVICE])
		return false;
	*out = adapter->gids[0];
	return true;
}
