/* SPDX-License-Identifier: BSD-2-Clause */
/* The RoCE v2 codec, held against what kernel Soft-RoCE puts on the wire (tests/golden).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <glob.h>
#include <limits.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "wire/icrc.h"
#include "wire/mad.h"
#include "wire/roce.h"

enum { ETHERNET = 14, IPV4 = 20, IPV6 = 40, UDP = 8, ICRC = 4, PROTO_UDP = 17 };

/* The UDP payload of a RoCE v2 frame, and its IP header; NULL for anything else. */
static const uint8_t *payload_of(const uint8_t *frame, size_t length, const uint8_t **ip,
                                 size_t *size)
{
	size_t header;
	uint8_t protocol;

	if (length < ETHERNET + IPV4 + UDP)
		return NULL;
	*ip = frame + ETHERNET;
	header = (*ip)[0] >> 4 == 4 ? IPV4 : IPV6;
	if (length < ETHERNET + header + UDP)
		return NULL;
	protocol = header == IPV4 ? (*ip)[9] : (*ip)[6];
	if ((frame[12] != 0x08 || frame[13]) && (frame[12] != 0x86 || frame[13] != 0xdd))
		return NULL;
	if (protocol != PROTO_UDP ||
	    ((*ip)[header + 2] << 8 | (*ip)[header + 3]) != ROCE_PORT)
		return NULL;
	*size = ((*ip)[header + 4] << 8 | (*ip)[header + 5]) - UDP;
	return *ip + header + UDP;
}

static uint32_t icrc_in(const uint8_t *data, size_t size)
{
	const uint8_t *at = data + size - ICRC;

	return at[0] | at[1] << 8 | at[2] << 16 | (uint32_t)at[3] << 24;
}

/* How many there were of each kind. */
static unsigned int mads[MAD_KINDS];

static void check_mad(const uint8_t *data, size_t size)
{
	uint8_t again[MAD_SIZE];
	struct mad mad;
	char line[256];

	assert_int_equal(mad_decode(data, size, &mad), MAD_OK);
	mad_encode(&mad, again);
	assert_memory_equal(again, data, MAD_SIZE);
	assert_in_range(mad_print(&mad, line, sizeof(line)), 1, sizeof(line) - 1);
	mads[mad.kind]++;
}

static void check_packet(const uint8_t *ip, const uint8_t *data, size_t size)
{
	uint8_t again[8192] = { 0 };
	struct roce packet;
	char line[256];
	size_t headers;

	assert_int_equal(roce_decode(data, size, &packet), ROCE_OK);
	assert_int_equal(icrc(ip, data, size - ICRC), icrc_in(data, size));
	headers = roce_encode(&packet, again, sizeof(again));
	assert_int_equal(headers + packet.length + roce_padding(packet.length),
	                 size - ICRC);
	memcpy(again + headers, packet.payload, packet.length);
	assert_memory_equal(again, data, size - ICRC);
	assert_in_range(roce_print(&packet, line, sizeof(line)), 1, sizeof(line) - 1);
	if (packet.dest_qpn == MAD_QPN)
		check_mad(packet.payload, packet.length);
	/* A bit that is wrong anywhere is seen. */
	memcpy(again, data, size);
	again[size / 2] ^= 0x10;
	assert_int_not_equal(icrc(ip, again, size - ICRC), icrc_in(again, size));
}

static unsigned int check_file(const char *name)
{
	char error[PCAP_ERRBUF_SIZE];
	pcap_t *file = pcap_open_offline(name, error);
	struct pcap_pkthdr *header;
	const uint8_t *frame, *ip, *data;
	unsigned int count = 0;
	size_t size;

	if (!file)
		fail_msg("%s", error);
	while (pcap_next_ex(file, &header, &frame) == 1) {
		data = payload_of(frame, header->caplen, &ip, &size);
		if (!data)
			continue;
		check_packet(ip, data, size);
		count++;
	}
	pcap_close(file);
	return count;
}

static void golden_captures(void **state)
{
	const char *top = getenv("TOP");
	unsigned int packets = 0;
	char pattern[PATH_MAX];
	glob_t files;

	(void)state;
	snprintf(pattern, sizeof(pattern), "%s/tests/golden/*.pcap", top ? top : ".");
	assert_int_equal(glob(pattern, 0, NULL, &files), 0);
	for (size_t i = 0; i < files.gl_pathc; i++)
		packets += check_file(files.gl_pathv[i]);
	globfree(&files);
	assert_in_range(packets, 1000, 100000);
	for (unsigned int kind = 0; kind < MAD_KINDS; kind++)
		assert_true(kind == MAD_MRA ? !mads[kind] : mads[kind]);
}

/* Every opcode with every header that it has, with values that fill them. */
static void every_opcode(void **state)
{
	uint8_t raw[ROCE_HEADERS_MAX + ICRC];
	unsigned int known = 0;

	(void)state;
	for (unsigned int opcode = 0; opcode < BTH_OPCODES; opcode++) {
		struct roce packet = {
			.opcode = (uint8_t)opcode,
			.solicited = true,
			.ack_request = true,
			.pkey = 0xffff,
			.dest_qpn = 0xabcdef,
			.psn = 0xfedcba,
			.xrc_srq = 0x123456,
			.qkey = 0x80010000,
			.source_qpn = 0x654321,
			.va = UINT64_MAX - 5,
			.rkey = 0xdeadbeef,
			.dma_length = 1u << 31,
			.swap_add = 77,
			.compare = UINT64_MAX,
			.syndrome = 0x7f,
			.msn = 0xffffff,
			.original = 0x0102030405060708,
			.immediate = 0xa1b2c3d4,
			.invalidate_key = 0x11223344,
		};
		struct roce back;
		uint8_t again[ROCE_HEADERS_MAX];
		size_t size = roce_encode(&packet, raw, ROCE_HEADERS_MAX);

		if (!opcode_info[opcode].name) {
			assert_int_equal(size, 0);
			memset(raw, 0, sizeof(raw));
			raw[0] = (uint8_t)opcode;
			assert_int_equal(roce_decode(raw, sizeof(raw), &back),
			                 ROCE_OPCODE);
			continue;
		}
		known++;
		assert_in_range(size, 12, ROCE_HEADERS_MAX);
		assert_int_equal(roce_decode(raw, size + ICRC, &back), ROCE_OK);
		assert_int_equal(roce_encode(&back, again, sizeof(again)), size);
		assert_memory_equal(again, raw, size);
		/* One byte less is not the packet any more, and one byte of room less not
		 * enough. */
		assert_int_equal(roce_decode(raw, size + ICRC - 1, &back),
		                 ROCE_TRUNCATED);
		assert_int_equal(roce_encode(&packet, again, size - 1), 0);
	}
	assert_int_equal(known, 24 + 12 + 23 + 2);
}

/* --- messages of the connection manager ------------------------------------------------
 */

/* A known REQ: rping of kernel Soft-RoCE. */
static void fields_of_a_request(void **state)
{
	struct mad mad = {
		.kind = MAD_REQ,
		.tid = 0x7d6d8c90,
		.local_id = 0x908c6d7d,
		.req = {
			.route = { .service_id = 0x01061c06,
			           .ip_version = 4,
			           .source_ip = { [12] = 10, 77, 0, 2 },
			           .destination_ip = { [12] = 10, 77, 0, 3 },
			           .source_port = 53222 },
			.qpn = 0x11,
			.psn = 0x155f1f,
			.transport = MAD_UC,
			.primary = { .flow_label = 0xabcde, .rate = 0x3f },
			.ece = { 0x123456, 0x789abcde },
			.private_data = { 'h', 'i' },
		},
	};
	uint8_t raw[MAD_SIZE];
	struct mad back;
	char line[256];

	(void)state;
	mad_encode(&mad, raw);
	assert_memory_equal(raw + 16, "\0\x10\0\0\x78\x9a\xbc\xde\x90\x8c\x6d\x7d", 12);
	assert_memory_equal(raw + 24 + 4, "\0\x12\x34\x56", 4);
	assert_int_equal(raw[24 + 43], MAD_UC << 1);
	assert_memory_equal(raw + 24 + 88, "\xab\xcd\xe0\x3f", 4);
	assert_memory_equal(raw + 24 + 140, "\0\x40\xcf\xe6", 4);
	assert_memory_equal(raw + 24 + 140 + PRIVATE_IP, "hi", 3);
	assert_int_equal(mad_decode(raw, sizeof(raw), &back), MAD_OK);
	assert_memory_equal(&back, &mad, sizeof(mad));
	mad_print(&mad, line, sizeof(line));
	assert_string_equal(line, "CM REQ id 0x908c6d7d service 0x1061c06 from "
	                          "10.77.0.2:53222 to 10.77.0.3:7174 qp 0x000011 psn "
	                          "0x155f1f");
}

/* Every bit that a kind has room for comes back, reserved ones excepted. */
static void every_kind_of_mad(void **state)
{
	uint8_t raw[MAD_SIZE], again[MAD_SIZE];
	struct mad mad, back;

	(void)state;
	for (unsigned int kind = 0; kind < MAD_KINDS; kind++) {
		memset(raw, 0xff, sizeof(raw));
		memcpy(raw, "\1\7\2\3", 4);
		raw[16] = 0;
		raw[17] = (uint8_t)(0x10 + kind);
		assert_int_equal(mad_decode(raw, sizeof(raw), &mad), MAD_OK);
		assert_int_equal(mad.kind, kind);
		mad_encode(&mad, again);
		assert_int_equal(again[MAD_SIZE - 1], 0xff);
		assert_int_equal(mad_decode(again, sizeof(again), &back), MAD_OK);
		assert_memory_equal(&back, &mad, sizeof(mad));
	}
}

/* Without the RDMA IP CM's service id or header, all the private data is the consumer's.
 */
static void private_data_without_header(void **state)
{
	struct mad mad = { .kind = MAD_REQ, .req.route.service_id = 0x1000000000000001 };
	uint8_t raw[MAD_SIZE];
	struct mad back;

	(void)state;
	memset(mad.req.private_data, 0x40, sizeof(mad.req.private_data));
	mad.req.private_data[0] = 0;
	mad_encode(&mad, raw);
	assert_int_equal(mad_decode(raw, sizeof(raw), &back), MAD_OK);
	assert_memory_equal(&back, &mad, sizeof(mad));
	mad.req.route.service_id = 0x01061c06;
	mad.req.private_data[0] = 1; /* another version of the header */
	mad_encode(&mad, raw);
	assert_int_equal(mad_decode(raw, sizeof(raw), &back), MAD_OK);
	assert_int_equal(back.req.route.ip_version, 0);
	assert_memory_equal(&back, &mad, sizeof(mad));
}

static void malformed_mads(void **state)
{
	const struct mad rtu = { .kind = MAD_RTU };
	uint8_t raw[MAD_SIZE + 1] = { 0 };
	struct mad mad;

	(void)state;
	mad_encode(&rtu, raw);
	assert_int_equal(mad_decode(raw, MAD_SIZE, &mad), MAD_OK);
	assert_int_equal(mad_decode(raw, 0, &mad), MAD_LENGTH);
	assert_int_equal(mad_decode(raw, MAD_SIZE - 1, &mad), MAD_LENGTH);
	assert_int_equal(mad_decode(raw, MAD_SIZE + 1, &mad), MAD_LENGTH);
	raw[17] = 0x10 + MAD_KINDS; /* LAP */
	assert_int_equal(mad_decode(raw, MAD_SIZE, &mad), MAD_ATTRIBUTE);
	raw[17] = 1; /* ClassPortInfo */
	assert_int_equal(mad_decode(raw, MAD_SIZE, &mad), MAD_ATTRIBUTE);
	raw[3] = 1; /* Get */
	assert_int_equal(mad_decode(raw, MAD_SIZE, &mad), MAD_METHOD);
	raw[1] = 3; /* subnet administration */
	assert_int_equal(mad_decode(raw, MAD_SIZE, &mad), MAD_CLASS);
}

static void malformed(void **state)
{
	uint8_t raw[64] = { RC_SEND_ONLY };
	struct roce packet;

	(void)state;
	assert_int_equal(roce_decode(raw, 0, &packet), ROCE_TRUNCATED);
	assert_int_equal(roce_decode(raw, ICRC - 1, &packet), ROCE_TRUNCATED);
	raw[1] = 0x01;
	assert_int_equal(roce_decode(raw, 20, &packet), ROCE_VERSION);
	raw[1] = 0x30; /* three bytes of padding, and no payload */
	assert_int_equal(roce_decode(raw, 16, &packet), ROCE_PADDING);
	raw[1] = 0;
	raw[0] = RC_ACKNOWLEDGE; /* with a payload */
	assert_int_equal(roce_decode(raw, 12 + 4 + 4 + ICRC, &packet), ROCE_PADDING);
}

static void a_short_line(void **state)
{
	const struct roce packet = { .opcode = RC_READ_REQUEST, .va = UINT64_MAX };
	char whole[256], part[8];
	int length;

	(void)state;
	length = roce_print(&packet, whole, sizeof(whole));
	assert_int_equal(length, strlen(whole));
	assert_int_equal(roce_print(&packet, part, sizeof(part)), length);
	assert_int_equal(strlen(part), sizeof(part) - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(golden_captures),
		cmocka_unit_test(every_opcode),
		cmocka_unit_test(malformed),
		cmocka_unit_test(a_short_line),
		cmocka_unit_test(fields_of_a_request),
		cmocka_unit_test(every_kind_of_mad),
		cmocka_unit_test(private_data_without_header),
		cmocka_unit_test(malformed_mads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
