// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <ftw.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "check.h"
#include "deadline.h"
#include "sides.h"

void side_put(struct side *side, const void *data, size_t size)
{
	CHECK_EQ(send(side->socket, data, size, MSG_NOSIGNAL), size);
}

void side_get(struct side *side, void *data, size_t size)
{
	uint64_t deadline = deadline_in(SIDES_LIMIT_MS);
	size_t done = 0;

	while (done < size) {
		struct pollfd ready = { .fd = side->socket, .events = POLLIN };
		ssize_t got;

		if (poll(&ready, 1, deadline_left_ms(deadline)) != 1)
			check_failed(__FILE__, __LINE__, "the other side says nothing");
		got = recv(side->socket, (char *)data + done, size - done, 0);
		if (got <= 0)
			check_failed(__FILE__, __LINE__, "the other side is gone");
		done += (size_t)got;
	}
}

void side_meet(struct side *side)
{
	char byte = '!';

	side_put(side, &byte, 1);
	side_get(side, &byte, 1);
}

static void make_pair(int sockets[2])
{
	CHECK_CALL(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets));
}

/* Forks; the child dies with its parent, so that no test leaves one behind. */
static pid_t fork_child(const char *name)
{
	pid_t parent = getpid();
	pid_t child;

	fflush(NULL);
	child = fork();
	CHECK_CALL(child);
	if (child)
		return child;
	check_in_child(name);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(EXIT_FAILURE);
	return 0;
}

/* True once the child has ended; answers its status. */
static bool ended(pid_t child, int *status)
{
	pid_t answer = waitpid(child, status, WNOHANG);

	CHECK_CALL(answer);
	return answer == child;
}

static int wait_for(pid_t child, const char *name, uint64_t deadline)
{
	int status;

	while (!ended(child, &status)) {
		if (deadline_passed(deadline)) {
			kill(child, SIGKILL);
			waitpid(child, &status, 0);
			fprintf(stderr, "%s does not end\n", name);
			return status;
		}
		pass_ms(1);
	}
	return status;
}

static void expect_success(const char *name, int status)
{
	if (WIFSIGNALED(status))
		check_failed(__FILE__, __LINE__, "%s: killed by signal %d (%s)", name,
		             WTERMSIG(status), strsignal(WTERMSIG(status)));
	if (WEXITSTATUS(status))
		check_failed(__FILE__, __LINE__, "%s: ended with status %d", name,
		             WEXITSTATUS(status));
}

static void exchange_pids(struct side *side)
{
	pid_t self = getpid();

	side_put(side, &self, sizeof(self));
	side_get(side, &side->other, sizeof(side->other));
}

static _Noreturn void be_side(struct side *side, side_function *function)
{
	exchange_pids(side);
	function(side);
	close(side->socket);
	exit(EXIT_SUCCESS);
}

static void run_processes(side_function *functions[2], const void *argument)
{
	static const char *const names[2] = { "first side", "second side" };
	uint64_t deadline = deadline_in(SIDES_LIMIT_MS);
	int sockets[2], status[2];
	pid_t child[2];

	make_pair(sockets);
	for (int i = 0; i < 2; i++) {
		child[i] = fork_child(names[i]);
		if (child[i])
			continue;
		close(sockets[!i]);
		be_side(&(struct side){ names[i], sockets[i], 0, argument },
		        functions[i]);
	}
	close(sockets[0]);
	close(sockets[1]);
	for (int i = 0; i < 2; i++)
		status[i] = wait_for(child[i], names[i], deadline);
	for (int i = 0; i < 2; i++)
		expect_success(names[i], status[i]);
}

struct thread_side {
	struct side side;
	side_function *function;
};

static void *thread_main(void *argument)
{
	struct thread_side *self = argument;

	exchange_pids(&self->side);
	self->function(&self->side);
	close(self->side.socket);
	return NULL;
}

static void run_threads(side_function *functions[2], const void *argument)
{
	struct thread_side sides[2];
	pthread_t threads[2];
	int sockets[2], status;
	pid_t child = fork_child("one process");

	if (child) {
		status = wait_for(child, "one process", deadline_in(SIDES_LIMIT_MS));
		expect_success("one process", status);
		return;
	}
	make_pair(sockets);
	for (int i = 0; i < 2; i++) {
		sides[i] = (struct thread_side){
			{ i ? "second side" : "first side", sockets[i], 0, argument },
			functions[i],
		};
		CHECK_EQ(pthread_create(&threads[i], NULL, thread_main, &sides[i]), 0);
	}
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	exit(EXIT_SUCCESS);
}

void sides_run(enum sides_mode mode, side_function *first, side_function *second,
               const void *argument)
{
	side_function *functions[2] = { first, second };

	if (mode == SIDES_PROCESSES)
		run_processes(functions, argument);
	else
		run_threads(functions, argument);
}

struct process process_start(const char *name, side_function *function,
                             const void *argument)
{
	int sockets[2];
	pid_t child;

	make_pair(sockets);
	child = fork_child(name);
	if (!child) {
		close(sockets[0]);
		function(&(struct side){ name, sockets[1], getppid(), argument });
		close(sockets[1]);
		exit(EXIT_SUCCESS);
	}
	close(sockets[1]);
	return (struct process){ child, sockets[0], name };
}

int process_wait(struct process *process)
{
	int status = wait_for(process->pid, process->name, deadline_in(SIDES_LIMIT_MS));

	close(process->socket);
	return status;
}

void process_expect_success(struct process *process)
{
	expect_success(process->name, process_wait(process));
}

void alone_run(side_function *function, const void *argument)
{
	struct process process = process_start("alone", function, argument);

	process_expect_success(&process);
}

/* The letter of the process's state in /proc: 'T' when a signal stopped it. */
static char process_state(pid_t pid)
{
	char path[64], text[512];
	const char *after_name;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	file = fopen(path, "r");
	if (!file)
		return 0;
	after_name = fgets(text, sizeof(text), file) ? strrchr(text, ')') : NULL;
	fclose(file);
	return after_name ? after_name[2] : 0;
}

void process_stop(pid_t pid)
{
	uint64_t deadline = deadline_in(PATIENCE_MS);

	CHECK_CALL(kill(pid, SIGSTOP));
	while (process_state(pid) != 'T') {
		CHECK(!deadline_passed(deadline));
		pass_ms(1);
	}
}

void process_continue(pid_t pid)
{
	CHECK_CALL(kill(pid, SIGCONT));
}

/* What the runner gave, which it removes, or one of our own. */
static char own_directory[] = "/dev/shm/mockrdma-test.XXXXXX";
static bool is_own;

const char *runtime_directory(void)
{
	return getenv("MOCKRDMA_DIR");
}

int runtime_directory_make(void **state)
{
	(void)state;
	if (runtime_directory())
		return 0;
	is_own = true;
	if (!mkdtemp(own_directory))
		return -1;
	return setenv("MOCKRDMA_DIR", own_directory, 1);
}

static int remove_entry(const char *path, const struct stat *status, int type,
                        struct FTW *ftw)
{
	(void)status;
	(void)type;
	(void)ftw;
	return remove(path);
}

static int report_entry(const char *path, const struct stat *status, int type,
                        struct FTW *ftw)
{
	(void)status;
	(void)type;
	if (ftw->level == 0)
		return 0;
	print_error("left behind: %s\n", path);
	return -1;
}

int runtime_directory_remove(void **state)
{
	int left = nftw(runtime_directory(), report_entry, 8, FTW_PHYS);

	(void)state;
	if (is_own)
		nftw(own_directory, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
	return left;
}
