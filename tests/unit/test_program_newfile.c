/* SPDX-License-Identifier: BSD-2-Clause */
/* Files that appear whole or not at all. */
#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/check.h"
#include "program/app.h"
#include "program/fault.h"
#include "program/newfile.h"

static char directory[64];

static int open_directory(void)
{
	return (int)CHECK_CALL(open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC));
}

/* With O_TMPFILE, and without. */
static bool named;

static int create(const char *name, bool replace, uint64_t size, struct newfile **file)
{
	return (named ? newfile_create_named : newfile_create)(open_directory(), name,
	                                                       name, replace, size, file);
}

/* How many files the directory has; *name is one of them. */
static int count(char *name)
{
	DIR *dir = CHECK_OBJECT(opendir(directory));
	struct dirent *entry;
	int n = 0;

	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.' && strlen(entry->d_name) < 3)
			continue;
		n++;
		if (name)
			snprintf(name, 256, "%s", entry->d_name);
	}
	closedir(dir);
	return n;
}

static const char *path_of(const char *name)
{
	static char path[384];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	return path;
}

static void check_content(const char *name, const char *expected)
{
	char text[64] = "";
	int fd = (int)CHECK_CALL(open(path_of(name), O_RDONLY));

	CHECK_EQ(read(fd, text, sizeof(text) - 1), strlen(expected));
	assert_string_equal(text, expected);
	close(fd);
}

static void write_file(const char *name, const char *text)
{
	int fd = (int)CHECK_CALL(open(path_of(name), O_WRONLY | O_CREAT | O_TRUNC, 0666));

	CHECK_EQ(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static int set_up(void **state)
{
	named = *state != NULL;
	snprintf(directory, sizeof(directory), "newfile.XXXXXX");
	return mkdtemp(directory) ? 0 : -1;
}

static int tear_down(void **state)
{
	DIR *dir = opendir(directory);
	struct dirent *entry;

	(void)state;
	while ((entry = readdir(dir)))
		unlinkat(dirfd(dir), entry->d_name, 0);
	closedir(dir);
	return rmdir(directory);
}

static void test_appears_when_published(void **state)
{
	struct newfile *file;
	char found[256];

	(void)state;
	CHECK_EQ(create("x", false, APP_SIZE_UNKNOWN, &file), 0);
	CHECK_EQ(newfile_append(file, "hello ", 6), 0);
	CHECK_EQ(newfile_append(file, "world", 5), 0);
	CHECK_EQ(count(found), named);
	if (named)
		CHECK(strncmp(found, ".x.", 3) == 0 && strstr(found, ".part"));
	CHECK_EQ(newfile_publish(file, true), 0);
	newfile_free(file);
	CHECK_EQ(count(NULL), 1);
	check_content("x", "hello world");
}

static void test_vanishes_unpublished(void **state)
{
	struct newfile *file;

	(void)state;
	CHECK_EQ(create("x", false, 5, &file), 0);
	CHECK_EQ(newfile_append(file, "hello", 5), 0);
	newfile_free(file);
	CHECK_EQ(count(NULL), 0);
	newfile_free(NULL);
}

static void test_exists(void **state)
{
	struct newfile *file;

	(void)state;
	write_file("x", "old");
	CHECK_EQ(create("x", false, 1, &file), -FAULT_EXISTS);
	assert_non_null(
	        strstr(fault_text(), "'x' exists: choose another name, or --force"));
	/* One that appears after the check is not replaced either. */
	CHECK_EQ(create("y", false, 1, &file), 0);
	write_file("y", "first");
	CHECK_EQ(newfile_publish(file, false), -FAULT_EXISTS);
	newfile_free(file);
	check_content("x", "old");
	check_content("y", "first");
	CHECK_EQ(count(NULL), 2);
}

static void test_replace(void **state)
{
	struct newfile *file;

	(void)state;
	write_file("x", "old");
	CHECK_EQ(create("x", true, 3, &file), 0);
	CHECK_EQ(newfile_append(file, "new", 3), 0);
	check_content("x", "old");
	CHECK_EQ(newfile_publish(file, true), 0);
	newfile_free(file);
	check_content("x", "new");
	CHECK_EQ(count(NULL), 1);
}

/* A symbolic link is replaced itself; what it leads to stays. */
static void test_replace_link(void **state)
{
	struct newfile *file;
	struct stat st;

	(void)state;
	write_file("target", "old");
	CHECK_CALL(symlink("target", path_of("x")));
	CHECK_EQ(create("x", false, 3, &file), -FAULT_EXISTS);
	CHECK_EQ(create("x", true, 3, &file), 0);
	CHECK_EQ(newfile_append(file, "new", 3), 0);
	CHECK_EQ(newfile_publish(file, false), 0);
	newfile_free(file);
	CHECK_CALL(lstat(path_of("x"), &st));
	CHECK(S_ISREG(st.st_mode));
	check_content("target", "old");
}

static void test_refusals(void **state)
{
	struct newfile *file;

	(void)state;
	CHECK_CALL(mkdir(path_of("dir"), 0777));
	CHECK_EQ(create("dir", true, 1, &file), -FAULT_NOT_A_FILE);
	CHECK_EQ(rmdir(path_of("dir")), 0);
	CHECK_EQ(create("x", false, UINT64_C(1) << 60, &file), -FAULT_NO_SPACE);
	assert_non_null(strstr(fault_text(), "no space for 'x'"));
	CHECK_EQ(count(NULL), 0);
}

static void test_longest_name(void **state)
{
	char name[APP_NAME_MAX + 1], found[256];
	struct newfile *file;

	(void)state;
	memset(name, 'n', APP_NAME_MAX);
	name[APP_NAME_MAX] = '\0';
	write_file(name, "old");
	CHECK_EQ(create(name, true, 0, &file), 0);
	CHECK_EQ(newfile_publish(file, false), 0);
	newfile_free(file);
	CHECK_EQ(count(found), 1);
	assert_string_equal(found, name);
}

static void test_file_too_large(void **state)
{
	struct rlimit before, limit = { 4096, 4096 };
	struct newfile *file;
	char data[8192] = "";

	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	CHECK_CALL(getrlimit(RLIMIT_FSIZE, &before));
	limit.rlim_max = before.rlim_max;
	CHECK_EQ(create("x", false, APP_SIZE_UNKNOWN, &file), 0);
	CHECK_CALL(setrlimit(RLIMIT_FSIZE, &limit));
	CHECK_EQ(newfile_append(file, data, sizeof(data)), -FAULT_TOO_LARGE);
	CHECK_CALL(setrlimit(RLIMIT_FSIZE, &before));
	newfile_free(file);
	CHECK_EQ(count(NULL), 0);
}

static int run(void *without_tmpfile)
{
	const struct {
		const char *name;
		CMUnitTestFunction function;
	} rows[] = {
		{ "appears when published", test_appears_when_published },
		{ "vanishes unpublished", test_vanishes_unpublished },
		{ "exists", test_exists },
		{ "replace", test_replace },
		{ "replace a link", test_replace_link },
		{ "refusals", test_refusals },
		{ "longest name", test_longest_name },
		{ "file too large", test_file_too_large },
	};
	struct CMUnitTest tests[sizeof(rows) / sizeof(rows[0])];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		tests[i] = (struct CMUnitTest){ rows[i].name, rows[i].function, set_up,
			                        tear_down, without_tmpfile };
	return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(void)
{
	static int yes;
	int failed = run(NULL);

	return run(&yes) + failed;
}
