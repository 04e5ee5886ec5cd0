/* SPDX-License-Identifier: BSD-2-Clause */
/* The pool of threads for what may block. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/check.h"
#include "lib/context.h"
#include "lib/pki.h"
#include "program/jobs.h"

enum { CHAIN = 5 };

struct chain {
	struct job job;
	struct jobs *pool;
	struct srdma_worker *worker;
	unsigned ran, done;
};

static struct chain *chain_of(struct job *job)
{
	return container_of(job, struct chain, job);
}

static int run(struct job *job)
{
	return chain_of(job)->ran++ ? fault(FAULT_IO, "broken") : 0;
}

static void done(struct job *job, int result, const char *text)
{
	struct chain *chain = chain_of(job);

	CHECK_EQ(chain->ran, chain->done + 1);
	CHECK_EQ(result, chain->done ? -FAULT_IO : 0);
	CHECK_EQ(strcmp(text, chain->done ? "broken" : ""), 0);
	if (++chain->done < CHAIN)
		jobs_submit(chain->pool, chain->worker, job);
}

static void open_worker(struct srdma_context **context, struct srdma_worker **worker)
{
	*context = context_as("client");
	CHECK_EQ(srdma_worker_new(*context, worker), 0);
}

static void test_each_runs_once(void **state)
{
	struct srdma_context *context;
	struct chain chain = { .job = { .run = run, .done = done } };

	(void)state;
	open_worker(&context, &chain.worker);
	CHECK_EQ(jobs_new(2, &chain.pool), 0);
	jobs_submit(chain.pool, chain.worker, &chain.job);
	while (chain.done < CHAIN)
		CHECK(srdma_worker_run(chain.worker, 1000) >= 0);
	CHECK_EQ(chain.ran, CHAIN);
	jobs_free(chain.pool);
	srdma_worker_free(chain.worker);
	srdma_context_free(context);
}

/* One is done when the pool is no more: what comes of it is done, too. */
static void test_what_follows_the_end(void **state)
{
	struct srdma_context *context;
	struct chain chain = { .job = { .run = run, .done = done } };

	(void)state;
	open_worker(&context, &chain.worker);
	CHECK_EQ(jobs_new(1, &chain.pool), 0);
	jobs_submit(chain.pool, chain.worker, &chain.job);
	jobs_end(chain.pool);
	CHECK_EQ(chain.ran, 1);
	CHECK_EQ(chain.done, 0);
	srdma_worker_free(chain.worker);
	CHECK_EQ(chain.done, CHAIN);
	jobs_free(chain.pool);
	srdma_context_free(context);
}

static int set_up(void **state)
{
	(void)state;
	pki_open();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	pki_close();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_runs_once),
		cmocka_unit_test(test_what_follows_the_end),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
