/* SPDX-License-Identifier: BSD-2-Clause */
#include "server/sandbox.h"

#include <errno.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/socket.h>

#include "program/fault.h"

/* By what they are for. A name that this architecture does not have is skipped. */
static const char *const allowed[] = {
	/* memory */
	"brk",
	"mmap",
	"mmap2",
	"munmap",
	"mremap",
	"mprotect",
	"madvise",
	"msync",
	"mlock",
	"mlock2",
	"munlock",
	"mincore",
	"membarrier",
	"memfd_create",
	"get_mempolicy",
	"mbind",
	/* threads and locks */
	"exit",
	"exit_group",
	"futex",
	"futex_waitv",
	"set_robust_list",
	"get_robust_list",
	"rseq",
	"set_tid_address",
	"arch_prctl",
	"prctl",
	"sched_yield",
	"sched_getaffinity",
	"sched_setaffinity",
	"sched_getparam",
	"sched_getscheduler",
	"sched_get_priority_max",
	"sched_get_priority_min",
	"gettid",
	"getpid",
	"getppid",
	"getcpu",
	"tgkill",
	"tkill",
	"kill",
	"restart_syscall",
	/* signals and time */
	"rt_sigaction",
	"rt_sigprocmask",
	"rt_sigreturn",
	"rt_sigtimedwait",
	"rt_sigpending",
	"rt_sigsuspend",
	"sigaltstack",
	"signalfd4",
	"nanosleep",
	"clock_nanosleep",
	"clock_gettime",
	"clock_getres",
	"gettimeofday",
	"time",
	"timer_create",
	"timer_settime",
	"timer_delete",
	"timerfd_create",
	"timerfd_settime",
	"timerfd_gettime",
	"pause",
	"alarm",
	"setitimer",
	/* waiting */
	"epoll_create",
	"epoll_create1",
	"epoll_ctl",
	"epoll_wait",
	"epoll_pwait",
	"epoll_pwait2",
	"poll",
	"ppoll",
	"select",
	"pselect6",
	"eventfd",
	"eventfd2",
	"pipe",
	"pipe2",
	/* files */
	"open",
	"openat",
	"openat2",
	"close",
	"close_range",
	"read",
	"readv",
	"pread64",
	"preadv",
	"preadv2",
	"write",
	"writev",
	"pwrite64",
	"pwritev",
	"pwritev2",
	"lseek",
	"stat",
	"fstat",
	"lstat",
	"newfstatat",
	"fstatat64",
	"statx",
	"statfs",
	"fstatfs",
	"access",
	"faccessat",
	"faccessat2",
	"getdents",
	"getdents64",
	"readlink",
	"readlinkat",
	"link",
	"linkat",
	"symlinkat", /* the mock's /sys/class/infiniband */
	"unlink",
	"unlinkat",
	"rename",
	"renameat",
	"renameat2",
	"mkdir",
	"mkdirat",
	"rmdir",
	"ftruncate",
	"fallocate",
	"fadvise64",
	"fsync",
	"fdatasync",
	"sync_file_range",
	"flock",
	"fcntl",
	"fcntl64",
	"dup",
	"dup2",
	"dup3",
	"umask",
	"fchmod",
	"fchmodat",
	"getcwd",
	"ioctl",
	"copy_file_range",
	"inotify_init1",
	"inotify_add_watch",
	"inotify_rm_watch",
	/* sockets: which kinds, see below */
	"socketpair",
	"bind",
	"listen",
	"accept",
	"accept4",
	"connect",
	"getsockname",
	"getpeername",
	"getsockopt",
	"setsockopt",
	"sendto",
	"recvfrom",
	"sendmsg",
	"recvmsg",
	"sendmmsg",
	"recvmmsg",
	"shutdown",
	/* the mock's peers; a server's own copies */
	"process_vm_readv",
	"process_vm_writev",
	"pidfd_open",
	"pidfd_send_signal",
	/* who and where we are */
	"getuid",
	"geteuid",
	"getgid",
	"getegid",
	"getgroups",
	"getresuid",
	"getresgid",
	"uname",
	"sysinfo",
	"getrusage",
	"getrlimit",
	"setrlimit",
	"prlimit64",
	"getrandom",
	"times",
	"capget",
	"getpriority",
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	/* the sanitizers' own look at the process when it ends */
	"ptrace",
	"wait4",
	"waitid",
	"personality",
	"getpgrp",
	"setsid",
#endif
};

/* TCP and UDP, unix sockets, and netlink, by which libibverbs and librdmacm find devices.
 */
static const int families[] = { AF_UNIX, AF_INET, AF_INET6, AF_NETLINK };

static int allow_calls(scmp_filter_ctx filter)
{
	for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++) {
		int number = seccomp_syscall_resolve_name(allowed[i]);
		int error;

		if (number == __NR_SCMP_ERROR)
			continue; /* newer than this libseccomp */
		error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, number, 0);
		if (error && error != -EDOM)
			return error;
	}
	return 0;
}

static int allow_sockets(scmp_filter_ctx filter)
{
	int error = 0;

	for (size_t i = 0; !error && i < sizeof(families) / sizeof(families[0]); i++) {
		const struct scmp_arg_cmp family = {
			.arg = 0,
			.op = SCMP_CMP_EQ,
			.datum_a = (scmp_datum_t)families[i],
		};

		error = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket),
		                               1, &family);
	}
	return error;
}

/*
 * Threads, but no name spaces. clone3() has its flags where a filter cannot look; the C
 * library takes clone() when it is told that there is none.
 */
static int allow_threads(scmp_filter_ctx filter)
{
	const scmp_datum_t spaces = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS |
	                            CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID |
	                            CLONE_NEWNET;
	int error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
	                             SCMP_A0(SCMP_CMP_MASKED_EQ, spaces, 0));

	if (error)
		return error;
	return seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
}

static int load(scmp_filter_ctx filter)
{
	int error = allow_calls(filter);

	if (!error)
		error = allow_threads(filter);
	if (!error)
		error = allow_sockets(filter);
	/* A binary search: each call passes through it. */
	if (!error)
		seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	if (!error)
		error = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
	return error ? error : seccomp_load(filter);
}

int sandbox_enter(void)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int error = filter ? load(filter) : -ENOMEM;

	seccomp_release(filter);
	if (!error)
		return 0;
	return fault_errno(
	        -error, "cannot filter system calls (option --no-seccomp does without)");
}
