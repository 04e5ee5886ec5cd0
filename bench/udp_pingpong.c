// SPDX-License-Identifier: BSD-2-Clause
/*
 * The floor for anything that goes over UDP: a ping-pong whose ends never sleep.
 *
 * usage: udp_pingpong BYTES PORT            answers until a datagram of one byte comes
 *        udp_pingpong BYTES PORT ADDRESS ROUNDS
 *                                           prints the median of half a round trip in µs
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sample.h"

enum { MOST = 1400 };

static char message[MOST];

static size_t receive(int socket, struct sockaddr_in *from)
{
	socklen_t length = sizeof(*from);
	ssize_t got;

	do
		got = recvfrom(socket, message, sizeof(message), MSG_DONTWAIT,
		               (struct sockaddr *)from, &length);
	while (got < 0 && errno == EAGAIN);
	if (got < 0)
		die("recvfrom");
	return (size_t)got;
}

static void transmit(int socket, const struct sockaddr_in *to, size_t size)
{
	if (sendto(socket, message, size, 0, (const struct sockaddr *)to, sizeof(*to)) <
	    0)
		die("sendto");
}

static int open_socket(uint16_t port)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)))
		die("bind");
	return fd;
}

static void answer(uint16_t port)
{
	int fd = open_socket(port);
	struct sockaddr_in from;
	size_t size;

	while ((size = receive(fd, &from)) > 1)
		transmit(fd, &from, size);
	close(fd);
}

static void measure(const struct sockaddr_in *to, size_t size, size_t rounds)
{
	uint64_t *samples = new_samples(rounds);
	int fd = open_socket(0);
	struct sockaddr_in from;

	for (size_t i = 0; i < rounds; i++) {
		uint64_t start = now_ns();

		transmit(fd, to, size);
		receive(fd, &from);
		samples[i] = now_ns() - start;
	}
	transmit(fd, to, 1);
	close(fd);
	printf("%.3f\n", median_us(samples, rounds) / 2);
	free(samples);
}

int main(int argc, char **argv)
{
	size_t size = argc >= 3 ? strtoul(argv[1], NULL, 10) : 0;
	unsigned long port = argc >= 3 ? strtoul(argv[2], NULL, 10) : 0;
	struct sockaddr_in to = { .sin_family = AF_INET,
		                  .sin_port = htons((uint16_t)port) };
	size_t rounds = argc == 5 ? strtoul(argv[4], NULL, 10) : 0;

	if (size < 2 || size > MOST || !port || port > UINT16_MAX ||
	    (argc != 3 &&
	     (argc != 5 || !rounds || inet_pton(AF_INET, argv[3], &to.sin_addr) != 1))) {
		fprintf(stderr, "usage: udp_pingpong BYTES(2-%d) PORT [ADDRESS ROUNDS]\n",
		        MOST);
		return 2;
	}
	if (rounds)
		measure(&to, size, rounds);
	else
		answer((uint16_t)port);
	return 0;
}
