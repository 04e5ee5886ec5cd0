// SPDX-License-Identifier: BSD-2-Clause
/*
 * mockrdma run: becomes the program, with libmockrdma.so preloaded.
 *
 * The library is looked for beside the launcher first (PREFIX/bin and PREFIX/lib, as in
 * the build directory), so that a moved tree works, then where it was installed.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mockrdma/command.h"
#include "mockrdma/host.h"

#ifndef LIBDIR
#define LIBDIR "/usr/local/lib"
#endif

#define LIBRARY     "libmockrdma.so"
#define PRELOAD_VAR "LD_PRELOAD"

/* ld.so splits LD_PRELOAD at these and has no way to quote them. */
#define PRELOAD_SEPARATORS ": \t\n"

/* The directory above the one that holds this executable: 0, or a negative errno. */
static int own_prefix(char *out, size_t size)
{
	ssize_t length = readlink("/proc/self/exe", out, size);

	if (length < 0)
		return -errno;
	if ((size_t)length == size)
		return -ENAMETOOLONG;
	out[length] = '\0';
	for (int up = 0; up < 2; up++) {
		char *slash = strrchr(out, '/');

		if (!slash)
			return -ENOENT;
		*slash = '\0';
	}
	return 0;
}

static int is_readable(const char *path)
{
	return access(path, R_OK) == 0;
}

/* Puts the path of the library into path: 0, or -ENOENT when there is none. */
int find_library(char *path, size_t size)
{
	char prefix[PATH_MAX];

	if (own_prefix(prefix, sizeof(prefix)) == 0) {
		int length = snprintf(path, size, "%s/lib/" LIBRARY, prefix);

		if (length > 0 && (size_t)length < size && is_readable(path))
			return 0;
	}
	snprintf(path, size, "%s", LIBDIR "/" LIBRARY);
	return is_readable(path) ? 0 : -ENOENT;
}

/*
 * Puts the library after whatever the user preloads already: a sanitizer's runtime has to
 * come first, and either way the library comes before rdma-core.
 */
static int preload(const char *library)
{
	const char *others = getenv(PRELOAD_VAR);
	size_t size;
	char *value;
	int err;

	if (!others || !*others)
		return setenv(PRELOAD_VAR, library, 1) ? -errno : 0;
	size = strlen(library) + strlen(others) + sizeof(":");
	value = malloc(size);
	if (!value)
		return -ENOMEM;
	snprintf(value, size, "%s:%s", others, library);
	err = setenv(PRELOAD_VAR, value, 1) ? -errno : 0;
	free(value);
	return err;
}

int library_missing(void)
{
	fprintf(stderr, "mockrdma: " LIBRARY
	                " is neither in ../lib beside this launcher nor in " LIBDIR
	                ": build it with 'make all' or install it\n");
	return EXIT_FAILURE;
}

static int execute(char **argv)
{
	execvp(argv[0], argv);
	if (errno == ENOENT) {
		fprintf(stderr,
		        "mockrdma: there is no program '%s': check its name and PATH\n",
		        argv[0]);
		return EXIT_NOT_FOUND;
	}
	fprintf(stderr, "mockrdma: cannot run '%s': %s\n", argv[0], strerror(errno));
	return EXIT_CANNOT_RUN;
}

/*
 * Steps over the options of the command itself: there are none but "--", and a word that
 * begins with a dash is taken for a mistake, not for a program.
 */
static char **program_of(char **argv)
{
	if (argv[0] && strcmp(argv[0], "--") == 0)
		return argv + 1;
	if (argv[0] && argv[0][0] == '-') {
		usage_error("run has no option '%s': put -- before the program", argv[0]);
		return NULL;
	}
	return argv;
}

int command_run(int argc, char **argv)
{
	char library[PATH_MAX];
	char **program = program_of(argv + 1);
	int err;

	(void)argc;
	if (!program)
		return EXIT_USAGE;
	if (!program[0])
		return usage_error("run needs a program");
	if (find_library(library, sizeof(library)) < 0)
		return library_missing();
	if (strpbrk(library, PRELOAD_SEPARATORS)) {
		fprintf(stderr,
		        "mockrdma: cannot preload '%s': " PRELOAD_VAR
		        " permits no space or colon "
		        "in a path: move the library\n",
		        library);
		return EXIT_FAILURE;
	}
	err = preload(library);
	if (err < 0) {
		fprintf(stderr, "mockrdma: cannot set " PRELOAD_VAR ": %s\n",
		        strerror(-err));
		return EXIT_FAILURE;
	}
	return execute(program);
}
