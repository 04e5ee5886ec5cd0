// SPDX-License-Identifier: BSD-2-Clause
/*
 * Whether whoever has UDP port 4791 is about to let go of it: the kernel closes the
 * sockets of a process that ends after the process is gone from everywhere else.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/check.h"
#include "lib/netns.h"
#include "link/net_port.h"
#include "wire/roce.h"

static int bind_port(void)
{
	struct sockaddr_in any = { .sin_family = AF_INET, .sin_port = htons(ROCE_PORT) };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	CHECK_CALL(fd);
	CHECK_CALL(bind(fd, (struct sockaddr *)&any, sizeof(any)));
	return fd;
}

/* On its way from one socket to another it is in no process. */
static void send_away(int fd, int over)
{
	char byte = 0, room[CMSG_SPACE(sizeof(fd))] = { 0 };
	struct iovec one = { &byte, 1 };
	struct msghdr message = { .msg_iov = &one,
		                  .msg_iovlen = 1,
		                  .msg_control = room,
		                  .msg_controllen = sizeof(room) };
	struct cmsghdr *control = CMSG_FIRSTHDR(&message);

	control->cmsg_level = SOL_SOCKET;
	control->cmsg_type = SCM_RIGHTS;
	control->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(control), &fd, sizeof(fd));
	CHECK_CALL(sendmsg(over, &message, 0));
	close(fd);
}

static void who_has_it(void **state)
{
	int pair[2], fd;

	(void)state;
	CHECK(net_port_is_leaving());
	fd = bind_port();
	CHECK(!net_port_is_leaving());
	CHECK_CALL(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	send_away(fd, pair[0]);
	CHECK(net_port_is_leaving());
	close(pair[0]);
	close(pair[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(who_has_it) };

	netns_enter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
