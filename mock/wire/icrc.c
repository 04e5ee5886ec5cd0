/* SPDX-License-Identifier: BSD-2-Clause */
#include "wire/icrc.h"

#include <isa-l/crc.h>
#include <string.h>

enum { LRH = 8, IPV4 = 20, IPV6 = 40, UDP = 8, BTH_RESERVED = 4, BTH_MASKED = 5 };

/* The headers with their variant fields masked: how many bytes. */
static size_t mask_headers(const uint8_t *ip, const uint8_t *bth, uint8_t *masked)
{
	uint8_t *to = masked + LRH;
	size_t size = ip[0] >> 4 == 4 ? IPV4 : IPV6;

	memset(masked, 0xff, LRH);
	memcpy(to, ip, size + UDP);
	if (size == IPV4) {
		to[1] = 0xff;             /* type of service */
		to[8] = 0xff;             /* time to live */
		memset(to + 10, 0xff, 2); /* header checksum */
	} else {
		to[0] |= 0x0f; /* traffic class, flow label */
		memset(to + 1, 0xff, 3);
		to[7] = 0xff; /* hop limit */
	}
	to += size;
	memset(to + 6, 0xff, 2); /* UDP checksum */
	to += UDP;
	memcpy(to, bth, BTH_MASKED);
	to[BTH_RESERVED] = 0xff;
	return (size_t)(to + BTH_MASKED - masked);
}

uint32_t icrc(const uint8_t *ip, const uint8_t *bth, size_t length)
{
	uint8_t masked[LRH + IPV6 + UDP + BTH_MASKED];
	uint32_t crc = crc32_gzip_refl(0, masked, mask_headers(ip, bth, masked));

	return crc32_gzip_refl(crc, bth + BTH_MASKED, length - BTH_MASKED);
}
