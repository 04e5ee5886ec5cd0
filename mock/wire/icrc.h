/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The invariant CRC (IBA 7.8.1, annex A17.3.3): CRC-32 of Ethernet over the packet from
 * its IP header on, with the fields that may change on the way taken as ones, and eight
 * bytes of ones in place of the LRH.
 */
#ifndef MOCK_WIRE_ICRC_H
#define MOCK_WIRE_ICRC_H

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

enum { ICRC_LENGTH = 4, ICRC_BTH = 12 };

/* ip: the IP header (v4 without options, or v6) and the UDP header after it; bth: what
 * follows, without ICRC. */
uint32_t icrc(const uint8_t *ip, const uint8_t *bth, size_t length);

/* The same of a packet in parts; the first has at least its BTH. */
uint32_t icrc_parts(const uint8_t *ip, const struct iovec *part, unsigned int parts);

/*
 * Which IPv4 identification a packet was sent with, told from the difference (exclusive
 * or) between the ICRC that it carries and that of the packet with identification 0; -1
 * when there is none that explains it. length: from the BTH on, without ICRC.
 */
int icrc_identification(uint32_t difference, size_t length);

#endif
