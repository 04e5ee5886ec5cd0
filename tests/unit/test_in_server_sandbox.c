/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a server that was taken over could not do; and that it can do its work.
 * variants: plain asan tsan cov
 * valgrind runs no seccomp filter.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/check.h"
#include "server/beneath.h"
#include "server/privileges.h"
#include "server/sandbox.h"

/* In a process of its own: there is no way back. */
static void inside(void (*run)(void))
{
	int status;
	pid_t child = (pid_t)CHECK_CALL(fork());

	if (!child) {
		check_in_child("inside");
		CHECK_EQ(privileges_drop(NULL), 0);
		CHECK_EQ(sandbox_enter(), 0);
		run();
		_exit(0);
	}
	CHECK_CALL(waitpid(child, &status, 0));
	CHECK_EQ(status, 0);
}

/* Each would be possible for root, or for everybody, without the filter. */
static void run_forbidden(void)
{
	static char *const argv[] = { (char *)"true", NULL };

	CHECK_FAILS(execve("/bin/true", argv, argv), EPERM);
	CHECK_FAILS(syscall(SYS_execveat, AT_FDCWD, "/bin/true", argv, argv, 0), EPERM);
	CHECK_FAILS(unshare(CLONE_NEWUSER), EPERM);
	CHECK_FAILS(syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, NULL, NULL, NULL, NULL),
	            EPERM);
	CHECK_FAILS(syscall(SYS_clone3, NULL, 0), ENOSYS);
	CHECK_FAILS(mount("none", "/tmp", "tmpfs", 0, NULL), EPERM);
	CHECK_FAILS(chroot("."), EPERM);
	CHECK_FAILS(setuid(getuid()), EPERM);
	CHECK_FAILS(mknod("fifo", S_IFIFO | 0600, 0), EPERM);
	CHECK_FAILS(symlink("/etc", "link"), EPERM);
	CHECK_FAILS(syscall(SYS_bpf, 0, NULL, 0), EPERM);
	CHECK_FAILS(syscall(SYS_keyctl, 0, 0, 0, 0, 0), EPERM);
	CHECK_FAILS(syscall(SYS_io_uring_setup, 1, NULL), EPERM);
	CHECK_FAILS(syscall(SYS_userfaultfd, 0), EPERM);
	CHECK_FAILS(syscall(SYS_perf_event_open, NULL, 0, -1, -1, 0), EPERM);
	CHECK_FAILS(socket(AF_PACKET, SOCK_RAW, 0), EPERM);
	CHECK_FAILS(socket(AF_VSOCK, SOCK_STREAM, 0), EPERM);
}

static void test_forbidden(void **state)
{
	(void)state;
	inside(run_forbidden);
}

static void *answer(void *arg)
{
	return arg;
}

static void run_allowed(void)
{
	char from[8] = "abcdefg", to[8] = "";
	struct iovec local = { to, sizeof(to) }, remote = { from, sizeof(from) };
	pthread_t thread;
	int here;

	CHECK_EQ(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 1);
	CHECK_EQ(prctl(PR_GET_SECCOMP), 2);
	CHECK_EQ(pthread_create(&thread, NULL, answer, NULL), 0);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	here = (int)CHECK_CALL(open(".", O_RDONLY | O_DIRECTORY));
	CHECK_CALL(close(openat(here, "file", O_CREAT | O_WRONLY, 0600)));
	CHECK_CALL(open_beneath(here, "file", O_RDONLY));
	CHECK_CALL(renameat(here, "file", here, "other"));
	CHECK_CALL(unlinkat(here, "other", 0));
	CHECK_CALL(socket(AF_INET, SOCK_STREAM, 0));
	CHECK_CALL(socket(AF_INET6, SOCK_DGRAM, 0));
	CHECK_CALL(socket(AF_NETLINK, SOCK_RAW, 0));
	CHECK_EQ(process_vm_readv(getpid(), &local, 1, &remote, 1, 0), 8);
	CHECK_BYTES(to, from, 8);
}

static void test_allowed(void **state)
{
	(void)state;
	inside(run_allowed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forbidden),
		cmocka_unit_test(test_allowed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
