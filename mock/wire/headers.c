// SPDX-License-Identifier: BSD-2-Clause
#include "wire/headers.h"

#include "wire/cursor.h"
#include "wire/roce.h"

enum {
	IPV4_LENGTH = 20,
	IPV4_LENGTH_AT = 2,
	IPV6_LENGTH_AT = 4,
	UDP_LENGTH_AT = 4, /* in its own header */
};

bool gid_is_mapped(const uint8_t gid[16])
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

	return !memcmp(gid, mapped, sizeof(mapped));
}

void headers_make(struct headers *headers, const struct grh *grh, uint16_t source_port)
{
	struct writer w = writer_of(headers->room + GRH_LENGTH, UDP_LENGTH);

	headers->is_ipv4 = gid_is_mapped(grh->sgid) && gid_is_mapped(grh->dgid);
	headers->ip = headers->room + (headers->is_ipv4 ? GRH_LENGTH - IPV4_LENGTH : 0);
	headers->length = (size_t)(headers->room + HEADERS_MAX - headers->ip);
	grh_encode(grh, headers->room);
	write_number(&w, source_port, 2);
	write_number(&w, ROCE_PORT, 2);
	write_number(&w, grh->length, 2);
	write_number(&w, 0, 2);
}

void headers_next(struct headers *headers, size_t payload, uint16_t identification)
{
	struct writer udp =
	        writer_of(headers->room + GRH_LENGTH + UDP_LENGTH_AT, sizeof(uint16_t));
	struct writer ip;

	write_number(&udp, UDP_LENGTH + payload, 2);
	if (headers->is_ipv4) {
		ip = writer_of(headers->ip + IPV4_LENGTH_AT, 4);
		write_number(&ip, IPV4_LENGTH + UDP_LENGTH + payload, 2);
		write_number(&ip, identification, 2);
	} else {
		ip = writer_of(headers->ip + IPV6_LENGTH_AT, 2);
		write_number(&ip, UDP_LENGTH + payload, 2);
	}
}
