/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A few threads for what may block: disks, and hashing along with it. A job runs in one
 * of them, and ends in the thread of its worker. Jobs start in the order of submission; a
 * transfer has one job at a time, so that transfers take turns.
 */
#ifndef PROGRAM_JOBS_H
#define PROGRAM_JOBS_H

#include "common/list.h"
#include "program/fault.h"
#include "srdma.h"

struct jobs;

struct job {
	/* In a thread of the pool: 0 or a fault, whose sentence goes along. */
	int (*run)(struct job *job);
	/* In the worker's thread; the job may be freed or submitted again here. */
	void (*done)(struct job *job, int result, const char *text);
	/* The pool's own, from submission until done() is called. */
	struct list node;
	struct srdma_worker *worker;
	int result;
	char text[FAULT_TEXT];
};

/* 0 or -FAULT_MEMORY. Signals are blocked in the pool's threads. */
int jobs_new(unsigned threads, struct jobs **out);

void jobs_submit(struct jobs *pool, struct srdma_worker *worker, struct job *job);

/*
 * Runs what was submitted, and ends the threads. The workers of the jobs must still live:
 * what they then have to call is called, at the latest, when they are freed. What is
 * submitted because of that runs in the thread that submits it.
 */
void jobs_end(struct jobs *pool);

/* When nothing can be submitted any more: of a pool that was not ended, too. */
void jobs_free(struct jobs *pool);

#endif
