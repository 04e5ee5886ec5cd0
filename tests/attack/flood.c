// SPDX-License-Identifier: BSD-2-Clause
#include "flood.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../unit/lib/check.h"
#include "../unit/lib/deadline.h"
#include "../unit/lib/duo.h"

enum {
	HONEST = 10,        /* one after the other */
	ROOM = 16,          /* sessions, beside the flood */
	GARBAGE_PART = 4,   /* of so many half-open ones, one more that is no TLS */
	STAY_MS = 600000,   /* so that none ends by time while honest clients try */
	BETWEEN_TURNS = 32, /* connections that wait to be accepted */
	DESCRIPTORS = 256,  /* for all else */
};

/* A record of 512 bytes, of which no more comes; and what is none. */
static const char half_hello[] = "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";
static const char no_tls[] = "GET / HTTP/1.0\r\n\r\n";

struct flood {
	struct duo duo;
	int *sockets;
	unsigned int half_open, garbage;
};

static void allow_descriptors(unsigned int wanted)
{
	struct rlimit limit;

	CHECK_CALL(getrlimit(RLIMIT_NOFILE, &limit));
	if (limit.rlim_cur >= wanted)
		return;
	limit.rlim_cur = wanted;
	CHECK_CALL(setrlimit(RLIMIT_NOFILE, &limit));
}

static int begin(const struct flood *flood, const char *said, size_t length)
{
	const struct sockaddr_in there = {
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)strtoul(flood->duo.port, NULL, 10)),
		.sin_addr = { htonl(INADDR_LOOPBACK) },
	};
	int socket_ = socket(AF_INET, SOCK_STREAM, 0);

	CHECK_CALL(socket_);
	CHECK_CALL(connect(socket_, (const void *)&there, sizeof(there)));
	if (length)
		CHECK_EQ(send(socket_, said, length, 0), (ssize_t)length);
	return socket_;
}

/* On either end: clients have none while the flood begins, nor when all is over. */
static uint64_t sessions_now(void)
{
	struct srdma_objects objects;

	srdma_objects(&objects, sizeof(objects));
	return objects.sessions;
}

static int begin_one(const struct flood *flood, unsigned int i)
{
	if (i >= flood->half_open)
		return begin(flood, no_tls, sizeof(no_tls) - 1);
	return begin(flood, half_hello, i % 2 ? sizeof(half_hello) - 1 : 0);
}

/* Until those that are no TLS are refused, and all others stay. */
static void begin_all(struct flood *flood)
{
	struct duo *duo = &flood->duo;
	unsigned int all = flood->half_open + flood->garbage;

	for (unsigned int i = 0; i < all; i++) {
		flood->sockets[i] = begin_one(flood, i);
		if (i % BETWEEN_TURNS == BETWEEN_TURNS - 1)
			duo_turn(duo);
	}
	DUO_UNTIL(duo, duo->server.closed == flood->garbage &&
	                       sessions_now() == flood->half_open);
}

/* Whether it had a session, and its message was taken; else it was told the limit. */
static bool serve_honest(struct duo *duo)
{
	unsigned established = duo->server.established, ended = duo->server.closed;
	unsigned refused = duo->client.closed, messages = duo->server.messages;
	bool served;

	duo_dial(duo, "127.0.0.1");
	DUO_UNTIL(duo, (duo->client.established > established &&
	                duo->server.established > established) ||
	                       duo->client.closed > refused);
	served = duo->client.closed == refused;
	if (served) {
		CHECK_SRDMA(srdma_send(duo->client.session, "honest", 6, NULL));
		DUO_UNTIL(duo, duo->server.messages > messages);
	} else {
		CHECK_EQ(duo->client.code, SRDMA_EREFUSED);
	}
	srdma_session_free(duo->client.session);
	duo->client.session = NULL;
	DUO_UNTIL(duo, duo->server.closed > ended);
	return served;
}

/* How many honest clients were. Limit: of the server's sessions. */
static unsigned int serve_beside(unsigned int half_open, unsigned int garbage,
                                 unsigned int limit)
{
	static struct flood flood;
	unsigned int served = 0;

	flood.half_open = half_open;
	flood.garbage = garbage;
	flood.sockets = CHECK_OBJECT(
	        calloc(flood.half_open + flood.garbage, sizeof(*flood.sockets)));
	duo_protection = 0;
	duo_open(&flood.duo);
	CHECK_SRDMA(srdma_context_set_number(flood.duo.server.context,
	                                     SRDMA_OPT_MAX_SESSIONS, limit));
	CHECK_SRDMA(srdma_context_set_number(flood.duo.server.context,
	                                     SRDMA_OPT_STEP_TIMEOUT, STAY_MS));
	flood.duo.server.free_at_end = true;
	duo_start(&flood.duo);
	begin_all(&flood);
	for (unsigned int i = 0; i < HONEST; i++)
		served += serve_honest(&flood.duo);
	for (unsigned int i = 0; i < flood.half_open + flood.garbage; i++)
		close(flood.sockets[i]);
	DUO_UNTIL(&flood.duo, !sessions_now());
	free(flood.sockets);
	duo_close(&flood.duo);
	return served;
}

bool flood(unsigned int half_open)
{
	unsigned int garbage = half_open / GARBAGE_PART, full, room;

	allow_descriptors(2 * (half_open + garbage) + DESCRIPTORS);
	full = serve_beside(half_open, 0, half_open);
	room = serve_beside(half_open, garbage, half_open + garbage + ROOM);
	printf("\nhandshake flood, %u half-open, and %u that are no TLS: honest sessions "
	       "served: %u of %u\n",
	       half_open, garbage, room, HONEST);
	printf("(%u of %u where the flood fills the limit of sessions: each is told "
	       "so)\n",
	       full, HONEST);
	return !full && room == HONEST;
}
