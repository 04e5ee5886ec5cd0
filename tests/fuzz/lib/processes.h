/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fuzzers that drive the library from two threads of one process and from another
 * process. Two thirds of an input are the threads', in halves, the rest is the other
 * process's.
 */
#ifndef TESTS_FUZZ_PROCESSES_H
#define TESTS_FUZZ_PROCESSES_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define MUST(condition)                                                             \
	do {                                                                        \
		if (!(condition)) {                                                 \
			fprintf(stderr, "%s:%d: not so: %s (errno %d)\n", __FILE__, \
			        __LINE__, #condition, errno);                       \
			abort();                                                    \
		}                                                                   \
	} while (0)

/* The fuzzer's own: all that one process does with its part of an input. */
void live(int socket, const uint8_t *data, size_t size, int threads);

/* Both processes come here; false when the other one is gone. */
bool exchange(int socket, const void *mine, void *theirs, size_t size);

/* Calls run(world[i]) in as many threads, whose worlds are of that size, one after the
 * other; the first is this one. */
void run_threads(void *(*run)(void *world), void *worlds, size_t size, int threads);

#endif
