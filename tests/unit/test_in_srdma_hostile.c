/* SPDX-License-Identifier: BSD-2-Clause */
/* Under valgrind it takes a minute by itself.
 * variants: plain asan tsan cov */
/*
 * Peers that stop, lie or flood. Those with a valid certificate too: each rule of the
 * protocol is broken once, and must end that session, with its name, within its time, and
 * nothing else.
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
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/check.h"
#include "lib/deadline.h"
#include "lib/duo.h"
#include "lib/pki.h"
#include "session/data.h"
#include "session/memory.h"
#include "session/session.h"
#include "session/verbs_endpoint.h"

static struct duo duo;

static int open_pki(void **state)
{
	(void)state;
	pki_open();
	/* What is slow the first time (OpenSSL loads, memcheck translates) is not to be
	 * timed. */
	duo_open(&duo);
	duo_start(&duo);
	duo_connect(&duo);
	duo_close(&duo);
	return 0;
}

/*
 * A peer of our own making: TLS and frames as the library has them, and no session.
 */

struct hostile {
	int fd;
	SSL_CTX *config;
	struct control control;
	bool has_control;
};

/* A time in milliseconds, longer where everything is slow. */
static void set_time(struct duo_end *end, enum srdma_number_option option, unsigned ms)
{
	int scaled = deadline_left_ms(deadline_in(ms));

	CHECK_SRDMA(srdma_context_set_number(end->context, option, (uint64_t)scaled));
}

static void start(unsigned step_ms)
{
	duo_open(&duo);
	set_time(&duo.server, SRDMA_OPT_STEP_TIMEOUT, step_ms);
	/* 4.096 us * 2^22: a queue pair that nobody answers outlives every step. */
	CHECK_SRDMA(
	        srdma_context_set_number(duo.server.context, SRDMA_OPT_ACK_TIMEOUT, 22));
	duo_start(&duo);
}

static void hostile_tcp(struct hostile *h)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
		                       .sin_port =
		                               htons(srdma_listener_port(duo.listener)),
		                       .sin_addr = { htonl(INADDR_LOOPBACK) } };

	memset(h, 0, sizeof(*h));
	h->fd = socket(AF_INET, SOCK_STREAM, 0);
	CHECK_CALL(h->fd);
	CHECK_CALL(connect(h->fd, (struct sockaddr *)&address, sizeof(address)));
	CHECK_CALL(fcntl(h->fd, F_SETFL, O_NONBLOCK));
}

static void hostile_tls(struct hostile *h)
{
	struct options options;
	struct tls *tls;
	int code;

	hostile_tcp(h);
	options_init(&options);
	CHECK_SRDMA(options_set_text(&options, SRDMA_OPT_CERTIFICATE,
	                             pki_path("client", ".pem")));
	CHECK_SRDMA(
	        options_set_text(&options, SRDMA_OPT_KEY, pki_path("client", ".key")));
	CHECK_SRDMA(options_set_text(&options, SRDMA_OPT_CA, pki_path("ca", ".pem")));
	CHECK_SRDMA(tls_config_new(&options, &h->config));
	options_clear(&options);
	CHECK_SRDMA(tls_new(h->config, h->fd, "localhost", "the victim", &tls));
	control_init(&h->control, tls);
	h->has_control = true;
	while ((code = tls_handshake(tls)) == SRDMA_EBLOCKED)
		duo_turn(&duo);
	CHECK_EQ(code, 0);
}

static void hostile_end(struct hostile *h)
{
	if (h->has_control)
		control_clear(&h->control);
	SSL_CTX_free(h->config);
	close(h->fd);
}

static void hostile_send(struct hostile *h, const struct frame *frame)
{
	CHECK_SRDMA(control_send(&h->control, frame, NULL, NULL));
}

static void hostile_bytes(struct hostile *h, const void *bytes, size_t length)
{
	size_t written;

	CHECK_SRDMA(tls_write(h->control.tls, bytes, length, &written));
	CHECK_EQ(written, length);
}

/* The next frame that the server sends. */
static void hostile_receive(struct hostile *h, struct frame *frame)
{
	uint64_t end = deadline_in(PATIENCE_MS);
	const uint8_t *raw;
	size_t length;
	int code;

	while ((code = control_next(&h->control, frame, &raw, &length)) ==
	       SRDMA_EBLOCKED) {
		CHECK(!deadline_passed(end));
		duo_turn(&duo);
	}
	CHECK_SRDMA(code);
}

static struct frame good_hello(void)
{
	return (struct frame){ .type = FRAME_HELLO,
		               .hello = { .version_min = 1,
		                          .version_max = 1,
		                          .role = ROLE_CLIENT,
		                          .transport = duo_provider()
		                                               ? SRDMA_TRANSPORT_FABRIC
		                                               : SRDMA_TRANSPORT_VERBS,
		                          .connect = SRDMA_CONNECT_DIRECT,
		                          .credits = 16,
		                          .protection = SRDMA_PROTECTION_SEALED,
		                          .message_size = 4096,
		                          .max_grants = 8 } };
}

/* Nobody has this QP number: nothing that is sent to it arrives. */
static struct frame good_endpoint(void)
{
	struct frame f = { .type = FRAME_ENDPOINT,
		           .endpoint = { .mtu = 3,
		                         .reads_out = 1,
		                         .reads_in = 1,
		                         .qpn = 0xfffffe,
		                         .psn = 1 } };

	f.endpoint.gid[10] = 0xff;
	f.endpoint.gid[11] = 0xff;
	f.endpoint.gid[12] = 127;
	f.endpoint.gid[15] = 1;
	return f;
}

static void expect_server(int code, const char *text)
{
	DUO_UNTIL(&duo, duo.server.closed);
	if (duo.server.code != code || !strstr(duo.server.reason, text))
		check_failed(__FILE__, __LINE__, "%d '%s', not %d '%s'", duo.server.code,
		             duo.server.reason, code, text);
	CHECK_EQ(duo.server.established, 0);
}

/* The server ends with the code, and tells the peer why. */
static void expect(struct hostile *h, int code, const char *text,
                   enum frame_reason reason)
{
	struct frame frame;

	expect_server(code, text);
	do
		hostile_receive(h, &frame);
	while (frame.type != FRAME_ERROR);
	CHECK_EQ(frame.error.reason, reason);
	CHECK(strlen(frame.error.text) > 10);
}

static void finish(struct hostile *h)
{
	hostile_end(h);
	/* The next client is served as ever. */
	duo.server.closed = 0;
	srdma_session_free(duo.server.session);
	duo.server.session = NULL;
	CHECK_EQ(srdma_worker_sessions(duo.server.worker), 0);
	duo_connect(&duo);
	duo_close(&duo);
}

/*
 * Before and in TLS
 */

static void silent_from_the_start(void **state)
{
	struct hostile h;

	(void)state;
	start(600);
	hostile_tcp(&h);
	expect_server(SRDMA_ETIMEOUT, "waited for the TLS handshake");
	finish(&h);
}

static void gone_at_once(void **state)
{
	struct hostile h;

	(void)state;
	start(30000);
	hostile_tcp(&h);
	shutdown(h.fd, SHUT_RDWR);
	expect_server(SRDMA_EVANISHED, "closed the connection without a word");
	finish(&h);
}

static void not_tls(void **state)
{
	struct hostile h;

	(void)state;
	start(30000);
	hostile_tcp(&h);
	CHECK_CALL(write(h.fd, "GET / HTTP/1.1\r\n\r\n", 18));
	expect_server(SRDMA_ETLS, "HTTP");
	finish(&h);
}

static void not_anything(void **state)
{
	struct hostile h;
	char zeros[64] = { 0 };

	(void)state;
	start(30000);
	hostile_tcp(&h);
	CHECK_CALL(write(h.fd, zeros, sizeof(zeros)));
	expect_server(SRDMA_ETLS, "TLS");
	finish(&h);
}

/*
 * With a certificate
 */

static void silent_after_tls(void **state)
{
	struct hostile h;

	(void)state;
	start(600);
	hostile_tls(&h);
	expect(&h, SRDMA_ETIMEOUT, "waited for HELLO", FRAME_LATE);
	finish(&h);
}

static void silent_after_hello(void **state)
{
	struct frame frame = good_hello();
	struct hostile h;

	(void)state;
	start(600);
	hostile_tls(&h);
	hostile_send(&h, &frame);
	hostile_receive(&h, &frame);
	CHECK_EQ(frame.type, FRAME_HELLO);
	CHECK_EQ(frame.hello.role, ROLE_SERVER);
	expect(&h, SRDMA_ETIMEOUT, "waited for ENDPOINT", FRAME_LATE);
	finish(&h);
}

/* A step's time is for the step, not for each byte of it: two steps' worth is not waited
 * for. */
static void slow_byte_by_byte(void **state)
{
	enum { STEP = 600, BYTES = 20 };
	uint8_t bytes[FRAME_MAX];
	struct frame frame = good_hello();
	struct hostile h;
	int sent = 0;

	(void)state;
	start(STEP);
	CHECK(frame_encode(&frame, bytes) > BYTES);
	hostile_tls(&h);
	while (!duo.server.closed && sent < BYTES) {
		uint64_t pause = deadline_in(2 * STEP / BYTES);
		size_t written;

		if (!tls_write(h.control.tls, bytes + sent, 1, &written))
			sent++;
		while (!duo.server.closed && !deadline_passed(pause))
			duo_turn(&duo);
	}
	CHECK(sent < BYTES);
	expect_server(SRDMA_ETIMEOUT, "waited for HELLO");
	finish(&h);
}

static void gone_after_hello(void **state)
{
	struct frame frame = good_hello();
	struct hostile h;

	(void)state;
	start(30000);
	hostile_tls(&h);
	hostile_send(&h, &frame);
	hostile_receive(&h, &frame);
	shutdown(h.fd, SHUT_RDWR);
	expect_server(SRDMA_EVANISHED, "closed the connection");
	finish(&h);
}

static void silent_without_proof(void **state)
{
	struct frame frame = good_hello();
	struct hostile h;

	(void)state;
	if (duo_provider())
		skip(); /* an ENDPOINT is of verbs */
	start(600);
	hostile_tls(&h);
	hostile_send(&h, &frame);
	frame = good_endpoint();
	hostile_send(&h, &frame);
	do
		hostile_receive(&h, &frame);
	while (frame.type != FRAME_READY);
	hostile_send(&h, &(struct frame){ .type = FRAME_READY });
	/* To say that its proof was right does not help: it wants ours. */
	DUO_UNTIL(&duo, srdma_session_state(duo.server.session) == SRDMA_STATE_PROVING);
	hostile_send(&h, &(struct frame){ .type = FRAME_PROVEN });
	expect(&h, SRDMA_ETIMEOUT, "waited for the proof", FRAME_LATE);
	finish(&h);
}

static void malformed_frame(void **state)
{
	static const uint8_t bytes[] = { 9, 1, 0, 0, 0, 0, 0, 0 };
	struct hostile h;

	(void)state;
	start(30000);
	hostile_tls(&h);
	hostile_bytes(&h, bytes, sizeof(bytes));
	expect(&h, SRDMA_EPROTOCOL, "version 9", FRAME_VIOLATION);
	finish(&h);
}

static void wrong_first_frame(void **state)
{
	static const enum frame_type types[] = { FRAME_ENDPOINT, FRAME_READY,
		                                 FRAME_PROVEN,   FRAME_GRANT,
		                                 FRAME_CLOSE,    FRAME_FIN,
		                                 FRAME_PING,     FRAME_REVOKED };

	(void)state;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		struct frame frame = good_endpoint();
		struct hostile h;

		start(30000);
		hostile_tls(&h);
		frame.type = types[i];
		if (frame.type != FRAME_ENDPOINT)
			memset(&frame.endpoint, 1, sizeof(frame.endpoint));
		hostile_send(&h, &frame);
		expect(&h, SRDMA_EPROTOCOL, "out of place", FRAME_VIOLATION);
		finish(&h);
	}
}

static void hello_twice(void **state)
{
	struct frame frame = good_hello();
	struct hostile h;

	(void)state;
	start(30000);
	hostile_tls(&h);
	hostile_send(&h, &frame);
	hostile_send(&h, &frame);
	expect(&h, SRDMA_EPROTOCOL, "second HELLO", FRAME_VIOLATION);
	finish(&h);
}

static void expect_bad_hello(const struct frame *frame, int code, const char *text,
                             enum frame_reason reason)
{
	struct hostile h;

	start(30000);
	hostile_tls(&h);
	hostile_send(&h, frame);
	expect(&h, code, text, reason);
	finish(&h);
}

static void hello_with_wrong_values(void **state)
{
	struct frame frame = good_hello();

	(void)state;
	frame.hello.role = ROLE_SERVER;
	expect_bad_hello(&frame, SRDMA_EPROTOCOL, "our own role", FRAME_VIOLATION);
	frame = good_hello();
	frame.hello.version_min = 2;
	frame.hello.version_max = 3;
	expect_bad_hello(&frame, SRDMA_EVERSION, "versions 2 to 3", FRAME_MISMATCH);
	frame = good_hello();
	frame.hello.transport = 9;
	expect_bad_hello(&frame, SRDMA_EVERSION, "transport", FRAME_MISMATCH);
	frame = good_hello();
	frame.hello.protection = 0x80;
	expect_bad_hello(&frame, SRDMA_EVERSION, "data protection", FRAME_MISMATCH);
	frame = good_hello();
	frame.hello.connect = 3;
	expect_bad_hello(&frame, SRDMA_EPROTOCOL, "no known way", FRAME_VIOLATION);
}

/* READY before we said so: our PSNs could not be read back any more. */
static void ready_too_early(void **state)
{
	struct frame frame = good_hello();
	struct hostile h;

	(void)state;
	start(30000);
	hostile_tls(&h);
	hostile_send(&h, &frame);
	hostile_send(&h, &(struct frame){ .type = FRAME_READY });
	expect(&h, SRDMA_EPROTOCOL, "READY out of place", FRAME_VIOLATION);
	finish(&h);
}

/*
 * Established peers: a session of the library, used from its inside.
 */

static void connected_in_clear(void)
{
	duo_protection = SRDMA_PROTECTION_NONE;
	duo_open(&duo);
	duo_protection = 0;
	duo_start(&duo);
	duo_connect(&duo);
}

static void connected(void)
{
	duo_open(&duo);
	duo_start(&duo);
	duo_connect(&duo);
}

static void inject(const struct frame *frame)
{
	CHECK_SRDMA(control_send(&duo.client.session->control, frame, NULL, NULL));
}

static void expect_violation(const char *text)
{
	DUO_UNTIL(&duo, duo.server.closed && duo.client.closed);
	if (duo.server.code != SRDMA_EPROTOCOL || !strstr(duo.server.reason, text))
		check_failed(__FILE__, __LINE__, "%d '%s', not '%s'", duo.server.code,
		             duo.server.reason, text);
	CHECK_EQ(duo.client.code, SRDMA_EPROTOCOL);
	CHECK(strstr(duo.client.reason, "ended the session") != NULL);
	duo_close(&duo);
}

static void frames_out_of_place(void **state)
{
	static const struct {
		struct frame frame;
		const char *text;
	} cases[] = {
		{ { .type = FRAME_READY }, "READY out of place" },
		{ { .type = FRAME_PROVEN }, "PROVEN out of place" },
		{ { .type = FRAME_FIN }, "FIN out of place" },
		{ { .type = FRAME_CLOSE_ACK, .count = 1 }, "CLOSE_ACK out of place" },
		{ { .type = FRAME_CLOSE, .count = 0 }, "miscounted" },
		{ { .type = FRAME_REVOKE, .id = 1 }, "revoked what it had not granted" },
		{ { .type = FRAME_REVOKED, .id = 1 }, "confirmed a revocation" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		connected();
		inject(&cases[i].frame);
		expect_violation(cases[i].text);
	}
}

static void close_twice(void **state)
{
	struct frame frame = { .type = FRAME_CLOSE, .count = 100 };

	(void)state;
	connected();
	inject(&frame);
	inject(&frame);
	expect_violation("CLOSE twice");
}

static void too_many_grants(void **state)
{
	struct frame frame = { .type = FRAME_GRANT,
		               .grant = { .rights = 1, .length = 1 } };

	(void)state;
	connected();
	for (unsigned i = 0; i < 65; i++) {
		frame.grant.id = i;
		inject(&frame);
	}
	expect_violation("more than agreed");
}

/* It claims messages that never come: the close has its own time. */
static void close_that_never_ends(void **state)
{
	struct frame frame = { .type = FRAME_CLOSE, .count = 100 };

	(void)state;
	duo_open(&duo);
	set_time(&duo.server, SRDMA_OPT_CLOSE_TIMEOUT, 200);
	duo_start(&duo);
	duo_connect(&duo);
	inject(&frame);
	DUO_UNTIL(&duo, duo.server.closed && duo.client.closed);
	CHECK_EQ(duo.server.code, SRDMA_ETIMEOUT);
	CHECK_EQ(duo.client.code, SRDMA_ETIMEOUT);
	duo_close(&duo);
}

static void more_messages_than_credits(void **state)
{
	(void)state;
	duo_open(&duo);
	CHECK_SRDMA(srdma_context_set_number(duo.server.context, SRDMA_OPT_CREDITS, 2));
	duo_start(&duo);
	duo_connect(&duo);
	duo.server.keep = true;
	duo.client.session->data.credits += 2;
	for (int i = 0; i < 3; i++)
		CHECK_SRDMA(srdma_send(duo.client.session, "x", 1, NULL));
	DUO_UNTIL(&duo, duo.server.closed);
	CHECK_EQ(duo.server.messages, 2);
	expect_violation("more messages than it had credits for");
}

static void own_message(enum message_type type, uint16_t credits, size_t length)
{
	static const char bytes[64];

	/* It has none to give back: or it would find that it owes very many. */
	duo.client.session->data.owed += credits;
	duo.client.session->data.uncredited += credits;
	CHECK_SRDMA(data_send_own(
	        duo.client.session,
	        &(struct message){ .head = { .type = type, .credits = credits },
	                           .data = bytes,
	                           .length = length }));
}

static void malformed_messages(void **state)
{
	(void)state;
	connected_in_clear();
	own_message(MESSAGE_CREDIT, 5, 0);
	expect_violation("gave back credits that were not taken");
	connected_in_clear();
	own_message(MESSAGE_CREDIT, 0, 0);
	expect_violation("malformed CREDIT");
	connected_in_clear();
	own_message(MESSAGE_PROOF, 0, 32);
	expect_violation("proof out of place");
	connected_in_clear();
	own_message(7, 0, 1);
	expect_violation("without a valid head");
}

static void message_larger_than_agreed(void **state)
{
	(void)state;
	connected();
	duo.client.session->data.message_max = 60000;
	CHECK_SRDMA(srdma_send(duo.client.session, duo.client.last, 20000, NULL));
	DUO_UNTIL(&duo, duo.server.closed && duo.client.closed);
	CHECK_EQ(duo.server.code, SRDMA_EPROTOCOL);
	CHECK(strstr(duo.server.reason, "larger than agreed") != NULL);
	duo_close(&duo);
}

/* Access to memory that was not granted ends in the device, and both sides learn of it.
 */
static void access_without_grant(void **state)
{
	static uint8_t mine[64], theirs[64];
	struct frame_grant forged = {
		.id = 1, .rights = 3, .length = 64, .key = 0x12345678
	};
	struct srdma_buffer *buffer, *other;
	int mark;

	(void)state;
	connected_in_clear();
	CHECK_SRDMA(srdma_buffer_register(duo.client.session, mine, 64, &buffer));
	CHECK_SRDMA(srdma_buffer_register(duo.server.session, theirs, 64, &other));
	forged.address = (uintptr_t)theirs;
	forged.key = ((struct ibv_mr *)other->region.handle)
	                     ->rkey; /* registered, but not for remote access */
	memset(mine, 0xaa, sizeof(mine));
	remote_granted(duo.client.session, &forged);
	CHECK_SRDMA(srdma_write(duo.client.session, buffer, 0, duo.client.remote, 0, 64,
	                        &mark));
	DUO_UNTIL(&duo, duo.server.closed && duo.client.closed);
	CHECK_EQ(duo.client.failures, 1);
	CHECK(duo.client.code == SRDMA_ENETWORK || duo.client.code == SRDMA_EVANISHED);
	CHECK(duo.server.code == SRDMA_ENETWORK || duo.server.code == SRDMA_EVANISHED);
	for (size_t i = 0; i < sizeof(theirs); i++)
		CHECK_EQ(theirs[i], 0);
	duo_close(&duo);
}

/*
 * The proof
 */

static void advance_to_ready(void)
{
	duo_open(&duo);
	duo_start(&duo);
	duo_dial(&duo, "127.0.0.1");
	DUO_UNTIL(&duo, duo.client.session->phase == PHASE_ENDPOINT);
}

static void wrong_key_of_the_proof(void **state)
{
	(void)state;
	advance_to_ready();
	duo.client.session->handshake->proof_key[0] ^= 1;
	DUO_UNTIL(&duo, duo.server.closed && duo.client.closed);
	CHECK(duo.server.code == SRDMA_EPROOF && duo.client.code == SRDMA_EPROOF);
	CHECK_EQ(duo.server.established + duo.client.established, 0);
	duo_close(&duo);
}

/* The two ends disagree on what was exchanged, be it one bit. */
static void altered_endpoint(void **state)
{
	(void)state;
	advance_to_ready();
	duo.client.session->handshake->transcript.frames[0][1][FRAME_HEADER + 11] ^= 1;
	DUO_UNTIL(&duo, duo.server.closed && duo.client.closed);
	CHECK(duo.server.code == SRDMA_EPROOF || duo.client.code == SRDMA_EPROOF);
	CHECK_EQ(duo.server.established + duo.client.established, 0);
	duo_close(&duo);
}

/* A queue pair whose PSN is another than the exchanged one: nothing gets through. */
static void another_psn_than_exchanged(void **state)
{
	(void)state;
	if (duo_provider())
		skip(); /* there are none */
	duo_open(&duo);
	set_time(&duo.server, SRDMA_OPT_STEP_TIMEOUT, 500);
	set_time(&duo.client, SRDMA_OPT_STEP_TIMEOUT, 500);
	duo_start(&duo);
	duo_dial(&duo, "127.0.0.1");
	DUO_UNTIL(&duo, duo.client.session->phase == PHASE_ENDPOINT);
	to_verbs(duo.client.session->endpoint)->psn ^= 0x5a5a5a;
	DUO_UNTIL(&duo, duo.server.closed && duo.client.closed);
	CHECK_EQ(duo.server.established + duo.client.established, 0);
	duo_close(&duo);
}

/* PSNs are wiped as soon as the device has them. */
static void nothing_secret_stays(void **state)
{
	(void)state;
	connected();
	CHECK_EQ(to_verbs(duo.client.session->endpoint)->psn, 0);
	CHECK_EQ(to_verbs(duo.client.session->endpoint)->peer_psn, 0);
	CHECK(!duo.client.session->handshake && !duo.server.session->handshake);
	CHECK(!duo.client.session->control.in && !duo.client.session->control.out);
	duo_close(&duo);
}

/*
 * Liveness
 */

static void peer_that_falls_silent(void **state)
{
	uint64_t end;

	(void)state;
	duo_open(&duo);
	set_time(&duo.server, SRDMA_OPT_KEEPALIVE, 50);
	duo_start(&duo);
	duo_connect(&duo);
	/* While the client runs it answers, whatever the time. */
	end = deadline_in(500);
	while (!deadline_passed(end))
		duo_turn(&duo);
	CHECK(!duo.server.closed);
	end = deadline_in(PATIENCE_MS);
	while (!duo.server.closed) {
		CHECK(!deadline_passed(end));
		CHECK(srdma_worker_run(duo.server.worker, 50) >= 0);
	}
	CHECK_EQ(duo.server.code, SRDMA_ETIMEOUT);
	CHECK(strstr(duo.server.reason, "has been silent") != NULL);
	duo_close(&duo);
}

/* Copies of large messages need registered memory only while there are any. */
static void idle_session_gives_memory_back(void **state)
{
	static char bytes[10000];

	(void)state;
	duo_open(&duo);
	set_time(&duo.client, SRDMA_OPT_KEEPALIVE, 100);
	duo_start(&duo);
	duo_connect(&duo);
	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 0; i < 10; i++)
			CHECK_SRDMA(srdma_send(duo.client.session, bytes, sizeof(bytes),
			                       NULL));
		CHECK(duo.client.session->data.slab.handle != NULL);
		DUO_UNTIL(&duo, duo.server.messages == 10 * (round + 1));
		DUO_UNTIL(&duo, !duo.client.session->data.slab.handle);
	}
	CHECK(!duo.client.closed && !duo.server.closed);
	duo_close(&duo);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(silent_from_the_start),
		cmocka_unit_test(gone_at_once),
		cmocka_unit_test(not_tls),
		cmocka_unit_test(not_anything),
		cmocka_unit_test(silent_after_tls),
		cmocka_unit_test(silent_after_hello),
		cmocka_unit_test(slow_byte_by_byte),
		cmocka_unit_test(gone_after_hello),
		cmocka_unit_test(silent_without_proof),
		cmocka_unit_test(malformed_frame),
		cmocka_unit_test(wrong_first_frame),
		cmocka_unit_test(hello_twice),
		cmocka_unit_test(hello_with_wrong_values),
		cmocka_unit_test(ready_too_early),
		cmocka_unit_test(frames_out_of_place),
		cmocka_unit_test(close_twice),
		cmocka_unit_test(too_many_grants),
		cmocka_unit_test(close_that_never_ends),
		cmocka_unit_test(more_messages_than_credits),
		cmocka_unit_test(malformed_messages),
		cmocka_unit_test(message_larger_than_agreed),
		cmocka_unit_test(access_without_grant),
		cmocka_unit_test(wrong_key_of_the_proof),
		cmocka_unit_test(altered_endpoint),
		cmocka_unit_test(another_psn_than_exchanged),
		cmocka_unit_test(nothing_secret_stays),
		cmocka_unit_test(peer_that_falls_silent),
		cmocka_unit_test(idle_session_gives_memory_back),
	};

	return cmocka_run_group_tests(tests, open_pki, pki_tear_down);
}
