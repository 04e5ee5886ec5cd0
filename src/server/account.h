/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What each client has of the server, over all its sessions, within limits of its own and
 * those of all. A client is its first name, URI before DNS before common name. Any
 * thread.
 */
#ifndef SERVER_ACCOUNT_H
#define SERVER_ACCOUNT_H

#include <pthread.h>
#include <stdatomic.h>

#include "common/list.h"
#include "program/budget.h"
#include "server/limits.h"
#include "srdma.h"

#define ACCOUNT_BUCKETS 1024

/* Messages a second, with up to a second's worth at once. */
struct rate {
	_Atomic uint64_t limit;   /* 0: none */
	_Atomic uint64_t next_ns; /* when an even flow would have its next message */
};

/* Things of which there are so many at a time. */
struct tally {
	_Atomic uint64_t limit; /* 0: none */
	_Atomic uint64_t used;
};

struct account {
	struct list node; /* of its bucket */
	char *name;       /* "uri:spiffe://…" */
	struct tally sessions;
	struct tally files;
	struct rate messages;
	struct budget memory;
};

/* Zeroed, but for the limits in `all`. */
struct accounts {
	pthread_mutex_t lock; /* over the buckets */
	struct list buckets[ACCOUNT_BUCKETS];
	struct tally files; /* of all */
	struct rate messages;
	struct budget memory;
};

void accounts_init(struct accounts *accounts, uint64_t files, uint64_t messages,
                   uint64_t memory);
void accounts_clear(struct accounts *accounts);

/*
 * One session more of this client, with these limits from now on: *out for
 * account_leave(). -FAULT_BUSY, with a sentence, when it has as many as it may;
 * -FAULT_MEMORY.
 */
int account_join(struct accounts *accounts, const struct srdma_identity *identity,
                 const struct limits *limits, struct account **out);
void account_leave(struct accounts *accounts, struct account *account);

void account_set_limits(struct account *account, const struct limits *limits);

/* -FAULT_BUSY, with a sentence. */
int account_take_file(struct accounts *accounts, struct account *account);
void account_return_file(struct accounts *accounts, struct account *account);
int account_count_message(struct accounts *accounts, struct account *account);

#endif
