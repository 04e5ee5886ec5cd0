/* SPDX-License-Identifier: BSD-2-Clause */
#include "server/account.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "program/fault.h"

#define SECOND_NS UINT64_C(1000000000)

static bool tally_take(struct tally *tally)
{
	uint64_t limit = atomic_load(&tally->limit), used = atomic_load(&tally->used);

	do {
		if (limit && used >= limit)
			return false;
	} while (!atomic_compare_exchange_weak(&tally->used, &used, used + 1));
	return true;
}

static void tally_return(struct tally *tally)
{
	atomic_fetch_sub(&tally->used, 1);
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * SECOND_NS + (uint64_t)now.tv_nsec;
}

/*
 * The generic cell rate algorithm: each message moves the time of the next one on by its
 * share of a second, which may be a second ahead of the clock.
 */
static bool rate_take(struct rate *rate)
{
	uint64_t limit = atomic_load(&rate->limit), now, next, after;

	if (!limit)
		return true;
	now = now_ns();
	next = atomic_load(&rate->next_ns);
	do {
		after = (next > now ? next : now) + SECOND_NS / limit;
		if (after > now + SECOND_NS)
			return false;
	} while (!atomic_compare_exchange_weak(&rate->next_ns, &next, after));
	return true;
}

/*
 * The table
 */

static char *name_of(const struct srdma_identity *identity)
{
	static const struct {
		enum srdma_name kind;
		const char *prefix;
	} kinds[] = { { SRDMA_NAME_URI, "uri" },
		      { SRDMA_NAME_DNS, "dns" },
		      { SRDMA_NAME_CN, "cn" } };
	const char *prefix = "sha256", *name = NULL;
	char *made;

	for (size_t i = 0; !name && i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		name = srdma_identity_name(identity, kinds[i].kind, 0);
		prefix = name ? kinds[i].prefix : prefix;
	}
	if (!name)
		name = srdma_identity_fingerprint(identity);
	return asprintf(&made, "%s:%s", prefix, name) < 0 ? NULL : made;
}

/* FNV-1a: names come from our own authorities. */
static struct list *bucket_of(struct accounts *accounts, const char *name)
{
	uint32_t hash = 2166136261;

	while (*name)
		hash = (hash ^ (unsigned char)*name++) * 16777619;
	return &accounts->buckets[hash % ACCOUNT_BUCKETS];
}

static void destroy(struct account *account)
{
	list_remove(&account->node);
	free(account->name);
	free(account);
}

/* The memory of a transfer may be given back after its session's end. */
static bool is_unused(struct account *account)
{
	return !atomic_load(&account->sessions.used) &&
	       !atomic_load(&account->memory.used) && !atomic_load(&account->files.used);
}

/* What is left over in the bucket goes on the way. */
static struct account *find(struct list *bucket, const char *name)
{
	struct account *found = NULL;

	list_for_each_safe (node, bucket) {
		struct account *account = container_of(node, struct account, node);

		if (strcmp(account->name, name) == 0)
			found = account;
		else if (is_unused(account))
			destroy(account);
	}
	return found;
}

/* Takes the name over. */
static struct account *find_or_make(struct accounts *accounts, char *name)
{
	struct list *bucket = bucket_of(accounts, name);
	struct account *account = find(bucket, name);

	if (account) {
		free(name);
		return account;
	}
	account = calloc(1, sizeof(*account));
	if (!account) {
		free(name);
		return NULL;
	}
	account->name = name;
	account->memory.parent = &accounts->memory;
	list_append(bucket, &account->node);
	return account;
}

void account_set_limits(struct account *account, const struct limits *limits)
{
	uint64_t memory = limits->value[LIMIT_MEMORY];

	atomic_store(&account->sessions.limit, limits->value[LIMIT_SESSIONS]);
	atomic_store(&account->files.limit, limits->value[LIMIT_FILES]);
	atomic_store(&account->messages.limit, limits->value[LIMIT_MESSAGES]);
	atomic_store(&account->memory.limit, memory ? memory : UINT64_MAX);
}

static int join(struct account *account, const struct limits *limits,
                struct account **out)
{
	if (!account)
		return fault(FAULT_MEMORY, "out of memory");
	account_set_limits(account, limits);
	if (!tally_take(&account->sessions))
		return fault(FAULT_BUSY,
		             "'%.200s' has its %llu sessions already: try again later",
		             strchr(account->name, ':') + 1,
		             (unsigned long long)limits->value[LIMIT_SESSIONS]);
	*out = account;
	return 0;
}

int account_join(struct accounts *accounts, const struct srdma_identity *identity,
                 const struct limits *limits, struct account **out)
{
	char *name = name_of(identity);
	int error;

	if (!name)
		return fault(FAULT_MEMORY, "out of memory");
	pthread_mutex_lock(&accounts->lock);
	error = join(find_or_make(accounts, name), limits, out);
	pthread_mutex_unlock(&accounts->lock);
	return error;
}

void account_leave(struct accounts *accounts, struct account *account)
{
	pthread_mutex_lock(&accounts->lock);
	tally_return(&account->sessions);
	if (is_unused(account))
		destroy(account);
	pthread_mutex_unlock(&accounts->lock);
}

void accounts_init(struct accounts *accounts, uint64_t files, uint64_t messages,
                   uint64_t memory)
{
	pthread_mutex_init(&accounts->lock, NULL);
	for (unsigned i = 0; i < ACCOUNT_BUCKETS; i++)
		list_init(&accounts->buckets[i]);
	accounts->files.limit = files;
	accounts->messages.limit = messages;
	accounts->memory.limit = memory;
}

void accounts_clear(struct accounts *accounts)
{
	for (unsigned i = 0; i < ACCOUNT_BUCKETS; i++)
		list_for_each_safe (node, &accounts->buckets[i])
			destroy(container_of(node, struct account, node));
	pthread_mutex_destroy(&accounts->lock);
}

/*
 * Counting
 */

int account_take_file(struct accounts *accounts, struct account *account)
{
	if (!tally_take(&account->files))
		return fault(FAULT_BUSY,
		             "'%.200s' has as many files open as it may, %llu: wait for "
		             "one",
		             strchr(account->name, ':') + 1,
		             (unsigned long long)account->files.limit);
	if (tally_take(&accounts->files))
		return 0;
	tally_return(&account->files);
	return fault(FAULT_BUSY,
	             "the server has as many files open as it may: try again later");
}

void account_return_file(struct accounts *accounts, struct account *account)
{
	tally_return(&accounts->files);
	tally_return(&account->files);
}

int account_count_message(struct accounts *accounts, struct account *account)
{
	if (!rate_take(&account->messages))
		return fault(FAULT_BUSY,
		             "'%.200s' sends more than its %llu messages a second: send "
		             "them more slowly",
		             strchr(account->name, ':') + 1,
		             (unsigned long long)account->messages.limit);
	if (!rate_take(&accounts->messages))
		return fault(FAULT_BUSY,
		             "the server gets more messages a second than it takes: try "
		             "again later");
	return 0;
}
