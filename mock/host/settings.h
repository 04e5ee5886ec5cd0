/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every environment variable that the mock reads, in one table (settings.c), with its
 * default, its range and its help, from which the manual page and `mockrdma run --help`
 * are made.
 */
#ifndef MOCK_HOST_SETTINGS_H
#define MOCK_HOST_SETTINGS_H

#include <stdint.h>

struct settings {
	const char *dir;       /* MOCKRDMA_DIR */
	uint64_t segment_size; /* MOCKRDMA_SEGMENT: most that one process may share, bytes
	                        */
	uint64_t cm_response_timeout_ms; /* MOCKRDMA_CM_TIMEOUT: wait for a CM answer, per
	                                    try */
	uint64_t cm_retries;             /* MOCKRDMA_CM_RETRIES */
};

/* Read once, on first use; a value that cannot be read is an error line and the default.
 */
const struct settings *settings(void);

#endif
