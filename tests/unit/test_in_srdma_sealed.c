/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sealed sessions under attack, from the inside: everything that someone on the path can
 * do to messages, and everything that an authenticated peer can do wrong. Each ends the
 * session with its name. And keys that change while both sides send.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>

#include "lib/check.h"
#include "lib/deadline.h"
#include "lib/duo.h"
#include "lib/pki.h"
#include "session/data.h"
#include "session/memory.h"
#include "session/session.h"
#include "session/verbs_endpoint.h"

#define SIZE 100000

static struct duo duo;
static uint8_t ours[SIZE], theirs[SIZE];

/* Most tests need no settings, and share the workers: opening them takes the longest. */
static void connected(void)
{
	if (!duo.server.worker) {
		duo_open(&duo);
		duo_start(&duo);
	}
	duo_connect(&duo);
}

static void forget(struct duo_end *end)
{
	const struct duo_end fresh = { .context = end->context,
		                       .worker = end->worker,
		                       .in_order = true };

	srdma_session_free(end->session);
	*end = fresh;
}

static void done(void)
{
	forget(&duo.client);
	forget(&duo.server);
}

static void close_all(void)
{
	if (duo.server.worker)
		duo_close(&duo);
	memset(&duo, 0, sizeof(duo));
}

static int close_pki(void **state)
{
	(void)state;
	close_all();
	pki_close();
	return 0;
}

/* For tests with settings of their own, or several sessions. */
static void open_apart(void)
{
	close_all();
	duo_open(&duo);
}

/*
 * Messages on their way
 */

struct caught {
	uint32_t word;
	uint8_t bytes[128];
	size_t length;
};

/* A message that a side seals next, and that does not leave. */
static struct caught catch_from(struct srdma_session *from, enum message_type type,
                                const char *text)
{
	const struct message message = { .head = { .type = type },
		                         .data = text,
		                         .length = strlen(text) };
	struct caught caught = { .length = message.length + SEAL_TAG };

	CHECK_SRDMA(sealing_close(from, &message, caught.bytes, &caught.word));
	return caught;
}

static struct caught catch_one(void)
{
	return catch_from(duo.client.session, MESSAGE_DATA, "a message");
}

/* It arrives at the server, over the queue pair, as if the network had brought it. */
static void let_go(const struct caught *caught)
{
	struct srdma_session *session = duo.client.session;
	struct data *data = &session->data;
	struct endpoint *endpoint = session->endpoint;
	const struct outgoing outgoing = {
		.sequence = data->posted,
		.data = caught->bytes,
		.length = (uint32_t)caught->length,
		.word = caught->word,
	};

	data->ops[data->posted++ % data->ring] = (struct op){ 0 };
	CHECK_SRDMA(endpoint->transport->send(endpoint, &outgoing));
}

/* What came before it was delivered; itself and what follows was not. */
static void expect_broken(unsigned delivered)
{
	struct caught after = catch_one();

	let_go(&after);
	DUO_UNTIL(&duo, duo.server.closed && duo.client.closed);
	CHECK_EQ(duo.server.code, SRDMA_ESEAL);
	CHECK(strstr(duo.server.reason, "seal broken") != NULL);
	CHECK_EQ(duo.client.code, SRDMA_ESEAL);
	CHECK(strstr(duo.client.reason, "ended the session") != NULL);
	CHECK_EQ(duo.server.messages, delivered);
	done();
}

/* The tests below prove nothing unless this works. */
static void unharmed(void **state)
{
	struct caught first, second;

	(void)state;
	connected();
	first = catch_one();
	second = catch_one();
	CHECK(memcmp(first.bytes, second.bytes, first.length));
	let_go(&first);
	let_go(&second);
	DUO_UNTIL(&duo, duo.server.messages == 2);
	CHECK_BYTES(duo.server.last, "a message", 9);
	CHECK(!duo.server.closed);
	done();
}

static void replayed(void **state)
{
	struct caught first;

	(void)state;
	connected();
	first = catch_one();
	let_go(&first);
	let_go(&first);
	expect_broken(1);
}

static void reordered(void **state)
{
	struct caught first, second;

	(void)state;
	connected();
	first = catch_one();
	second = catch_one();
	let_go(&second);
	let_go(&first);
	expect_broken(0);
}

static void left_out(void **state)
{
	struct caught second;

	(void)state;
	connected();
	catch_one();
	second = catch_one();
	let_go(&second);
	expect_broken(0);
}

static void truncated(void **state)
{
	static const size_t cuts[] = { 1, 9, 10, 25 };

	(void)state;
	for (size_t i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++) {
		struct caught caught;

		connected();
		caught = catch_one();
		caught.length -= cuts[i];
		let_go(&caught);
		expect_broken(0);
	}
}

static void lengthened(void **state)
{
	struct caught caught;

	(void)state;
	connected();
	caught = catch_one();
	caught.length++;
	let_go(&caught);
	expect_broken(0);
}

/* Content, tag; credits, epoch, type: to each other one, and to none. */
static void altered(void **state)
{
	static const struct {
		uint32_t word;
		size_t byte;
	} changes[] = {
		{ 0, 0 },
		{ 0, 8 },
		{ 0, 9 },
		{ 0, 24 },
		{ 1, SIZE_MAX },
		{ 0x8000, SIZE_MAX },
		{ 0x10000, SIZE_MAX },
		{ 0x800000, SIZE_MAX },
		{ 0x3000000, SIZE_MAX },
		{ 0x2000000, SIZE_MAX },
		{ 0x5000000, SIZE_MAX },
		{ 0x4000000, SIZE_MAX },
		{ 0x7000000, SIZE_MAX },
		{ 0x6000000, SIZE_MAX },
		{ 0x1000000, SIZE_MAX },
		{ 0x9000000, SIZE_MAX },
		{ 0x80000000, SIZE_MAX },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		struct caught caught;

		connected();
		caught = catch_one();
		caught.word ^= changes[i].word;
		if (changes[i].byte < caught.length)
			caught.bytes[changes[i].byte] ^= 0x10;
		let_go(&caught);
		expect_broken(0);
	}
}

/* An answer is opened where the caller wants it; it is not believed for that. */
static void altered_answer(void **state)
{
	struct srdma_buffer *mine, *other;
	struct srdma_grant *grant;
	int mark;

	(void)state;
	connected();
	CHECK_SRDMA(srdma_buffer_register(duo.server.session, theirs, SIZE, &other));
	CHECK_SRDMA(srdma_buffer_register(duo.client.session, ours, SIZE, &mine));
	/* The client lets the server read, and spoils the answer. */
	CHECK_SRDMA(srdma_grant(duo.client.session, mine, 0, SIZE, SRDMA_RIGHT_READ, 1,
	                        &grant));
	DUO_UNTIL(&duo, duo.server.grants == 1);
	CHECK_SRDMA(
	        srdma_read(duo.server.session, other, 0, duo.server.remote, 0, 9, &mark));
	struct caught answer =
	        catch_from(duo.client.session, MESSAGE_READ_DATA, "an answer");

	answer.bytes[3] ^= 1;
	let_go(&answer);
	DUO_UNTIL(&duo, duo.server.closed && duo.client.closed);
	CHECK_EQ(duo.server.code, SRDMA_ESEAL);
	CHECK_EQ(duo.server.failures, 1);
	done();
}

static void reflected(void **state)
{
	struct caught own;

	(void)state;
	connected();
	own = catch_from(duo.server.session, MESSAGE_DATA, "a message");
	let_go(&own);
	expect_broken(0);
}

/* From another session of the same two, with the same number. */
static void spliced(void **state)
{
	struct srdma_session *first;
	struct caught caught;

	(void)state;
	open_apart();
	duo_start(&duo);
	duo_connect(&duo);
	first = duo.client.session;
	caught = catch_one();
	duo_connect(&duo);
	CHECK(duo.client.session != first);
	let_go(&caught);
	DUO_UNTIL(&duo, duo.server.closed && duo.client.closed);
	CHECK_EQ(duo.server.code, SRDMA_ESEAL);
	CHECK_EQ(duo.server.messages, 0);
	/* Nothing happened to the other. */
	CHECK_EQ(first->failure, 0);
	srdma_session_free(first);
	close_all();
}

static void in_clear(void **state)
{
	static const uint32_t words[] = { (uint32_t)MESSAGE_DATA << 24,
		                          (uint32_t)MESSAGE_PROOF << 24,
		                          (uint32_t)MESSAGE_CREDIT << 24 | 1 };

	(void)state;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		struct caught clear = { .word = words[i], .length = 32 };

		connected();
		let_go(&clear);
		expect_broken(0);
	}
}

/* The seals of the two are those of one channel and one pair of endpoints. */
static void keys_are_bound(void **state)
{
	struct seal *client, *server, *other;

	(void)state;
	open_apart();
	duo_start(&duo);
	duo_connect(&duo);
	client = &duo.client.session->sealing.out;
	server = &duo.server.session->sealing.out;
	CHECK_BYTES(client->secret, duo.server.session->sealing.in.secret, SEAL_SECRET);
	CHECK_BYTES(server->secret, duo.client.session->sealing.in.secret, SEAL_SECRET);
	CHECK(memcmp(client->secret, server->secret, SEAL_SECRET));
	duo_connect(&duo);
	other = &duo.client.session->sealing.out;
	CHECK(memcmp(client->secret, other->secret, SEAL_SECRET));
	close_all();
}

static void keys_are_wiped(void **state)
{
	static const struct sealing none;
	struct srdma_session *session;

	(void)state;
	connected();
	session = duo.client.session;
	srdma_session_abort(session, "enough");
	DUO_UNTIL(&duo, duo.server.closed && duo.client.closed);
	CHECK_BYTES(&session->sealing, &none, sizeof(none));
	done();
}

/* A side that does not seal and one that insists: nothing comes about. */
static void no_common_protection(void **state)
{
	static const uint64_t masks[][2] = {
		{ SRDMA_PROTECTION_SEALED, SRDMA_PROTECTION_NONE },
		{ SRDMA_PROTECTION_NONE, SRDMA_PROTECTION_SEALED },
		{ SRDMA_PROTECTION_AES_256_GCM, SRDMA_PROTECTION_CHACHA20_POLY1305 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(masks) / sizeof(masks[0]); i++) {
		open_apart();
		CHECK_SRDMA(srdma_context_set_number(duo.server.context,
		                                     SRDMA_OPT_PROTECTION, masks[i][0]));
		CHECK_SRDMA(srdma_context_set_number(duo.client.context,
		                                     SRDMA_OPT_PROTECTION, masks[i][1]));
		duo_start(&duo);
		duo_dial(&duo, "127.0.0.1");
		DUO_UNTIL(&duo, duo.server.closed && duo.client.closed);
		CHECK_EQ(duo.server.code, SRDMA_EVERSION);
		CHECK_EQ(duo.client.code, SRDMA_EVERSION);
		CHECK(strstr(duo.client.reason, "no data protection that is allowed"));
		CHECK_EQ(duo.server.established + duo.client.established, 0);
		close_all();
	}
}

static void by_chacha20_poly1305(void **state)
{
	struct srdma_attestation attestation;

	(void)state;
	duo_protection = SRDMA_PROTECTION_CHACHA20_POLY1305;
	open_apart();
	duo_protection = 0;
	duo_start(&duo);
	duo_connect(&duo);
	CHECK_SRDMA(srdma_session_attestation(duo.client.session, &attestation,
	                                      sizeof(attestation)));
	assert_string_equal(attestation.protection, "chacha20-poly1305");
	CHECK_SRDMA(srdma_send(duo.client.session, "hello", 5, NULL));
	DUO_UNTIL(&duo, duo.server.messages == 1);
	CHECK_BYTES(duo.server.last, "hello", 5);
	close_all();
}

/*
 * A peer with a certificate, and keys
 */

static void expect_violation(const char *text)
{
	DUO_UNTIL(&duo, duo.server.closed && duo.client.closed);
	if (duo.server.code != SRDMA_EPROTOCOL || !strstr(duo.server.reason, text))
		check_failed(__FILE__, __LINE__, "%d '%s', not '%s'", duo.server.code,
		             duo.server.reason, text);
	CHECK_EQ(duo.client.code, SRDMA_EPROTOCOL);
	done();
}

static void own_message(enum message_type type, const void *prefix, size_t length)
{
	struct srdma_session *session = duo.client.session;

	CHECK_SRDMA(data_send_own(session, &(struct message){ .head = { .type = type },
	                                                      .prefix = prefix,
	                                                      .prefix_length = length }));
}

/* Memory of the server from which the client has 1000 bytes, from 100 on. */
static void granted(unsigned rights)
{
	struct srdma_buffer *buffer;
	struct srdma_grant *grant;

	connected();
	memset(theirs, 0x55, sizeof(theirs));
	CHECK_SRDMA(srdma_buffer_register(duo.server.session, theirs, SIZE, &buffer));
	CHECK_SRDMA(
	        srdma_grant(duo.server.session, buffer, 100, 1000, rights, 1, &grant));
	DUO_UNTIL(&duo, duo.client.grants == 1);
}

#define BOTH (SRDMA_RIGHT_READ | SRDMA_RIGHT_WRITE)

/* The client's library would not let these through. */
static void outside_of_the_grant(void **state)
{
	static const struct {
		unsigned rights;
		enum message_type type;
		uint8_t request[MESSAGE_REQUEST + 2]; /* id, word, offset; data */
	} cases[] = {
		{ BOTH, MESSAGE_WRITE, { 0, 0, 0, 2, [7] = 1 } },
		{ BOTH, MESSAGE_READ, { 0, 0, 0, 2, [7] = 2 } },
		{ SRDMA_RIGHT_READ, MESSAGE_WRITE, { 0, 0, 0, 1, [7] = 1 } },
		{ SRDMA_RIGHT_WRITE, MESSAGE_READ, { 0, 0, 0, 1, [7] = 2 } },
		/* 999 + 2, 1000 + 2, and 2^64 - 1 + 2 */
		{ BOTH, MESSAGE_WRITE, { 0, 0, 0, 1, [14] = 3, [15] = 0xe7 } },
		{ BOTH, MESSAGE_READ, { 0, 0, 0, 1, [7] = 2, [14] = 3, [15] = 0xe7 } },
		{ BOTH, MESSAGE_WRITE, { 0, 0, 0, 1, [14] = 3, [15] = 0xe8 } },
		{ BOTH,
		  MESSAGE_WRITE,
		  { 0, 0, 0, 1, 0, 0, 0, 1, 255, 255, 255, 255, 255, 255, 255, 255 } },
		{ BOTH,
		  MESSAGE_READ,
		  { 0, 0, 0, 1, 0, 0, 0, 2, 255, 255, 255, 255, 255, 255, 255, 255 } },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		granted(cases[i].rights);
		own_message(cases[i].type, cases[i].request,
		            cases[i].type == MESSAGE_WRITE ? MESSAGE_REQUEST + 2
		                                           : MESSAGE_REQUEST);
		expect_violation("not granted");
		for (size_t at = 0; at < SIZE; at++)
			CHECK_EQ(theirs[at], 0x55);
	}
}

static void malformed_requests(void **state)
{
	static const struct {
		enum message_type type;
		size_t length;
		uint8_t request[MESSAGE_REQUEST + 1];
	} cases[] = {
		{ MESSAGE_WRITE, 0, { 0 } },
		{ MESSAGE_WRITE, 15, { 0, 0, 0, 1 } },
		{ MESSAGE_WRITE, 16, { 0, 0, 0, 1, [7] = 1 } },         /* nothing */
		{ MESSAGE_WRITE, 17, { 0, 0, 0, 1, [7] = 2 } },         /* unknown flag */
		{ MESSAGE_READ, 15, { 0, 0, 0, 1 } },                   /* too short */
		{ MESSAGE_READ, 16, { 0, 0, 0, 1 } },                   /* nothing */
		{ MESSAGE_READ, 17, { 0, 0, 0, 1, [7] = 1 } },          /* too long */
		{ MESSAGE_READ, 16, { 0, 0, 0, 1, [5] = 1, [7] = 1 } }, /* too much */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		granted(BOTH);
		own_message(cases[i].type, cases[i].request, cases[i].length);
		expect_violation("malformed request");
	}
}

static void answers_nobody_asked_for(void **state)
{
	(void)state;
	connected();
	own_message(MESSAGE_WRITTEN, NULL, 0);
	expect_violation("answered what was not asked");
	connected();
	own_message(MESSAGE_READ_DATA, "x", 1);
	expect_violation("answered what was not asked");
}

static void more_requests_than_credits(void **state)
{
	static const uint8_t write[MESSAGE_REQUEST + 1] = { 0, 0, 0, 1 };

	(void)state;
	granted(BOTH);
	duo.server.keep = true;
	for (int i = 0; i < 16; i++)
		CHECK_SRDMA(srdma_send(duo.client.session, "x", 1, NULL));
	own_message(MESSAGE_WRITE, write, sizeof(write));
	expect_violation("more messages than it had credits for");
}

/* The device has nothing to do with it: no key of it is told, and none would work. */
static void nothing_by_rdma(void **state)
{
	struct ibv_qp_init_attr init;
	struct ibv_qp_attr attr;

	(void)state;
	if (duo_provider())
		skip(); /* it has no queue pairs to ask */
	granted(BOTH);
	CHECK_EQ(ibv_query_qp(to_verbs(duo.server.session->endpoint)->qp, &attr,
	                      IBV_QP_ACCESS_FLAGS, &init),
	         0);
	CHECK(!(attr.qp_access_flags &
	        (IBV_ACCESS_REMOTE_READ | IBV_ACCESS_REMOTE_WRITE)));
	done();
}

/*
 * Keys that change
 */

static void limit_keys(enum srdma_number_option option, uint64_t value)
{
	open_apart();
	CHECK_SRDMA(srdma_context_set_number(duo.server.context, option, value));
	CHECK_SRDMA(srdma_context_set_number(duo.client.context, option, value));
	duo_start(&duo);
	duo_connect(&duo);
}

struct side {
	struct duo_end *end;
	struct srdma_buffer *buffer;
	uint8_t *memory;
	uint32_t sent;
	unsigned started;
};

static struct side side_of(struct duo_end *end, uint8_t *memory)
{
	struct side side = { .end = end, .memory = memory };
	struct srdma_grant *grant;

	CHECK_SRDMA(srdma_buffer_register(end->session, memory, SIZE, &side.buffer));
	CHECK_SRDMA(srdma_grant(end->session, side.buffer, 0, SIZE / 2, BOTH, 1, &grant));
	return side;
}

/* Numbered messages, and a write and a read of several pieces now and then. */
static void load(struct side *side)
{
	static uint8_t message[1000];
	struct srdma_session *session = side->end->session;

	memcpy(message, &side->sent, sizeof(side->sent));
	if (srdma_send(session, message, sizeof(message), NULL) == 0)
		side->sent++;
	if (side->sent % 16 || side->started > side->sent / 16)
		return;
	if ((side->sent % 32 ? srdma_read : srdma_write)(session, side->buffer, SIZE / 2,
	                                                 side->end->remote, 0, SIZE / 2,
	                                                 side) == 0)
		side->started++;
}

static uint32_t keys_of(const struct duo_end *end)
{
	return end->session->sealing.out.key;
}

/* Until both sides have sealed under so many keys; then everything is there. */
static void load_both(uint32_t keys)
{
	uint64_t patience = deadline_in(PATIENCE_MS);
	struct side a = side_of(&duo.client, ours), b = side_of(&duo.server, theirs);

	DUO_UNTIL(&duo, duo.client.grants && duo.server.grants);
	while (keys_of(&duo.client) < keys || keys_of(&duo.server) < keys) {
		CHECK(!deadline_passed(patience) && !duo.server.closed &&
		      !duo.client.closed);
		load(&a);
		load(&b);
		duo_turn(&duo);
	}
	DUO_UNTIL(&duo, duo.server.messages == a.sent && duo.client.messages == b.sent);
	DUO_UNTIL(&duo, duo.client.completions == a.started &&
	                        duo.server.completions == b.started);
	CHECK(duo.client.in_order && duo.server.in_order);
	CHECK_EQ(duo.client.failures + duo.server.failures, 0);
	srdma_session_close(duo.client.session);
	DUO_UNTIL(&duo, duo.server.closed && duo.client.closed);
	CHECK_EQ(duo.client.code, SRDMA_ECLOSED);
	CHECK_EQ(duo.server.code, SRDMA_ECLOSED);
	close_all();
}

/* More than 256: the epoch comes round. */
static void rekeyed_by_count(void **state)
{
	(void)state;
	limit_keys(SRDMA_OPT_REKEY_MESSAGES, 1);
	load_both(300);
}

static void rekeyed_by_bytes(void **state)
{
	(void)state;
	limit_keys(SRDMA_OPT_REKEY_BYTES, 20000);
	load_both(20);
}

static void rekeyed_by_time(void **state)
{
	(void)state;
	limit_keys(SRDMA_OPT_REKEY_TIME, 1);
	load_both(20);
}

static void no_new_key_without_need(void **state)
{
	(void)state;
	connected();
	for (unsigned i = 0; i < 100; i++) {
		CHECK_SRDMA(srdma_send(duo.client.session, "x", 1, NULL));
		DUO_UNTIL(&duo, duo.server.messages == i + 1);
	}
	CHECK_EQ(keys_of(&duo.client), 0);
	CHECK(!duo.client.session->sealing.asked);
	done();
}

/* The peer that does not take the new key: the old one does twice its work, no more. */
static void held_until_the_peer_answers(void **state)
{
	enum { LIMIT = 5 };
	unsigned sent = 0;

	(void)state;
	limit_keys(SRDMA_OPT_REKEY_MESSAGES, LIMIT);
	while (srdma_send(duo.client.session, &sent, sizeof(sent), NULL) == 0)
		sent++;
	CHECK_EQ(sent, 2 * LIMIT);
	DUO_UNTIL(&duo, duo.client.writable > 0);
	CHECK_EQ(keys_of(&duo.client), 1);
	CHECK_SRDMA(srdma_send(duo.client.session, &sent, sizeof(sent), NULL));
	DUO_UNTIL(&duo, duo.server.messages == sent + 1);
	CHECK(duo.server.in_order);
	close_all();
}

static void inject(const struct frame *frame)
{
	CHECK_SRDMA(control_send(&duo.client.session->control, frame, NULL, NULL));
}

static void rekey_out_of_place(void **state)
{
	static const uint32_t wrong[] = { 0, 2, 257, UINT32_MAX };
	struct frame rekey = { .type = FRAME_REKEY };

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		connected();
		rekey.rekey.number = wrong[i];
		inject(&rekey);
		expect_violation("REKEY out of place");
	}
	connected();
	for (rekey.rekey.number = 1; rekey.rekey.number <= 3; rekey.rekey.number++)
		inject(&rekey);
	/* The answer to the first is out of place for the client, who asked nothing. */
	DUO_UNTIL(&duo, duo.server.closed && duo.client.closed);
	CHECK_EQ(duo.server.code, SRDMA_EPROTOCOL);
	done();
	connected();
	inject(&(struct frame){ .type = FRAME_REKEYED, .id = 1 });
	expect_violation("REKEYED out of place");
}

/* Epochs without a REKEY, and fresh bytes that are not the ones that were told. */
static void another_key_than_told(void **state)
{
	static const uint8_t mine[FRAME_FRESH] = { 1 };
	struct caught caught;

	(void)state;
	connected();
	CHECK_EQ(seal_advance(&duo.client.session->sealing.out, mine), 0);
	caught = catch_one();
	let_go(&caught);
	expect_broken(0);
	connected();
	duo.client.session->sealing.asked = true;
	memset(duo.client.session->sealing.out_fresh, 2, FRAME_FRESH);
	inject(&(struct frame){ .type = FRAME_REKEY, .rekey = { .number = 1 } });
	DUO_UNTIL(&duo, keys_of(&duo.client) == 1);
	caught = catch_one();
	let_go(&caught);
	expect_broken(0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unharmed),
		cmocka_unit_test(replayed),
		cmocka_unit_test(reordered),
		cmocka_unit_test(left_out),
		cmocka_unit_test(truncated),
		cmocka_unit_test(lengthened),
		cmocka_unit_test(altered),
		cmocka_unit_test(altered_answer),
		cmocka_unit_test(reflected),
		cmocka_unit_test(spliced),
		cmocka_unit_test(in_clear),
		cmocka_unit_test(keys_are_bound),
		cmocka_unit_test(keys_are_wiped),
		cmocka_unit_test(no_common_protection),
		cmocka_unit_test(by_chacha20_poly1305),
		cmocka_unit_test(outside_of_the_grant),
		cmocka_unit_test(malformed_requests),
		cmocka_unit_test(answers_nobody_asked_for),
		cmocka_unit_test(more_requests_than_credits),
		cmocka_unit_test(nothing_by_rdma),
		cmocka_unit_test(rekeyed_by_count),
		cmocka_unit_test(rekeyed_by_bytes),
		cmocka_unit_test(rekeyed_by_time),
		cmocka_unit_test(no_new_key_without_need),
		cmocka_unit_test(held_until_the_peer_answers),
		cmocka_unit_test(rekey_out_of_place),
		cmocka_unit_test(another_key_than_told),
	};

	return cmocka_run_group_tests(tests, pki_set_up, close_pki);
}
