/* SPDX-License-Identifier: BSD-2-Clause */
#include "wire/icrc.h"

#include <isa-l/crc.h>
#include <string.h>

enum { LRH = 8, IPV4 = 20, IPV6 = 40, UDP = 8, BTH_RESERVED = 4, BTH_MASKED = 5 };
enum { AFTER_IDENT = 6 }; /* where what follows the identification begins */

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

uint32_t icrc_parts(const uint8_t *ip, const struct iovec *part, unsigned int parts)
{
	uint8_t masked[LRH + IPV6 + UDP + BTH_MASKED];
	const uint8_t *bth = part[0].iov_base;
	uint32_t crc = crc32_gzip_refl(0, masked, mask_headers(ip, bth, masked));

	crc = crc32_gzip_refl(crc, bth + BTH_MASKED, part[0].iov_len - BTH_MASKED);
	for (unsigned int i = 1; i < parts; i++)
		crc = crc32_gzip_refl(crc, part[i].iov_base, part[i].iov_len);
	return crc;
}

uint32_t icrc(const uint8_t *ip, const uint8_t *bth, size_t length)
{
	struct iovec whole = { (void *)bth, length };

	return icrc_parts(ip, &whole, 1);
}

/*
 * Polynomials over GF(2) modulo that of the CRC, as the CRC's register holds them: the
 * coefficient of 1 is the highest bit.
 */
#define ONE     UINT32_C(0x80000000)
#define MODULUS UINT32_C(0xedb88320)

static uint32_t times_x(uint32_t a)
{
	return a >> 1 ^ (a & 1 ? MODULUS : 0);
}

static uint32_t times(uint32_t a, uint32_t b)
{
	uint32_t product = 0;

	for (; a; a <<= 1) {
		product ^= a & ONE ? b : 0;
		b = times_x(b);
	}
	return product;
}

static uint32_t power(uint32_t a, size_t exponent)
{
	uint32_t result = ONE;

	for (; exponent; exponent >>= 1) {
		if (exponent & 1)
			result = times(result, a);
		a = times(a, a);
	}
	return result;
}

/* 1 / x^bits. */
static uint32_t shift_back(size_t bits)
{
	const uint32_t one_over_x = MODULUS << 1 | 1;

	return power(one_over_x, bits);
}

/*
 * A CRC is linear: what a change of two bytes does to it is their polynomial times x^32,
 * times x^8 for each byte that follows. Taken back, at most two bytes may be left.
 */
int icrc_identification(uint32_t difference, size_t length)
{
	static _Thread_local struct {
		size_t length;
		uint32_t factor;
	} last;
	uint32_t bytes;

	if (!difference)
		return 0;
	if (!last.factor || last.length != length) {
		last.length = length;
		last.factor = shift_back(32 + 8 * (IPV4 - AFTER_IDENT + UDP + length));
	}
	bytes = times(difference, last.factor);
	return bytes & 0xffff ? -1 : (int)((bytes >> 16 & 0xff) << 8 | bytes >> 24);
}
