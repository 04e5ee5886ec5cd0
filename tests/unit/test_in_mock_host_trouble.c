// SPDX-License-Identifier: BSD-2-Clause
/*
 * The host layer where something is in its way: limits, foreign files, locks whose holder
 * is gone or stopped. Settings are read once per process, so each case is a child.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <rdma/rdma_cma.h>

#include "host/engine.h"
#include "host/inside.h"
#include "host/owner_lock.h"
#include "host/registry.h"
#include "host/table.h"
#include "mock_dir.h"
#include "sanitizers.h"

#define NOBODY 65534

static char said[4096]; /* by the last child, on standard error */

/* Runs work in a child, whose exit status it returns. */
static int in_child(int (*work)(void))
{
	size_t length = 0;
	ssize_t got;
	int pipes[2], status;
	pid_t pid;

	assert_int_equal(pipe(pipes), 0);
	pid = fork();
	if (pid == 0) {
		dup2(pipes[1], STDERR_FILENO);
		close(pipes[0]);
		close(pipes[1]);
		exit(work());
	}
	close(pipes[1]);
	while ((got = read(pipes[0], said + length, sizeof(said) - 1 - length)) > 0)
		length += (size_t)got;
	said[length] = '\0';
	close(pipes[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (status)
		fprintf(stderr, "%s", said);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static int clean_up(void **state)
{
	(void)state;
	mock_dir_clear();
	return 0;
}

/* As tests/run-tests says. */
static bool under_valgrind(void)
{
	const char *variant = getenv("TEST_VARIANT");

	return variant && strcmp(variant, "valgrind") == 0;
}

static int attach_fails(void)
{
	return -host_attach();
}

static void assert_said(const char *what)
{
	if (!strstr(said, what))
		fail_msg("\"%s\" is not in: %s", what, said);
	assert_int_equal(strncmp(said, "mockrdma: ", 10), 0);
	assert_ptr_equal(strchr(said, '\n'), said + strlen(said) - 1); /* one line */
}

/* The directory that the mock makes in the one of the test, as it is named by default. */
static void runtime_path(char *path, size_t size)
{
	struct stat net, pid;

	assert_int_equal(stat("/proc/self/ns/net", &net), 0);
	assert_int_equal(stat("/proc/self/ns/pid", &pid), 0);
	assert_true(snprintf(path, size, "%s/mockrdma.%u.%lu.%lu", getenv("MOCKRDMA_DIR"),
	                     geteuid(), net.st_ino, pid.st_ino) < (int)size);
}

static void directory_open_to_others_is_refused(void **state)
{
	char path[256];

	(void)state;
	runtime_path(path, sizeof(path));
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(chmod(path, 0755), 0);
	assert_int_equal(in_child(attach_fails), EPERM);
	assert_said("mode 0755");
	assert_int_equal(mock_dir_entries(), 1);
}

static void link_in_place_of_the_directory_is_refused(void **state)
{
	char path[256];

	(void)state;
	runtime_path(path, sizeof(path));
	assert_int_equal(symlink("/tmp", path), 0);
	assert_int_not_equal(in_child(attach_fails), 0);
	assert_said("set MOCKRDMA_DIR");
}

static int attach_nowhere(void)
{
	setenv("MOCKRDMA_DIR", "/nonexistent/place", 1);
	return attach_fails();
}

static int attach_far_away(void)
{
	char *path = malloc(5000);

	memset(path, 'a', 4999);
	path[0] = '/';
	path[4999] = '\0';
	setenv("MOCKRDMA_DIR", path, 1);
	free(path);
	return attach_fails();
}

static void directory_that_cannot_be_is_refused(void **state)
{
	(void)state;
	assert_int_equal(in_child(attach_nowhere), ENOENT);
	assert_said("cannot make /nonexistent/place");
	assert_int_equal(in_child(attach_far_away), ENAMETOOLONG);
	assert_said("shorter");
}

static void registry_of_another_version_is_refused(void **state)
{
	char path[256];
	FILE *file;

	(void)state;
	runtime_path(path, sizeof(path));
	assert_int_equal(mkdir(path, 0700), 0);
	strcat(path, "/registry");
	file = fopen(path, "w");
	assert_non_null(file);
	fputs("something else", file);
	fclose(file);
	assert_int_equal(in_child(attach_fails), EPROTO);
	assert_said("another version");
	/* The right size alone does not make it ours. */
	assert_int_equal(truncate(path, sizeof(struct table)), 0);
	assert_int_equal(in_child(attach_fails), EPROTO);
	assert_int_equal(unlink(path), 0);
}

static void limit_to(int what, rlim_t value)
{
	struct rlimit limit = { value, value };

	if (setrlimit((__rlimit_resource_t)what, &limit))
		_exit(99);
}

static int attach_with_small_files(void)
{
	limit_to(RLIMIT_FSIZE, 1 << 20);
	return attach_fails();
}

static int attach_with_few_descriptors(void)
{
	limit_to(RLIMIT_NOFILE, 6);
	return attach_fails();
}

static void limits_are_told_and_nothing_is_left(void **state)
{
	(void)state;
	assert_int_equal(in_child(attach_with_small_files), EFBIG);
	assert_said("ulimit -f");
	if (under_valgrind())
		skip(); /* it keeps the number of descriptors to itself */
	assert_int_equal(in_child(attach_with_few_descriptors), EMFILE);
	assert_said("ulimit -n");
	assert_int_equal(mock_dir_entries(), 0);
}

static int attach_in_little_space(void)
{
	seg_off off;

	limit_to(RLIMIT_AS, (rlim_t)3 << 30);
	if (host_attach() || peer_self()->size >= (size_t)3 << 30)
		return 1;
	if (segment_alloc(1 << 20, &off))
		return 2;
	memset(segment_ptr(off), 1, 1 << 20);
	host_detach();
	return 0;
}

static void segment_fits_the_address_space(void **state)
{
	(void)state;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	skip(); /* their shadow memory takes more */
#endif
	assert_int_equal(in_child(attach_in_little_space), 0);
	assert_int_equal(mock_dir_entries(), 0);
}

/* A second process, and the two ways of talking with it. */
struct other {
	pid_t pid;
	int tell, hear;
	struct peer *peer;
};

struct who {
	uint32_t slot;
	uint64_t generation;
};

static void tell_to(int fd, const void *what, size_t size)
{
	if (write(fd, what, size) != (ssize_t)size)
		_exit(98);
}

static void hear_from(int fd, void *what, size_t size)
{
	if (read(fd, what, size) != (ssize_t)size)
		_exit(97);
}

static void introduce(int fd)
{
	struct who me;

	memset(&me, 0, sizeof(me));
	me.slot = peer_self()->slot;
	me.generation = peer_self()->generation;
	tell_to(fd, &me, sizeof(me));
}

/* work(hear, tell) runs there, attached. Called before this process attaches. */
static void start_other(struct other *other, void (*work)(int hear, int tell))
{
	int down[2], up[2];
	struct who who;

	assert_int_equal(pipe(down), 0);
	assert_int_equal(pipe(up), 0);
	other->pid = fork();
	if (other->pid == 0) {
		close(down[1]);
		close(up[0]);
		if (host_attach())
			_exit(96);
		introduce(up[1]);
		work(down[0], up[1]);
		_exit(0);
	}
	close(down[0]);
	close(up[1]);
	other->tell = down[1];
	other->hear = up[0];
	hear_from(other->hear, &who, sizeof(who));
	assert_int_equal(host_attach(), 0);
	assert_int_equal(peer_get(who.slot, who.generation, &other->peer), 0);
}

static void end_other(struct other *other)
{
	peer_put(other->peer);
	kill(other->pid, SIGKILL);
	waitpid(other->pid, NULL, 0);
	close(other->tell);
	close(other->hear);
	host_detach();
	assert_int_equal(mock_dir_entries(), 0);
}

#define MUCH ((size_t)20 << 20)

static void allocate_on_demand(int hear, int tell)
{
	seg_off off[2];
	char byte;

	hear_from(hear, &byte, 1);
	if (segment_alloc(3000, &off[0]) || segment_alloc(MUCH, &off[1]))
		_exit(1);
	memset(segment_ptr(off[0]), 's', 3000);
	memset(segment_ptr(off[1]), 'l', MUCH);
	tell_to(tell, off, sizeof(off));
	hear_from(hear, &byte, 1);
}

static void peers_follow_a_growing_segment(void **state)
{
	struct other other;
	seg_off off[2];
	const char *small, *large;

	(void)state;
	start_other(&other, allocate_on_demand);
	assert_true(other.peer->reach < MUCH);
	tell_to(other.tell, "x", 1);
	hear_from(other.hear, off, sizeof(off));
	small = peer_ptr(other.peer, off[0]);
	large = peer_ptr(other.peer, off[1]);
	assert_true(small[0] == 's' && memcmp(small, small + 1, 2999) == 0);
	assert_true(large[0] == 'l' && memcmp(large, large + 1, MUCH - 1) == 0);
	end_other(&other);
}

static struct listener_key key_for(uint16_t port)
{
	struct listener_key key = { .port_space = RDMA_PS_TCP, .af_only = true };
	struct sockaddr_in *addr = (struct sockaddr_in *)&key.addr;

	addr->sin_family = AF_INET;
	addr->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	addr->sin_port = htons(port);
	return key;
}

static int die_with_the_lock(void)
{
	struct listener_key key = key_for(0);
	uint32_t binding;

	if (host_attach() || registry_bind(&key, 5, &binding) || !table_lock())
		return 1;
	/* Half a change: a list that ends nowhere. */
	table()->port_list[7000 % PORT_LISTS] = 0;
	table()->binding_free = 0;
	raise(SIGKILL);
	return 2;
}

static void bind_one(int hear, int tell)
{
	struct listener_key key = key_for(7000);
	uint32_t binding;
	char byte;

	if (registry_bind(&key, 7, &binding) || registry_listen(binding, true))
		_exit(1);
	tell_to(tell, "x", 1);
	hear_from(hear, &byte, 1);
}

static void dead_holder_of_the_registry_is_repaired(void **state)
{
	struct listener_key key = key_for(7000), free = key_for(0);
	struct host_place place;
	struct other other;
	uint32_t binding, id;
	char byte;

	(void)state;
	start_other(&other, bind_one);
	hear_from(other.hear, &byte, 1);
	peer_put(other.peer);
	host_detach(); /* ThreadSanitizer wants forks from one thread */
	assert_int_equal(in_child(die_with_the_lock), -SIGKILL);
	assert_int_equal(host_attach(), 0);
	assert_int_equal(registry_bind(&key, 1, &binding), -EADDRINUSE);
	assert_int_equal(registry_find_listener((struct sockaddr *)&key.addr, RDMA_PS_TCP,
	                                        &place, &id),
	                 0);
	assert_int_equal(id, 7);
	assert_int_equal(registry_bind(&free, 2, &binding), 0);
	registry_unbind(binding);
	assert_int_equal(peer_get(place.slot, place.generation, &other.peer), 0);
	end_other(&other);
}

static void hold_a_lock(int hear, int tell)
{
	struct owner_lock *lock;
	seg_off off;
	char byte;

	if (segment_alloc(sizeof(*lock), &off))
		_exit(1);
	lock = segment_ptr(off);
	owner_lock_init(lock);
	owner_lock(lock);
	tell_to(tell, &off, sizeof(off));
	hear_from(hear, &byte, 1);
	/* The lock is never given back. */
}

static void lock_of_the_dead_is_taken_over(void **state)
{
	struct owner_lock *lock;
	struct other other;
	seg_off off;

	(void)state;
	start_other(&other, hold_a_lock);
	hear_from(other.hear, &off, sizeof(off));
	lock = peer_ptr(other.peer, off);
	assert_false(owner_lock_try(lock));
	kill(other.pid, SIGKILL);
	assert_false(owner_lock_settle(lock));
	assert_int_equal(owner_lock(lock), -EOWNERDEAD);
	assert_false(owner_lock_try(lock));
	owner_unlock(lock);
	assert_int_equal(owner_lock(lock), 0);
	owner_unlock(lock);
	assert_true(owner_lock_settle(lock));
	end_other(&other);
}

static int exit_attached(void)
{
	return host_attach();
}

/* The directory is locked through another open file, which lives as long as we do. */
static int exit_while_locked_out(void)
{
	char path[256];
	int dir;

	if (host_attach())
		return 1;
	runtime_path(path, sizeof(path));
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0 || flock(dir, LOCK_EX))
		return 2;
	return 0;
}

static void exit_never_hangs(void **state)
{
	uint64_t before = now_ns();

	(void)state;
	assert_int_equal(in_child(exit_attached), 0);
	assert_int_equal(mock_dir_entries(), 0);
	assert_int_equal(in_child(exit_while_locked_out), 0);
	assert_true(now_ns() - before < UINT64_C(30000000000));
	/* What it could not do, the next one does. */
	assert_true(mock_dir_entries() > 0);
	assert_int_equal(host_attach(), 0);
	host_detach();
	assert_int_equal(mock_dir_entries(), 0);
}

static void be_unreadable(int hear, int tell)
{
	char byte;
	char *memory = &byte;

	if (setresuid(-1, -1, getuid()))
		return;
	prctl(PR_SET_DUMPABLE, 0);
	tell_to(tell, &memory, sizeof(memory));
	hear_from(hear, &byte, 1);
}

/*
 * As a user without rights over others, who reads a process that is not dumpable. The
 * rights are had back at the end: coverage is written to root's files.
 */
static int read_the_unreadable(void)
{
	struct iovec remote = { NULL, 1 }, local;
	struct other other;
	uid_t uid = geteuid();
	char byte = 0;
	int first, second;

	if (uid == 0 && (setegid(NOBODY) || setresuid(NOBODY, NOBODY, 0)))
		return 1;
	prctl(PR_SET_DUMPABLE, 1);
	start_other(&other, be_unreadable);
	hear_from(other.hear, &remote.iov_base, sizeof(remote.iov_base));
	local = (struct iovec){ &byte, 1 };
	first = peer_read(other.peer, &remote, 1, &local, 1);
	second = peer_write(other.peer, &remote, 1, &local, 1);
	end_other(&other);
	if (setresuid(uid, uid, uid))
		return 2;
	return first == -EPERM && second == -EPERM ? 0 : 3;
}

static void forbidden_copies_are_explained_once(void **state)
{
	(void)state;
	if (geteuid() == 0)
		assert_int_equal(chown(getenv("MOCKRDMA_DIR"), NOBODY, NOBODY), 0);
	assert_int_equal(in_child(read_the_unreadable), 0);
	assert_said("forbid");
}

static pthread_t fired_by;
static _Atomic bool fired;

static void wake(struct timer *timer)
{
	(void)timer;
	fired_by = pthread_self();
	atomic_store(&fired, true);
}

static void keep_the_engine(struct peer *from, const void *body, uint32_t length)
{
	(void)from, (void)body, (void)length;
	while (!atomic_load(&fired))
		;
}

/* The engine is kept in a handler until the timer has fired: so it was not the engine. */
static int poll_for_timers(void)
{
	static struct timer timer;

	if (host_attach())
		return 1;
	inbox_handle(INBOX_ASYNC, keep_the_engine);
	if (inbox_post(peer_self(), INBOX_ASYNC, "", 1))
		return 2;
	while (atomic_load(&segment_head()->inbox.head) == 0)
		;
	timer_init(&timer, wake);
	timer_arm(&timer, now_ns() + 1000);
	while (!atomic_load(&fired))
		timers_poll();
	timer_cancel_sync(&timer);
	host_detach();
	return pthread_equal(fired_by, pthread_self()) ? 0 : 3;
}

static void polling_fires_timers(void **state)
{
	(void)state;
	assert_int_equal(in_child(poll_for_timers), 0);
}

#define TROUBLE(test) cmocka_unit_test_teardown(test, clean_up)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TROUBLE(directory_open_to_others_is_refused),
		TROUBLE(link_in_place_of_the_directory_is_refused),
		TROUBLE(directory_that_cannot_be_is_refused),
		TROUBLE(registry_of_another_version_is_refused),
		TROUBLE(limits_are_told_and_nothing_is_left),
		TROUBLE(segment_fits_the_address_space),
		TROUBLE(peers_follow_a_growing_segment),
		TROUBLE(dead_holder_of_the_registry_is_repaired),
		TROUBLE(lock_of_the_dead_is_taken_over),
		TROUBLE(exit_never_hangs),
		TROUBLE(forbidden_copies_are_explained_once),
		TROUBLE(polling_fires_timers),
	};
	int failed;

	mock_dir_make();
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	mock_dir_remove();
	return failed;
}
