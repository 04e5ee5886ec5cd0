// SPDX-License-Identifier: BSD-2-Clause
/*
 * Events of the port: interfaces that go down and come up, addresses that come and go.
 * Each test has a network namespace of its own, where it may do that.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/check.h"
#include "lib/deadline.h"
#include "lib/event.h"
#include "lib/rcop.h"

static int control = -1; /* a socket to ask the namespace's kernel by */

static void set_up(const char *interface, bool up)
{
	struct ifreq req = { 0 };

	strncpy(req.ifr_name, interface, sizeof(req.ifr_name) - 1);
	CHECK_CALL(ioctl(control, SIOCGIFFLAGS, &req));
	req.ifr_flags = (short)(up ? req.ifr_flags | IFF_UP : req.ifr_flags & ~IFF_UP);
	CHECK_CALL(ioctl(control, SIOCSIFFLAGS, &req));
}

/* An alias has an address beside the interface's own; down, it has none. */
static void add_address(const char *alias, const char *address)
{
	struct ifreq req = { 0 };
	struct sockaddr_in *sin = (struct sockaddr_in *)&req.ifr_addr;

	strncpy(req.ifr_name, alias, sizeof(req.ifr_name) - 1);
	sin->sin_family = AF_INET;
	CHECK_EQ(inet_pton(AF_INET, address, &sin->sin_addr), 1);
	CHECK_CALL(ioctl(control, SIOCSIFADDR, &req));
}

static void drop_alias(const char *alias)
{
	struct ifreq req = { 0 };

	strncpy(req.ifr_name, alias, sizeof(req.ifr_name) - 1);
	CHECK_CALL(ioctl(control, SIOCSIFFLAGS, &req));
}

/* A namespace with loopback that is up; false where none can be had. */
static bool enter_namespace(void)
{
	if (unshare(CLONE_NEWUSER | CLONE_NEWNET))
		return false;
	control = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	CHECK_CALL(control);
	set_up("lo", true);
	return true;
}

/* There may be several changes of the GID table on the way. */
static void expect_event(struct ibv_context *context, enum ibv_event_type type)
{
	struct ibv_async_event event;

	do {
		event = event_next(context);
		ibv_ack_async_event(&event);
		CHECK_EQ(event.element.port_num, RC_PORT);
	} while (event.event_type == IBV_EVENT_GID_CHANGE &&
	         type != IBV_EVENT_GID_CHANGE);
	CHECK_EQ(event.event_type, type);
}

static void expect_state(struct ibv_context *context, enum ibv_port_state state)
{
	struct ibv_port_attr attr;

	CHECK_EQ(ibv_query_port(context, RC_PORT, &attr), 0);
	CHECK_EQ(attr.state, state);
}

/* The table says what the last event was about; there may be more of these than changes
 * that are looked for. */
static void expect_gid(struct ibv_context *context, const char *address, bool there)
{
	uint64_t end = deadline_in(PATIENCE_MS);

	while ((rc_find_gid(context, address) >= 0) != there) {
		CHECK(!deadline_passed(end));
		expect_event(context, IBV_EVENT_GID_CHANGE);
	}
}

static void drain(struct ibv_context *context)
{
	struct pollfd ready = { .fd = context->async_fd, .events = POLLIN };

	while (poll(&ready, 1, 100) == 1) {
		struct ibv_async_event event = event_next(context);

		ibv_ack_async_event(&event);
	}
}

static void up_and_down_body(struct side *side)
{
	struct ibv_device_attr device;
	struct ibv_context *context;

	(void)side;
	enter_namespace();
	context = rc_open_device();
	CHECK_EQ(ibv_query_device(context, &device), 0);
	CHECK(device.device_cap_flags & IBV_DEVICE_PORT_ACTIVE_EVENT);
	expect_state(context, IBV_PORT_ACTIVE);
	for (int i = 0; i < 3; i++) {
		set_up("lo", false);
		expect_event(context, IBV_EVENT_PORT_ERR);
		expect_state(context, IBV_PORT_DOWN);
		set_up("lo", true);
		expect_event(context, IBV_EVENT_PORT_ACTIVE);
		expect_state(context, IBV_PORT_ACTIVE);
	}
	CHECK_EQ(ibv_close_device(context), 0);
}

static void addresses_body(struct side *side)
{
	struct ibv_context *context;

	(void)side;
	enter_namespace();
	context = rc_open_device();
	drain(context);
	add_address("lo:1", "10.1.2.3");
	expect_event(context, IBV_EVENT_GID_CHANGE);
	expect_gid(context, "10.1.2.3", true);
	drain(context);
	drop_alias("lo:1");
	expect_event(context, IBV_EVENT_GID_CHANGE);
	expect_gid(context, "10.1.2.3", false);
	CHECK_EQ(ibv_close_device(context), 0);
}

/* Each context hears; one that was closed is in nobody's way, nor a time without any. */
static void contexts_body(struct side *side)
{
	struct ibv_context *first, *second;

	(void)side;
	enter_namespace();
	first = rc_open_device();
	second = rc_open_device();
	set_up("lo", false);
	expect_event(first, IBV_EVENT_PORT_ERR);
	expect_event(second, IBV_EVENT_PORT_ERR);
	CHECK_EQ(ibv_close_device(first), 0);
	set_up("lo", true);
	expect_event(second, IBV_EVENT_PORT_ACTIVE);
	CHECK_EQ(ibv_close_device(second), 0);
	set_up("lo", false);
	first = rc_open_device();
	expect_state(first, IBV_PORT_DOWN);
	set_up("lo", true);
	expect_event(first, IBV_EVENT_PORT_ACTIVE);
	CHECK_EQ(ibv_close_device(first), 0);
}

static void child_of_fork(struct ibv_context *context)
{
	struct ibv_context *own = rc_open_device();

	set_up("lo", false);
	expect_event(own, IBV_EVENT_PORT_ERR);
	CHECK_EQ(ibv_close_device(own), 0);
	(void)context;
	_exit(0);
}

/* A child that opens the device hears for itself, and takes nothing from its parent. */
static void forked_body(struct side *side)
{
	struct ibv_context *context;
	int status;
	pid_t pid;

	(void)side;
	enter_namespace();
	context = rc_open_device();
	drain(context);
	pid = fork();
	CHECK_CALL(pid);
	if (pid == 0)
		child_of_fork(context);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
	expect_event(context, IBV_EVENT_PORT_ERR);
	set_up("lo", true);
	expect_event(context, IBV_EVENT_PORT_ACTIVE);
	CHECK_EQ(ibv_close_device(context), 0);
}

static bool have_namespaces(void)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(enter_namespace() ? 0 : 1);
	return waitpid(pid, &status, 0) == pid && status == 0;
}

#define IN_NAMESPACE(name)                         \
	static void name(void **state)             \
	{                                          \
		(void)state;                       \
		if (!have_namespaces())            \
			skip();                    \
		else                               \
			alone_run(name##_body, 0); \
	}
IN_NAMESPACE(up_and_down)
IN_NAMESPACE(addresses)
IN_NAMESPACE(contexts)
IN_NAMESPACE(forked)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(up_and_down),
		cmocka_unit_test(addresses),
		cmocka_unit_test(contexts),
		cmocka_unit_test(forked),
	};

	return cmocka_run_group_tests(tests, runtime_directory_make,
	                              runtime_directory_remove);
}
