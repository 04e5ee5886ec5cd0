/* SPDX-License-Identifier: BSD-2-Clause */
/* The IP and UDP headers in front of a RoCE v2 packet (annex A17.3.1). */
#ifndef MOCK_WIRE_HEADERS_H
#define MOCK_WIRE_HEADERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>
#include "wire/grh.h"

enum { UDP_LENGTH = 8, HEADERS_MAX = GRH_LENGTH + UDP_LENGTH };

struct headers {
	uint8_t room[HEADERS_MAX];
	uint8_t *ip; /* there; IPv4 or IPv6 as the addresses are */
	size_t length;
	bool is_ipv4;
};

/* A mapped IPv4 address. */
bool gid_is_mapped(const uint8_t gid[16]);

/* To UDP port 4791, for a payload of grh->length - UDP_LENGTH bytes. The identification
 * is 0, and so is the UDP checksum, which says that there is none. */
void headers_make(struct headers *headers, const struct grh *grh, uint16_t source_port);

/*
 * The next packet has that much after the UDP header, ICRC included, and (IPv4) that
 * identification. The IPv4 header's checksum is not kept: ICRC leaves it out.
 */
void headers_next(struct headers *headers, size_t payload, uint16_t identification);

/* Fills in both checksums, for a packet of these parts, which is as long as
 * headers_next() was told. */
void headers_checksum(struct headers *headers, const struct iovec *part,
                      unsigned int parts);

#endif
