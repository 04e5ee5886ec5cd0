/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Messages to and from other hosts: management datagrams between queue pairs 1 (IBA
 * 13.4), which need no queue pair of ours.
 *
 * All processes of a host share its address. What arrives names the process by the
 * communication id that it drew; a request names the listener by its service id, or has
 * been taken by some process before.
 */
#include <errno.h>
#include <string.h>
#include "base/log.h"
#include "cm/addr.h"
#include "cm/conn.h"
#include "cm/far.h"
#include "host/comm_id.h"
#include "host/request.h"
#include "object/qp.h"
#include "wire/roce.h"

enum { HEADERS = 20, ICRC = 4, MEMBERSHIP = 0x8000 };

/*
 * Sending
 */

static int send_mad(const struct far *to, const struct mad *mad)
{
	static uint32_t psn;
	uint8_t headers[HEADERS], body[MAD_SIZE];
	const struct roce packet = {
		.opcode = UD_SEND_ONLY,
		.pkey = MAD_PKEY,
		.dest_qpn = MAD_QPN,
		.psn = psn++ & PSN_MASK,
		.qkey = MAD_QKEY,
		.source_qpn = MAD_QPN,
		.length = sizeof(body),
	};
	const struct net_packet out = {
		.part = { { headers, sizeof(headers) }, { body, sizeof(body) } },
		.parts = 2,
	};
	int taken;

	roce_encode(&packet, headers, sizeof(headers));
	mad_encode(mad, body);
	taken = mads_net->send(&to->path, &out, 1);
	return taken < 0 ? taken : taken ? 0 : -EAGAIN;
}

static bool same_addresses(const struct far *a, const struct far *b)
{
	return !memcmp(&a->path.remote, &b->path.remote, sizeof(a->path.remote)) &&
	       !memcmp(&a->path.local, &b->path.local, sizeof(a->path.local));
}

const struct carrier carrier_mads = {
	.send = send_mad,
	.same = same_addresses,
	.loses = true,
};

/*
 * Receiving
 */

/* Whether it is a message of the connection manager's. */
static bool decode(const void *bth, size_t length, struct mad *mad)
{
	enum mad_error error;
	struct roce packet;

	/* The codec counts an ICRC, which it does not read. */
	if (roce_decode(bth, length + ICRC, &packet) != ROCE_OK ||
	    packet.opcode != UD_SEND_ONLY || packet.dest_qpn != MAD_QPN ||
	    packet.qkey != MAD_QKEY || (packet.pkey | MEMBERSHIP) != MAD_PKEY)
		return false;
	error = mad_decode(packet.payload, packet.length, mad);
	if (error)
		mock_debug("%s came to QP 1 and is dropped", mad_error_name(error));
	return !error;
}

static void take_mad(const struct net_path *path, const void *bth, size_t length)
{
	struct far from = { .carrier = &carrier_mads, .path = *path };
	struct mad mad;

	from.path.hop_limit = 0; /* answers have their own */
	if (decode(bth, length, &mad))
		message_receive(&from, &mad);
}

static bool find_listener(const struct mad_route *route, struct host_place *place)
{
	struct sockaddr_storage to;
	uint32_t handle;

	return !addr_from_wire(route->ip_version, route->destination_ip,
	                       (uint16_t)route->service_id, &to) &&
	       !registry_find_listener((const struct sockaddr *)&to,
	                               (int)(route->service_id >> 16), place, &handle);
}

/* A request names the listener; a repetition is for who took the request. */
static bool find_taker(const struct net_path *path, const struct mad *mad,
                       const struct mad_route *route, struct host_place *place)
{
	return !request_owner(path->remote.raw, mad->local_id, place) ||
	       find_listener(route, place);
}

static bool find_owner(const struct net_path *path, const struct mad *mad,
                       struct host_place *place)
{
	switch (mad->kind) {
	case MAD_REQ: return find_taker(path, mad, &mad->req.route, place);
	case MAD_SIDR_REQ: return find_taker(path, mad, &mad->sidr_req.route, place);
	default: return !comm_id_owner(mad->remote_id, place);
	}
}

static bool owner_of(const struct net_path *path, const void *bth, size_t length,
                     uint32_t *slot, uint64_t *generation)
{
	struct host_place place;
	struct mad mad;

	if (!decode(bth, length, &mad) || !find_owner(path, &mad, &place))
		return false;
	*slot = place.slot;
	*generation = place.generation;
	return true;
}

const struct net_takers mads_takers = {
	.mad = take_mad,
	.mad_owner = owner_of,
};

const struct net_ops *mads_net = &net_udp;

static int start(int (*start_net)(void))
{
	if (mads_net != &net_udp)
		return 0;
	return start_net();
}

/* Also in a process without connections, which relays those of others. */
__attribute__((constructor)) static void be_known(void)
{
	net_set_takers(&mads_takers);
}

int mads_start(void)
{
	return start(net_start);
}

int mads_start_quietly(void)
{
	return start(net_start_quietly);
}
