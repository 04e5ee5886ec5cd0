// SPDX-License-Identifier: BSD-2-Clause
/*
 * variants: plain asan valgrind cov
 *
 * Programs that fork while they use the device: neither process disturbs the other. (A
 * thread sanitizer follows no threads that are made after a fork.)
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/check.h"
#include "lib/deadline.h"
#include "lib/rcop.h"

static void send_one(struct rc_pair *pair, uint64_t id)
{
	rc_recv(&pair->b, id, 64, 64);
	memcpy(pair->a.buffer, &id, sizeof(id));
	rc_do(&pair->a, &(struct rc_op){ .opcode = IBV_WR_SEND,
	                                 .id = id,
	                                 .flags = IBV_SEND_SIGNALED,
	                                 .length = 8 });
	rc_sent(&pair->a, id);
	rc_received(&pair->b, id);
	CHECK_BYTES(pair->b.buffer + 64, &id, sizeof(id));
}

/* The child ends by exit(), so everything that libraries do then is done. */
static void leave(struct side *side)
{
	(void)side;
}

static void child_that_only_exits_body(struct side *side)
{
	struct rc_pair pair;

	(void)side;
	CHECK_EQ(ibv_fork_init(), 0);
	rc_pair_open(&pair, &rc_default);
	send_one(&pair, 1);
	for (uint64_t i = 0; i < 5; i++) {
		alone_run(leave, NULL);
		send_one(&pair, 2 + i);
	}
	rc_pair_close(&pair);
}
ALONE(child_that_only_exits)

static void use_device(struct side *side)
{
	struct rc_pair pair;

	(void)side;
	rc_pair_open(&pair, &rc_default);
	for (uint64_t i = 0; i < 50; i++)
		send_one(&pair, i);
	rc_pair_close(&pair);
}

/* A child may open the device anew, while its parent goes on with its own. */
static void child_that_opens_anew_body(struct side *side)
{
	struct rc_pair pair;

	(void)side;
	rc_pair_open(&pair, &rc_default);
	for (uint64_t i = 0; i < 3; i++) {
		struct process child = process_start("child", use_device, NULL);

		for (uint64_t j = 0; j < 50; j++)
			send_one(&pair, j);
		process_expect_success(&child);
	}
	rc_pair_close(&pair);
}
ALONE(child_that_opens_anew)

/* Parent and child connect to each other, each by what it opened itself. */
static void connected_child(struct side *side)
{
	struct rc_end end;

	rc_side_open(side, &end, &rc_default);
	rc_recv(&end, 1, 0, 64);
	side_meet(side);
	rc_received(&end, 1);
	CHECK_EQ(end.buffer[0], 42);
	rc_side_close(side, &end);
}

static void parent_and_child_body(struct side *side)
{
	struct rc_pair before;
	struct process child;
	struct side to_child;
	struct rc_end end;

	(void)side;
	rc_pair_open(&before, &rc_default);
	child = process_start("child", connected_child, NULL);
	to_child = (struct side){ "parent", child.socket, child.pid, NULL };
	rc_side_open(&to_child, &end, &rc_default);
	end.buffer[0] = 42;
	side_meet(&to_child);
	rc_do(&end, &(struct rc_op){ .opcode = IBV_WR_SEND,
	                             .id = 1,
	                             .flags = IBV_SEND_SIGNALED,
	                             .length = 8 });
	rc_sent(&end, 1);
	rc_side_close(&to_child, &end);
	process_expect_success(&child);
	send_one(&before, 9);
	rc_pair_close(&before);
}
ALONE(parent_and_child)

/* Nothing of the device stays open in a program that is executed. */
static int open_descriptors(void)
{
	int count = 0;

	for (int fd = 3; fd < 1024; fd++) {
		char path[64], target[256];
		ssize_t length;

		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		length = readlink(path, target, sizeof(target) - 1);
		if (length < 0)
			continue;
		target[length] = '\0';
		count += strstr(target, "mockrdma.") != NULL;
	}
	return count;
}

static void executed_program_body(struct side *side)
{
	struct rc_pair pair;
	int status;
	pid_t child;

	(void)side;
	rc_pair_open(&pair, &rc_default);
	child = fork();
	CHECK_CALL(child);
	if (!child) {
		execl("/bin/sh", "sh", "-c",
		      "for fd in /proc/self/fd/*; do readlink $fd; done | "
		      "grep -E 'mockrdma|eventfd|timerfd' && exit 1; exit 0",
		      (char *)NULL);
		_exit(127);
	}
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK_EQ(status, 0);
	rc_pair_close(&pair);
	CHECK_EQ(open_descriptors(), 0);
}
ALONE(executed_program)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(child_that_only_exits),
		cmocka_unit_test(child_that_opens_anew),
		cmocka_unit_test(parent_and_child),
		cmocka_unit_test(executed_program),
	};

	return cmocka_run_group_tests(tests, runtime_directory_make,
	                              runtime_directory_remove);
}
