/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Connections whose peers have not proved who they are: they take no session's place, and
 * when there are too many, the right one gives way.
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
#include <errno.h>
#include <fcntl.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/check.h"
#include "lib/deadline.h"
#include "lib/duo.h"
#include "lib/pki.h"

enum { LIMIT = 8, MANY = 10 * LIMIT };

static struct duo duo;

static int open_pki(void **state)
{
	(void)state;
	pki_open();
	return 0;
}

static int close_pki(void **state)
{
	(void)state;
	pki_close();
	return 0;
}

static void start(uint64_t handshakes, uint64_t sessions)
{
	duo_open(&duo);
	CHECK_SRDMA(srdma_context_set_number(duo.server.context, SRDMA_OPT_MAX_HANDSHAKES,
	                                     handshakes));
	CHECK_SRDMA(srdma_context_set_number(duo.server.context, SRDMA_OPT_MAX_SESSIONS,
	                                     sessions));
	CHECK_SRDMA(srdma_context_set_number(duo.server.context, SRDMA_OPT_STEP_TIMEOUT,
	                                     600000));
	duo_start(&duo);
}

static struct srdma_worker_stats stats(void)
{
	struct srdma_worker_stats now;

	srdma_worker_stats(duo.server.worker, &now, sizeof(now));
	return now;
}

/*
 * A peer of our own making
 */

struct peer {
	int fd;
	SSL_CTX *config;
	SSL *ssl;
};

/* It connects, and says nothing. In the listener's queue when this returns. */
static struct peer silent(void)
{
	const struct sockaddr_in there = {
		.sin_family = AF_INET,
		.sin_port = htons(srdma_listener_port(duo.listener)),
		.sin_addr = { htonl(INADDR_LOOPBACK) },
	};
	struct peer peer = { .fd = socket(AF_INET, SOCK_STREAM, 0) };

	CHECK_CALL(peer.fd);
	CHECK_CALL(connect(peer.fd, (const void *)&there, sizeof(there)));
	CHECK_CALL(fcntl(peer.fd, F_SETFL, O_NONBLOCK));
	return peer;
}

/* One step of the handshake: first the ClientHello, with an answer the rest. */
static bool advance(struct peer *peer)
{
	if (!peer->ssl) {
		peer->config = CHECK_OBJECT(SSL_CTX_new(TLS_client_method()));
		CHECK_EQ(SSL_CTX_use_certificate_chain_file(peer->config,
		                                            pki_path("client", ".pem")),
		         1);
		CHECK_EQ(SSL_CTX_use_PrivateKey_file(peer->config,
		                                     pki_path("client", ".key"),
		                                     SSL_FILETYPE_PEM),
		         1);
		peer->ssl = CHECK_OBJECT(SSL_new(peer->config));
		CHECK_EQ(SSL_set_fd(peer->ssl, peer->fd), 1);
	}
	return SSL_connect(peer->ssl) == 1;
}

static void end(struct peer *peer)
{
	SSL_free(peer->ssl);
	SSL_CTX_free(peer->config);
	close(peer->fd);
}

static bool has_word(const struct peer *peer)
{
	char byte;

	return recv(peer->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 1;
}

/* The server closed it, by FIN or (what it had sent was not read) by RST. */
static bool is_closed(const struct peer *peer)
{
	char byte;
	ssize_t n = recv(peer->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

	return n == 0 || (n < 0 && errno == ECONNRESET);
}

/* It sent its ClientHello, and has the answer, which it leaves where it is. */
static struct peer answered(void)
{
	struct peer peer = silent();

	CHECK(!advance(&peer));
	DUO_UNTIL(&duo, has_word(&peer));
	return peer;
}

static void begin(struct peer *peers, unsigned count, struct peer make(void))
{
	for (unsigned i = 0; i < count; i++)
		peers[i] = make();
}

static void end_all(struct peer *peers, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		end(&peers[i]);
}

static unsigned closed_of(const struct peer *peers, unsigned count)
{
	unsigned closed = 0;

	for (unsigned i = 0; i < count; i++)
		closed += is_closed(&peers[i]);
	return closed;
}

/* Its handshake goes through, and the server knows it. */
static void comes_through(struct peer *peer)
{
	uint64_t known = stats().handshakes;

	while (!advance(peer)) {
		CHECK(!is_closed(peer));
		duo_turn(&duo);
	}
	DUO_UNTIL(&duo, stats().handshakes == known - 1);
	assert_string_equal(duo.server.identity, "spiffe://test/client");
}

static void finish(void)
{
	DUO_UNTIL(&duo, !stats().handshakes);
	duo_close(&duo);
}

/*
 * Tests
 */

static void option(void **state)
{
	struct srdma_context *context;
	uint64_t value = 0;

	(void)state;
	CHECK_SRDMA(srdma_context_new(&context));
	CHECK_SRDMA(srdma_context_get_number(context, SRDMA_OPT_MAX_HANDSHAKES, &value));
	CHECK_EQ(value, 4096);
	CHECK_EQ(srdma_context_set_number(context, SRDMA_OPT_MAX_HANDSHAKES, 0),
	         SRDMA_EINVAL);
	CHECK_EQ(srdma_context_set_number(context, SRDMA_OPT_MAX_HANDSHAKES, 1000001),
	         SRDMA_EINVAL);
	srdma_context_free(context);
}

static void take_no_place_of_sessions(void **state)
{
	struct srdma_session *first_client, *first_server;
	struct peer peers[LIMIT];

	(void)state;
	start(LIMIT + 1, 1);
	begin(peers, LIMIT, silent);
	DUO_UNTIL(&duo, stats().handshakes == LIMIT);
	duo_connect(&duo);
	/* There is one place, and it is taken: the next is told so. */
	first_client = duo.client.session;
	first_server = duo.server.session;
	duo.server.closed = 0;
	duo_dial(&duo, "127.0.0.1");
	DUO_UNTIL(&duo, duo.client.closed && duo.server.closed);
	CHECK_EQ(duo.client.code, SRDMA_EREFUSED);
	CHECK(strstr(duo.client.reason, "limit of sessions") != NULL);
	CHECK_EQ(srdma_session_state(first_client), SRDMA_STATE_ESTABLISHED);
	/* With the first one gone, there is a place again. */
	srdma_session_free(duo.client.session);
	srdma_session_free(first_client);
	DUO_UNTIL(&duo, srdma_session_state(first_server) == SRDMA_STATE_CLOSED);
	srdma_session_free(first_server);
	duo.server.session = duo.client.session = NULL;
	duo.server.closed = duo.client.closed = 0;
	duo_connect(&duo);
	end_all(peers, LIMIT);
	finish();
}

static void oldest_silent_gives_way(void **state)
{
	struct peer peers[LIMIT + 2];

	(void)state;
	start(LIMIT, 1);
	begin(peers, LIMIT, silent);
	DUO_UNTIL(&duo, stats().handshakes == LIMIT);
	CHECK_EQ(stats().crowded_out, 0);
	begin(peers + LIMIT, 2, silent);
	DUO_UNTIL(&duo, duo.server.closed == 2);
	CHECK_EQ(duo.server.code, SRDMA_ECROWDED);
	CHECK(strstr(duo.server.reason, "gave way to a newer connection") != NULL);
	CHECK_EQ(srdma_category(SRDMA_ECROWDED), SRDMA_RESOURCE);
	CHECK_EQ(stats().crowded_out, 2);
	CHECK_EQ(stats().handshakes, LIMIT);
	CHECK(is_closed(&peers[0]) && is_closed(&peers[1]));
	CHECK_EQ(closed_of(peers + 2, LIMIT), 0);
	end_all(peers, LIMIT + 2);
	finish();
}

/* However many come that say nothing: who is in the middle of its handshake is left. */
static void silent_push_out_no_answered(void **state)
{
	struct peer first, peers[MANY];

	(void)state;
	start(LIMIT, 1);
	first = answered();
	begin(peers, MANY, silent);
	DUO_UNTIL(&duo, stats().crowded_out == MANY + 1 - LIMIT);
	CHECK_EQ(closed_of(peers, MANY), MANY + 1 - LIMIT);
	comes_through(&first);
	end_all(peers, MANY);
	end(&first);
	finish();
}

/* Nor do whole ClientHellos push out one whose own is on its way. */
static void answered_push_out_no_silent(void **state)
{
	struct peer first, peers[MANY];

	(void)state;
	start(LIMIT, 1);
	first = silent();
	begin(peers, MANY, answered);
	DUO_UNTIL(&duo, stats().crowded_out == MANY + 1 - LIMIT);
	CHECK(!is_closed(&first));
	comes_through(&first);
	end_all(peers, MANY);
	end(&first);
	finish();
}

/* The oldest of the answered is who gives way to another one of these. */
static void oldest_answered_gives_way(void **state)
{
	struct peer peers[LIMIT + 1];

	(void)state;
	start(LIMIT, 1);
	begin(peers, LIMIT + 1, answered);
	DUO_UNTIL(&duo, stats().crowded_out == 1);
	comes_through(&peers[LIMIT]);
	comes_through(&peers[1]);
	/* Behind what it was sent there is the end. */
	while (!advance(&peers[0]))
		if (SSL_get_error(peers[0].ssl, -1) != SSL_ERROR_WANT_READ)
			break;
	DUO_UNTIL(&duo, is_closed(&peers[0]));
	end_all(peers, LIMIT + 1);
	finish();
}

/* What came while the worker was busy is looked at before anybody has to go for it. */
static void who_is_to_go_is_heard(void **state)
{
	struct peer first, peers[MANY];

	(void)state;
	start(LIMIT, 1);
	first = silent();
	DUO_UNTIL(&duo, stats().handshakes == 1);
	CHECK(!advance(&first));
	begin(peers, MANY, silent);
	DUO_UNTIL(&duo, stats().crowded_out == MANY + 1 - LIMIT);
	comes_through(&first);
	end_all(peers, MANY);
	end(&first);
	finish();
}

static void limit_of_one(void **state)
{
	struct peer peers[2];

	(void)state;
	start(1, 1);
	begin(peers, 1, answered);
	begin(peers + 1, 1, silent);
	DUO_UNTIL(&duo, stats().crowded_out == 1);
	CHECK(!is_closed(&peers[1]));
	comes_through(&peers[1]);
	end_all(peers, 2);
	finish();
}

/* Those who leave, or are no TLS, are none any more; nor is who was crowded out twice. */
static void failures_leave(void **state)
{
	struct peer peers[LIMIT];

	(void)state;
	start(LIMIT, 1);
	begin(peers, LIMIT / 2, silent);
	begin(peers + LIMIT / 2, LIMIT / 2, answered);
	CHECK_EQ(stats().handshakes, LIMIT);
	for (unsigned i = 0; i < LIMIT; i += 2)
		CHECK_CALL(send(peers[i].fd, "GET / HTTP/1.0\r\n\r\n", 18, MSG_NOSIGNAL));
	DUO_UNTIL(&duo, stats().handshakes == LIMIT / 2);
	end_all(peers, LIMIT);
	DUO_UNTIL(&duo, !stats().handshakes);
	CHECK_EQ(stats().crowded_out, 0);
	duo.server.closed = 0; /* for who connects now */
	duo_connect(&duo);
	finish();
}

static void worker_ends_among_them(void **state)
{
	struct peer peers[MANY];

	(void)state;
	start(LIMIT, 1);
	begin(peers, MANY, silent);
	DUO_UNTIL(&duo, stats().handshakes == LIMIT);
	duo_close(&duo);
	end_all(peers, MANY);
}

static unsigned lines;

static void count_line(enum srdma_log_level level, const char *line, void *user)
{
	(void)user;
	lines += level == SRDMA_LOG_WARN && strstr(line, "had to give way") != NULL;
}

/* One line, and no more in ten seconds, however many there are. */
static void log_is_bounded(void **state)
{
	uint64_t from = now_ns(), most;
	struct peer peers[MANY];

	(void)state;
	lines = 0;
	srdma_log_to(count_line, NULL, SRDMA_LOG_WARN);
	start(LIMIT, 1);
	begin(peers, MANY, silent);
	DUO_UNTIL(&duo, stats().crowded_out == MANY - LIMIT);
	srdma_log_to(NULL, NULL, SRDMA_LOG_WARN);
	most = 1 + (now_ns() - from) / UINT64_C(10000000000);
	CHECK(lines >= 1 && lines <= most);
	end_all(peers, MANY);
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(option),
		cmocka_unit_test(take_no_place_of_sessions),
		cmocka_unit_test(oldest_silent_gives_way),
		cmocka_unit_test(silent_push_out_no_answered),
		cmocka_unit_test(answered_push_out_no_silent),
		cmocka_unit_test(oldest_answered_gives_way),
		cmocka_unit_test(who_is_to_go_is_heard),
		cmocka_unit_test(limit_of_one),
		cmocka_unit_test(failures_leave),
		cmocka_unit_test(worker_ends_among_them),
		cmocka_unit_test(log_is_bounded),
	};

	return cmocka_run_group_tests(tests, open_pki, close_pki);
}
