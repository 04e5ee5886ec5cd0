// SPDX-License-Identifier: BSD-2-Clause
#include "flood.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../unit/lib/check.h"
#include "../unit/lib/deadline.h"
#include "../unit/lib/duo.h"

enum {
	HONEST = 10,        /* one after the other */
	SESSIONS = 16,      /* the server's limit of these */
	FLOOD = 400,        /* connections, where the limit of handshakes is not ample */
	SCARCE = 32,        /* that limit */
	NONE = 1000000,     /* that limit, where there is to be none */
	PLACES = 200,       /* descriptors that the server may have for connections */
	COME_BACK = 8,      /* of those that were closed, in each turn */
	GARBAGE_PART = 4,   /* of so many half-open ones, one more that is no TLS */
	STAY_MS = 600000,   /* so that none ends by time while honest clients try */
	IN_VAIN_MS = 200,   /* that an honest client waits where it is to be in vain */
	BETWEEN_TURNS = 32, /* connections that wait to be accepted */
	DESCRIPTORS = 256,  /* for all else */
};

enum kind { SILENT, HALF_HELLO, WHOLE_HELLO, ABANDONED, GARBAGE };

struct scene {
	const char *name;
	unsigned int half_open, garbage;
	uint64_t limit;
	unsigned int places; /* for descriptors; 0: enough */
	bool comes_back;
	bool serves; /* what must come of it: all honest clients, or none */
};

struct flood {
	const struct scene *scene;
	struct duo duo;
	int *sockets; /* -1: left by itself */
	unsigned int count, next, connections;
	int reserved[HONEST]; /* descriptors of honest clients */
	uint8_t hello[4096];
	size_t hello_length;
};

/* As `flood`: turns until it is so. */
#define FLOOD_UNTIL(flood, condition)                                                   \
	do {                                                                            \
		uint64_t end_ = deadline_in(PATIENCE_MS);                               \
		while (!(condition)) {                                                  \
			if (deadline_passed(end_))                                      \
				check_failed(__FILE__, __LINE__, "never came true: %s", \
				             #condition);                               \
			turn(flood);                                                    \
		}                                                                       \
	} while (0)

static rlim_t allow_descriptors(rlim_t wanted)
{
	struct rlimit limit;
	rlim_t before;

	CHECK_CALL(getrlimit(RLIMIT_NOFILE, &limit));
	before = limit.rlim_cur;
	limit.rlim_cur = wanted;
	CHECK_CALL(setrlimit(RLIMIT_NOFILE, &limit));
	return before;
}

static struct srdma_worker_stats stats(const struct flood *flood)
{
	struct srdma_worker_stats now;

	srdma_worker_stats(flood->duo.server.worker, &now, sizeof(now));
	return now;
}

static uint64_t known(const struct flood *flood)
{
	return srdma_worker_sessions(flood->duo.server.worker) - stats(flood).handshakes;
}

/*
 * The flood
 */

/* As any client sends it. */
static void make_hello(struct flood *flood)
{
	SSL_CTX *config = CHECK_OBJECT(SSL_CTX_new(TLS_client_method()));
	SSL *ssl = CHECK_OBJECT(SSL_new(config));
	BIO *out = CHECK_OBJECT(BIO_new(BIO_s_mem()));

	SSL_set_bio(ssl, CHECK_OBJECT(BIO_new(BIO_s_mem())), out);
	CHECK(SSL_connect(ssl) != 1);
	CHECK_EQ(BIO_read_ex(out, flood->hello, sizeof(flood->hello),
	                     &flood->hello_length),
	         1);
	SSL_free(ssl);
	SSL_CTX_free(config);
}

static enum kind kind_of(const struct flood *flood, unsigned int i)
{
	unsigned int kinds = flood->scene->comes_back ? ABANDONED + 1 : WHOLE_HELLO + 1;

	return i >= flood->scene->half_open ? GARBAGE : (enum kind)(i % kinds);
}

/* The server may have closed it before it has spoken. */
static void say(int socket_, const void *words, size_t length)
{
	send(socket_, words, length, MSG_NOSIGNAL);
}

static int begin(struct flood *flood, enum kind kind)
{
	static const char no_tls[] = "GET / HTTP/1.0\r\n\r\n";
	const struct sockaddr_in there = {
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)strtoul(flood->duo.port, NULL, 10)),
		.sin_addr = { htonl(INADDR_LOOPBACK) },
	};
	int socket_ = socket(AF_INET, SOCK_STREAM, 0);

	CHECK_CALL(socket_);
	CHECK_CALL(connect(socket_, (const void *)&there, sizeof(there)));
	flood->connections++;
	switch (kind) {
	case SILENT: break;
	case HALF_HELLO: say(socket_, flood->hello, flood->hello_length / 2); break;
	case WHOLE_HELLO: say(socket_, flood->hello, flood->hello_length); break;
	case GARBAGE: say(socket_, no_tls, sizeof(no_tls) - 1); break;
	case ABANDONED: close(socket_); return -1;
	}
	return socket_;
}

static bool is_over(int socket_)
{
	struct pollfd look = { .fd = socket_, .events = POLLRDHUP };

	return socket_ < 0 || poll(&look, 1, 0) > 0;
}

/* Those who were closed, or left, connect once more. */
static void come_back(struct flood *flood)
{
	unsigned int back = 0;

	for (unsigned int i = 0; i < flood->count && back < COME_BACK; i++) {
		unsigned int at = flood->next++ % flood->count;

		if (!is_over(flood->sockets[at]))
			continue;
		if (flood->sockets[at] >= 0)
			close(flood->sockets[at]);
		flood->sockets[at] = begin(flood, kind_of(flood, at));
		back++;
	}
}

static void turn(struct flood *flood)
{
	if (flood->scene->comes_back)
		come_back(flood);
	duo_turn(&flood->duo);
}

/* Where descriptors are to run out, all are there before the server accepts one. */
static void begin_all(struct flood *flood)
{
	for (unsigned int i = 0; i < flood->count; i++) {
		flood->sockets[i] = begin(flood, kind_of(flood, i));
		if (!flood->scene->places && i % BETWEEN_TURNS == BETWEEN_TURNS - 1)
			duo_turn(&flood->duo);
	}
}

/* All that there is room for are there. */
static bool is_full(const struct flood *flood)
{
	const struct scene *scene = flood->scene;
	uint64_t now = stats(flood).handshakes;

	if (scene->limit == NONE)
		return now == PLACES;
	if (scene->places)
		return now == scene->limit && stats(flood).crowded_out > scene->limit;
	return now == scene->half_open && flood->duo.server.closed == scene->garbage;
}

/*
 * Honest clients
 */

/* Whether it had a session, and its message was taken. */
static bool serve_honest(struct flood *flood, int reserved)
{
	struct duo *duo = &flood->duo;
	unsigned established = duo->server.established, messages = duo->server.messages;
	unsigned failed = duo->client.closed, connected = duo->client.established;
	bool served;

	close(reserved);
	duo_dial(duo, "127.0.0.1");
	FLOOD_UNTIL(flood, (duo->client.established > connected &&
	                    duo->server.established > established) ||
	                           duo->client.closed > failed);
	served = duo->client.closed == failed;
	if (served) {
		CHECK_SRDMA(srdma_send(duo->client.session, "honest", 6, NULL));
		FLOOD_UNTIL(flood, duo->server.messages > messages);
	} else if (!flood->scene->serves) {
		CHECK_EQ(duo->client.code, SRDMA_ETIMEOUT);
	}
	srdma_session_free(duo->client.session);
	duo->client.session = NULL;
	FLOOD_UNTIL(flood, !known(flood));
	return served;
}

/*
 * Scenes
 */

static void open_duo(struct flood *flood)
{
	const struct scene *scene = flood->scene;
	struct duo *duo = &flood->duo;

	duo_protection = 0;
	duo_open(duo);
	CHECK_SRDMA(srdma_context_set_number(duo->server.context, SRDMA_OPT_MAX_SESSIONS,
	                                     SESSIONS));
	CHECK_SRDMA(srdma_context_set_number(duo->server.context,
	                                     SRDMA_OPT_MAX_HANDSHAKES, scene->limit));
	CHECK_SRDMA(srdma_context_set_number(duo->server.context, SRDMA_OPT_STEP_TIMEOUT,
	                                     STAY_MS));
	if (!scene->serves)
		CHECK_SRDMA(srdma_context_set_number(
		        duo->client.context, SRDMA_OPT_STEP_TIMEOUT,
		        (uint64_t)deadline_left_ms(deadline_in(IN_VAIN_MS))));
	duo->server.free_at_end = true;
	duo_start(duo);
}

/* From now on no more than that many can be opened: the lowest number is always the next.
 */
static rlim_t leave_descriptors(unsigned int places)
{
	int next = dup(STDERR_FILENO);

	CHECK_CALL(next);
	close(next);
	return allow_descriptors((rlim_t)next + places);
}

static bool play(const struct scene *scene)
{
	static struct flood flood;
	unsigned int served = 0;
	uint64_t crowded_out;
	rlim_t before = 0;

	flood = (struct flood){ .scene = scene,
		                .count = scene->half_open + scene->garbage };
	flood.sockets = CHECK_OBJECT(calloc(flood.count, sizeof(*flood.sockets)));
	make_hello(&flood);
	open_duo(&flood);
	begin_all(&flood);
	for (unsigned int i = 0; i < HONEST; i++)
		CHECK_CALL(flood.reserved[i] = dup(STDERR_FILENO));
	if (scene->places)
		before = leave_descriptors(scene->places);
	FLOOD_UNTIL(&flood, is_full(&flood));
	for (unsigned int i = 0; i < HONEST; i++)
		served += serve_honest(&flood, flood.reserved[i]);
	crowded_out = stats(&flood).crowded_out;
	if (scene->places)
		allow_descriptors(before);
	printf("| %-46s | %11u | %8llu | %2u of %u |\n", scene->name, flood.connections,
	       (unsigned long long)crowded_out, served, HONEST);
	fflush(stdout);
	for (unsigned int i = 0; i < flood.count; i++)
		if (flood.sockets[i] >= 0)
			close(flood.sockets[i]);
	DUO_UNTIL(&flood.duo, !srdma_worker_sessions(flood.duo.server.worker));
	free(flood.sockets);
	duo_close(&flood.duo);
	return served == (scene->serves ? HONEST : 0) &&
	       (crowded_out > 0) == (scene->limit == SCARCE);
}

bool flood(unsigned int half_open)
{
	unsigned int garbage = half_open / GARBAGE_PART;
	char ample[64];
	const struct scene scenes[] = {
		{ .name = "no limit: the server has no descriptors left",
		  .half_open = FLOOD,
		  .limit = NONE,
		  .places = PLACES },
		{ .name = "limit 32: who is closed comes back",
		  .half_open = FLOOD,
		  .limit = SCARCE,
		  .places = PLACES,
		  .comes_back = true,
		  .serves = true },
		{ .name = ample,
		  .half_open = half_open,
		  .garbage = garbage,
		  .limit = half_open + garbage,
		  .serves = true },
	};
	bool right = true;

	snprintf(ample, sizeof(ample), "ample limit: %u half-open, %u no TLS", half_open,
	         garbage);
	allow_descriptors(2 * (half_open + garbage) + DESCRIPTORS + 2 * FLOOD);
	printf("\n| %-46s | %-11s | %-8s | %-8s |\n", "handshake flood", "connections",
	       "gave way", "served");
	printf("|------------------------------------------------|-------------|---------"
	       "-"
	       "|----------|\n");
	for (unsigned int i = 0; i < sizeof(scenes) / sizeof(scenes[0]); i++)
		right &= play(&scenes[i]);
	if (!right)
		fprintf(stderr, "attack: handshake flood: not as it has to be\n");
	return right;
}
