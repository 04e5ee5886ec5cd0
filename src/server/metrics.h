/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is counted of a server, for Prometheus. Any thread counts; the main thread shows
 * it. Clients appear by name, the first METRICS_IDENTITIES of them; all others are
 * "other", so that what is shown stays bounded whoever comes.
 */
#ifndef SERVER_METRICS_H
#define SERVER_METRICS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#include "srdma.h"

#define METRICS_IDENTITIES 256
#define METRICS_BUCKETS    12

struct event_base;
struct server;

/* Of one client, over all its sessions, those before included. */
struct metrics_series {
	char *identity;
	_Atomic uint64_t messages_sent, messages_received;
	_Atomic uint64_t bytes_sent, bytes_received;
	_Atomic uint64_t bytes_written, bytes_read; /* one-sided, by the server */
};

/* Durations; the last bucket has no bound. */
struct metrics_histogram {
	_Atomic uint64_t buckets[METRICS_BUCKETS + 1];
	_Atomic uint64_t sum_us;
};

enum metrics_outcome {
	OUTCOME_OK,          /* established; or closed in order */
	OUTCOME_REFUSED,     /* by the policy */
	OUTCOME_CERTIFICATE, /* not accepted, or no more; of either side */
	OUTCOME_LIMIT,
	OUTCOME_CROWDED, /* for newer connections, before it was known who it is */
	OUTCOME_TIMEOUT,
	OUTCOME_TLS,
	OUTCOME_PROTOCOL,
	OUTCOME_SEAL, /* a message's seal was broken */
	OUTCOME_VANISHED,
	OUTCOME_FAILED, /* whatever else */
	OUTCOMES,
};

struct metrics {
	pthread_mutex_t lock; /* over the list of series */
	struct metrics_series series[METRICS_IDENTITIES + 1]; /* the last one: others */
	_Atomic unsigned series_count;
	_Atomic uint64_t handshakes[OUTCOMES];
	_Atomic uint64_t ends[OUTCOMES]; /* of established sessions */
	_Atomic uint64_t refusals;       /* requests */
	struct metrics_histogram handshake, receiving, sending;
};

void metrics_init(struct metrics *metrics);
void metrics_clear(struct metrics *metrics);

/* Where a client counts. Never NULL. */
struct metrics_series *metrics_series_of(struct metrics *metrics, const char *identity);

/* What a session did since `before`, which is brought up to date. */
void metrics_count_session(struct metrics_series *series,
                           const struct srdma_session *session,
                           struct srdma_session_stats *before);

void metrics_count_handshake(struct metrics *metrics, int code, uint64_t us);
void metrics_count_end(struct metrics *metrics, int code);
void metrics_observe(struct metrics_histogram *histogram, uint64_t us);

/* metrics_text.c: in Prometheus' text format; for free(). NULL: out of memory. */
char *metrics_text(const struct server *server, size_t *length);
extern const double metrics_bounds[METRICS_BUCKETS]; /* seconds */

/* metrics_http.c: /metrics, /healthz, /readyz. Main thread. */
struct metrics_http;
int metrics_http_new(struct server *server, struct metrics_http **out);
void metrics_http_free(struct metrics_http *http);

#endif
