// SPDX-License-Identifier: BSD-2-Clause
#include "mockrdma/host.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

mockrdma_inspect_function *host_inspect(void)
{
	mockrdma_inspect_function *inspect = NULL;
	char path[PATH_MAX];
	void *library;

	if (find_library(path, sizeof(path))) {
		library_missing();
		return NULL;
	}
	library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (library)
		*(void **)&inspect = dlsym(library, "mockrdma_inspect");
	if (!inspect)
		fprintf(stderr, "mockrdma: cannot use %s: %s\n", path, dlerror());
	return inspect;
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
