/* SPDX-License-Identifier: BSD-2-Clause */
/* Paths of clients: what they may name, and that none leads out of an export. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/check.h"
#include "program/fault.h"
#include "server/beneath.h"
#include "server/exports.h"

static struct exports exports;
static char root[256];

static void make_file(const char *path)
{
	int fd = (int)CHECK_CALL(open(path, O_WRONLY | O_CREAT, 0666));

	close(fd);
}

/* root/out/secret, root/share/{file,dir/{file,deep/file},links} */
static int set_up(void **state)
{
	char text[300];

	(void)state;
	snprintf(root, sizeof(root), "exports.XXXXXX");
	CHECK(mkdtemp(root) != NULL);
	CHECK_CALL(chdir(root));
	CHECK_CALL(mkdir("out", 0777));
	CHECK_CALL(mkdir("share", 0777));
	CHECK_CALL(mkdir("share/dir", 0777));
	CHECK_CALL(mkdir("share/dir/deep", 0777));
	make_file("out/secret");
	make_file("share/file");
	make_file("share/dir/file");
	make_file("share/dir/deep/file");
	CHECK_CALL(symlink("../out", "share/up"));
	CHECK_CALL(symlink("/", "share/absolute"));
	CHECK_CALL(symlink("file", "share/inside"));
	CHECK_CALL(symlink("../out/secret", "share/secret"));
	CHECK_CALL(mkfifo("share/fifo", 0666));
	snprintf(text, sizeof(text), "data=share");
	CHECK_EQ(exports_add(&exports, text), 0);
	CHECK_EQ(exports_add(&exports, "ro=share/dir:ro"), 0);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	exports_clear(&exports);
	CHECK_CALL(chdir(".."));
	return 0;
}

static int find(const char *path, struct export_path *out)
{
	struct app_bytes bytes = { path, strlen(path) };

	return exports_find(&exports, &bytes, out);
}

static void test_names(void **state)
{
	static const char *const bad[] = {
		"share",     "=share",    "x=",           ".x=share",   "a/b=share",
		"a b=share", "x=nowhere", "x=share/file", "data=share",
	};
	unsigned count = exports.count;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CHECK(exports_add(&exports, bad[i]) < 0);
	CHECK_EQ(exports.count, count);
	assert_non_null(strstr(fault_text(), "two exports named 'data'"));
	CHECK(!exports.list[0].read_only);
	CHECK(exports.list[1].read_only);
	assert_string_equal(exports.list[1].path, "share/dir");
}

static void test_find(void **state)
{
	static const struct {
		const char *path;
		int result;
		const char *rest;
	} rows[] = {
		{ "data", 0, "." },
		{ "data/", 0, "." },
		{ "data///", 0, "." },
		{ "data/file", 0, "file" },
		{ "data//dir/file", 0, "dir/file" },
		{ "data/...", 0, "..." },
		{ "data/..file", 0, "..file" },
		{ "", -FAULT_NO_EXPORT, NULL },
		{ "dat", -FAULT_NO_EXPORT, NULL },
		{ "data2/x", -FAULT_NO_EXPORT, NULL },
		{ "../share/file", -FAULT_NO_EXPORT, NULL },
		{ "/data/file", -FAULT_OUTSIDE, NULL },
		{ "data/..", -FAULT_OUTSIDE, NULL },
		{ "data/../data/file", -FAULT_OUTSIDE, NULL },
		{ "data/dir/../file", -FAULT_OUTSIDE, NULL },
		{ "data/dir/..", -FAULT_OUTSIDE, NULL },
		{ "data/a\nb", -FAULT_BAD_NAME, NULL },
		{ "data/a\x7f", -FAULT_BAD_NAME, NULL },
	};
	struct export_path path;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		CHECK_EQ(find(rows[i].path, &path), rows[i].result);
		if (rows[i].rest)
			assert_string_equal(path.rest, rows[i].rest);
	}
}

static void test_find_limits(void **state)
{
	static char text[APP_PATH_MAX + 2] = "data/";
	struct app_bytes zero = { "data/a\0b", 8 }, bytes = { text, sizeof(text) };
	struct export_path path;

	(void)state;
	CHECK_EQ(exports_find(&exports, &zero, &path), -FAULT_BAD_NAME);
	memset(text + 5, 'x', APP_NAME_MAX);
	CHECK_EQ(find(text, &path), 0);
	text[5 + APP_NAME_MAX] = 'x';
	CHECK_EQ(find(text, &path), -FAULT_BAD_NAME);
	memset(text + 5, 'x', sizeof(text) - 5);
	CHECK_EQ(exports_find(&exports, &bytes, &path), -FAULT_BAD_NAME);
}

static void test_open(void **state)
{
	static const struct {
		const char *path;
		int flags, result;
	} rows[] = {
		{ "data/file", O_RDONLY, 0 },
		{ "data/dir/deep/file", O_RDONLY, 0 },
		{ "data", O_RDONLY | O_DIRECTORY, 0 },
		{ "data/fifo", O_RDONLY, 0 }, /* and does not wait for a writer */
		{ "data/nosuch", O_RDONLY, -FAULT_NOT_FOUND },
		{ "data/file/x", O_RDONLY, -FAULT_NO_DIRECTORY },
		{ "data/up/secret", O_RDONLY, -FAULT_OUTSIDE },
		{ "data/secret", O_RDONLY, -FAULT_OUTSIDE },
		{ "data/absolute/etc/passwd", O_RDONLY, -FAULT_OUTSIDE },
		{ "data/inside", O_RDONLY, -FAULT_OUTSIDE },
		{ "data/up", O_RDONLY | O_DIRECTORY, -FAULT_OUTSIDE },
	};
	struct export_path path;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int fd = -1;

		CHECK_EQ(find(rows[i].path, &path), 0);
		CHECK_EQ(export_open(&path, rows[i].flags, &fd), rows[i].result);
		if (fd >= 0)
			close(fd);
	}
}

static void test_open_parent(void **state)
{
	struct export_path path;
	const char *name;
	int fd;

	(void)state;
	CHECK_EQ(find("data/dir/new", &path), 0);
	CHECK_EQ(export_open_parent(&path, &fd, &name), 0);
	assert_string_equal(name, "new");
	CHECK_CALL(faccessat(fd, "deep", F_OK, 0));
	close(fd);
	CHECK_EQ(find("data/new", &path), 0);
	CHECK_EQ(export_open_parent(&path, &fd, &name), 0);
	CHECK_CALL(faccessat(fd, "dir", F_OK, 0));
	close(fd);
	CHECK_EQ(find("ro/new", &path), 0);
	CHECK_EQ(export_open_parent(&path, &fd, &name), -FAULT_READ_ONLY);
	CHECK_EQ(find("data", &path), 0);
	CHECK_EQ(export_open_parent(&path, &fd, &name), -FAULT_BAD_NAME);
	CHECK_EQ(find("data/dir/", &path), 0);
	CHECK_EQ(export_open_parent(&path, &fd, &name), -FAULT_BAD_NAME);
	CHECK_EQ(find("data/nosuch/new", &path), 0);
	CHECK_EQ(export_open_parent(&path, &fd, &name), -FAULT_NOT_FOUND);
	CHECK_EQ(find("data/up/new", &path), 0);
	CHECK_EQ(export_open_parent(&path, &fd, &name), -FAULT_OUTSIDE);
}

/* Where the kernel has no openat2(): the same answers. */
static void test_stepwise(void **state)
{
	static const struct {
		const char *path;
		int flags, result;
	} rows[] = {
		{ "file", O_RDONLY, 0 },
		{ "dir/deep/file", O_RDONLY, 0 },
		{ "dir//deep/", O_RDONLY, 0 },
		{ ".", O_RDONLY | O_DIRECTORY, 0 },
		{ "dir", O_PATH | O_DIRECTORY, 0 },
		{ "file", O_PATH | O_DIRECTORY, -ENOTDIR },
		{ "file/", O_RDONLY, -ENOTDIR },
		{ "file/x", O_RDONLY, -ENOTDIR },
		{ "nosuch", O_RDONLY, -ENOENT },
		{ "..", O_RDONLY, -EXDEV },
		{ "dir/../file", O_RDONLY, -EXDEV },
		{ "up/secret", O_RDONLY, -ELOOP },
		{ "up", O_PATH | O_DIRECTORY, -ELOOP },
		{ "secret", O_RDONLY, -ELOOP },
		{ "inside", O_RDONLY, -ELOOP },
	};
	int share = exports.list[0].fd;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int fd = open_beneath_stepwise(share, rows[i].path, rows[i].flags);

		CHECK_EQ(fd < 0 ? fd : 0, rows[i].result);
		if (fd >= 0)
			close(fd);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),       cmocka_unit_test(test_find),
		cmocka_unit_test(test_find_limits), cmocka_unit_test(test_open),
		cmocka_unit_test(test_open_parent), cmocka_unit_test(test_stepwise),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
