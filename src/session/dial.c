/* SPDX-License-Identifier: BSD-2-Clause */
/* A client's TCP connection: the addresses of a name, one after the other. */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/platform.h"
#include "session/error.h"
#include "session/session.h"

struct dial {
	struct addrinfo *addresses;
	struct addrinfo *next;
	int error; /* of the last address, errno */
	char host[];
};

const char *dial_host(const struct dial *dial)
{
	return dial->host;
}

void dial_free(struct dial *dial)
{
	if (!dial)
		return;
	freeaddrinfo(dial->addresses);
	free(dial);
}

static int resolve(struct dial *dial, const char *port)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
		                        .ai_protocol = IPPROTO_TCP,
		                        .ai_flags = AI_ADDRCONFIG };
	const struct addrinfo any = { .ai_socktype = SOCK_STREAM,
		                      .ai_protocol = IPPROTO_TCP };
	int error = getaddrinfo(dial->host, port, &hints, &dial->addresses);

	/* Without any interface but loopback AI_ADDRCONFIG may leave nothing. */
	if (error)
		error = getaddrinfo(dial->host, port, &any, &dial->addresses);
	if (error)
		return fail(SRDMA_EUNREACHABLE, "cannot resolve '%s' port '%s': %s",
		            dial->host, port, gai_strerror(error));
	dial->next = dial->addresses;
	return 0;
}

/* Returns 0 when it is under way, or a negative errno. */
static int try_address(struct srdma_session *session, const struct addrinfo *address)
{
	struct sockaddr_storage name = { 0 };
	int fd = platform_stream_socket(address->ai_family), on = 1;

	if (fd < 0)
		return -errno;
	memcpy(&name, address->ai_addr, address->ai_addrlen);
	session_set_name(session, &name);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(fd, address->ai_addr, address->ai_addrlen) && errno != EINPROGRESS) {
		int error = -errno;

		close(fd);
		return error;
	}
	session->socket.fd = fd;
	if (!session_watch(session, POLLER_OUT))
		return 0;
	session->socket.fd = -1;
	close(fd);
	return -ENOMEM;
}

static int refusal(const struct srdma_session *session, int number)
{
	switch (number) {
	case ECONNREFUSED:
		return fail(
		        SRDMA_EREFUSED,
		        "%s refused the connection: is the server running, on that port?",
		        session->name);
	case ETIMEDOUT:
		return fail(SRDMA_ETIMEOUT, "%s did not answer in time: waited for %s",
		            session->name, handshake_waiting_for(PHASE_CONNECT));
	default:
		return fail(SRDMA_EUNREACHABLE, "cannot connect to %s: %s", session->name,
		            errno_text(number));
	}
}

/* Start on the next address that can be started on. */
static int advance(struct srdma_session *session)
{
	struct dial *dial = session->handshake->dial;

	while (dial->next) {
		const struct addrinfo *address = dial->next;
		int error;

		dial->next = address->ai_next;
		error = try_address(session, address);
		if (!error) {
			session_set_timer(
			        session,
			        session->worker->options.number[SRDMA_OPT_STEP_TIMEOUT]);
			return 0;
		}
		dial->error = -error;
	}
	return refusal(session, dial->error);
}

int dial_start(struct srdma_session *session, const char *host, const char *port)
{
	size_t size = strlen(host) + 1;
	struct dial *dial = calloc(1, sizeof(*dial) + size);
	int error;

	if (!dial)
		return fail(SRDMA_ENOMEM, "out of memory for a connection");
	memcpy(dial->host, host, size);
	session->handshake->dial = dial;
	error = resolve(dial, port);
	return error ? error : advance(session);
}

static void give_up_address(struct srdma_session *session, int number)
{
	int error;

	session->handshake->dial->error = number;
	worker_unwatch(session->worker, &session->socket);
	close(session->socket.fd);
	session->socket.fd = -1;
	error = advance(session);
	if (error)
		session_fail(session, error);
}

void dial_ready(struct srdma_session *session)
{
	socklen_t length = sizeof(int);
	int number = 0;

	if (getsockopt(session->socket.fd, SOL_SOCKET, SO_ERROR, &number, &length))
		number = errno;
	if (number)
		give_up_address(session, number);
	else
		handshake_begin(session);
}

void dial_late(struct srdma_session *session)
{
	give_up_address(session, ETIMEDOUT);
}
