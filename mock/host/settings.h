/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every environment variable that the mock reads, in one table (settings.c), with its
 * default, its range and its help, from which the manual page and `mockrdma run --help`
 * are made.
 */
#ifndef MOCK_HOST_SETTINGS_H
#define MOCK_HOST_SETTINGS_H

#include <stdint.h>

#define DEVICES_MAX 8

/* A device that programs are to find, and the interface whose addresses it has. */
struct device_setting {
	char name[32];
	char netdev[16]; /* empty: all */
};

struct settings {
	const char *dir;                 /* MOCKRDMA_DIR; NULL: below /dev/shm */
	uint64_t segment_size;           /* MOCKRDMA_SEGMENT: most that one process may
	                                  * share, bytes */
	uint64_t device_memory;          /* MOCKRDMA_DM: most device memory of one
	                                  * process, bytes */
	uint64_t log_level;              /* MOCKRDMA_LOG: enum mock_log_level */
	uint64_t cm_response_timeout_ms; /* MOCKRDMA_CM_TIMEOUT: wait for a CM answer,
	                                  * per try */
	uint64_t cm_retries;             /* MOCKRDMA_CM_RETRIES */
	struct device_setting device[DEVICES_MAX]; /* MOCKRDMA_DEVICES */
	unsigned int devices;
	/* What the device offers, of each kind for each process: MOCKRDMA_MAX_… */
	uint64_t max_qp, max_qp_wr, max_cq, max_cqe, max_srq, max_srq_wr, max_mr, max_pd;
	uint64_t max_mw, max_ah, max_sge, max_inline, max_rd_atomic;
	uint64_t max_msg;      /* bytes */
	uint64_t packets_only; /* MOCKRDMA_LINK=roce */
	const char *pcap;      /* MOCKRDMA_PCAP; NULL: none */
	/* The bad network: MOCKRDMA_LOSS and the others, each in a million packets. */
	uint64_t loss, duplicate, reorder, corrupt;
	uint64_t delay_ns; /* MOCKRDMA_DELAY */
	uint64_t seed;     /* MOCKRDMA_SEED; 0: another each time */
};

/* One variable, for help texts. */
struct setting {
	const char *name;
	const char *value;   /* what it takes */
	const char *initial; /* its default, as text */
	const char *help;
};

/* Read once, on first use; a value that cannot be read is an error line and the default.
 */
const struct settings *settings(void);

/* The table, in the order in which help shows it. NULL past its end. */
const struct setting *setting_at(unsigned int index);

#endif
