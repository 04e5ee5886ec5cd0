/* SPDX-License-Identifier: BSD-2-Clause */
/* What `bench` found, of all processes, and as a page to look at. */
#ifndef CLIENT_BENCH_H
#define CLIENT_BENCH_H

#include <stdint.h>

#include "client/load.h"

/* Of the server's process: what is its own, and what it shares (the mock's queues). */
struct bench_memory {
	uint64_t own, shared; /* bytes */
};

struct bench_result {
	const char *server; /* as it was called */
	uint64_t clients, processes, size;
	uint64_t set_up_us; /* until all sessions were there, or failed */
	struct load_result all;
	bool has_memory;
	struct bench_memory before, with; /* without and with all sessions, at rest */
};

/* A page without references to other files. 0 or a fault. */
int bench_write_page(const char *path, const struct bench_result *result);

#endif
