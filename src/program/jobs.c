/* SPDX-License-Identifier: BSD-2-Clause */
#include "program/jobs.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

struct jobs {
	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t work;
	struct list jobs;
	bool ending;
	bool over; /* the threads are gone */
	unsigned threads;
	pthread_t thread[];
};

static void call_done(struct srdma_worker *worker, void *arg)
{
	struct job *job = arg;

	(void)worker;
	job->done(job, job->result, job->text);
}

/* Losing a job would leave its owner waiting for good, so wait for memory here. */
static void hand_back(struct job *job)
{
	const struct timespec pause = { .tv_nsec = 10000000 };

	while (srdma_worker_call(job->worker, call_done, job) < 0)
		nanosleep(&pause, NULL);
}

static void run_job(struct job *job)
{
	job->result = job->run(job);
	job->text[0] = '\0';
	if (job->result)
		snprintf(job->text, sizeof(job->text), "%s", fault_text());
	hand_back(job);
}

static struct job *next_job(struct jobs *pool)
{
	struct job *job = NULL;

	pthread_mutex_lock(&pool->lock);
	while (list_empty(&pool->jobs) && !pool->ending)
		pthread_cond_wait(&pool->work, &pool->lock);
	if (!list_empty(&pool->jobs)) {
		job = container_of(pool->jobs.next, struct job, node);
		list_remove(&job->node);
	}
	pthread_mutex_unlock(&pool->lock);
	return job;
}

static void *run_thread(void *arg)
{
	struct job *job;

	while ((job = next_job(arg)))
		run_job(job);
	return NULL;
}

static int start_threads(struct jobs *pool, unsigned threads)
{
	sigset_t all, before;
	int error = 0;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	while (!error && pool->threads < threads) {
		error = pthread_create(&pool->thread[pool->threads], NULL, run_thread,
		                       pool);
		pool->threads += !error;
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return error;
}

int jobs_new(unsigned threads, struct jobs **out)
{
	struct jobs *pool = calloc(1, sizeof(*pool) + threads * sizeof(pthread_t));
	int error;

	if (!pool)
		return fault(FAULT_MEMORY, "out of memory");
	pthread_mutex_init(&pool->lock, NULL);
	pthread_cond_init(&pool->work, NULL);
	list_init(&pool->jobs);
	error = start_threads(pool, threads);
	if (error) {
		jobs_free(pool);
		return fault_errno(error, "cannot start a thread");
	}
	*out = pool;
	return 0;
}

void jobs_submit(struct jobs *pool, struct srdma_worker *worker, struct job *job)
{
	job->worker = worker;
	if (pool->over) {
		run_job(job);
		return;
	}
	pthread_mutex_lock(&pool->lock);
	list_append(&pool->jobs, &job->node);
	pthread_cond_signal(&pool->work);
	pthread_mutex_unlock(&pool->lock);
}

void jobs_end(struct jobs *pool)
{
	if (!pool || pool->over)
		return;
	pthread_mutex_lock(&pool->lock);
	pool->ending = true;
	pthread_cond_broadcast(&pool->work);
	pthread_mutex_unlock(&pool->lock);
	for (unsigned i = 0; i < pool->threads; i++)
		pthread_join(pool->thread[i], NULL);
	pool->over = true;
}

void jobs_free(struct jobs *pool)
{
	if (!pool)
		return;
	jobs_end(pool);
	pthread_cond_destroy(&pool->work);
	pthread_mutex_destroy(&pool->lock);
	free(pool);
}
