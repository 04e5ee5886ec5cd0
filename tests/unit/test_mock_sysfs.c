/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The files of /sys/class/infiniband by the calls of the C library, and that those calls
 * do for other paths what they always did.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "mock_dir.h"

#define DEVICE "/sys/class/infiniband/mock0"
#define STATE  DEVICE "/ports/1/state"

static int (*volatile open_any)(const char *path, int flags, ...) = open;

static bool state_is_active(void)
{
	char text[32] = "";
	int fd = open(STATE, O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (fd >= 0)
		close(fd);
	return got > 0 && strcmp(text, "4: ACTIVE\n") == 0;
}

static void files_are_there(void **state)
{
	struct stat st;
	char text[64];
	FILE *file;

	(void)state;
	assert_true(state_is_active());
	assert_int_equal(stat(STATE, &st), 0);
	assert_true(S_ISREG(st.st_mode));
	assert_int_equal(lstat(DEVICE, &st), 0);
	assert_true(S_ISDIR(st.st_mode));
	assert_int_equal(access(STATE, R_OK), 0);
	file = fopen(DEVICE "/node_type", "re");
	assert_non_null(file);
	assert_non_null(fgets(text, sizeof(text), file));
	assert_string_equal(text, "1: CA\n");
	fclose(file);
}

static int names(const char *path, const char *wanted)
{
	const struct dirent *entry;
	DIR *dir = opendir(path);
	int found = 0;

	assert_non_null(dir);
	while ((entry = readdir(dir)))
		found += strcmp(entry->d_name, wanted) == 0;
	closedir(dir);
	return found;
}

static void directories_can_be_read(void **state)
{
	struct dirent **list;
	int dir, fd, count;

	(void)state;
	assert_int_equal(names("/sys/class/infiniband", "mock0"), 1);
	assert_int_equal(names(DEVICE "/ports/1/gids", "255"), 1);
	count = scandir("/sys/class/infiniband_verbs", &list, NULL, alphasort);
	assert_int_equal(count, 4); /* with . and .. and abi_version */
	while (count)
		free(list[--count]);
	free(list);
	dir = open(DEVICE "/ports", O_RDONLY | O_DIRECTORY);
	assert_true(dir >= 0);
	fd = openat(dir, "1/state", O_RDONLY);
	assert_true(fd >= 0);
	close(fd);
	close(dir);
}

static void paths_are_as_programs_know_them(void **state)
{
	char resolved[4096], *path = realpath(DEVICE "/ports", NULL);

	(void)state;
	assert_string_equal(path, DEVICE "/ports");
	free(path);
	assert_string_equal(realpath(DEVICE "/ports/1/", resolved), DEVICE "/ports/1");
}

static void nothing_can_be_written(void **state)
{
	(void)state;
	assert_int_equal(open(STATE, O_WRONLY), -1);
	assert_int_equal(errno, EACCES);
	assert_int_equal(open(DEVICE "/new", O_RDWR | O_CREAT, 0600), -1);
	assert_int_equal(errno, EACCES);
	assert_null(fopen(STATE, "r+"));
	assert_int_equal(errno, EACCES);
	assert_int_equal(open(DEVICE "/new", O_RDONLY), -1);
	assert_int_equal(errno, ENOENT);
}

static void other_paths_are_the_callers(void **state)
{
	const char *variant = getenv("TEST_VARIANT");
	char path[256];
	struct stat st;
	int fd;

	(void)state;
	snprintf(path, sizeof(path), "%s/own", getenv("MOCKRDMA_DIR"));
	umask(0);
	fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0640);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	close(fd);
	errno = 0;
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(errno, 0);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(errno, ENOENT);
	if (!variant || strcmp(variant, "valgrind") != 0) { /* which would report it */
		assert_int_equal(open_any(NULL, O_RDONLY), -1);
		assert_int_equal(errno, EFAULT);
	}
}

static void *reads(void *failed)
{
	for (int i = 0; i < 200; i++)
		if (!state_is_active())
			*(bool *)failed = true;
	return NULL;
}

static void any_thread_may_read(void **state)
{
	bool failed[4] = { false };
	pthread_t threads[4];

	(void)state;
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, reads, &failed[i]), 0);
	for (int i = 0; i < 4; i++) {
		assert_int_equal(pthread_join(threads[i], NULL), 0);
		assert_false(failed[i]);
	}
}

/* The child has files of its own, and takes those of its parent not with it. */
static void child_of_a_fork_reads_too(void **state)
{
	int status;
	pid_t pid;

	(void)state;
	assert_true(state_is_active());
	pid = fork();
	if (pid == 0)
		exit(state_is_active() ? 0 : 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_true(state_is_active());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(files_are_there),
		cmocka_unit_test(directories_can_be_read),
		cmocka_unit_test(paths_are_as_programs_know_them),
		cmocka_unit_test(nothing_can_be_written),
		cmocka_unit_test(other_paths_are_the_callers),
		cmocka_unit_test(any_thread_may_read),
		cmocka_unit_test(child_of_a_fork_reads_too),
	};
	int failed;

	mock_dir_make();
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	mock_dir_remove();
	return failed;
}
