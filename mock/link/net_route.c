// SPDX-License-Identifier: BSD-2-Clause
/*
 * A run of packets for the same QP goes in one message. Nothing of them is checked yet:
 * who gets them does.
 */
#include "link/net_route.h"

#include <stdlib.h>
#include <string.h>

#include "host/peer.h"
#include "host/segment.h"
#include "link/net_relay.h"
#include "wire/icrc.h"

enum { KEPT = 1024, MEMBERS = 256 };

static struct {
	struct net_arrival of[KEPT];
	unsigned int count;
} kept;

uint32_t net_destination(const uint8_t *bth)
{
	return (uint32_t)bth[5] << 16 | (uint32_t)bth[6] << 8 | bth[7];
}

static bool is_us(const struct host_place *place)
{
	const struct peer *self = peer_self();

	return place->slot == self->slot && place->generation == self->generation;
}

static size_t packets_in(const struct net_arrival *run)
{
	return (run->length + run->segment - 1) / run->segment;
}

static void keep(const struct net_arrival *run)
{
	if (kept.count < KEPT)
		kept.of[kept.count++] = *run;
	else
		count_net(COUNT_DROP_RELAY, packets_in(run));
}

static void give(const struct host_place *place, const struct net_arrival *run)
{
	if (is_us(place))
		keep(run);
	else if (net_relay_give(place, run))
		count_net(COUNT_NET_RELAYED, packets_in(run));
	else
		count_net(COUNT_DROP_RELAY, packets_in(run));
}

static bool is_among(const struct group_member *members, unsigned int count,
                     const struct host_place *place)
{
	for (unsigned int i = 0; i < count; i++)
		if (members[i].place.slot == place->slot)
			return true;
	return false;
}

/* Once to each process that has members. */
static void give_to_group(const struct net_arrival *run)
{
	static struct group_member members[MEMBERS];
	uint64_t version;
	unsigned int found =
	        registry_group_members(run->path.local.raw, members, MEMBERS, &version);

	for (unsigned int i = 0; i < found && i < MEMBERS; i++)
		if (!is_among(members, i, &members[i].place))
			give(&members[i].place, run);
}

/* Those that nobody has are kept: they are counted where they are dropped. */
static void route_run(const struct net_arrival *run, uint32_t qpn)
{
	struct host_place place;

	if (qpn == MULTICAST_QPN)
		give_to_group(run);
	else if (qpn == MANAGER_QPN ? net_owner_of_mad(&run->path, run->data,
	                                               run->length - ICRC_LENGTH, &place)
	                            : !registry_qpn_find(qpn, &place))
		give(&place, run);
	else
		keep(run);
}

/* How many bytes of packets go the same way; MADs go one by one. */
static size_t run_of(const uint8_t *data, size_t left, size_t segment, uint32_t qpn)
{
	size_t length = segment;

	while (qpn != MANAGER_QPN && length < left &&
	       left - length >= ICRC_BTH + ICRC_LENGTH &&
	       net_destination(data + length) == qpn)
		length += segment;
	return length < left ? length : left;
}

void net_route(const struct net_arrival *arrival)
{
	struct net_arrival run = *arrival;
	size_t left = arrival->length;

	while (left) {
		if (left < ICRC_BTH + ICRC_LENGTH ||
		    run.segment < ICRC_BTH + ICRC_LENGTH) {
			run.length = left;
			keep(&run); /* it is counted there */
			return;
		}
		run.length =
		        run_of(run.data, left, run.segment, net_destination(run.data));
		route_run(&run, net_destination(run.data));
		run.first += (unsigned int)packets_in(&run);
		run.data += run.length;
		left -= run.length;
	}
}

void net_route_ours(net_arrived *arrived)
{
	for (unsigned int i = 0; i < kept.count; i++)
		arrived(&kept.of[i]);
	kept.count = 0;
}

void net_route_forget(void)
{
	kept.count = 0;
}
