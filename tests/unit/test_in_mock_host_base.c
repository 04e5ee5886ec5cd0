// SPDX-License-Identifier: BSD-2-Clause
/* Settings, random numbers, robust locks, bells, and runs of free pages. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/util.h"
#include "host/bell.h"
#include "host/extent.h"
#include "host/lock.h"
#include "host/random.h"
#include "host/settings.h"

static void settings_read_from_the_environment(void **state)
{
	(void)state;
	assert_string_equal(settings()->dir, "/some/where");
	assert_int_equal(settings()->segment_size, UINT64_C(3) << 30);
	assert_int_equal(settings()->cm_retries, 15); /* 99 is out of range */
	assert_int_equal(settings()->cm_response_timeout_ms, 4295);
	assert_int_equal(mock_log_level, MOCK_LOG_NONE);
}

/* Whether the manual page has an entry for it. */
static bool is_documented(const char *name)
{
	char path[4096], line[512], entry[128];
	bool found = false;
	FILE *page;

	snprintf(path, sizeof(path), "%s/man/mockrdma.1", getenv("TOP"));
	snprintf(entry, sizeof(entry), ".It Ev %s\n", name);
	page = fopen(path, "r");
	assert_non_null(page);
	while (!found && fgets(line, sizeof(line), page))
		found = !strcmp(line, entry);
	fclose(page);
	return found;
}

static void settings_table_is_whole(void **state)
{
	unsigned int i = 0;

	(void)state;
	if (!getenv("TOP"))
		skip(); /* not under tests/run-tests */
	for (const struct setting *s; (s = setting_at(i)); i++) {
		assert_non_null(s->value);
		assert_non_null(s->help);
		if (!is_documented(s->name))
			fail_msg("man/mockrdma.1 says nothing of %s", s->name);
	}
	assert_true(i > 0);
}

static void random_differs_after_fork(void **state)
{
	uint64_t mine, theirs;
	int pipes[2];

	(void)state;
	random_u32(); /* so that the pool holds bytes at the fork */
	assert_int_equal(pipe(pipes), 0);
	if (fork() == 0) {
		theirs = random_u64();
		_exit(write(pipes[1], &theirs, sizeof(theirs)) != sizeof(theirs));
	}
	assert_int_equal(read(pipes[0], &theirs, sizeof(theirs)), sizeof(theirs));
	mine = random_u64();
	assert_true(mine != theirs);
	wait(NULL);
	close(pipes[0]);
	close(pipes[1]);
}

static void random_covers_all_bits(void **state)
{
	uint64_t ones = 0, zeros = 0;

	(void)state;
	for (int i = 0; i < 1000; i++) {
		uint64_t value = random_u64();

		ones |= value;
		zeros |= ~value;
	}
	assert_true(ones == UINT64_MAX && zeros == UINT64_MAX);
}

static void lock_outlives_its_holder(void **state)
{
	struct host_lock *lock = mmap(NULL, sizeof(*lock), PROT_READ | PROT_WRITE,
	                              MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct timespec past = { 0 };
	int status;

	(void)state;
	assert_ptr_not_equal(lock, MAP_FAILED);
	host_lock_init(lock);
	if (fork() == 0)
		_exit(host_lock(lock));
	wait(&status);
	assert_int_equal(status, 0);
	assert_int_equal(host_lock(lock), -EOWNERDEAD);
	assert_int_equal(host_trylock(lock), -EBUSY);
	assert_int_equal(host_lock_until(lock, &past), -ETIMEDOUT);
	host_unlock(lock);
	assert_int_equal(host_trylock(lock), 0);
	host_unlock(lock);
	munmap(lock, sizeof(*lock));
}

static bool readable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, 0) == 1;
}

static void bell_rings(void **state)
{
	uint64_t name;
	int fd;

	(void)state;
	assert_int_equal(bell_create(&fd, &name), 0);
	assert_false(readable(fd));
	for (int i = 0; i < 10000; i++)
		bell_ring(name); /* never blocks, however many */
	assert_true(readable(fd));
	assert_int_equal(bell_wait(fd), 0);
	bell_silence(fd);
	assert_false(readable(fd));
	fcntl(fd, F_SETFL, O_NONBLOCK);
	assert_int_equal(bell_wait(fd), -EAGAIN);
	close(fd);
	errno = 7;
	bell_ring(name); /* nobody there: no error, errno untouched */
	assert_int_equal(errno, 7);
	bell_forget();
}

static void bell_rings_across_processes(void **state)
{
	uint64_t name;
	int fd;

	(void)state;
	assert_int_equal(bell_create(&fd, &name), 0);
	if (fork() == 0) {
		bell_ring(name);
		_exit(0);
	}
	assert_int_equal(bell_wait(fd), 0);
	wait(NULL);
	close(fd);
}

static void bell_rings_after_the_program_closed_its_socket(void **state)
{
	uint64_t name;
	int fd;

	(void)state;
	assert_int_equal(bell_create(&fd, &name), 0);
	bell_ring(name);
	bell_silence(fd);
	for (int other = fd + 1; other < fd + 16; other++)
		close(other);
	bell_ring(name);
	assert_true(readable(fd));
	close(fd);
	bell_forget();
}

static void extents_merge(void **state)
{
	struct extents e;

	(void)state;
	assert_int_equal(extents_open(&e, 1000), 0);
	assert_int_equal(extents_take(&e, 1), 0);
	extents_give(&e, 10, 5);
	extents_give(&e, 20, 5);
	assert_int_equal(extents_take(&e, 6), 0);
	extents_give(&e, 15, 5); /* the gap between them */
	assert_int_equal(extents_take(&e, 15), 10);
	assert_int_equal(extents_take(&e, 1), 0);
	extents_give(&e, 10, 15);
	assert_int_equal(extents_take(&e, 4), 10);
	assert_int_equal(extents_take_before(&e, 25), 11);
	assert_int_equal(extents_take_before(&e, 25), 0);
	extents_close(&e);
}

/* Against a plain array of flags: nothing is handed out twice, nothing is lost. */
static void extents_keep_their_books(void **state)
{
	enum { PAGES = 2048, HELD = 64 };
	static char used[PAGES];
	struct {
		uint32_t at, pages;
	} held[HELD] = { 0 };
	struct extents e;
	unsigned int seed = 1;

	(void)state;
	assert_int_equal(extents_open(&e, PAGES), 0);
	extents_give(&e, 1, PAGES - 1);
	for (int i = 0; i < 20000; i++) {
		unsigned int n = (unsigned int)rand_r(&seed) % HELD;
		uint32_t pages = 1 + (uint32_t)rand_r(&seed) % 60;

		if (held[n].at) {
			memset(used + held[n].at, 0, held[n].pages);
			extents_give(&e, held[n].at, held[n].pages);
			held[n].at = 0;
			continue;
		}
		held[n].at = extents_take(&e, pages);
		held[n].pages = pages;
		for (uint32_t p = 0; held[n].at && p < pages; p++) {
			assert_int_equal(used[held[n].at + p], 0);
			used[held[n].at + p] = 1;
		}
	}
	for (int n = 0; n < HELD; n++) {
		if (held[n].at)
			extents_give(&e, held[n].at, held[n].pages);
	}
	assert_int_equal(extents_take(&e, PAGES - 1), 1);
	extents_close(&e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(settings_read_from_the_environment),
		cmocka_unit_test(settings_table_is_whole),
		cmocka_unit_test(random_differs_after_fork),
		cmocka_unit_test(random_covers_all_bits),
		cmocka_unit_test(lock_outlives_its_holder),
		cmocka_unit_test(bell_rings),
		cmocka_unit_test(bell_rings_across_processes),
		cmocka_unit_test(bell_rings_after_the_program_closed_its_socket),
		cmocka_unit_test(extents_merge),
		cmocka_unit_test(extents_keep_their_books),
	};

	setenv("MOCKRDMA_DIR", "/some/where", 1);
	setenv("MOCKRDMA_SEGMENT", "3G", 1);
	setenv("MOCKRDMA_LOG", "none", 1);
	setenv("MOCKRDMA_CM_RETRIES", "99", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
