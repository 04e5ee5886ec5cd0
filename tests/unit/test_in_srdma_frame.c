/* SPDX-License-Identifier: BSD-2-Clause */
/* The codec of control frames: round trips, each rule of the format violated, random
 * bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/check.h"
#include "session/frame.h"
#include "srdma.h"

static struct frame hello(void)
{
	return (struct frame){ .type = FRAME_HELLO,
		               .hello = { .version_min = 1,
		                          .version_max = 2,
		                          .role = ROLE_CLIENT,
		                          .transport = SRDMA_TRANSPORT_VERBS,
		                          .connect = 2,
		                          .credits = 0x1234,
		                          .protection = 0x80000001,
		                          .message_size = 0x100000,
		                          .max_grants = 77 } };
}

static struct frame endpoint(void)
{
	struct frame f = { .type = FRAME_ENDPOINT,
		           .endpoint = { .mtu = 3,
		                         .link_layer = 2,
		                         .reads_out = 16,
		                         .reads_in = 17,
		                         .qpn = 0xabcdef,
		                         .psn = 0x123456,
		                         .lid = 0x4321,
		                         .cm_port = 0x8765 } };

	for (int i = 0; i < FRAME_GID; i++) {
		f.endpoint.gid[i] = (uint8_t)(i + 1);
		f.endpoint.token[i] = (uint8_t)(0xf0 + i);
	}
	return f;
}

static struct frame grant(void)
{
	return (struct frame){ .type = FRAME_GRANT,
		               .grant = { .id = 7,
		                          .rights = SRDMA_RIGHT_WRITE,
		                          .tag = 0x1122334455667788,
		                          .address = 0xfff,
		                          .length = 0x100000000,
		                          .key = 0xdeadbeef } };
}

static struct frame fabric(void)
{
	return (struct frame){ .type = FRAME_FABRIC,
		               .fabric = { .provider = "tcp;ofi_rxm",
		                           .length = 3,
		                           .name = { 1, 0, 255 } } };
}

/* What comes out is what went in, whole or not at all, and followed by more. */
static void check_round_trip(const struct frame *frame)
{
	uint8_t bytes[2 * FRAME_MAX] = { 0 };
	size_t length = frame_encode(frame, bytes), used = 0;
	struct frame out;

	CHECK(length >= FRAME_HEADER && length <= FRAME_MAX);
	for (size_t part = 0; part < length; part++)
		CHECK_EQ(frame_parse(bytes, part, &out, &used), SRDMA_EBLOCKED);
	memset(bytes + length, 0xff, sizeof(bytes) - length);
	CHECK_EQ(frame_parse(bytes, sizeof(bytes), &out, &used), 0);
	CHECK_EQ(used, length);
	CHECK_EQ(out.type, frame->type);
	CHECK_BYTES(&out, frame, sizeof(out));
}

static void round_trips(void **state)
{
	struct frame frames[] = {
		hello(),
		endpoint(),
		{ .type = FRAME_READY },
		{ .type = FRAME_PROVEN },
		{ .type = FRAME_ERROR,
		  .error = { .reason = FRAME_BUSY, .text = "too many" } },
		grant(),
		{ .type = FRAME_REVOKE, .id = 0xffffffff },
		{ .type = FRAME_REVOKED, .id = 0 },
		{ .type = FRAME_CLOSE, .count = UINT64_MAX },
		{ .type = FRAME_CLOSE_ACK, .count = 1 },
		{ .type = FRAME_FIN },
		{ .type = FRAME_PING, .count = 5 },
		{ .type = FRAME_PONG, .count = 5 },
		{ .type = FRAME_REKEY, .rekey = { .number = 257, .fresh = { 1, 2 } } },
		{ .type = FRAME_REKEYED, .id = 257 },
		fabric(),
	};

	(void)state;
	CHECK_EQ(sizeof(frames) / sizeof(frames[0]), FRAME_TYPES - 1);
	for (size_t i = 0; i < sizeof(frames) / sizeof(frames[0]); i++) {
		CHECK_EQ(frames[i].type, i + 1);
		check_round_trip(&frames[i]);
	}
}

/* The layout that docs/protocol.md draws, byte by byte. */
static void layout(void **state)
{
	static const uint8_t wanted_hello[] = { 1, 1, 0, 0,    0, 0,    0,    18,   1,
		                                2, 1, 1, 2,    0, 0x12, 0x34, 0x80, 0,
		                                0, 1, 0, 0x10, 0, 0,    0,    77 };
	static const uint8_t wanted_revoke[] = { 1, 7, 0, 0, 0, 0, 0, 4, 0, 0, 1, 2 };
	uint8_t bytes[FRAME_MAX];
	struct frame frame = hello();

	(void)state;
	CHECK_EQ(frame_encode(&frame, bytes), sizeof(wanted_hello));
	CHECK_BYTES(bytes, wanted_hello, sizeof(wanted_hello));
	frame = (struct frame){ .type = FRAME_REVOKE, .id = 0x102 };
	CHECK_EQ(frame_encode(&frame, bytes), sizeof(wanted_revoke));
	CHECK_BYTES(bytes, wanted_revoke, sizeof(wanted_revoke));
	frame = endpoint();
	CHECK_EQ(frame_encode(&frame, bytes), FRAME_HEADER + 48);
	CHECK_EQ(bytes[FRAME_HEADER + 5], 0xab);
	CHECK_EQ(bytes[FRAME_HEADER + 9], 0x12);
	frame = grant();
	CHECK_EQ(frame_encode(&frame, bytes), FRAME_HEADER + 40);
}

/* Encode, set one byte, and the frame must be refused. */
static void check_refused(struct frame frame, size_t at, uint8_t value)
{
	uint8_t bytes[FRAME_MAX];
	size_t length = frame_encode(&frame, bytes), used;
	struct frame out;

	CHECK(at < length);
	CHECK(bytes[at] != value);
	bytes[at] = value;
	if (frame_parse(bytes, length, &out, &used) != SRDMA_EPROTOCOL)
		check_failed(__FILE__, __LINE__, "%s with byte %zu = %u was taken",
		             frame_name(frame.type), at, value);
}

static void rules_of_the_header(void **state)
{
	(void)state;
	check_refused(hello(), 0, 0);
	check_refused(hello(), 0, 2);
	check_refused(hello(), 1, 0);
	check_refused(hello(), 1, FRAME_TYPES);
	check_refused(hello(), 1, 255);
	check_refused(hello(), 2, 1);
	check_refused(hello(), 3, 1);
	check_refused(hello(), 4, 1); /* 16 MiB of body */
	check_refused(hello(), 6, 3); /* 512 + 256 */
}

static void rules_of_hello(void **state)
{
	struct frame frame = hello();

	(void)state;
	check_refused(frame, FRAME_HEADER + 0, 3); /* least version over most */
	check_refused(frame, FRAME_HEADER + 2, 0); /* role */
	check_refused(frame, FRAME_HEADER + 2, 3);
	check_refused(frame, FRAME_HEADER + 5, 1); /* reserved */
	frame.hello.credits = 0x100;
	check_refused(frame, FRAME_HEADER + 6, 0); /* none */
	frame.hello.message_size = 0x100;
	check_refused(frame, FRAME_HEADER + 14, 0);
}

static void rules_of_endpoint(void **state)
{
	struct frame frame = endpoint();

	(void)state;
	check_refused(frame, FRAME_HEADER + 0, 0); /* path MTU */
	check_refused(frame, FRAME_HEADER + 0, 6);
	check_refused(frame, FRAME_HEADER + 4, 1); /* 25 bits of QP number */
	check_refused(frame, FRAME_HEADER + 8, 1); /* of PSN */
	frame.endpoint.psn = 1;
	check_refused(frame, FRAME_HEADER + 11, 0);
	frame.endpoint.qpn = 2;
	check_refused(frame, FRAME_HEADER + 7, 1); /* QP 1 is nobody's */
}

static void rules_of_fabric(void **state)
{
	const size_t length = FRAME_HEADER + 1 + strlen(fabric().fabric.provider);

	(void)state;
	check_refused(fabric(), FRAME_HEADER, 0);  /* no provider */
	check_refused(fabric(), FRAME_HEADER, 64); /* longer than any */
	check_refused(fabric(), FRAME_HEADER, 12); /* other than it is */
	check_refused(fabric(), length + 1, 0);    /* no address */
	check_refused(fabric(), length + 1, 2);    /* with more behind it */
	check_refused(fabric(), length + 1, 4);    /* with less */
	check_refused(fabric(), length, 1);        /* 256 and more */
}

static void rules_of_grant(void **state)
{
	struct frame frame = grant();

	(void)state;
	check_refused(frame, FRAME_HEADER + 4, 0);
	check_refused(frame, FRAME_HEADER + 4, 4);
	check_refused(frame, FRAME_HEADER + 5, 1);
	frame.grant.length = 1;
	check_refused(frame, FRAME_HEADER + 31, 0);
	frame = grant();
	frame.grant.address = UINT64_MAX - 10;
	frame.grant.length = 1;
	check_refused(frame, FRAME_HEADER + 31, 0xff); /* beyond the end of memory */
}

/* A body that is shorter or longer than its type's. */
static void rules_of_length(void **state)
{
	(void)state;
	for (unsigned type = 1; type < FRAME_TYPES; type++) {
		uint8_t bytes[FRAME_MAX] = { FRAME_VERSION, (uint8_t)type };
		struct frame out;
		size_t used;
		unsigned taken = 0;

		for (unsigned length = 0; length <= FRAME_BODY_MAX; length++) {
			bytes[6] = (uint8_t)(length >> 8);
			bytes[7] = (uint8_t)length;
			taken += !frame_parse(bytes, FRAME_HEADER + length, &out, &used);
		}
		/* Bodies of zeros: valid for those types that are all numbers, at one
		 * length. */
		CHECK(taken <= 1);
	}
}

/* What a later version adds to HELLO is skipped by this one, if it is well formed. */
static void extensions_of_hello(void **state)
{
	static const uint8_t extension[] = { 0, 9, 0, 3, 'a', 'b', 'c', 0, 10, 0, 0 };
	uint8_t bytes[FRAME_MAX];
	struct frame frame = hello(), out;
	size_t length = frame_encode(&frame, bytes), used;

	(void)state;
	memcpy(bytes + length, extension, sizeof(extension));
	bytes[7] = (uint8_t)(bytes[7] + sizeof(extension));
	CHECK_EQ(frame_parse(bytes, length + sizeof(extension), &out, &used), 0);
	CHECK_EQ(used, length + sizeof(extension));
	CHECK_EQ(out.hello.max_grants, 77);
	bytes[length + 3] = 200; /* an extension that is longer than the frame */
	CHECK_EQ(frame_parse(bytes, length + sizeof(extension), &out, &used),
	         SRDMA_EPROTOCOL);
}

/* The one that this version knows: once, of one byte, which says something. */
static void packets_of_hello(void **state)
{
	static const uint8_t again[] = { 0, 1, 0, 1, 1 };
	uint8_t bytes[FRAME_MAX];
	struct frame frame = hello(), out;
	size_t plain = frame_encode(&frame, bytes), length, used;

	(void)state;
	CHECK_EQ(frame_parse(bytes, plain, &out, &used), 0);
	CHECK_EQ(out.hello.packets, 0);
	frame.hello.packets = FRAME_PACKETS_AES_256_GCM;
	length = frame_encode(&frame, bytes);
	CHECK_EQ(length, plain + sizeof(again));
	CHECK_BYTES(bytes + plain, again, sizeof(again));
	CHECK_EQ(frame_parse(bytes, length, &out, &used), 0);
	CHECK_EQ(out.hello.packets, FRAME_PACKETS_AES_256_GCM);
	memcpy(bytes + length, again, sizeof(again));
	bytes[7] = (uint8_t)(bytes[7] + sizeof(again));
	CHECK_EQ(frame_parse(bytes, length + sizeof(again), &out, &used),
	         SRDMA_EPROTOCOL);
	bytes[7] = (uint8_t)(bytes[7] - sizeof(again));
	bytes[length - 1] = 0;
	CHECK_EQ(frame_parse(bytes, length, &out, &used), SRDMA_EPROTOCOL);
	bytes[plain + 3] = 0; /* of no byte: then one is left over */
	CHECK_EQ(frame_parse(bytes, length, &out, &used), SRDMA_EPROTOCOL);
}

static void text_of_errors_is_plain(void **state)
{
	struct frame frame = { .type = FRAME_ERROR,
		               .error = { .reason = 1, .text = "a\033[2Jb" } };
	uint8_t bytes[FRAME_MAX];
	struct frame out;
	size_t length = frame_encode(&frame, bytes), used;

	(void)state;
	CHECK_EQ(frame_parse(bytes, length, &out, &used), 0);
	assert_string_equal(out.error.text, "a?[2Jb");
	bytes[FRAME_HEADER + 1] = 200;
	CHECK_EQ(frame_parse(bytes, length, &out, &used), 0);
	CHECK_EQ(out.error.reason, FRAME_FAILED);
	memset(frame.error.text, 'x', FRAME_ERROR_TEXT);
	length = frame_encode(&frame, bytes);
	CHECK_EQ(frame_parse(bytes, length, &out, &used), 0);
	CHECK_EQ(strlen(out.error.text), FRAME_ERROR_TEXT);
	bytes[FRAME_HEADER + 3] = FRAME_ERROR_TEXT + 1;
	CHECK_EQ(frame_parse(bytes, length, &out, &used), SRDMA_EPROTOCOL);
}

static void descriptions_have_no_secrets(void **state)
{
	struct frame frames[] = {
		hello(), endpoint(), grant(), { .type = FRAME_PING, .count = 3 }
	};
	char text[256];

	(void)state;
	for (size_t i = 0; i < sizeof(frames) / sizeof(frames[0]); i++) {
		frame_describe(&frames[i], text, sizeof(text));
		CHECK(!strncmp(text, frame_name(frames[i].type),
		               strlen(frame_name(frames[i].type))));
		/* The PSN and the key, in decimal and in hexadecimal. */
		CHECK(!strstr(text, "1193046") && !strstr(text, "123456"));
		CHECK(!strstr(text, "3735928559") && !strstr(text, "deadbeef"));
	}
	assert_string_equal(frame_name(0), "unknown");
	assert_string_equal(frame_name(FRAME_TYPES), "unknown");
}

/* Whatever it is, it is taken or refused; sanitizers see the rest. */
static void random_bytes(void **state)
{
	unsigned seed = 12345, taken = 0;

	(void)state;
	for (int round = 0; round < 200000; round++) {
		uint8_t bytes[64];
		struct frame out;
		size_t length, used = 0;
		int code;

		for (size_t i = 0; i < sizeof(bytes); i++)
			bytes[i] = (uint8_t)rand_r(&seed);
		/* Mostly plausible headers, or nothing would get past them. */
		bytes[0] = FRAME_VERSION;
		bytes[1] = (uint8_t)(bytes[1] % FRAME_TYPES);
		memset(bytes + 2, 0, 5);
		bytes[7] &= 63;
		length = (size_t)rand_r(&seed) % (sizeof(bytes) + 1);
		code = frame_parse(bytes, length, &out, &used);
		CHECK(code == 0 || code == SRDMA_EBLOCKED || code == SRDMA_EPROTOCOL);
		CHECK(used <= length);
		taken += code == 0;
	}
	CHECK(taken > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(round_trips),
		cmocka_unit_test(layout),
		cmocka_unit_test(rules_of_the_header),
		cmocka_unit_test(rules_of_hello),
		cmocka_unit_test(rules_of_endpoint),
		cmocka_unit_test(rules_of_fabric),
		cmocka_unit_test(rules_of_grant),
		cmocka_unit_test(rules_of_length),
		cmocka_unit_test(extensions_of_hello),
		cmocka_unit_test(packets_of_hello),
		cmocka_unit_test(text_of_errors_is_plain),
		cmocka_unit_test(descriptions_have_no_secrets),
		cmocka_unit_test(random_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
