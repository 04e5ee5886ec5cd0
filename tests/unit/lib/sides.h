/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tests with two sides, each in a process of its own or both as threads of one. The
 * process of cmocka itself makes no verbs call: the sides are forked from it while it is
 * still clean.
 */
#ifndef TESTS_SIDES_H
#define TESTS_SIDES_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum sides_mode { SIDES_PROCESSES, SIDES_THREADS };

struct side {
	const char *name;
	int socket;           /* to the other side */
	pid_t other;          /* the process of the other side */
	const void *argument; /* what sides_run() was given */
};

typedef void side_function(struct side *side);

/* Runs both to their end and fails the test when either of them fails or takes too long.
 */
void sides_run(enum sides_mode mode, side_function *first, side_function *second,
               const void *argument);

/* One side alone in a process of its own, for what must not touch the others. */
void alone_run(side_function *function, const void *argument);

/* Defines the cmocka test name, which runs name_body alone. */
#define ALONE(name)                           \
	static void name(void **state)        \
	{                                     \
		(void)state;                  \
		alone_run(name##_body, NULL); \
	}

void side_put(struct side *side, const void *data, size_t size);
void side_get(struct side *side, void *data, size_t size);

/* Both come here before either goes on. */
void side_meet(struct side *side);

/* A process that a test starts and ends by itself. */
struct process {
	pid_t pid;
	int socket;
	const char *name;
};

struct process process_start(const char *name, side_function *function,
                             const void *argument);

/* Waits, and answers the status as waitpid() has it; closes the socket. */
int process_wait(struct process *process);
void process_expect_success(struct process *process);

/* Waits until the process is stopped by a signal. */
void process_stop(pid_t pid);
void process_continue(pid_t pid);

/*
 * A cmocka group's setup and teardown: a runtime directory of the group's own, in which
 * the group's processes must have left nothing when all of them have ended.
 */
int runtime_directory_make(void **state);
int runtime_directory_remove(void **state);
const char *runtime_directory(void);

#endif
