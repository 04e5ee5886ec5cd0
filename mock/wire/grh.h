/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The 40 bytes in front of each datagram that is received (IBA 11.4.1.2): the IPv6 header
 * that it came with, which has the form of a GRH, or 20 bytes that say nothing and the
 * IPv4 header (annex A17.4.5.1).
 *
 *    0                   1                   2                   3
 *    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *   +-------+---------------+---------------------------------------+
 *   |   6   | traffic class |              flow label               |
 *   +-------+---------------+-------+---------------+---------------+
 *   |           length              | next: 17, UDP |   hop limit   |
 *   +-------------------------------+---------------+---------------+
 *   |                      source GID, 16 bytes                     |
 *   |                    destination GID, 16 bytes                  |
 *   +---------------------------------------------------------------+
 */
#ifndef MOCK_WIRE_GRH_H
#define MOCK_WIRE_GRH_H

#include <stdint.h>

enum { GRH_LENGTH = 40 };

struct grh {
	uint8_t sgid[16], dgid[16];
	uint32_t flow_label;
	uint8_t traffic_class, hop_limit;
	uint16_t length; /* of what follows the IP header, bytes */
};

/* IPv4 when both are mapped IPv4 addresses. */
void grh_encode(const struct grh *grh, uint8_t room[GRH_LENGTH]);
/* The length of one that was encoded with none; its checksum follows (RFC 1624). */
void grh_set_length(uint8_t room[GRH_LENGTH], uint16_t length);
/* 0, or -EINVAL when the bytes are neither of the two headers. */
int grh_decode(const uint8_t bytes[GRH_LENGTH], struct grh *grh);

#endif
