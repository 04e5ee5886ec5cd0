/* SPDX-License-Identifier: BSD-2-Clause */
/* Protected packets: the codec, the window of their numbers, and the known answer that
 * docs/protocol.md gives. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "object/protection.h"
#include "object/replay.h"

static unsigned int from_hex(const char *hex, uint8_t *to)
{
	unsigned int length = 0;

	for (; *hex; hex += 2) {
		const char digits[] = { hex[0], hex[1], '\0' };
		char *end;

		to[length++] = (uint8_t)strtoul(digits, &end, 16);
		assert_int_equal(*end, '\0');
	}
	return length;
}

static void keys_of_answer(struct mockrdma_protection *keys)
{
	for (unsigned int i = 0; i < sizeof(keys->send.key); i++)
		keys->send.key[i] = (uint8_t)i;
	for (unsigned int i = 0; i < sizeof(keys->send.iv); i++)
		keys->send.iv[i] = (uint8_t)(0xa0 + i);
	keys->receive = keys->send;
}

static struct protection *with_keys(void)
{
	struct mockrdma_protection keys;
	struct protection *made;
	int err;

	keys_of_answer(&keys);
	made = protection_new(&err);
	assert_non_null(made);
	assert_int_equal(protection_set(made, &keys), 0);
	return made;
}

/* An RDMA WRITE of "hello!" and two octets of padding. */
#define CLEAR              \
	"0a20ffff"         \
	"00123456"         \
	"80abcdef"         \
	"0000700000001000" \
	"11223344"         \
	"00000006"         \
	"68656c6c6f21"     \
	"0000"
#define SEALED                                             \
	"ca20ffff"                                         \
	"00123456"                                         \
	"80abcdef"                                         \
	"0000000000000001"                                 \
	"559eb367d0ef0d99f7f5eec135db67a19d67e63cce31586a" \
	"519ab3482e6f0df50358b2888a34fe3e"

static void known_answer(void **state)
{
	struct protection *protection = with_keys();
	uint8_t clear[128], expected[128], room[128], opened[128];
	unsigned int length = from_hex(CLEAR, clear), size = from_hex(SEALED, expected);
	struct iovec parts[] = { { clear, 28 }, { clear + 28, 5 }, { clear + 33, 3 } };
	struct protected_packet packet;

	(void)state;
	assert_int_equal(length + PROTECTED_MORE, size);
	assert_int_equal(protection_seal(protection, parts, 3, room, size - 1), 0);
	assert_int_equal(protection_seal(protection, parts, 3, room, sizeof(room)), size);
	assert_memory_equal(room, expected, size);
	assert_int_equal(protected_decode(room, size, &packet), ROCE_OK);
	protected_restore(room, BTH_RC, opened);
	assert_int_equal(protection_open(protection, &packet, opened + BTH_LENGTH),
	                 PROTECTION_OPENED);
	assert_memory_equal(opened, clear, length);
	assert_int_equal(protection_open(protection, &packet, opened + BTH_LENGTH),
	                 PROTECTION_REPEATED);
	protection_clear(protection);
	assert_int_equal(protection_open(protection, &packet, opened + BTH_LENGTH),
	                 PROTECTION_FORGED);
	assert_int_equal(protection_seal(protection, parts, 3, room, sizeof(room)), 0);
	protection_free(protection);
}

/* Each length but the right one is refused by the codec or by the tag. */
static void lengths(void **state)
{
	struct protection *protection = with_keys();
	uint8_t bytes[128], room[128];
	unsigned int size = from_hex(SEALED, bytes);

	(void)state;
	for (unsigned int length = 0; length < size; length++) {
		struct protected_packet packet;
		enum roce_error error = protected_decode(bytes, length, &packet);

		if (length < BTH_LENGTH + PROTECTED_MORE) {
			assert_int_equal(error, ROCE_TRUNCATED);
			continue;
		}
		assert_int_equal(error, ROCE_OK);
		assert_int_equal(protection_open(protection, &packet, room),
		                 PROTECTION_FORGED);
	}
	protection_free(protection);
}

static void kinds(void **state)
{
	uint8_t bytes[64] = { 0 };
	struct protected_packet packet;
	struct roce roce;
	char line[256];

	(void)state;
	for (unsigned int opcode = 0; opcode < BTH_OPCODES; opcode++) {
		bool marked = opcode >= BTH_PROTECTED && opcode < BTH_PROTECTED + 0x20;

		bytes[0] = (uint8_t)opcode;
		assert_int_equal(opcode_is_protected((uint8_t)opcode), marked);
		assert_int_equal(protected_decode(bytes, sizeof(bytes), &packet),
		                 marked ? ROCE_OK : ROCE_OPCODE);
		if (!marked)
			continue;
		/* Never one in clear. */
		assert_int_equal(roce_decode(bytes, sizeof(bytes), &roce), ROCE_OPCODE);
		assert_in_range(protected_print(&packet, line, sizeof(line)), 1,
		                sizeof(line) - 1);
	}
	assert_int_equal(protected_encode(bytes, 1, line, BTH_LENGTH + 7), 0);
}

/* Against the plain way of keeping all that was seen. */
static void window(void **state)
{
	enum { NUMBERS = 60000, STEPS = 200000 };
	static bool seen[NUMBERS + 1];
	struct replay_window window = { 0 };
	uint64_t newest = 0;

	(void)state;
	srandom(1);
	assert_false(replay_is_new(&window, 0));
	for (unsigned int i = 0; i < STEPS && newest < NUMBERS - 2 * REPLAY_WINDOW; i++) {
		uint64_t number = 1 + newest + (uint64_t)random() % 8;
		bool fresh;

		if (random() % 4)
			number -=
			        (uint64_t)random() %
			        (number < 2 * REPLAY_WINDOW ? number : 2 * REPLAY_WINDOW);
		else if (random() % 500 == 0)
			number += (uint64_t)random() % (2 * REPLAY_WINDOW);
		fresh = number && (number > newest || newest - number < REPLAY_WINDOW) &&
		        !seen[number];
		assert_int_equal(replay_is_new(&window, number), fresh);
		if (!fresh)
			continue;
		replay_note(&window, number);
		assert_false(replay_is_new(&window, number));
		seen[number] = true;
		newest = number > newest ? number : newest;
	}
	replay_note(&window, UINT64_MAX);
	assert_false(replay_is_new(&window, UINT64_MAX));
	assert_true(replay_is_new(&window, UINT64_MAX - 1));
	assert_false(replay_is_new(&window, newest + 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_answer),
		cmocka_unit_test(lengths),
		cmocka_unit_test(kinds),
		cmocka_unit_test(window),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
