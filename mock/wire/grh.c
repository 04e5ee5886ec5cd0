/* SPDX-License-Identifier: BSD-2-Clause */
#include "wire/grh.h"

#include <errno.h>
#include <stdbool.h>
#include "wire/cursor.h"

enum {
	IPV4_LENGTH = 20,
	IPV4_AT = GRH_LENGTH - IPV4_LENGTH,
	IPV4_NO_OPTIONS = 0x45, /* version, and the header's length in words */
	IPV4_CHECKSUM_AT = 10,
	DONT_FRAGMENT = 0x4000,
	UDP = 17,
	MAPPED = 12, /* bytes in front of the address */
};

static const uint8_t mapped[MAPPED] = { [10] = 0xff, [11] = 0xff };

static bool is_mapped(const uint8_t gid[16])
{
	return !memcmp(gid, mapped, MAPPED);
}

/* RFC 1071; 0 over a header whose checksum is right. */
static uint16_t checksum(const uint8_t *header)
{
	struct reader r = reader_of(header, IPV4_LENGTH);
	uint32_t sum = 0;

	while (reader_left(&r))
		sum += read_u16(&r);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t) ~(sum + (sum >> 16));
}

static void encode_ipv4(const struct grh *grh, uint8_t *room)
{
	uint8_t *header = room + IPV4_AT;
	struct writer w = writer_of(header, IPV4_LENGTH);

	memset(room, 0, IPV4_AT);
	write_number(&w, IPV4_NO_OPTIONS, 1);
	write_number(&w, grh->traffic_class, 1);
	write_number(&w, (uint16_t)(IPV4_LENGTH + grh->length), 2);
	write_number(&w, 0, 2);
	write_number(&w, DONT_FRAGMENT, 2);
	write_number(&w, grh->hop_limit, 1);
	write_number(&w, UDP, 1);
	write_number(&w, 0, 2);
	write_bytes(&w, grh->sgid + MAPPED, 4);
	write_bytes(&w, grh->dgid + MAPPED, 4);
	w = writer_of(header + IPV4_CHECKSUM_AT, 2);
	write_number(&w, checksum(header), 2);
}

void grh_encode(const struct grh *grh, uint8_t room[GRH_LENGTH])
{
	struct writer w = writer_of(room, GRH_LENGTH);

	if (is_mapped(grh->sgid) && is_mapped(grh->dgid)) {
		encode_ipv4(grh, room);
		return;
	}
	write_number(&w,
	             UINT32_C(6) << 28 | (uint32_t)grh->traffic_class << 20 |
	                     (grh->flow_label & 0xfffff),
	             4);
	write_number(&w, grh->length, 2);
	write_number(&w, UDP, 1);
	write_number(&w, grh->hop_limit, 1);
	write_bytes(&w, grh->sgid, sizeof(grh->sgid));
	write_bytes(&w, grh->dgid, sizeof(grh->dgid));
}

static void put_u16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

void grh_set_length(uint8_t room[GRH_LENGTH], uint16_t length)
{
	uint8_t *header = room + IPV4_AT, *check = header + IPV4_CHECKSUM_AT;
	uint32_t sum;

	if (room[0] >> 4 == 6) {
		put_u16(room + 4, length);
		return;
	}
	put_u16(header + 2, (uint32_t)IPV4_LENGTH + length);
	sum = (0xffffu ^ ((uint32_t)check[0] << 8 | check[1])) + length;
	put_u16(check, ~((sum & 0xffff) + (sum >> 16)));
}

static void decode_ipv4(const uint8_t *header, struct grh *grh)
{
	struct reader r = reader_of(header, IPV4_LENGTH);

	memset(grh, 0, sizeof(*grh));
	read_u8(&r);
	grh->traffic_class = read_u8(&r);
	grh->length = (uint16_t)(read_u16(&r) - IPV4_LENGTH);
	read_u32(&r);
	grh->hop_limit = read_u8(&r);
	read_u8(&r);
	read_u16(&r);
	memcpy(grh->sgid, mapped, MAPPED);
	memcpy(grh->dgid, mapped, MAPPED);
	memcpy(grh->sgid + MAPPED, read_bytes(&r, 4), 4);
	memcpy(grh->dgid + MAPPED, read_bytes(&r, 4), 4);
}

int grh_decode(const uint8_t bytes[GRH_LENGTH], struct grh *grh)
{
	struct reader r = reader_of(bytes, GRH_LENGTH);
	uint32_t first = read_u32(&r);

	if (bytes[IPV4_AT] == IPV4_NO_OPTIONS && !checksum(bytes + IPV4_AT)) {
		decode_ipv4(bytes + IPV4_AT, grh);
		return 0;
	}
	if (first >> 28 != 6)
		return -EINVAL;
	grh->traffic_class = (uint8_t)(first >> 20);
	grh->flow_label = first & 0xfffff;
	grh->length = read_u16(&r);
	read_u8(&r);
	grh->hop_limit = read_u8(&r);
	memcpy(grh->sgid, read_bytes(&r, 16), 16);
	memcpy(grh->dgid, read_bytes(&r, 16), 16);
	return 0;
}
