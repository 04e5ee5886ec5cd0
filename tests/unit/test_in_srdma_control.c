/* SPDX-License-Identifier: BSD-2-Clause */
/* TLS and the control channel over a socket pair, without sessions or a device. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/check.h"
#include "lib/pki.h"
#include "session/control.h"
#include "session/proof.h"
#include "srdma.h"

static int sockets[2];
static SSL_CTX *configs[2];
static struct control ends[2]; /* server, client */

static SSL_CTX *config_of(const char *name)
{
	struct options options;
	SSL_CTX *config;

	options_init(&options);
	CHECK_EQ(
	        options_set_text(&options, SRDMA_OPT_CERTIFICATE, pki_path(name, ".pem")),
	        0);
	CHECK_EQ(options_set_text(&options, SRDMA_OPT_KEY, pki_path(name, ".key")), 0);
	CHECK_EQ(options_set_text(&options, SRDMA_OPT_CA, pki_path("ca", ".pem")), 0);
	CHECK_EQ(tls_config_new(&options, &config), 0);
	options_clear(&options);
	return config;
}

static int open_pki(void **state)
{
	(void)state;
	pki_open();
	configs[0] = config_of("server");
	configs[1] = config_of("client");
	return 0;
}

static int close_pki(void **state)
{
	(void)state;
	SSL_CTX_free(configs[0]);
	SSL_CTX_free(configs[1]);
	pki_close();
	return 0;
}

static void connect_ends(void)
{
	int codes[2] = { SRDMA_EBLOCKED, SRDMA_EBLOCKED };

	CHECK_CALL(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, sockets));
	for (int i = 0; i < 2; i++) {
		struct tls *tls;

		CHECK_EQ(tls_new(configs[i], sockets[i], i ? "localhost" : NULL,
		                 i ? "server x" : "client y", &tls),
		         0);
		control_init(&ends[i], tls);
	}
	for (int round = 0; round < 10 && (codes[0] || codes[1]); round++)
		for (int i = 0; i < 2; i++)
			if (codes[i] == SRDMA_EBLOCKED)
				codes[i] = tls_handshake(ends[i].tls);
	CHECK_EQ(codes[0], 0);
	CHECK_EQ(codes[1], 0);
}

static void disconnect_ends(void)
{
	for (int i = 0; i < 2; i++) {
		control_clear(&ends[i]);
		if (sockets[i] >= 0)
			close(sockets[i]);
	}
}

static int next(int end, struct frame *out)
{
	const uint8_t *raw;
	size_t length;

	return control_next(&ends[end], out, &raw, &length);
}

static void both_ends_derive_the_same_keys(void **state)
{
	uint8_t keys[3][PROOF_SIZE];
	char text[64];

	(void)state;
	connect_ends();
	CHECK_EQ(tls_export(ends[0].tls, PROOF_LABEL, NULL, 0, keys[0], PROOF_SIZE), 0);
	CHECK_EQ(tls_export(ends[1].tls, PROOF_LABEL, NULL, 0, keys[1], PROOF_SIZE), 0);
	CHECK_EQ(tls_export(ends[1].tls, "EXPORTER-other", NULL, 0, keys[2], PROOF_SIZE),
	         0);
	CHECK_BYTES(keys[0], keys[1], PROOF_SIZE);
	CHECK(memcmp(keys[0], keys[2], PROOF_SIZE) != 0);
	tls_describe(ends[0].tls, text, sizeof(text));
	CHECK(!strncmp(text, "TLSv1.3 ", 8));
	disconnect_ends();
	/* Another session, with the same certificates, has others. */
	connect_ends();
	CHECK_EQ(tls_export(ends[0].tls, PROOF_LABEL, NULL, 0, keys[1], PROOF_SIZE), 0);
	CHECK(memcmp(keys[0], keys[1], PROOF_SIZE) != 0);
	disconnect_ends();
}

static void frames_both_ways(void **state)
{
	struct frame frame;

	(void)state;
	connect_ends();
	CHECK_EQ(next(0, &frame), SRDMA_EBLOCKED);
	for (uint64_t i = 0; i < 300; i++) {
		CHECK_EQ(control_send(&ends[i & 1],
		                      &(struct frame){ .type = FRAME_PING, .count = i },
		                      NULL, NULL),
		         0);
		if (i % 7)
			continue;
		for (int end = 0; end < 2; end++)
			while (!next(end, &frame))
				CHECK_EQ(frame.type, FRAME_PING);
	}
	/* Nothing waits: no memory is held. */
	for (int end = 0; end < 2; end++) {
		while (!next(end, &frame))
			CHECK_EQ(frame.count & 1, (unsigned)!end);
		CHECK(!ends[end].in && !ends[end].out);
		CHECK(!control_wants_write(&ends[end]));
	}
	disconnect_ends();
}

static void raw_bytes_are_the_frame(void **state)
{
	struct frame frame = { .type = FRAME_REVOKE, .id = 5 }, out;
	uint8_t sent[FRAME_MAX];
	const uint8_t *raw;
	size_t sent_length, length;

	(void)state;
	connect_ends();
	CHECK_EQ(control_send(&ends[1], &frame, sent, &sent_length), 0);
	CHECK_EQ(control_next(&ends[0], &out, &raw, &length), 0);
	CHECK_EQ(length, sent_length);
	CHECK_BYTES(raw, sent, length);
	disconnect_ends();
}

static void frame_in_pieces(void **state)
{
	uint8_t bytes[FRAME_MAX];
	struct frame frame = { .type = FRAME_PING, .count = 0x0102030405060708 }, out;
	size_t length = frame_encode(&frame, bytes), written;

	(void)state;
	connect_ends();
	for (size_t i = 0; i < length; i++) {
		CHECK_EQ(next(0, &out), SRDMA_EBLOCKED);
		CHECK_EQ(tls_write(ends[1].tls, bytes + i, 1, &written), 0);
	}
	CHECK_EQ(next(0, &out), 0);
	CHECK_EQ(out.count, frame.count);
	disconnect_ends();
}

/* What waits for a peer that does not read is bounded, and then it is given up on. */
static void peer_that_does_not_read(void **state)
{
	struct frame ping = { .type = FRAME_PING }, out;
	unsigned sent = 0, received = 0;
	int code;

	(void)state;
	connect_ends();
	while ((code = control_send(&ends[0], &ping, NULL, NULL)) == 0)
		CHECK(++sent < 10000000);
	CHECK_EQ(code, SRDMA_EPROTOCOL);
	CHECK(strstr(srdma_detail(), "does not read") != NULL);
	CHECK(ends[0].out_size <= CONTROL_QUEUE_MAX);
	CHECK(control_wants_write(&ends[0]));
	/* What was taken arrives all the same, once it reads. */
	do {
		while (!next(1, &out))
			received++;
	} while (control_flush(&ends[0]) == SRDMA_EBLOCKED || received < sent);
	CHECK_EQ(received, sent);
	disconnect_ends();
}

static void end_of_the_stream(void **state)
{
	struct frame out;

	(void)state;
	connect_ends();
	CHECK_EQ(control_send(&ends[1], &(struct frame){ .type = FRAME_FIN }, NULL, NULL),
	         0);
	tls_close_notify(ends[1].tls);
	CHECK_EQ(next(0, &out), 0);
	CHECK_EQ(out.type, FRAME_FIN);
	CHECK_EQ(next(0, &out), SRDMA_EVANISHED);
	disconnect_ends();
	connect_ends();
	close(sockets[1]);
	sockets[1] = -1;
	CHECK_EQ(next(0, &out), SRDMA_EVANISHED);
	CHECK(strstr(srdma_detail(), "client y") != NULL);
	disconnect_ends();
}

/* A write to a peer that is gone must not kill the process. */
static void no_sigpipe(void **state)
{
	struct frame ping = { .type = FRAME_PING };
	int code = 0;

	(void)state;
	CHECK(signal(SIGPIPE, SIG_DFL) != SIG_ERR);
	connect_ends();
	close(sockets[1]);
	sockets[1] = -1;
	for (int i = 0; i < 10 && !code; i++)
		code = control_send(&ends[0], &ping, NULL, NULL);
	CHECK_EQ(code, SRDMA_EVANISHED);
	disconnect_ends();
}

static void only_tls_1_3(void **state)
{
	SSL_CTX *old = SSL_CTX_new(TLS_client_method());
	SSL *ssl = CHECK_OBJECT(SSL_new(old));
	struct tls *server;
	int code = SRDMA_EBLOCKED;

	(void)state;
	CHECK_CALL(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, sockets));
	CHECK(SSL_set_max_proto_version(ssl, TLS1_2_VERSION));
	CHECK(SSL_set_fd(ssl, sockets[1]));
	SSL_set_connect_state(ssl);
	CHECK_EQ(tls_new(configs[0], sockets[0], NULL, "client y", &server), 0);
	for (int i = 0; i < 10 && code == SRDMA_EBLOCKED; i++) {
		SSL_do_handshake(ssl);
		code = tls_handshake(server);
	}
	CHECK_EQ(code, SRDMA_ETLS);
	assert_string_equal(srdma_detail(), "client y does not speak TLS 1.3");
	tls_free(server);
	SSL_free(ssl);
	SSL_CTX_free(old);
	close(sockets[0]);
	close(sockets[1]);
}

/* No session can be resumed: whoever connects shows a certificate, each time. */
static void no_tickets(void **state)
{
	struct frame out;

	(void)state;
	connect_ends();
	CHECK_EQ(control_send(&ends[0], &(struct frame){ .type = FRAME_FIN }, NULL, NULL),
	         0);
	CHECK_EQ(next(1, &out), 0);
	CHECK_EQ(SSL_CTX_sess_number(configs[0]) + SSL_CTX_sess_number(configs[1]), 0);
	CHECK_EQ(SSL_CTX_get_num_tickets(configs[0]), 0);
	disconnect_ends();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_ends_derive_the_same_keys),
		cmocka_unit_test(frames_both_ways),
		cmocka_unit_test(raw_bytes_are_the_frame),
		cmocka_unit_test(frame_in_pieces),
		cmocka_unit_test(peer_that_does_not_read),
		cmocka_unit_test(end_of_the_stream),
		cmocka_unit_test(no_sigpipe),
		cmocka_unit_test(only_tls_1_3),
		cmocka_unit_test(no_tickets),
	};

	return cmocka_run_group_tests(tests, open_pki, close_pki);
}
