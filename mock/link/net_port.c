// SPDX-License-Identifier: BSD-2-Clause
/*
 * How a process comes by UDP port 4791. There is one socket for the host: the first
 * process binds it, and later ones are given it by any that has it. So it is there as
 * long as one of them is, whoever ends or is stopped, and no packet is lost in between.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "host/bell.h"
#include "host/engine.h"
#include "host/plain_socket.h"
#include "link/net_relay.h"
#include "link/net_port.h"

enum {
	ANSWER_MS = 50,                 /* until others are asked again */
	PATIENCE_NS = 5 * 1000000000LL, /* with those that have it */
	BEGIN_NS = 500 * 1000000LL,     /* with those that are about to */
};

/* The kernel finds a name for a socket that binds to none: answers go there. */
static int open_asker(void)
{
	const struct sockaddr_un any = { .sun_family = AF_UNIX };
	int yes = 1, fd = plain_socket(AF_UNIX);

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &yes, sizeof(yes));
	if (!bind(fd, (const struct sockaddr *)&any, sizeof(any.sun_family)))
		return fd;
	close(fd);
	return -errno;
}

struct asked {
	unsigned int have, begin; /* processes that have the port, or are about to */
	int pid;                  /* one that has */
};

static struct asked ask_all(int asker)
{
	struct asked asked = { 0 };
	struct port_owner owner;
	uint32_t next = 0;

	while (registry_port_next(&next, &owner)) {
		if (!owner.has_port) {
			asked.begin++;
			continue;
		}
		asked.have++;
		asked.pid = owner.pid;
		net_relay_ask(asker, owner.relay);
	}
	return asked;
}

static int await_answer(int asker)
{
	struct pollfd waiting = { .fd = asker, .events = POLLIN };
	int fd = -EAGAIN;

	while (fd == -EAGAIN && poll(&waiting, 1, ANSWER_MS) > 0)
		fd = net_relay_answer(asker);
	return fd;
}

/* Nobody answered for long. */
static int say_why(const struct asked *asked)
{
	if (asked->have)
		mock_error("process %d has UDP port 4791 of this host and does not "
		           "answer: continue or end it",
		           asked->pid);
	else
		net_port_blame();
	return -EADDRINUSE;
}

static int get_from(int asker, bool say)
{
	uint64_t begun = now_ns(), passed;
	struct asked asked;
	int fd;

	do {
		fd = net_port_open();
		if (fd != -EADDRINUSE)
			return fd;
		asked = ask_all(asker);
		if (!asked.have && !asked.begin && !net_port_is_leaving())
			break;
		fd = await_answer(asker);
		if (fd >= 0)
			return fd;
		passed = now_ns() - begun;
	} while (passed < (asked.have ? PATIENCE_NS : BEGIN_NS));
	return say ? say_why(&asked) : -EADDRINUSE;
}

int net_port_get(bool say)
{
	int fd, asker = open_asker();

	if (asker < 0)
		return asker;
	fd = get_from(asker, say);
	close(asker);
	return fd;
}
