// SPDX-License-Identifier: BSD-2-Clause
/*
 * Joining and leaving, the segment, QP numbers, bindings, and what is left when a process
 * is killed.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <rdma/rdma_cma.h>

#include "host/registry.h"
#include "host/segment.h"
#include "host/settings.h"
#include "mock_dir.h"
#include "sanitizers.h"

static int attach(void **state)
{
	(void)state;
	return host_attach();
}

static int detach(void **state)
{
	(void)state;
	host_detach();
	return mock_dir_entries();
}

static void nothing_is_left(void **state)
{
	(void)state;
	assert_int_equal(mock_dir_entries(), 0);
	assert_int_equal(host_attach(), 0);
	assert_int_equal(host_attach(), 0);
	assert_true(mock_dir_entries() >= 3); /* directory, registry, segment */
	host_detach();
	assert_true(mock_dir_entries() >= 3);
	host_detach();
	assert_int_equal(mock_dir_entries(), 0);
}

static bool all_zero(const unsigned char *bytes, size_t size)
{
	return size == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, size - 1) == 0);
}

static void segment_blocks_are_zero_aligned_and_apart(void **state)
{
	static const size_t sizes[] = { 1,     64,    65,     1024,    1025,   3072,
		                        32768, 32769, 100000, 1 << 20, 5 << 20 };
	enum { ROUNDS = 40 };
	static seg_off off[ROUNDS][ARRAY_SIZE(sizes)];

	(void)state;
	for (int pass = 0; pass < 2; pass++) {
		for (int r = 0; r < ROUNDS; r++) {
			for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++) {
				size_t size = r < 4 || sizes[i] < 1 << 20 ? sizes[i] : 1;

				assert_int_equal(segment_alloc(size, &off[r][i]), 0);
				assert_int_equal(off[r][i] % 64, 0);
				assert_true(all_zero(segment_ptr(off[r][i]), size));
				memset(segment_ptr(off[r][i]), r + 1, size);
			}
		}
		for (int r = 0; r < ROUNDS; r++) {
			for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++) {
				size_t size = r < 4 || sizes[i] < 1 << 20 ? sizes[i] : 1;
				unsigned char *at = segment_ptr(off[r][i]);

				assert_int_equal(at[0], r + 1);
				assert_memory_equal(at, at + size - 1, 1);
				segment_free(off[r][i], size);
			}
		}
	}
}

static void segment_memory_is_used_again(void **state)
{
	seg_off first, again;

	(void)state;
	assert_int_equal(segment_alloc(8 << 20, &first), 0);
	segment_free(first, 8 << 20);
	for (int i = 0; i < 100; i++) {
		assert_int_equal(segment_alloc(8 << 20, &again), 0);
		assert_int_equal(again, first);
		segment_free(again, 8 << 20);
	}
}

static void segment_too_small_is_an_error(void **state)
{
	seg_off off;

	(void)state;
	assert_int_equal(segment_alloc(settings()->segment_size, &off), -ENOMEM);
	assert_int_equal(segment_alloc(0, &off), -ENOMEM);
	assert_int_equal(segment_alloc(64, &off), 0);
	segment_free(off, 64);
}

/* ulimit -f stands for a full file system: fallocate fails, and no signal comes. */
static void segment_without_room_is_an_error(void **state)
{
	struct rlimit limit;
	seg_off off, small;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = 64 << 20;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	assert_int_equal(segment_alloc(100 << 20, &off), -ENOMEM);
	assert_int_equal(segment_alloc(1 << 20, &small), 0);
	segment_free(small, 1 << 20);
	limit.rlim_cur = limit.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	assert_int_equal(segment_alloc(100 << 20, &off), 0);
	segment_free(off, 100 << 20);
}

static void qpns_are_found(void **state)
{
	enum { COUNT = 5000 };
	static uint32_t qpn[COUNT];
	struct host_place place;
	uint32_t all = 0;

	(void)state;
	for (uint32_t i = 0; i < COUNT; i++) {
		assert_int_equal(registry_qpn_alloc(64 * (i + 1), &qpn[i]), 0);
		assert_true(qpn[i] > 1 && qpn[i] < 0xffffff);
		all |= qpn[i];
	}
	assert_int_equal(all, 0xffffff);
	for (uint32_t i = 0; i < COUNT; i++) {
		assert_int_equal(registry_qpn_find(qpn[i], &place), 0);
		assert_int_equal(place.off, 64 * (i + 1));
		assert_int_equal(place.slot, peer_self()->slot);
		assert_int_equal(place.generation, peer_self()->generation);
	}
	for (uint32_t i = 0; i < COUNT; i++) {
		registry_qpn_free(qpn[i]);
		assert_int_equal(registry_qpn_find(qpn[i], &place), -ENOENT);
	}
	assert_int_equal(registry_qpn_find(0, &place), -ENOENT);
	assert_int_equal(registry_qpn_find(1, &place), -ENOENT);
	assert_int_equal(registry_qpn_find(0xffffff, &place), -ENOENT);
}

static struct listener_key key(const char *address, uint16_t port)
{
	struct listener_key key = { .port_space = RDMA_PS_TCP };
	struct sockaddr_in *v4 = (struct sockaddr_in *)&key.addr;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&key.addr;

	if (inet_pton(AF_INET, address, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(port);
		key.af_only = true;
		return key;
	}
	assert_int_equal(inet_pton(AF_INET6, address, &v6->sin6_addr), 1);
	v6->sin6_family = AF_INET6;
	v6->sin6_port = htons(port);
	return key;
}

static uint32_t bound(const char *address, uint16_t port, uint32_t id)
{
	struct listener_key k = key(address, port);
	uint32_t binding = 0;

	assert_int_equal(registry_bind(&k, id, &binding), 0);
	assert_true(binding != 0);
	return binding;
}

static void must_not_bind(const char *address, uint16_t port, int err)
{
	struct listener_key k = key(address, port);
	uint32_t binding;

	assert_int_equal(registry_bind(&k, 99, &binding), err);
}

static int listener_of(const char *address, uint16_t port)
{
	struct listener_key k = key(address, port);
	struct host_place place;
	uint32_t id;
	int err = registry_find_listener((struct sockaddr *)&k.addr, k.port_space, &place,
	                                 &id);

	return err ? err : (int)id;
}

static void bindings_conflict_as_in_the_kernel(void **state)
{
	uint32_t one = bound("127.0.0.1", 7000, 1);
	uint32_t other_port = bound("127.0.0.1", 7001, 2);
	uint32_t other_address = bound("127.0.0.2", 7000, 3);

	(void)state;
	must_not_bind("127.0.0.1", 7000, -EADDRINUSE);
	must_not_bind("0.0.0.0", 7000, -EADDRNOTAVAIL);
	must_not_bind("::", 7000, -EADDRNOTAVAIL);
	registry_unbind(one);
	one = bound("127.0.0.1", 7000, 4);
	registry_unbind(one);
	registry_unbind(other_address);
	registry_unbind(other_port);
	one = bound("0.0.0.0", 7000, 5);
	must_not_bind("127.0.0.1", 7000, -EADDRNOTAVAIL);
	registry_unbind(one);
}

static void shared_ports_do_not_listen(void **state)
{
	struct listener_key k = key("127.0.0.1", 7000);
	uint32_t first, second;

	(void)state;
	k.reuse_addr = true;
	assert_int_equal(registry_bind(&k, 1, &first), 0);
	assert_int_equal(registry_bind(&k, 2, &second), 0);
	assert_int_equal(registry_listen(first, true), -EADDRINUSE);
	registry_unbind(second);
	assert_int_equal(registry_listen(first, true), 0);
	registry_unbind(first);
}

static void ephemeral_ports_differ(void **state)
{
	struct listener_key a = key("0.0.0.0", 0), b = key("0.0.0.0", 0);
	uint32_t first, second;
	in_port_t port_a, port_b;

	(void)state;
	assert_int_equal(registry_bind(&a, 1, &first), 0);
	assert_int_equal(registry_bind(&b, 2, &second), 0);
	port_a = ((struct sockaddr_in *)&a.addr)->sin_port;
	port_b = ((struct sockaddr_in *)&b.addr)->sin_port;
	assert_true(port_a != 0 && port_b != 0 && port_a != port_b);
	registry_unbind(first);
	registry_unbind(second);
}

static void closest_listener_is_found(void **state)
{
	struct listener_key any6 = key("::", 7000);
	uint32_t wide, narrow;

	(void)state;
	assert_int_equal(registry_bind(&any6, 1, &wide), 0);
	assert_int_equal(listener_of("127.0.0.1", 7000), -ENOENT); /* not yet listening */
	assert_int_equal(registry_listen(wide, true), 0);
	assert_int_equal(listener_of("127.0.0.1", 7000), 1);
	assert_int_equal(listener_of("::1", 7000), 1);
	assert_int_equal(listener_of("::1", 7002), -ENOENT);
	registry_listen(wide, false);
	assert_int_equal(listener_of("::1", 7000), -ENOENT);
	registry_unbind(wide);

	narrow = bound("127.0.0.1", 7000, 2);
	assert_int_equal(registry_listen(narrow, true), 0);
	assert_int_equal(listener_of("127.0.0.1", 7000), 2);
	assert_int_equal(listener_of("127.0.0.2", 7000), -ENOENT);
	registry_unbind(narrow);
}

/* What a child tells of itself before it waits for its end. */
struct told {
	uint32_t qpn[3];
	uint32_t slot;
	uint64_t generation;
	uint16_t port;
};

static void child(int to)
{
	struct told told;
	uint32_t binding = 0;
	struct listener_key k = key("127.0.0.1", 0);

	if (host_attach())
		_exit(1);
	for (int i = 0; i < 3; i++)
		registry_qpn_alloc(64, &told.qpn[i]);
	if (registry_bind(&k, 77, &binding) || registry_listen(binding, true))
		_exit(2);
	told.slot = peer_self()->slot;
	told.generation = peer_self()->generation;
	told.port = ntohs(((struct sockaddr_in *)&k.addr)->sin_port);
	if (write(to, &told, sizeof(told)) != sizeof(told))
		_exit(3);
	pause();
}

/* To be called before host_attach(): see UNDER_TSAN. */
static pid_t start_child(struct told *told)
{
	int pipes[2];
	pid_t pid;

	assert_int_equal(pipe(pipes), 0);
	pid = fork();
	if (pid == 0)
		child(pipes[1]);
	close(pipes[1]);
	assert_int_equal(read(pipes[0], told, sizeof(*told)), sizeof(*told));
	close(pipes[0]);
	return pid;
}

static void kill_child(pid_t pid)
{
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void killed_process_leaves_nothing(void **state)
{
	struct host_place place;
	struct peer *peer;
	struct told told;
	pid_t pid = start_child(&told);
	int before;

	(void)state;
	assert_int_equal(host_attach(), 0);
	before = mock_dir_entries();
	assert_int_equal(listener_of("127.0.0.1", told.port), 77);
	assert_int_equal(registry_qpn_find(told.qpn[0], &place), 0);
	assert_int_equal(place.slot, told.slot);
	assert_int_equal(peer_get(told.slot, told.generation, &peer), 0);
	assert_true(peer_alive(peer));

	kill_child(pid);
	assert_false(peer_alive(peer));
	assert_int_equal(listener_of("127.0.0.1", told.port), -ENOENT);
	for (int i = 0; i < 3; i++)
		assert_int_equal(registry_qpn_find(told.qpn[i], &place), -ENOENT);
	assert_int_equal(mock_dir_entries(), before - 1);
	assert_int_equal(((struct segment_head *)peer->base)->size, peer->size);
	peer_put(peer);
	assert_int_equal(peer_get(told.slot, told.generation, &peer), -ESRCH);
	host_detach();
	assert_int_equal(mock_dir_entries(), 0);
}

static void last_one_killed_is_cleaned_up_by_the_next(void **state)
{
	struct told told;
	pid_t pid = start_child(&told);

	(void)state;
	kill_child(pid);
	assert_true(mock_dir_entries() >= 3);
	assert_int_equal(host_attach(), 0);
	assert_int_equal(listener_of("127.0.0.1", told.port), -ENOENT);
	host_detach();
	assert_int_equal(mock_dir_entries(), 0);
}

static void slots_of_the_dead_are_used_again(void **state)
{
	struct told first, second, third;
	pid_t keeper = start_child(&first);
	pid_t pid = start_child(&second);

	(void)state;
	kill_child(pid);
	pid = start_child(&third);
	assert_int_equal(second.slot, third.slot);
	assert_true(second.slot != first.slot);
	assert_true(second.generation != third.generation);
	kill_child(pid);
	kill_child(keeper);
}

/* exit() with the host still attached: from main, and with another thread busy. */
static void *busy(void *arg)
{
	uint32_t qpn;
	seg_off off;

	for (;;) {
		if (!segment_alloc(3000, &off)) {
			if (!registry_qpn_alloc(off, &qpn))
				registry_qpn_free(qpn);
			segment_free(off, 3000);
		}
	}
	return arg;
}

static void exit_without_detach_leaves_nothing(void **state)
{
	pthread_t thread;
	int status;

	(void)state;
	for (int threads = 0; threads < 3; threads++) {
		if (fork() == 0) {
			if (host_attach())
				_exit(1);
			for (int i = 0; i < threads; i++)
				pthread_create(&thread, NULL, busy, NULL);
			exit(0);
		}
		wait(&status);
		assert_int_equal(status, 0);
		assert_int_equal(mock_dir_entries(), 0);
	}
}

static void child_of_a_fork_is_its_own(void **state)
{
	uint32_t qpn, theirs;
	struct host_place place;
	seg_off off;
	int status;

	(void)state;
	if (UNDER_TSAN)
		skip(); /* it permits no thread in the child of a process with threads */
	assert_int_equal(registry_qpn_alloc(64, &qpn), 0);
	if (fork() == 0) {
		if (segment_alloc(64, &off) != -ENOMEM || host_attach())
			_exit(1);
		if (segment_alloc(64, &off) || registry_qpn_alloc(off, &theirs))
			_exit(2);
		registry_qpn_free(qpn); /* not ours: nothing happens */
		exit(0);
	}
	wait(&status);
	assert_int_equal(status, 0);
	assert_int_equal(registry_qpn_find(qpn, &place), 0);
	assert_int_equal(place.slot, peer_self()->slot);
	assert_true(peer_alive(peer_self()));
	assert_int_equal(segment_alloc(64, &off), 0);
	segment_free(off, 64);
	registry_qpn_free(qpn);
	/* A child that exits without touching the mock takes nothing along. */
	if (fork() == 0)
		exit(0);
	wait(&status);
	assert_true(mock_dir_entries() >= 3);
}

static void exec_is_an_end(void **state)
{
	struct told told;
	struct peer *peer;
	int pipes[2];
	pid_t pid;
	char byte;

	(void)state;
	assert_int_equal(pipe(pipes), 0);
	pid = fork();
	if (pid == 0) {
		if (host_attach())
			_exit(1);
		told.slot = peer_self()->slot;
		told.generation = peer_self()->generation;
		if (write(pipes[1], &told, sizeof(told)) != sizeof(told))
			_exit(1);
		dup2(pipes[1], STDOUT_FILENO);
		execl("/bin/sh", "sh", "-c", "echo x; exec sleep 100", NULL);
		_exit(1);
	}
	assert_int_equal(read(pipes[0], &told, sizeof(told)), sizeof(told));
	assert_int_equal(read(pipes[0], &byte, 1), 1);
	assert_int_equal(host_attach(), 0);
	assert_int_equal(peer_get(told.slot, told.generation, &peer), -ESRCH);
	host_detach();
	kill_child(pid);
	close(pipes[0]);
	close(pipes[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_left),
		cmocka_unit_test_setup_teardown(segment_blocks_are_zero_aligned_and_apart,
		                                attach, detach),
		cmocka_unit_test_setup_teardown(segment_memory_is_used_again, attach,
		                                detach),
		cmocka_unit_test_setup_teardown(segment_too_small_is_an_error, attach,
		                                detach),
		cmocka_unit_test_setup_teardown(segment_without_room_is_an_error, attach,
		                                detach),
		cmocka_unit_test_setup_teardown(qpns_are_found, attach, detach),
		cmocka_unit_test_setup_teardown(bindings_conflict_as_in_the_kernel,
		                                attach, detach),
		cmocka_unit_test_setup_teardown(shared_ports_do_not_listen, attach,
		                                detach),
		cmocka_unit_test_setup_teardown(ephemeral_ports_differ, attach, detach),
		cmocka_unit_test_setup_teardown(closest_listener_is_found, attach,
		                                detach),
		cmocka_unit_test(killed_process_leaves_nothing),
		cmocka_unit_test(last_one_killed_is_cleaned_up_by_the_next),
		cmocka_unit_test(slots_of_the_dead_are_used_again),
		cmocka_unit_test(exit_without_detach_leaves_nothing),
		cmocka_unit_test_setup_teardown(child_of_a_fork_is_its_own, attach,
		                                detach),
		cmocka_unit_test(exec_is_an_end),
	};
	int failed;

	mock_dir_make();
	setenv("MOCKRDMA_LOG", "none", 1);
	setenv("MOCKRDMA_SEGMENT", "1G", 1);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	mock_dir_remove();
	return failed;
}
