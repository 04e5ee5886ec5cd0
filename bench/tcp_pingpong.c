// SPDX-License-Identifier: BSD-2-Clause
/*
 * What a program without RDMA does: a ping-pong over a TCP connection through loopback,
 * with TCP_NODELAY and blocking reads.
 *
 * usage: tcp_pingpong BYTES ROUNDS; prints the median of half a round trip in µs.
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sample.h"

enum { MOST = 65536 };

static char message[MOST];

static void no_delay(int socket)
{
	int one = 1;

	if (setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)))
		die("setsockopt");
}

/* False at the end of the stream. */
static int receive(int socket, size_t size)
{
	for (size_t done = 0; done < size;) {
		ssize_t got = read(socket, message + done, size - done);

		if (got < 0)
			die("read");
		if (got == 0)
			return 0;
		done += (size_t)got;
	}
	return 1;
}

static void transmit(int socket, size_t size)
{
	if (write(socket, message, size) != (ssize_t)size)
		die("write");
}

static int listen_on_loopback(struct sockaddr_in *address)
{
	socklen_t length = sizeof(*address);
	int listener = socket(AF_INET, SOCK_STREAM, 0);

	*address = (struct sockaddr_in){ .sin_family = AF_INET,
		                         .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	if (listener < 0 || bind(listener, (struct sockaddr *)address, length) ||
	    listen(listener, 1) ||
	    getsockname(listener, (struct sockaddr *)address, &length))
		die("listen");
	return listener;
}

static _Noreturn void be_echo(int listener, size_t size)
{
	int socket = accept(listener, NULL, NULL);

	if (socket < 0)
		die("accept");
	pin_to_cpu(0);
	no_delay(socket);
	while (receive(socket, size))
		transmit(socket, size);
	_exit(EXIT_SUCCESS);
}

static void measure(const struct sockaddr_in *address, size_t size, size_t rounds)
{
	uint64_t *samples = new_samples(rounds);
	int peer = socket(AF_INET, SOCK_STREAM, 0);

	if (peer < 0 || connect(peer, (const struct sockaddr *)address, sizeof(*address)))
		die("connect");
	pin_to_cpu(1);
	no_delay(peer);
	for (size_t i = 0; i < rounds; i++) {
		uint64_t start = now_ns();

		transmit(peer, size);
		if (!receive(peer, size))
			die("the other side is gone");
		samples[i] = now_ns() - start;
	}
	close(peer);
	printf("%.3f\n", median_us(samples, rounds) / 2);
	free(samples);
}

int main(int argc, char **argv)
{
	size_t size = argc == 3 ? strtoul(argv[1], NULL, 10) : 0;
	size_t rounds = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;
	struct sockaddr_in address;
	int listener, status;
	pid_t echo;

	if (!size || size > MOST || !rounds) {
		fprintf(stderr, "usage: tcp_pingpong BYTES(1-%d) ROUNDS\n", MOST);
		return 2;
	}
	listener = listen_on_loopback(&address);
	echo = fork();
	if (echo < 0)
		die("fork");
	if (!echo)
		be_echo(listener, size);
	close(listener);
	measure(&address, size, rounds);
	return waitpid(echo, &status, 0) == echo && status == 0 ? 0 : 1;
}
