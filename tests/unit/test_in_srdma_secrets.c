/* SPDX-License-Identifier: BSD-2-Clause */
/* PSNs and proofs: drawn from all of their space, bound to everything, failing safely. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/rand.h>

#include "lib/check.h"
#include "session/proof.h"
#include "session/psn.h"
#include "srdma.h"

/*
 * In place of OpenSSL's, for the library under test: bytes of our choosing, or failure,
 * or (by way of the function that OpenSSL's own is made of) the real ones.
 */
static const uint8_t *script;
static size_t script_left;
static bool generator_fails;

int RAND_bytes(unsigned char *buf, int num)
{
	if (generator_fails)
		return 0;
	if (!script)
		return RAND_bytes_ex(NULL, buf, (size_t)num, 0);
	CHECK(script_left >= (size_t)num);
	memcpy(buf, script, (size_t)num);
	script += num;
	script_left -= (size_t)num;
	return 1;
}

static void psn_uses_all_24_bits(void **state)
{
	unsigned ones[24] = { 0 };
	enum { COUNT = 20000 };

	(void)state;
	for (int i = 0; i < COUNT; i++) {
		uint32_t psn;

		CHECK_EQ(psn_draw(&psn), 0);
		CHECK(psn >= 1 && psn <= PSN_MASK);
		for (int bit = 0; bit < 24; bit++)
			ones[bit] += psn >> bit & 1;
	}
	/* Ten standard deviations (71) around a half: no bit is forced. */
	for (int bit = 0; bit < 24; bit++)
		CHECK(ones[bit] > COUNT / 2 - 710 && ones[bit] < COUNT / 2 + 710);
}

static void psn_zero_is_drawn_again(void **state)
{
	static const uint8_t bytes[] = { 0, 0, 0, 0, 0, 0, 0x12, 0x34, 0x56 };
	uint32_t psn;

	(void)state;
	script = bytes;
	script_left = sizeof(bytes);
	CHECK_EQ(psn_draw(&psn), 0);
	CHECK_EQ(psn, 0x123456);
	CHECK_EQ(script_left, 0);
	script = NULL;
}

static void psn_without_generator_is_an_error(void **state)
{
	uint32_t psn = 0xffffffff;

	(void)state;
	generator_fails = true;
	CHECK_EQ(psn_draw(&psn), SRDMA_ERANDOM);
	generator_fails = false;
	CHECK_EQ(psn, 0xffffffff);
	CHECK_EQ(srdma_category(SRDMA_ERANDOM), SRDMA_INTERNAL);
}

static void hash_depends_on_salt_owner_and_psn(void **state)
{
	static const uint8_t salt[32] = { 1 }, other[32] = { 2 };
	char a[PSN_HASH_TEXT], b[PSN_HASH_TEXT];

	(void)state;
	CHECK_EQ(psn_hash(salt, 32, "client", 77, a), 0);
	CHECK_EQ(strlen(a), 8);
	CHECK_EQ(psn_hash(salt, 32, "client", 77, b), 0);
	assert_string_equal(a, b);
	CHECK_EQ(psn_hash(salt, 32, "client", 78, b), 0);
	CHECK(strcmp(a, b) != 0);
	CHECK_EQ(psn_hash(salt, 32, "server", 77, b), 0);
	CHECK(strcmp(a, b) != 0);
	CHECK_EQ(psn_hash(other, 32, "client", 77, b), 0);
	CHECK(strcmp(a, b) != 0);
}

/*
 * The proof
 */

struct frames {
	uint8_t bytes[2][2][40]; /* role - 1; HELLO, ENDPOINT */
};

static void make(const struct frames *frames, const uint8_t *key, enum frame_role role,
                 uint8_t *proof)
{
	struct transcript transcript = { 0 };

	for (int r = 0; r < 2; r++)
		for (int which = 0; which < 2; which++)
			CHECK_EQ(transcript_add(&transcript, r + 1,
			                        which ? FRAME_ENDPOINT : FRAME_HELLO,
			                        frames->bytes[r][which], 40),
			         0);
	CHECK_EQ(proof_make(&transcript, key, role, proof), 0);
	transcript_clear(&transcript);
	CHECK(!transcript.frames[0][0]);
}

static struct frames some_frames(void)
{
	struct frames frames;

	for (size_t i = 0; i < sizeof(frames); i++)
		((uint8_t *)&frames)[i] = (uint8_t)(i * 7);
	return frames;
}

static void proof_covers_every_byte_of_both_sides(void **state)
{
	struct frames frames = some_frames();
	uint8_t key[PROOF_SIZE] = { 9 }, proof[PROOF_SIZE], other[PROOF_SIZE];

	(void)state;
	make(&frames, key, ROLE_CLIENT, proof);
	make(&frames, key, ROLE_CLIENT, other);
	CHECK(proof_equal(proof, other));
	for (size_t i = 0; i < sizeof(frames); i++) {
		((uint8_t *)&frames)[i] ^= 1;
		make(&frames, key, ROLE_CLIENT, other);
		CHECK(!proof_equal(proof, other));
		((uint8_t *)&frames)[i] ^= 1;
	}
}

/* Neither side's proof is the other's, so none can be sent back; nor another session's.
 */
static void proof_is_bound_to_role_and_key(void **state)
{
	struct frames frames = some_frames();
	uint8_t key[PROOF_SIZE] = { 9 }, proof[PROOF_SIZE], other[PROOF_SIZE];

	(void)state;
	make(&frames, key, ROLE_CLIENT, proof);
	make(&frames, key, ROLE_SERVER, other);
	CHECK(!proof_equal(proof, other));
	key[31] ^= 0x80;
	make(&frames, key, ROLE_CLIENT, other);
	CHECK(!proof_equal(proof, other));
}

static void proof_needs_all_frames(void **state)
{
	struct transcript transcript = { 0 };
	uint8_t key[PROOF_SIZE] = { 9 }, proof[PROOF_SIZE], frame[8] = { 1 };

	(void)state;
	CHECK_EQ(transcript_add(&transcript, ROLE_CLIENT, FRAME_HELLO, frame, 8), 0);
	CHECK_EQ(transcript_add(&transcript, ROLE_SERVER, FRAME_HELLO, frame, 8), 0);
	CHECK_EQ(transcript_add(&transcript, ROLE_CLIENT, FRAME_ENDPOINT, frame, 8), 0);
	CHECK_EQ(proof_make(&transcript, key, ROLE_CLIENT, proof), SRDMA_EINTERNAL);
	CHECK_EQ(transcript_add(&transcript, ROLE_CLIENT, FRAME_HELLO, frame, 8),
	         SRDMA_EPROTOCOL);
	transcript_clear(&transcript);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(psn_uses_all_24_bits),
		cmocka_unit_test(psn_zero_is_drawn_again),
		cmocka_unit_test(psn_without_generator_is_an_error),
		cmocka_unit_test(hash_depends_on_salt_owner_and_psn),
		cmocka_unit_test(proof_covers_every_byte_of_both_sides),
		cmocka_unit_test(proof_is_bound_to_role_and_key),
		cmocka_unit_test(proof_needs_all_frames),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
