// SPDX-License-Identifier: BSD-2-Clause
/*
 * A plain TCP program, which knows nothing of RDMA: what it is given to do over sockets
 *it does over RDMA when librdmacm's preload library is in front.
 *
 *	tcp_echo serve ADDRESS PORT CONNECTIONS [fork]
 *	tcp_echo ask ADDRESS PORT BYTES
 *
 * The client connects without waiting, sends and receives at once, and compares.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CHUNK = 30000 };

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static struct addrinfo *look_up(const char *address, const char *port)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	struct addrinfo *found;

	if (getaddrinfo(address, port, &hints, &found))
		die("getaddrinfo");
	return found;
}

static void wait_for(int fd, short what)
{
	struct pollfd entry = { .fd = fd, .events = what };

	if (poll(&entry, 1, -1) != 1 || entry.revents & (POLLERR | POLLNVAL))
		die("poll");
}

static void send_all(int fd, const char *data, size_t length)
{
	while (length) {
		ssize_t sent = send(fd, data, length, MSG_NOSIGNAL);

		if (sent < 0)
			die("send");
		data += sent;
		length -= (size_t)sent;
	}
}

static void serve_one(int fd)
{
	static char buffer[CHUNK];
	ssize_t got;

	for (;;) {
		wait_for(fd, POLLIN);
		got = recv(fd, buffer, sizeof(buffer), 0);
		if (got <= 0)
			break;
		send_all(fd, buffer, (size_t)got);
	}
	if (got < 0)
		die("recv");
	close(fd);
}

static void serve_next(int listener, bool in_child)
{
	int status, fd;

	/* No poll(): librdmacm's rpoll() waits for the channel that its own thread takes
	 * the request from, and mostly sees a new connection only when it looks again
	 * after 5 s. */
	fd = accept(listener, NULL, NULL);
	if (fd < 0)
		die("accept");
	if (!in_child) {
		serve_one(fd);
		return;
	}
	if (!fork()) {
		serve_one(fd);
		exit(0);
	}
	if (wait(&status) < 0 || status)
		die("the child");
}

static int serve(const struct addrinfo *at, int connections, bool in_child)
{
	int yes = 1, fd = socket(at->ai_family, SOCK_STREAM, 0);

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) ||
	    bind(fd, at->ai_addr, at->ai_addrlen) || listen(fd, 5))
		die("listen");
	puts("listening");
	fflush(stdout);
	while (connections--)
		serve_next(fd, in_child);
	close(fd);
	return 0;
}

static int connect_to(const struct addrinfo *to)
{
	int error = 0, yes = 1, fd = socket(to->ai_family, SOCK_STREAM, 0);
	socklen_t length = sizeof(error);
	struct sockaddr_storage peer;
	socklen_t peer_length = sizeof(peer);

	if (fd < 0 || fcntl(fd, F_SETFL, O_NONBLOCK))
		die("socket");
	if (connect(fd, to->ai_addr, to->ai_addrlen) && errno != EINPROGRESS)
		die("connect");
	wait_for(fd, POLLOUT);
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) || error) {
		errno = error;
		die("connect");
	}
	if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes)))
		die("setsockopt");
	if (getpeername(fd, (struct sockaddr *)&peer, &peer_length) ||
	    peer_length != to->ai_addrlen || memcmp(&peer, to->ai_addr, 8))
		die("getpeername");
	return fd;
}

/* What moves of the two directions, as far as it goes. */
static void move(int fd, const char *out, size_t *sent, char *in, size_t *got, size_t all)
{
	fd_set readable, writable;
	ssize_t moved;

	FD_ZERO(&readable);
	FD_ZERO(&writable);
	FD_SET(fd, &readable);
	if (*sent < all)
		FD_SET(fd, &writable);
	if (select(fd + 1, &readable, &writable, NULL, NULL) <= 0)
		die("select");
	if (FD_ISSET(fd, &writable)) {
		struct iovec parts[] = {
			{ (char *)out + *sent, (all - *sent) / 2 },
			{ (char *)out + *sent + (all - *sent) / 2,
			  all - *sent - (all - *sent) / 2 },
		};

		moved = writev(fd, parts, 2);
		if (moved < 0 && errno != EAGAIN)
			die("writev");
		*sent += moved > 0 ? (size_t)moved : 0;
	}
	if (FD_ISSET(fd, &readable)) {
		moved = read(fd, in + *got, all - *got);
		if (moved == 0 || (moved < 0 && errno != EAGAIN))
			die("read");
		*got += moved > 0 ? (size_t)moved : 0;
	}
}

static int ask(const struct addrinfo *to, size_t bytes)
{
	char *out = malloc(bytes), *in = malloc(bytes), more;
	size_t sent = 0, got = 0;
	int fd;

	if (!out || !in)
		die("malloc");
	for (size_t i = 0; i < bytes; i++)
		out[i] = (char)(i * 7 + i / 256);
	fd = connect_to(to);
	while (got < bytes)
		move(fd, out, &sent, in, &got, bytes);
	if (memcmp(in, out, bytes)) {
		fputs("what came back is something else\n", stderr);
		return 1;
	}
	if (shutdown(fd, SHUT_WR))
		die("shutdown");
	wait_for(fd, POLLIN);
	if (read(fd, &more, 1) != 0) {
		fputs("the end of the stream does not come\n", stderr);
		return 1;
	}
	close(fd);
	free(out);
	free(in);
	puts("all came back");
	return 0;
}

int main(int argc, char **argv)
{
	struct addrinfo *at;
	int status;

	if (argc < 5)
		return 2;
	at = look_up(argv[2], argv[3]);
	if (!strcmp(argv[1], "serve"))
		status = serve(at, (int)strtol(argv[4], NULL, 10), argc > 5);
	else
		status = ask(at, strtoul(argv[4], NULL, 10));
	freeaddrinfo(at);
	return status;
}
