// SPDX-License-Identifier: BSD-2-Clause
#include "mockrdma/host.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *find_function(const char *name)
{
	void *library, *function = NULL;
	char path[PATH_MAX];

	if (find_library(path, sizeof(path))) {
		library_missing();
		return NULL;
	}
	library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (library)
		function = dlsym(library, name);
	if (!function)
		fprintf(stderr, "mockrdma: cannot use %s: %s\n", path, dlerror());
	return function;
}

mockrdma_inspect_function *host_inspect(void)
{
	mockrdma_inspect_function *inspect;

	*(void **)&inspect = find_function("mockrdma_inspect");
	return inspect;
}

mockrdma_dump_function *host_dump(void)
{
	mockrdma_dump_function *dump;

	*(void **)&dump = find_function("mockrdma_dump");
	return dump;
}

int host_failed(int err)
{
	if (err == -EPROTO)
		fputs("mockrdma: the programs on this host use another version of "
		      "mockrdma: look with the mockrdma of that version\n",
		      stderr);
	else
		fprintf(stderr, "mockrdma: cannot look at this host: %s\n",
		        strerror(-err));
	return EXIT_FAILURE;
}
