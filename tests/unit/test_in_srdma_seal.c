/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The seal by itself: the known answers of docs/seal-vectors.txt, and everything that can
 * be done to a sealed message on its way.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/check.h"
#include "session/proof.h"
#include "session/seal.h"
#include "srdma.h"

enum { KEYS = 3, WORDS = 8, MESSAGE_MAX = 256 };

/*
 * Known answers
 */

struct answers {
	struct transcript transcript;
	uint8_t exporter[SEAL_SECRET];
	uint8_t fresh[2][KEYS][FRAME_FRESH]; /* by role - 1 */
};

static size_t bytes_of(const char *text, uint8_t *out, size_t size)
{
	size_t length = strcmp(text, "-") ? strlen(text) / 2 : 0;

	CHECK(length <= size);
	for (size_t i = 0; i < length; i++) {
		char digits[3] = { text[2 * i], text[2 * i + 1], '\0' };

		out[i] = (uint8_t)strtoul(digits, NULL, 16);
	}
	return length;
}

static void check_hex(const char *text, const void *bytes, size_t length)
{
	uint8_t expected[MESSAGE_MAX];

	CHECK_EQ(bytes_of(text, expected, sizeof(expected)), length);
	CHECK_BYTES(bytes, expected, length);
}

static enum frame_role role_of(const char *word)
{
	CHECK(!strcmp(word, "client") || !strcmp(word, "server"));
	return strcmp(word, "client") ? ROLE_SERVER : ROLE_CLIENT;
}

static unsigned number_of(const char *word, unsigned limit)
{
	unsigned long n = strtoul(word, NULL, 10);

	CHECK(n < limit);
	return (unsigned)n;
}

static void frame_line(struct answers *a, char **w)
{
	enum frame_type type = strcmp(w[2], "HELLO") ? FRAME_ENDPOINT : FRAME_HELLO;
	uint8_t raw[FRAME_MAX], again[FRAME_MAX];
	size_t length = bytes_of(w[3], raw, sizeof(raw)), used;
	struct frame frame;

	CHECK_EQ(frame_parse(raw, length, &frame, &used), 0);
	CHECK_EQ(frame.type, type);
	CHECK_EQ(frame_encode(&frame, again), length);
	CHECK_BYTES(again, raw, length);
	CHECK_EQ(transcript_add(&a->transcript, role_of(w[1]), type, raw, length), 0);
}

static void transcript_line(struct answers *a, char **w)
{
	uint8_t hash[TRANSCRIPT_HASH];

	CHECK_EQ(transcript_hash(&a->transcript, hash), 0);
	check_hex(w[1], hash, sizeof(hash));
}

static void exporter_line(struct answers *a, char **w)
{
	CHECK_EQ(bytes_of(w[1], a->exporter, SEAL_SECRET), SEAL_SECRET);
}

static void fresh_line(struct answers *a, char **w)
{
	uint8_t *fresh = a->fresh[role_of(w[1]) - 1][number_of(w[2], KEYS)];

	CHECK_EQ(bytes_of(w[3], fresh, FRAME_FRESH), FRAME_FRESH);
}

static void key_line(struct answers *a, char **w)
{
	enum frame_role role = role_of(w[1]);
	unsigned n = number_of(w[2], KEYS);
	uint8_t secret[SEAL_SECRET], next[SEAL_SECRET];
	struct seal_key key;

	CHECK_EQ(seal_first_secret(a->exporter, role, secret), 0);
	for (unsigned i = 1; i <= n; i++) {
		CHECK_EQ(seal_next_secret(secret, a->fresh[role - 1][i], next), 0);
		memcpy(secret, next, sizeof(secret));
	}
	check_hex(w[3], secret, sizeof(secret));
	CHECK_EQ(seal_key_of(secret, &key), 0);
	check_hex(w[4], key.key, sizeof(key.key));
	check_hex(w[5], key.iv, sizeof(key.iv));
}

static void nonce_line(struct answers *a, char **w)
{
	uint8_t iv[SEAL_IV], nonce[SEAL_IV];

	(void)a;
	CHECK_EQ(bytes_of(w[1], iv, sizeof(iv)), SEAL_IV);
	seal_nonce(iv, strtoull(w[2], NULL, 10), nonce);
	check_hex(w[3], nonce, sizeof(nonce));
}

static void start(const struct answers *a, struct seal *seal, uint32_t protection,
                  enum frame_role role, bool sealing)
{
	uint8_t secret[SEAL_SECRET];

	CHECK_EQ(seal_first_secret(a->exporter, role, secret), 0);
	CHECK_EQ(seal_init(seal, protection, sealing, secret), 0);
}

static void message_line(struct answers *a, char **w)
{
	uint32_t protection = strcmp(w[1], "aes-256-gcm")
	                              ? SRDMA_PROTECTION_CHACHA20_POLY1305
	                              : SRDMA_PROTECTION_AES_256_GCM;
	enum frame_role role = role_of(w[2]);
	uint32_t head = (uint32_t)strtoul(w[5], NULL, 16);
	uint8_t plain[MESSAGE_MAX], sealed[MESSAGE_MAX + SEAL_TAG];
	size_t length = bytes_of(w[6], plain, sizeof(plain)), half = length / 2;
	struct seal seal[2];

	for (int sealing = 0; sealing < 2; sealing++) {
		start(a, &seal[sealing], protection, role, sealing);
		seal[sealing].number = strtoull(w[4], NULL, 10);
		for (unsigned n = 1; n <= number_of(w[3], KEYS); n++)
			CHECK_EQ(seal_advance(&seal[sealing], a->fresh[role - 1][n]), 0);
	}
	/* In two pieces, and the way back in its own place. */
	CHECK_EQ(seal_close(&seal[1], head, plain, half, plain + half, length - half,
	                    sealed),
	         0);
	check_hex(w[7], sealed, length + SEAL_TAG);
	CHECK_EQ(seal_open(&seal[0], head, sealed, length + SEAL_TAG, sealed), 0);
	CHECK_BYTES(sealed, plain, length);
	seal_clear(&seal[0]);
	seal_clear(&seal[1]);
}

static const struct {
	const char *name;
	unsigned words;
	void (*check)(struct answers *a, char **words);
	unsigned least; /* lines of this kind */
} kinds[] = {
	{ "frame", 4, frame_line, 4 },       { "transcript", 2, transcript_line, 1 },
	{ "exporter", 2, exporter_line, 1 }, { "fresh", 4, fresh_line, 4 },
	{ "key", 6, key_line, 6 },           { "nonce", 4, nonce_line, 6 },
	{ "message", 8, message_line, 24 },
};

#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static void check_line(struct answers *a, char *line, unsigned counts[KINDS])
{
	char *words[WORDS] = { NULL }, *save;
	unsigned used = 0;

	for (char *word = strtok_r(line, " \n", &save); word && used < WORDS;
	     word = strtok_r(NULL, " \n", &save))
		words[used++] = word;
	if (!used || words[0][0] == '#')
		return;
	for (size_t i = 0; i < KINDS; i++)
		if (!strcmp(words[0], kinds[i].name)) {
			CHECK_EQ(used, kinds[i].words);
			kinds[i].check(a, words);
			counts[i]++;
			return;
		}
	check_failed(__FILE__, __LINE__, "unknown kind of line: %s", words[0]);
}

static void known_answers(void **state)
{
	const char *top = getenv("TOP");
	unsigned counts[KINDS] = { 0 };
	struct answers answers = { 0 };
	char path[4096], line[4096];
	FILE *file;

	(void)state;
	snprintf(path, sizeof(path), "%s/docs/seal-vectors.txt", top ? top : ".");
	file = CHECK_OBJECT(fopen(path, "r"));
	while (fgets(line, sizeof(line), file))
		check_line(&answers, line, counts);
	fclose(file);
	transcript_clear(&answers.transcript);
	for (size_t i = 0; i < KINDS; i++)
		CHECK(counts[i] >= kinds[i].least);
}

/*
 * What can be done to a message
 */

#define HEAD  0x01000007u
#define TEXT  "a message of some length"
#define PLAIN (sizeof(TEXT) - 1)
#define WHOLE (PLAIN + SEAL_TAG)

struct way {
	struct seal from, to;
	uint8_t sealed[WHOLE];
	uint8_t opened[WHOLE];
};

static const struct answers session = { .exporter = { 1, 2, 3 } };
static const struct answers another = { .exporter = { 1, 2, 4 } };

static void seal_one(struct seal *seal, uint8_t out[WHOLE])
{
	CHECK_EQ(seal_close(seal, HEAD, NULL, 0, TEXT, PLAIN, out), 0);
}

static void way_open(struct way *way, uint32_t protection)
{
	start(&session, &way->from, protection, ROLE_CLIENT, true);
	start(&session, &way->to, protection, ROLE_CLIENT, false);
	seal_one(&way->from, way->sealed);
}

static void way_close(struct way *way)
{
	seal_clear(&way->from);
	seal_clear(&way->to);
}

static int open_it(struct way *way, uint32_t head, size_t length)
{
	return seal_open(&way->to, head, way->sealed, length, way->opened);
}

static const uint32_t ciphers[] = { SRDMA_PROTECTION_AES_256_GCM,
	                            SRDMA_PROTECTION_CHACHA20_POLY1305 };

#define EACH_CIPHER(way)                                                  \
	for (size_t c_ = 0; c_ < 2 && (way_open(way, ciphers[c_]), true); \
	     way_close(way), c_++)

static void unchanged_opens(void **state)
{
	struct way way;

	(void)state;
	EACH_CIPHER(&way)
	{
		CHECK_EQ(open_it(&way, HEAD, WHOLE), 0);
		CHECK_BYTES(way.opened, TEXT, PLAIN);
		CHECK(memcmp(way.sealed, TEXT, PLAIN));
	}
}

static void every_bit_counts(void **state)
{
	struct way way;

	(void)state;
	EACH_CIPHER(&way)
	for (size_t bit = 0; bit < 8 * WHOLE; bit++) {
		way.to.number = 0;
		way.sealed[bit / 8] ^= (uint8_t)(1u << bit % 8);
		CHECK_EQ(open_it(&way, HEAD, WHOLE), SRDMA_ESEAL);
		way.sealed[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
}

static void the_head_counts(void **state)
{
	struct way way;

	(void)state;
	EACH_CIPHER(&way)
	for (unsigned bit = 0; bit < 32; bit++) {
		way.to.number = 0;
		CHECK_EQ(open_it(&way, HEAD ^ 1u << bit, WHOLE), SRDMA_ESEAL);
	}
}

static void every_length_but_its_own_fails(void **state)
{
	struct way way;

	(void)state;
	EACH_CIPHER(&way)
	for (size_t length = 0; length < WHOLE; length++) {
		way.to.number = 0;
		CHECK_EQ(open_it(&way, HEAD, length), SRDMA_ESEAL);
	}
}

static void replayed(void **state)
{
	struct way way;

	(void)state;
	EACH_CIPHER(&way)
	{
		CHECK_EQ(open_it(&way, HEAD, WHOLE), 0);
		CHECK_EQ(open_it(&way, HEAD, WHOLE), SRDMA_ESEAL);
	}
}

static void left_out(void **state)
{
	struct way way;

	(void)state;
	EACH_CIPHER(&way)
	{
		seal_one(&way.from, way.sealed);
		CHECK_EQ(open_it(&way, HEAD, WHOLE), SRDMA_ESEAL);
	}
}

/* Back to its sender, or into another session with the same number. */
static void for_another(void **state)
{
	static const struct {
		const struct answers *session;
		enum frame_role sender;
	} others[] = { { &session, ROLE_SERVER },
		       { &another, ROLE_CLIENT },
		       { &another, ROLE_SERVER } };
	struct way way;

	(void)state;
	EACH_CIPHER(&way)
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		seal_clear(&way.to);
		start(others[i].session, &way.to, ciphers[c_], others[i].sender, false);
		CHECK_EQ(open_it(&way, HEAD, WHOLE), SRDMA_ESEAL);
	}
}

static void under_another_key(void **state)
{
	static const uint8_t fresh[FRAME_FRESH] = { 5 }, wrong[FRAME_FRESH] = { 6 };
	struct way way;

	(void)state;
	EACH_CIPHER(&way)
	{
		CHECK_EQ(open_it(&way, HEAD, WHOLE), 0);
		CHECK_EQ(seal_advance(&way.from, fresh), 0);
		seal_one(&way.from, way.sealed);
		CHECK_EQ(open_it(&way, HEAD, WHOLE), SRDMA_ESEAL);
		way.to.number--;
		CHECK_EQ(seal_advance(&way.to, c_ ? fresh : wrong), 0);
		CHECK_EQ(open_it(&way, HEAD, WHOLE), c_ ? 0 : SRDMA_ESEAL);
		CHECK_EQ(way.to.key, 1);
	}
}

static void nothing_stays(void **state)
{
	static const uint8_t zeros[sizeof(struct seal)];
	struct way way;

	(void)state;
	EACH_CIPHER(&way)
	{
		seal_clear(&way.from);
		CHECK_BYTES(&way.from, zeros, sizeof(way.from));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_answers),
		cmocka_unit_test(unchanged_opens),
		cmocka_unit_test(every_bit_counts),
		cmocka_unit_test(the_head_counts),
		cmocka_unit_test(every_length_but_its_own_fails),
		cmocka_unit_test(replayed),
		cmocka_unit_test(left_out),
		cmocka_unit_test(for_another),
		cmocka_unit_test(under_another_key),
		cmocka_unit_test(nothing_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
