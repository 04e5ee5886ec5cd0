// SPDX-License-Identifier: BSD-2-Clause
/*
 * ICRC covers the IPv4 identification, which a socket does not show. A difference that
 * one of the 65,536 explains has to be let through; but who has sent none other than
 * those of a batch (0 to 63) so far, as this device and others with IP_PMTUDISC_DO do, is
 * believed another one only when it sends such again.
 */
#include <string.h>

#include "link/net_receive.h"
#include "link/net_send.h"
#include "wire/headers.h"
#include "wire/icrc.h"

enum {
	SOURCES = 256,   /* remembered, by their address */
	USUAL = 64,      /* identifications below are of a batch */
	ACQUAINTED = 16, /* after so many packets a source has habits */
	NEAR = 1024,     /* how far a counter goes on between two packets */
};

/* What identifications came from an address. */
struct source {
	union ibv_gid address;
	unsigned int usual; /* packets with a usual one, up to ACQUAINTED */
	bool counts;        /* it numbers its packets */
	int odd;            /* the last one that was not believed; -1: none */
};

static struct source sources[SOURCES];

static struct source *source_of(const union ibv_gid *address)
{
	uint64_t half[2];
	struct source *source;

	memcpy(half, address->raw, sizeof(half));
	source = &sources[(half[0] ^ half[1]) * UINT64_C(0x9e3779b97f4a7c15) >> 56];
	if (memcmp(&source->address, address, sizeof(*address)))
		*source = (struct source){ .address = *address, .odd = -1 };
	return source;
}

static bool is_believed(struct source *source, uint16_t identification)
{
	if (identification < USUAL) {
		if (source->usual < ACQUAINTED)
			source->usual++;
		return true;
	}
	if (!source->counts && source->usual == ACQUAINTED) {
		source->counts =
		        source->odd >= 0 &&
		        (uint16_t)(identification - (uint16_t)source->odd) < NEAR;
		source->odd = identification;
		return source->counts;
	}
	source->counts = true;
	return true;
}

static uint32_t icrc_at(const uint8_t *at)
{
	return at[0] | at[1] << 8 | at[2] << 16 | (uint32_t)at[3] << 24;
}

/* -1 when no identification explains the ICRC. In a batch that came as one they are
 * numbered, so that is tried first. */
static int identify(const struct net_arrival *arrival, const uint8_t *packet,
                    size_t length, unsigned int number)
{
	struct headers headers;
	uint32_t difference;
	int identification;

	net_headers(&arrival->path.remote, &arrival->path.local, &arrival->path,
	            arrival->path.source_port, &headers);
	headers_next(&headers, length, (uint16_t)number);
	length -= ICRC_LENGTH;
	difference = icrc(headers.ip, packet, length) ^ icrc_at(packet + length);
	if (!headers.is_ipv4)
		return difference ? -1 : 0;
	identification = icrc_identification(difference, length);
	return identification < 0 ? -1 : identification ^ (int)(number & 0xffff);
}

bool net_icrc_is_right(const struct net_arrival *arrival, const uint8_t *packet,
                       size_t length, unsigned int number)
{
	int identification = identify(arrival, packet, length, number);

	if (identification < 0)
		return false;
	return is_believed(source_of(&arrival->path.remote), (uint16_t)identification);
}

uint16_t net_identification(const struct net_arrival *arrival, const uint8_t *packet,
                            size_t length, unsigned int number)
{
	int identification = identify(arrival, packet, length, number);

	return identification < 0 ? 0 : (uint16_t)identification;
}
