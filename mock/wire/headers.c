// SPDX-License-Identifier: BSD-2-Clause
#include "wire/headers.h"

#include "wire/cursor.h"
#include "wire/roce.h"

enum {
	IPV4_LENGTH = 20,
	IPV4_LENGTH_AT = 2,
	IPV6_LENGTH_AT = 4,
	IPV4_CHECKSUM_AT = 10,
	UDP_LENGTH_AT = 4, /* in its own header */
	UDP_CHECKSUM_AT = 6,
	UDP_PROTOCOL = 17,
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

/* RFC 1071: the sum of 16-bit words, carried on over parts of odd lengths. */
struct sum {
	uint64_t total;
	bool odd;
};

static void sum_bytes(struct sum *sum, const uint8_t *bytes, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		sum->total += sum->odd ? bytes[i] : (uint64_t)bytes[i] << 8;
		sum->odd = !sum->odd;
	}
}

static uint16_t sum_end(const struct sum *sum)
{
	uint64_t total = sum->total;

	while (total >> 16)
		total = (total & 0xffff) + (total >> 16);
	return (uint16_t)~total;
}

static void put_sum(uint8_t *at, uint16_t value)
{
	struct writer w = writer_of(at, sizeof(value));

	write_number(&w, value, sizeof(value));
}

static void checksum_ipv4(uint8_t *ip)
{
	struct sum sum = { 0 };

	put_sum(ip + IPV4_CHECKSUM_AT, 0);
	sum_bytes(&sum, ip, IPV4_LENGTH);
	put_sum(ip + IPV4_CHECKSUM_AT, sum_end(&sum));
}

/* Over a pseudo header of addresses, protocol and length, too (RFC 768, RFC 8200). */
void headers_checksum(struct headers *headers, const struct iovec *part,
                      unsigned int parts)
{
	uint8_t *udp = headers->room + GRH_LENGTH;
	size_t addresses = headers->is_ipv4 ? 8 : 32;
	struct sum sum = { .total = UDP_PROTOCOL };
	uint16_t value;

	if (headers->is_ipv4)
		checksum_ipv4(headers->ip);
	put_sum(udp + UDP_CHECKSUM_AT, 0);
	sum_bytes(&sum, udp - addresses, addresses);
	sum_bytes(&sum, udp + UDP_LENGTH_AT, sizeof(uint16_t));
	sum_bytes(&sum, udp, UDP_LENGTH);
	for (unsigned int i = 0; i < parts; i++)
		sum_bytes(&sum, part[i].iov_base, part[i].iov_len);
	value = sum_end(&sum);
	put_sum(udp + UDP_CHECKSUM_AT, value ? value : 0xffff);
}
