/* SPDX-License-Identifier: BSD-2-Clause */
#include "server/metrics.h"

#include <stdlib.h>
#include <string.h>

/* From a handshake on an idle server to a transfer of minutes. */
const double metrics_bounds[METRICS_BUCKETS] = { 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
	                                         0.1,   0.5,    1,     5,    30,    300 };

void metrics_init(struct metrics *metrics)
{
	memset(metrics, 0, sizeof(*metrics));
	pthread_mutex_init(&metrics->lock, NULL);
}

void metrics_clear(struct metrics *metrics)
{
	for (unsigned i = 0; i < metrics->series_count; i++)
		free(metrics->series[i].identity);
	pthread_mutex_destroy(&metrics->lock);
}

static struct metrics_series *find_or_add(struct metrics *metrics, const char *identity)
{
	unsigned count = metrics->series_count;
	char *copy;

	for (unsigned i = 0; i < count; i++)
		if (strcmp(metrics->series[i].identity, identity) == 0)
			return &metrics->series[i];
	copy = count < METRICS_IDENTITIES ? strdup(identity) : NULL;
	if (!copy)
		return &metrics->series[METRICS_IDENTITIES];
	metrics->series[count].identity = copy;
	/* Whoever reads the count sees the name. */
	atomic_store(&metrics->series_count, count + 1);
	return &metrics->series[count];
}

struct metrics_series *metrics_series_of(struct metrics *metrics, const char *identity)
{
	struct metrics_series *series;

	pthread_mutex_lock(&metrics->lock);
	series = find_or_add(metrics, identity);
	pthread_mutex_unlock(&metrics->lock);
	return series;
}

void metrics_count_session(struct metrics_series *series,
                           const struct srdma_session *session,
                           struct srdma_session_stats *before)
{
	struct srdma_session_stats now = { 0 };

	srdma_session_stats(session, &now, sizeof(now));
	atomic_fetch_add(&series->messages_sent,
	                 now.messages_sent - before->messages_sent);
	atomic_fetch_add(&series->messages_received,
	                 now.messages_received - before->messages_received);
	atomic_fetch_add(&series->bytes_sent, now.bytes_sent - before->bytes_sent);
	atomic_fetch_add(&series->bytes_received,
	                 now.bytes_received - before->bytes_received);
	atomic_fetch_add(&series->bytes_written,
	                 now.bytes_written - before->bytes_written);
	atomic_fetch_add(&series->bytes_read, now.bytes_read - before->bytes_read);
	*before = now;
}

static enum metrics_outcome outcome_of(int code)
{
	switch (code) {
	case SRDMA_OK:
	case SRDMA_ECLOSED: return OUTCOME_OK;
	case SRDMA_EREFUSED: return OUTCOME_REFUSED;
	case SRDMA_ECERT:
	case SRDMA_ENAME: return OUTCOME_CERTIFICATE;
	case SRDMA_ENOMEM:
	case SRDMA_ELIMIT: return OUTCOME_LIMIT;
	case SRDMA_ECROWDED: return OUTCOME_CROWDED;
	case SRDMA_ETIMEOUT: return OUTCOME_TIMEOUT;
	case SRDMA_ETLS: return OUTCOME_TLS;
	case SRDMA_EPROOF:
	case SRDMA_EVERSION:
	case SRDMA_EPROTOCOL: return OUTCOME_PROTOCOL;
	case SRDMA_ESEAL: return OUTCOME_SEAL;
	case SRDMA_ENETWORK:
	case SRDMA_EVANISHED: return OUTCOME_VANISHED;
	default: return OUTCOME_FAILED;
	}
}

void metrics_observe(struct metrics_histogram *histogram, uint64_t us)
{
	unsigned i = 0;

	while (i < METRICS_BUCKETS && (double)us > metrics_bounds[i] * 1e6)
		i++;
	atomic_fetch_add(&histogram->sum_us, us);
	atomic_fetch_add(&histogram->buckets[i], 1);
}

void metrics_count_handshake(struct metrics *metrics, int code, uint64_t us)
{
	/* Closed before it was established is no success. */
	enum metrics_outcome outcome =
	        code == SRDMA_ECLOSED ? OUTCOME_FAILED : outcome_of(code);

	atomic_fetch_add(&metrics->handshakes[outcome], 1);
	if (outcome == OUTCOME_OK)
		metrics_observe(&metrics->handshake, us);
}

void metrics_count_end(struct metrics *metrics, int code)
{
	atomic_fetch_add(&metrics->ends[outcome_of(code)], 1);
}
