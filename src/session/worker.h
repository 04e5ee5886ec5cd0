/* SPDX-License-Identifier: BSD-2-Clause */
/* One thread's share: its descriptors, timers, adapters and sessions. */
#ifndef SESSION_WORKER_H
#define SESSION_WORKER_H

#include <pthread.h>
#include <sys/socket.h>

#include "common/list.h"
#include "common/poller.h"
#include "session/context.h"
#include "session/strangers.h"
#include "session/timer.h"

struct cm;
struct fabric;
struct transport;

/* A descriptor that the worker polls. Embedded; unwatch before freeing. */
struct source {
	int fd;
	void (*ready)(struct source *source, uint32_t events);
};

struct srdma_worker {
	struct srdma_context *context;
	struct options options; /* of the context, when the worker was made */
	bool single; /* made by srdma_dial(): one session, so nothing is shared */
	bool running;
	bool watched; /* someone else polls our descriptor */
	bool again;   /* work is left: the descriptor stays readable */

	int poller;
	struct source wake; /* a notice */
	struct source alarm;
	uint64_t alarm_at;
	struct timers timers;
	unsigned timer_count;
	unsigned skipped; /* runs without a look at the descriptors */

	const struct transport *transport;
	struct list adapters;  /* of verbs */
	struct cm *cm;         /* of verbs; NULL until a session asks for it */
	struct fabric *fabric; /* of libfabric */

	struct list sessions;
	unsigned session_count;
	unsigned admitted; /* of these, within SRDMA_OPT_MAX_SESSIONS */
	struct strangers strangers;
	struct list attention; /* sessions with something to settle outside of their
	                          callers */
	struct list dead;      /* sessions to free when no stack refers to them */
	struct list lingers;   /* sockets whose last words are on their way */
	unsigned linger_count;
	struct poller_event events[POLLER_MOST]; /* being handled */
	unsigned event_count;

	pthread_mutex_t calls_lock;
	struct list calls; /* of other threads */

	struct srdma_worker_stats stats;
};

int worker_watch(struct srdma_worker *worker, struct source *source, uint32_t events);
void worker_rewatch(struct srdma_worker *worker, struct source *source, uint32_t events);
void worker_unwatch(struct srdma_worker *worker, struct source *source);

/* Each timer that may be set at the same time as others must have been announced.
 * SRDMA_ENOMEM. */
int worker_add_timer(struct srdma_worker *worker);
void worker_drop_timer(struct srdma_worker *worker, struct timer *timer);
void worker_set_timer(struct srdma_worker *worker, struct timer *timer,
                      uint64_t after_us);

/* Something is to be done in the worker's thread soon; cheap inside srdma_worker_run().
 */
void worker_kick(struct srdma_worker *worker);

/* Handle what ended and came on the transport, calling back; returns the number of
 * completions. */
unsigned worker_poll(struct srdma_worker *worker);

/* Nobody is in callbacks any more: what was freed in them goes now, and `running` ends.
 */
void worker_rest(struct srdma_worker *worker);

#endif
