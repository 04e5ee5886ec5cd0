/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is on the host, as the device's library tells it. The library is loaded with
 * dlopen(3): it alone knows what it keeps in memory, and a tool of one version reads the
 * host of the library that lies beside it.
 */
#ifndef MOCKRDMA_HOST_H
#define MOCKRDMA_HOST_H

#include <stddef.h>
#include "mockrdma_inspect.h"

/* The path of libmockrdma.so: 0, or -ENOENT. run.c. */
int find_library(char *path, size_t size);
/* Says where it was looked for. EXIT_FAILURE. */
int library_missing(void);

/* mockrdma_inspect(), or NULL once it was said why there is none. */
mockrdma_inspect_function *host_inspect(void);
/* mockrdma_dump(), likewise. */
mockrdma_dump_function *host_dump(void);
/* Says why an inspection failed. EXIT_FAILURE. */
int host_failed(int err);

#endif
