// SPDX-License-Identifier: BSD-2-Clause
/*
 * Several processes of a host share UDP port 4791: each gets what is for it, whoever of
 * them received it, also when one is killed or stopped. In a network namespace of the
 * test's own.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "host/counters.h"
#include "host/engine.h"
#include "host/inside.h"
#include "host/registry.h"
#include "lib/netns.h"
#include "link/net.h"
#include "mock_dir.h"
#include "object/gid.h"
#include "wire/icrc.h"
#include "wire/roce.h"

enum { PATIENCE_MS = 60000, LENGTH = 200, MOST = 256 };

/* --- a process on the mock, told what to do ------------------------------------------
 */

enum deed {
	START,  /* is the error */
	NUMBER, /* is its QP number */
	SEND,   /* count packets to the QP, numbered from first on */
	TAKE,   /* waits until count packets have come since the last one */
	POLL,   /* the same, polling */
	QUIT,
};

struct order {
	enum deed deed;
	uint32_t qpn, first, count;
};

static struct {
	uint32_t qpn;
	_Atomic uint32_t next, disorder, repeated;
	bool came[MOST];
} self;

static void take_packet(const struct net_path *path, const void *bth, size_t length)
{
	struct roce roce;
	uint8_t whole[LENGTH + ICRC_LENGTH] = { 0 };

	(void)path;
	if (length != LENGTH)
		return;
	memcpy(whole, bth, length);
	if (roce_decode(whole, sizeof(whole), &roce) != ROCE_OK)
		return;
	if (roce.psn != self.next)
		self.disorder++;
	if (roce.psn >= MOST || self.came[roce.psn])
		self.repeated++;
	else
		self.came[roce.psn] = true;
	self.next++;
}

static int start(void)
{
	static const struct net_takers takers = { .packet = take_packet };
	int err = host_attach();

	if (!err)
		err = gid_refresh();
	net_set_takers(&takers);
	if (!err)
		err = registry_qpn_alloc(64, &self.qpn);
	return err ? err : net_start();
}

static int send_packets(const struct order *order)
{
	static const union ibv_gid here = { .raw = { [10] = 0xff, 0xff, 127, 0, 0, 1 } };
	const struct net_path path = { .local = here, .remote = here };
	uint8_t data[LENGTH] = { 0 };
	struct net_packet packet = { .part = { { data, LENGTH } }, .parts = 1 };

	for (uint32_t i = 0; i < order->count; i++) {
		struct roce roce = { .opcode = RC_SEND_ONLY,
			             .pkey = 0xffff,
			             .dest_qpn = order->qpn,
			             .psn = order->first + i };

		roce_encode(&roce, data, ROCE_HEADERS_MAX);
		if (net_udp.send(&path, &packet, 1) != 1)
			return -1;
	}
	return 0;
}

static bool in_order; /* they have to come so */

/* 0, or how many came twice or in disorder; -1 when they do not come. */
static int await_packets(uint32_t count, bool polling)
{
	uint64_t deadline = now_ns() + PATIENCE_MS * UINT64_C(1000000);

	while (self.next < count) {
		if (now_ns() > deadline)
			return -1;
		if (polling)
			net_udp.poll();
		else
			usleep(100);
	}
	memset(self.came, 0, sizeof(self.came));
	self.next = 0;
	return (int)(self.repeated + (in_order ? self.disorder : 0));
}

static int obey(const struct order *order)
{
	switch (order->deed) {
	case START: return start();
	case NUMBER: return (int)self.qpn;
	case SEND: return send_packets(order);
	case TAKE: return await_packets(order->count, false);
	case POLL: return await_packets(order->count, true);
	case QUIT: host_detach(); exit(0);
	}
	return -EINVAL;
}

static _Noreturn void live(int orders)
{
	struct order order;
	int answer;

	while (read(orders, &order, sizeof(order)) == sizeof(order)) {
		answer = obey(&order);
		if (write(orders, &answer, sizeof(answer)) < 0)
			break;
	}
	_exit(0);
}

/* --- seen from the test --------------------------------------------------------------
 */

struct process {
	pid_t pid;
	int orders;
	uint32_t qpn;
};

static void tell(const struct process *process, struct order order)
{
	assert_int_equal(write(process->orders, &order, sizeof(order)), sizeof(order));
}

static int hear(const struct process *process)
{
	struct pollfd waiting = { .fd = process->orders, .events = POLLIN };
	int answer;

	assert_int_equal(poll(&waiting, 1, 2 * PATIENCE_MS), 1);
	assert_int_equal(read(process->orders, &answer, sizeof(answer)), sizeof(answer));
	return answer;
}

static int order(const struct process *process, struct order what)
{
	tell(process, what);
	return hear(process);
}

static struct process spawn(void)
{
	struct process process;
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	process.pid = fork();
	assert_true(process.pid >= 0);
	if (!process.pid) {
		close(pair[0]);
		live(pair[1]);
	}
	close(pair[1]);
	process.orders = pair[0];
	return process;
}

static struct process spawn_started(void)
{
	struct process process = spawn();

	assert_int_equal(order(&process, (struct order){ .deed = START }), 0);
	process.qpn = (uint32_t)order(&process, (struct order){ .deed = NUMBER });
	return process;
}

static void bury(struct process *process, int signal)
{
	if (signal)
		kill(process->pid, signal);
	else
		tell(process, (struct order){ .deed = QUIT });
	assert_int_equal(waitpid(process->pid, NULL, 0), process->pid);
	close(process->orders);
}

/* Each gets those for it, as one sends. */
static void exchange(const struct process *from, const struct process *to, uint32_t count,
                     enum deed how)
{
	tell(to, (struct order){ .deed = how, .count = count });
	assert_int_equal(
	        order(from,
	              (struct order){ .deed = SEND, .qpn = to->qpn, .count = count }),
	        0);
	assert_int_equal(hear(to), 0);
}

static void each_gets_its_own(void **state)
{
	struct process of[3];

	(void)state;
	for (int i = 0; i < 3; i++)
		of[i] = spawn_started();
	for (int from = 0; from < 3; from++)
		for (int to = 0; to < 3; to++)
			if (from != to) {
				exchange(&of[from], &of[to], 5, TAKE);
				exchange(&of[from], &of[to], 200, POLL);
			}
	for (int i = 0; i < 3; i++)
		bury(&of[i], 0);
}

/*
 * A turn at the port that lasts long is taken from who has it, in case he is stopped, and
 * packets may change places then. How long anything takes on a machine with much to do
 * nobody knows, so it may last as long as it takes where order is looked at.
 */
static int with_order(void **state)
{
	(void)state;
	in_order = true;
	port_turn_may_last(PATIENCE_MS * UINT64_C(1000000));
	return 0;
}

static int without_order(void **state)
{
	(void)state;
	in_order = false;
	port_turn_may_last(2000000);
	return 0;
}

/* Two that poll receive each other's packets, too. */
static void order_is_kept(void **state)
{
	struct process one = spawn_started(), other = spawn_started();
	struct process sender = spawn_started();

	(void)state;
	for (int round = 0; round < 40; round++) {
		tell(&one, (struct order){ .deed = POLL, .count = 8 });
		tell(&other, (struct order){ .deed = POLL, .count = 8 });
		tell(&sender, (struct order){ .deed = SEND, .qpn = one.qpn, .count = 8 });
		assert_int_equal(hear(&sender), 0);
		tell(&sender,
		     (struct order){ .deed = SEND, .qpn = other.qpn, .count = 8 });
		assert_int_equal(hear(&sender), 0);
		assert_int_equal(hear(&one), 0);
		assert_int_equal(hear(&other), 0);
	}
	bury(&one, 0);
	bury(&other, 0);
	bury(&sender, 0);
}

/* The first one, which bound the socket and is waiting for it. */
static void one_is_killed(void **state)
{
	struct process first = spawn_started();
	struct process one = spawn_started(), other = spawn_started();

	(void)state;
	exchange(&one, &other, 5, TAKE);
	bury(&first, SIGKILL);
	exchange(&one, &other, 5, TAKE);
	exchange(&other, &one, 100, POLL);
	/* A new one gets the port from those that are left. */
	first = spawn_started();
	exchange(&one, &first, 5, TAKE);
	bury(&first, 0);
	bury(&one, SIGKILL);
	bury(&other, 0);
}

static void one_is_stopped(void **state)
{
	struct process first = spawn_started();
	struct process one = spawn_started(), other = spawn_started(), late;

	(void)state;
	exchange(&one, &other, 5, TAKE);
	assert_int_equal(kill(first.pid, SIGSTOP), 0);
	assert_int_equal(waitpid(first.pid, NULL, WUNTRACED), first.pid);
	exchange(&one, &other, 5, TAKE);
	exchange(&other, &one, 100, POLL);
	late = spawn_started();
	exchange(&one, &late, 5, TAKE);
	/* What came for it meanwhile waits. */
	assert_int_equal(
	        order(&one, (struct order){ .deed = SEND, .qpn = first.qpn, .count = 3 }),
	        0);
	assert_int_equal(kill(first.pid, SIGCONT), 0);
	assert_int_equal(order(&first, (struct order){ .deed = TAKE, .count = 3 }), 0);
	bury(&late, 0);
	bury(&first, 0);
	bury(&one, 0);
	bury(&other, 0);
}

/* Standard error of the calls between, as text. */
static int said_begin(void)
{
	FILE *file = tmpfile();
	int saved = dup(2);

	assert_non_null(file);
	dup2(fileno(file), 2);
	fclose(file);
	return saved;
}

static void said_end(int saved, char *text, size_t size)
{
	ssize_t length = pread(2, text, size - 1, 0);

	dup2(saved, 2);
	close(saved);
	text[length > 0 ? length : 0] = '\0';
}

static void somebody_else_has_it(void **state)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
		                       .sin_port = htons(ROCE_PORT) };
	int saved = said_begin(), fd;
	struct process process = spawn();
	char text[1024], pid[64];

	(void)state;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fd, (void *)&address, sizeof(address)), 0);
	assert_int_equal(order(&process, (struct order){ .deed = START }), -EADDRINUSE);
	said_end(saved, text, sizeof(text));
	snprintf(pid, sizeof(pid), "process %d", (int)getpid());
	assert_non_null(strstr(text, pid));
	assert_non_null(strstr(text, "UDP port 4791"));
	assert_non_null(strstr(text, "MOCKRDMA_DIR"));
	/* It can be had once it is free. */
	close(fd);
	assert_int_equal(order(&process, (struct order){ .deed = START }), 0);
	bury(&process, 0);
}

static int left_behind(void **state)
{
	(void)state;
	return mock_dir_entries();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(each_gets_its_own, with_order,
		                                left_behind),
		cmocka_unit_test_setup_teardown(order_is_kept, with_order, left_behind),
		cmocka_unit_test_setup_teardown(one_is_killed, without_order,
		                                left_behind),
		cmocka_unit_test_setup_teardown(one_is_stopped, without_order,
		                                left_behind),
		cmocka_unit_test(somebody_else_has_it),
	};
	int failed;

	netns_enter();
	mock_dir_make();
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	mock_dir_remove();
	return failed;
}
