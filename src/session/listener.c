/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/platform.h"
#include "session/context.h"
#include "session/error.h"
#include "session/tls.h"

#define BACKLOG 1024

struct srdma_listener {
	int fd;
	uint16_t port;
};

static int check_certificate(struct srdma_context *context)
{
	SSL_CTX *tls;
	int error = context_tls(context, &tls);

	if (error)
		return error;
	if (!tls_config_has_certificate(tls))
		error = fail(SRDMA_ECONFIG,
		             "a server needs a certificate and its key: none is set");
	SSL_CTX_free(tls);
	return error;
}

static int listen_on(const struct addrinfo *address, int *out)
{
	int fd = platform_stream_socket(address->ai_family);
	int on = 1, off = 0;

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (address->ai_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	if (bind(fd, address->ai_addr, address->ai_addrlen) || listen(fd, BACKLOG)) {
		int error = -errno;

		close(fd);
		return error;
	}
	*out = fd;
	return 0;
}

/* The IPv6 wildcard takes IPv4 too, so it comes first; a machine without IPv6 has the
 * other. */
static int listen_anywhere(const char *address, const char *port, int *out)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
		                  .ai_flags = AI_PASSIVE | AI_NUMERICHOST };
	struct addrinfo *list;
	int error = -EADDRNOTAVAIL;
	const int families[] = { AF_INET6, AF_INET };

	for (int i = 0; i < 2 && error; i++) {
		hints.ai_family = families[i];
		if (getaddrinfo(address, port, &hints, &list))
			continue;
		error = listen_on(list, out);
		freeaddrinfo(list);
		if (error == -EADDRINUSE || error == -EACCES)
			break;
	}
	return error;
}

int srdma_listener_new(struct srdma_context *context, const char *address,
                       const char *port, struct srdma_listener **out)
{
	bool any = !address || !*address || !strcmp(address, "*");
	struct sockaddr_storage name = { 0 };
	socklen_t length = sizeof(name);
	struct srdma_listener *listener;
	int error = check_certificate(context);

	if (error)
		return error;
	listener = calloc(1, sizeof(*listener));
	if (!listener)
		return fail(SRDMA_ENOMEM, "out of memory for a listener");
	error = listen_anywhere(any ? NULL : address, port, &listener->fd);
	if (error) {
		free(listener);
		return fail(SRDMA_ESYSTEM, "cannot listen on %s port %s: %s",
		            any ? "*" : address, port, errno_text(error));
	}
	getsockname(listener->fd, (struct sockaddr *)&name, &length);
	/* The port is at the same place for both families. */
	listener->port = ntohs(((const struct sockaddr_in *)&name)->sin_port);
	*out = listener;
	return 0;
}

int srdma_listener_fd(const struct srdma_listener *listener)
{
	return listener->fd;
}

uint16_t srdma_listener_port(const struct srdma_listener *listener)
{
	return listener->port;
}

int srdma_listener_accept(struct srdma_listener *listener, int *out)
{
	int fd = platform_accept(listener->fd);

	if (fd >= 0) {
		*out = fd;
		return 0;
	}
	switch (errno) {
	case EMFILE:
	case ENFILE:
	case ENOBUFS:
	case ENOMEM:
		return fail(SRDMA_ELIMIT,
		            "cannot accept a connection: %s (see ulimit -n)",
		            errno_text(errno));
	case EBADF:
	case EINVAL:
	case ENOTSOCK:
		return fail(SRDMA_ESYSTEM, "cannot accept a connection: %s",
		            errno_text(errno));
	default:
		/* What went wrong with one connection says nothing about the next
		 * (accept(2)). */
		return fail(SRDMA_EBLOCKED, "no connection waits");
	}
}

void srdma_listener_free(struct srdma_listener *listener)
{
	if (!listener)
		return;
	close(listener->fd);
	free(listener);
}
